//! `MongoDB` with its own driver: a primary that answers, or with `allow_secondary` any member.
//!
//! Not run against `MongoDB`: neither Debian 12 nor the registries of packages have a server. Tested are
//! a port that refuses and one that is silent.
//!
//! ```no_run
//! use recipes::mongodb::Mongodb;
//! use servicekit_health::{CheckResult, health_check};
//!
//! /// Every replica has the same database, so its failure must not take all of them out at once.
//! #[health_check(shared)]
//! async fn database(database: &Mongodb) -> Result<CheckResult, String> {
//!     database.check().await
//! }
//! ```
//!
//! * `hello` rather than `ping`: it is answered by each release since 4.4, needs no permission, and
//!   says whether this member takes writes. After a failover `ping` also works on the old primary.
//! * A client of its own with one connection: in the application's pool the check waits behind the
//!   requests. The driver looks after the connection and finds the new primary by itself.
//! * The driver waits 30 s for a server by default, and the check's timeout would hide why. Within the
//!   limit here the error has the cause of each member.
//! * Credentials are checked when a connection is opened, so a changed password shows when the pool
//!   opens one anew: `max_idle_time` makes that happen.

use std::time::Duration;

use ::mongodb::Client;
use ::mongodb::bson::doc;
use ::mongodb::error::{Error, ErrorKind};
use ::mongodb::options::{ClientOptions, ReadPreference, SelectionCriteria, ServerAddress};
use servicekit_health::CheckResult;
use tokio::time::timeout;

use crate::cause::{LIMIT, no_answer};

/// Below [`LIMIT`], so that the driver's error comes first.
const SELECTION: Duration = Duration::from_millis(400);

/// A deployment, asked by a client of the check's own.
#[derive(Debug)]
pub struct Mongodb {
    client: Client,
    first: Option<(String, u16)>,
    selection: SelectionCriteria,
}

impl Mongodb {
    /// The application's deployment: without a primary it is unhealthy.
    ///
    /// # Errors
    /// Where the options contradict each other.
    pub fn new(mut options: ClientOptions) -> Result<Self, Error> {
        let first = options.hosts.first().and_then(|host| match host {
            ServerAddress::Tcp { host, port } => Some((host.clone(), port.unwrap_or(27017))),
            _ => None,
        });
        options.app_name = Some("health".to_owned());
        options.max_pool_size = Some(1);
        options.min_pool_size = Some(0);
        options.max_idle_time = Some(Duration::from_secs(30));
        options.connect_timeout = Some(SELECTION);
        options.server_selection_timeout = Some(SELECTION);
        let selection = SelectionCriteria::ReadPreference(ReadPreference::Primary);
        Ok(Self { client: Client::with_options(options)?, first, selection })
    }

    /// Any member is healthy: this service only reads.
    #[must_use]
    pub fn allow_secondary(mut self) -> Self {
        let any = ReadPreference::Nearest { options: None };
        self.selection = SelectionCriteria::ReadPreference(any);
        self
    }

    /// One run.
    ///
    /// # Errors
    /// With the cause, where no member answers.
    pub async fn check(&self) -> Result<CheckResult, String> {
        let admin = self.client.database("admin");
        let hello = admin.run_command(doc! { "hello": 1 });
        let hello = hello.selection_criteria(self.selection.clone()).into_future();
        match timeout(LIMIT, hello).await {
            Ok(Ok(hello)) => {
                let primary = hello.get_bool("isWritablePrimary").unwrap_or_default();
                Ok(CheckResult::healthy().with_detail("primary", primary))
            }
            Ok(Err(error)) => Err(match &*error.kind {
                ErrorKind::Authentication { message, .. } => {
                    format!("MongoDB refuses the credentials: {message}")
                }
                ErrorKind::ServerSelection { message, .. } => match members(message) {
                    silent if silent.is_empty() => self.no_answer().await,
                    members => format!("MongoDB has no member to ask: {members}"),
                },
                ErrorKind::Io(error) => format!("MongoDB cannot be reached: {error}"),
                kind => format!("MongoDB: {kind}"),
            }),
            Err(_) => Err(self.no_answer().await),
        }
    }

    async fn no_answer(&self) -> String {
        match &self.first {
            Some((host, port)) => no_answer("MongoDB", host, *port).await,
            None => format!("MongoDB does not answer within {LIMIT:?}"),
        }
    }
}

/// What the driver knows of each member that is not silent. Its own words hold times that change with
/// each run.
fn members(message: &str) -> String {
    let members = message.split("{ Address: ").skip(1).filter_map(|member| {
        let (address, rest) = member.split_once(", Type: ")?;
        let about = match rest.split_once("Error: Kind: ") {
            Some((_, error)) => error.split(", labels: ").next()?,
            None => rest.split([',', ' ']).next()?,
        };
        let silent = about == "Unknown" || about.ends_with("timed out");
        (!silent).then(|| format!("{address}: {about}"))
    });
    members.collect::<Vec<_>>().join("; ")
}
