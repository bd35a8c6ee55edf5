//! Which authorities a server's certificate may come from.

use ureq::config::ConfigBuilder;
#[cfg(feature = "check-http-tls")]
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::typestate::AgentScope;

/// Mozilla's roots, or those of this PEM.
#[derive(Clone, Debug, Default)]
pub(super) struct Trust {
    #[cfg(feature = "check-http-tls")]
    pub(super) roots: Option<Vec<u8>>,
}

impl Trust {
    /// Tells the client, or says why the PEM cannot be used, without repeating it.
    #[cfg(feature = "check-http-tls")]
    pub(super) fn apply(
        &self,
        config: ConfigBuilder<AgentScope>,
    ) -> Result<ConfigBuilder<AgentScope>, String> {
        let Some(pem) = &self.roots else { return Ok(config) };
        let items: Result<Vec<_>, _> = parse_pem(pem).collect();
        let items = items.map_err(|_| "invalid root certificates: expected PEM")?;
        let certificates = items.into_iter().filter_map(|item| match item {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        });
        let roots: Vec<_> = certificates.collect();
        if roots.is_empty() {
            return Err("invalid root certificates: expected a certificate in PEM".to_owned());
        }
        let roots = RootCerts::new_with_certs(&roots);
        Ok(config.tls_config(TlsConfig::builder().root_certs(roots).build()))
    }

    #[cfg(not(feature = "check-http-tls"))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as with the feature")]
    pub(super) fn apply(
        &self,
        config: ConfigBuilder<AgentScope>,
    ) -> Result<ConfigBuilder<AgentScope>, String> {
        Ok(config)
    }
}
