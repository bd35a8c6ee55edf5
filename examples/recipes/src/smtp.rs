//! An SMTP server with `lettre`: greeting, EHLO, the login, NOOP. No mail is sent.
//!
//! ```no_run
//! use recipes::smtp::Smtp;
//! use servicekit_health::{CheckResult, health_check};
//!
//! /// Mails wait in the outbox until the server is back.
//! #[health_check(name = "mail", probe = "none", on_error = "degraded", interval = "30s")]
//! async fn mail(smtp: &Smtp) -> Result<CheckResult, String> {
//!     smtp.check().await
//! }
//! ```
//!
//! * A mail server writes a log line for each connection, and some count logins: every 30 s is enough
//!   for what waits in a queue anyway. So there is no connection to keep, and Postfix, which counts
//!   NOOP as junk after 100 of them in a session, has nothing to complain about.
//! * `AsyncSmtpTransport::test_connection` of lettre says yes or no; the reply's code says why.
//! * A password is refused only when it is sent, so the login is part of the check.
//! * For a server that asks for TLS, `starttls` goes between EHLO and the login, with lettre's feature
//!   for it; this file is built without TLS.

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::Noop;
use lettre::transport::smtp::extension::ClientId;
use servicekit_health::CheckResult;
use tokio::time::timeout;

use crate::cause::{LIMIT, no_answer};

/// A server.
#[derive(Debug)]
pub struct Smtp {
    host: String,
    port: u16,
    name: ClientId,
    credentials: Option<Credentials>,
}

impl Smtp {
    /// The server at this address, greeted with this name, which is that of our host.
    pub fn new(host: impl Into<String>, port: u16, name: impl Into<String>) -> Self {
        let name = ClientId::Domain(name.into());
        Self { host: host.into(), port, name, credentials: None }
    }

    /// Logs in.
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// One run.
    ///
    /// # Errors
    /// With the cause, where the server takes no mail from us.
    pub async fn check(&self) -> Result<CheckResult, String> {
        match timeout(LIMIT, self.talk()).await {
            Ok(Ok(())) => Ok(CheckResult::healthy()),
            Ok(Err(error)) => failed(&error),
            Err(_) => Err(no_answer("SMTP server", &self.host, self.port).await),
        }
    }

    async fn talk(&self) -> Result<(), Error> {
        let address = (&*self.host, self.port);
        // The limit of the whole run is the only one.
        let mut server =
            AsyncSmtpConnection::connect_tokio1(address, None, &self.name, None, None).await?;
        if let Some(credentials) = &self.credentials {
            server.auth(&[Mechanism::Plain, Mechanism::Login], credentials).await?;
        }
        server.command(Noop).await?;
        // The answer does not matter any more, and a server counts who leaves without a word.
        let _ = server.quit().await;
        Ok(())
    }
}

/// Reply codes: <https://www.rfc-editor.org/rfc/rfc5321#section-4.2.3>, and 4954 for AUTH.
fn failed(error: &Error) -> Result<CheckResult, String> {
    let cause = std::error::Error::source(error);
    let text = cause.map_or_else(|| error.to_string(), ToString::to_string);
    match error.status().map(u16::from) {
        Some(421) => {
            Ok(CheckResult::degraded(format!("SMTP server takes no connection now: {text}")))
        }
        Some(530 | 534 | 535) => Err(format!("SMTP server refuses the credentials: {text}")),
        Some(code) => Err(format!("SMTP server: {code} {text}")),
        None if error.is_client() || error.is_response() => Err(format!("SMTP server: {text}")),
        None => Err(format!("SMTP server cannot be reached: {text}")),
    }
}
