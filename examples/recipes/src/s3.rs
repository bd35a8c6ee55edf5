//! S3 and its like with `object_store`: the bucket is there and this service may read it.
//!
//! Run against moto, which stands in for S3 and asks for no signature unless told so.
//!
//! ```no_run
//! use object_store::aws::AmazonS3Builder;
//! use recipes::s3::S3;
//! use servicekit_health::{CheckResult, health_check};
//!
//! fn bucket() -> object_store::Result<S3> {
//!     S3::new(AmazonS3Builder::from_env())
//! }
//!
//! /// Every replica has the same bucket, so its failure must not take all of them out at once. A
//! /// request is paid for, so the result serves for longer.
//! #[health_check(shared, cache = "10s")]
//! async fn uploads(bucket: &S3) -> Result<CheckResult, String> {
//!     bucket.check().await
//! }
//! ```
//!
//! * A GET of a key that need not exist. A LIST costs more than ten times as much; a HEAD has no body,
//!   and only the body tells a key that is not there (`NoSuchKey`) from a bucket that is not.
//! * Without the permission to list, S3 answers `AccessDenied` for a key that is not there: then put an
//!   empty object there.
//! * `object_store` tries again for three minutes, which hides the cause. Here each run asks once.
//! * Credentials go with each request, so a changed key is seen by the next run.

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::{Error, ObjectStoreExt, RetryConfig};
use servicekit_health::CheckResult;
use tokio::time::timeout;

use crate::cause::{LIMIT, no_answer};

/// The key that is asked for.
const KEY: &str = ".health";

/// A bucket.
#[derive(Debug)]
pub struct S3 {
    bucket: AmazonS3,
    host: String,
    port: u16,
}

impl S3 {
    /// The bucket of this configuration.
    ///
    /// # Errors
    /// Where the configuration is not complete.
    pub fn new(builder: AmazonS3Builder) -> Result<Self, Error> {
        let value = |key| builder.get_config_value(&key);
        let endpoint = value(AmazonS3ConfigKey::Endpoint).unwrap_or_else(|| {
            let region = value(AmazonS3ConfigKey::Region);
            format!("https://s3.{}.amazonaws.com", region.as_deref().unwrap_or("us-east-1"))
        });
        let (host, port) = address(&endpoint);
        let once = RetryConfig { max_retries: 0, ..RetryConfig::default() };
        Ok(Self { bucket: builder.with_retry(once).build()?, host, port })
    }

    /// One run.
    ///
    /// # Errors
    /// With the cause, where the bucket cannot be read.
    pub async fn check(&self) -> Result<CheckResult, String> {
        match timeout(LIMIT, self.bucket.get(&Path::from(KEY))).await {
            Ok(Ok(_)) => Ok(CheckResult::healthy()),
            Ok(Err(error)) => verdict(&error),
            Err(_) => Err(no_answer("S3", &self.host, self.port).await),
        }
    }
}

/// Host and port of a URL.
fn address(endpoint: &str) -> (String, u16) {
    let (default, rest) = match endpoint.split_once("://") {
        Some(("http", rest)) => (80, rest),
        Some((_, rest)) => (443, rest),
        None => (443, endpoint),
    };
    let authority = rest.split('/').next().unwrap_or(rest);
    match authority.rsplit_once(':').map(|(host, port)| (host, port.parse())) {
        Some((host, Ok(port))) => (host.to_owned(), port),
        _ => (authority.to_owned(), default),
    }
}

/// Codes: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>.
fn verdict(error: &Error) -> Result<CheckResult, String> {
    let mut cause: &dyn std::error::Error = error;
    let mut answer = None;
    while let Some(source) = cause.source() {
        cause = source;
        answer = answer.or_else(|| element(&cause.to_string(), "Code"));
    }
    let Some(code) = answer else {
        return Err(format!("S3 cannot be reached: {cause}"));
    };
    let text = element(&error.to_string(), "Message").unwrap_or_default();
    match &*code {
        "NoSuchKey" => Ok(CheckResult::healthy()),
        "SlowDown" | "ServiceUnavailable" => {
            Ok(CheckResult::degraded(format!("S3 asks for fewer requests: {text}")))
        }
        "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "ExpiredToken" | "InvalidToken" => {
            Err(format!("S3 refuses the credentials: {code}: {text}"))
        }
        code => Err(format!("S3: {code}: {text}")),
    }
}

/// The text of an element of the answer's XML. The whole of it would show the access key.
fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    Some(rest.split('<').next()?.to_owned())
}
