//! What a certificate says of itself.

use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

pub(super) const DAY: Duration = Duration::from_secs(86_400);

/// The largest file that is read, in bytes: a bundle of all public roots has some 220 KB.
const FILE_LIMIT: u64 = 1024 * 1024;

#[derive(Clone, Debug)]
pub(super) struct Certificate {
    pub(super) not_before: SystemTime,
    pub(super) not_after: SystemTime,
    /// The first of its names, or its subject, quoted.
    pub(super) name: String,
    /// The host names and addresses that it is for.
    pub(super) names: Vec<String>,
    /// Whether it is its own issuer.
    pub(super) is_root: bool,
}

impl Certificate {
    pub(super) fn parse(der: &[u8]) -> Result<Self, String> {
        let parsed = x509_cert::Certificate::from_der(der)
            .map_err(|error| format!("not a valid certificate: {error}"))?;
        let certificate = parsed.tbs_certificate();
        let validity = certificate.validity();
        let subject = certificate.subject();
        let names = certificate.get_extension::<SubjectAltName>().ok().flatten();
        let names = names.map(|(_, names)| names.0).unwrap_or_default();
        let names: Vec<_> = names.iter().filter_map(text).collect();
        let common = || subject.common_name().ok().flatten().map(|name| name.value().into_owned());
        let name = names.first().cloned().or_else(common).unwrap_or_else(|| subject.to_string());
        Ok(Self {
            not_before: validity.not_before.to_system_time(),
            not_after: validity.not_after.to_system_time(),
            name: format!("`{name}`"),
            names,
            is_root: subject == certificate.issuer(),
        })
    }

    /// Whole days, negative after the end.
    pub(super) fn days_left(&self, now: SystemTime) -> i64 {
        let days =
            |time: Duration| i64::try_from(time.as_secs() / DAY.as_secs()).unwrap_or(i64::MAX);
        match self.not_after.duration_since(now) {
            Ok(left) => days(left),
            Err(over) => -days(over.duration()) - 1,
        }
    }
}

fn text(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        GeneralName::IpAddress(octets) => {
            let octets = octets.as_bytes();
            let v4 = || <[u8; 4]>::try_from(octets).map(IpAddr::from);
            let v6 = || <[u8; 16]>::try_from(octets).map(IpAddr::from);
            v4().or_else(|_| v6()).ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

/// The certificates of a file, in PEM or DER. No message repeats what is in it: that may be a key.
pub(super) fn file(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    // Not by its size, which is 0 for a device that never ends.
    let mut content = Vec::new();
    file.take(FILE_LIMIT + 1).read_to_end(&mut content).map_err(|error| error.to_string())?;
    if content.len() as u64 > FILE_LIMIT {
        return Err("the file exceeds the limit of 1 MiB".to_owned());
    }
    // DER begins with the tag of a sequence, which no PEM file does.
    if content.first() == Some(&0x30) {
        return Ok(vec![content.into()]);
    }
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&content).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) => Err("expected a certificate in PEM or DER".to_owned()),
        Err(_) => Err("the file is not valid PEM".to_owned()),
    }
}
