//! LDAP with `ldap3`: a bind as the service's own user, and the entry that its searches start at.
//!
//! ```no_run
//! use recipes::ldap::Ldap;
//! use servicekit_health::{CheckResult, health_check};
//!
//! /// Logins. Sessions that are open go on without it.
//! #[health_check(name = "directory", on_error = "degraded", shared)]
//! async fn directory(directory: &Ldap) -> Result<CheckResult, String> {
//!     directory.check().await
//! }
//! ```
//!
//! * The root entry is answered by the server's front, also where the database behind it is not there.
//! * A bind without a password is anonymous and succeeds, so an empty one is no login.
//! * A refused bind is an answer, not an error of the driver: it is `success()` that makes it one.

use std::time::Duration;

use ldap3::{LdapConnAsync, LdapError, Scope};
use servicekit_health::CheckResult;
use tokio::time::timeout;

use crate::cause::{LIMIT, no_answer};
use crate::kept::{Kept, Opened};

/// A directory, asked on a connection of the check's own.
pub struct Ldap {
    host: String,
    port: u16,
    user: String,
    password: String,
    base: String,
    kept: Kept<ldap3::Ldap>,
}

impl std::fmt::Debug for Ldap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ldap").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Ldap {
    /// The server at this address, and the entry to read, such as `ou=people,dc=example,dc=org`.
    pub fn new(host: impl Into<String>, port: u16, base: impl Into<String>) -> Self {
        let (host, base) = (host.into(), base.into());
        Self { host, port, user: String::new(), password: String::new(), base, kept: Kept::new() }
    }

    /// Who asks; nobody unless set.
    #[must_use]
    pub fn bind(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        (self.user, self.password) = (user.into(), password.into());
        self
    }

    /// How long a connection is used; 30 s unless set.
    #[must_use]
    pub fn reconnect_every(mut self, age: Duration) -> Self {
        self.kept = self.kept.reconnect_every(age);
        self
    }

    /// One run.
    ///
    /// # Errors
    /// With the cause, where the directory cannot be read.
    pub async fn check(&self) -> Result<CheckResult, String> {
        match timeout(LIMIT, self.read()).await {
            Ok(Ok(())) => Ok(CheckResult::healthy()),
            Ok(Err(error)) => self.failed(&error),
            Err(_) => Err(no_answer("LDAP server", &self.host, self.port).await),
        }
    }

    async fn read(&self) -> Result<(), LdapError> {
        let mut old = None;
        match self.kept.take() {
            Some(opened) if self.kept.is_due(&opened) => old = Some(opened),
            Some(opened) => match self.ask(opened).await {
                // The connection is lost; a new one tells how the server is now.
                Err(error) if !matches!(error, LdapError::LdapResult { .. }) => {}
                result => return result,
            },
            None => {}
        }
        match self.connect().await {
            Ok(new) => self.ask(Opened::new(new)).await,
            Err(error) => {
                if let Some(old) = old {
                    self.kept.put(old);
                }
                Err(error)
            }
        }
    }

    async fn connect(&self) -> Result<ldap3::Ldap, LdapError> {
        let url = format!("ldap://{}:{}", self.host, self.port);
        let (connection, mut ldap) = LdapConnAsync::new(&url).await?;
        // It ends when the handle is dropped.
        tokio::spawn(connection.drive());
        ldap.simple_bind(&self.user, &self.password).await?.success()?;
        Ok(ldap)
    }

    async fn ask(&self, mut opened: Opened<ldap3::Ldap>) -> Result<(), LdapError> {
        // `1.1` asks for no attribute (RFC 4511, section 4.5.1.8).
        let all = "(objectClass=*)";
        let answer = opened.connection.search(&self.base, Scope::Base, all, vec!["1.1"]).await?;
        self.kept.put(opened);
        answer.success()?;
        Ok(())
    }

    /// Result codes: <https://www.rfc-editor.org/rfc/rfc4511#appendix-A>.
    fn failed(&self, error: &LdapError) -> Result<CheckResult, String> {
        let LdapError::LdapResult { result } = error else {
            return Err(match error {
                LdapError::Io { source } => format!("LDAP server cannot be reached: {source}"),
                error => format!("LDAP server cannot be reached: {error}"),
            });
        };
        let text = result.text.trim();
        match result.rc {
            51 => Ok(CheckResult::degraded(format!("LDAP server is busy: {text}"))),
            48 | 49 => Err("LDAP server refuses the credentials".to_owned()),
            32 => Err(format!("LDAP server has no entry `{}`, or does not show it", self.base)),
            52 => Err(format!("LDAP server is shutting down or has no database: {text}")),
            code => Err(format!("LDAP server: result code {code}: {text}")),
        }
    }
}
