//! The `#[health_check]` attribute of `servicekit-health`, which re-exports it.
//!
//! It works in four steps, a place each: the arguments and the function are read (`arguments`,
//! `function`), judged (`settings`, `signature`), and become either the code of a check (`expand`)
//! or the function as it was and every mistake in it (`fallback`).

mod arguments;
mod check;
mod dependency;
mod description;
mod duration;
mod errors;
mod expand;
#[cfg(test)]
mod expansion;
mod fallback;
mod function;
mod keys;
mod name;
mod returned;
mod settings;
mod signature;
mod suggest;
mod text;

use proc_macro2::TokenStream;

/// Makes a free `async fn` a health check of every program that it is linked into.
///
/// ```
/// use servicekit_health::health_check;
/// # struct RedisClient;
/// # #[derive(Debug)] struct RedisError;
/// # impl std::fmt::Display for RedisError {
/// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("down") }
/// # }
/// # impl std::error::Error for RedisError {}
/// # impl RedisClient { async fn ping(&self) -> Result<(), RedisError> { Ok(()) } }
///
/// /// Session cache. Losing it slows us down but does not stop us.
/// #[health_check(name = "redis", on_error = "degraded", timeout = "300ms")]
/// async fn redis_ping(client: &RedisClient) -> Result<(), RedisError> {
///     client.ping().await
/// }
/// ```
///
/// The function stays as it was written: it can be called and unit-tested like any other. Its doc
/// comment becomes the check's description. `#[cfg]`, above or below the attribute, removes the check
/// together with the function.
///
/// # Keys
///
/// All are optional, each is given at most once. Values are string literals, except where the table
/// says otherwise.
///
/// | key | value | default |
/// |---|---|---|
/// | [`name`](#name) | letters, digits, `.`, `_`, `-`; at most 64 | the function's name |
/// | [`on_error`](#on_error) | `"degraded"` or `"unhealthy"` | `"unhealthy"` |
/// | [`timeout`](#timeout) | a duration, above zero | the builder's, 800 ms |
/// | [`cache`](#cache) | a duration | the builder's, 500 ms |
/// | [`interval`](#interval) | a duration, above zero | runs on demand |
/// | [`probe`](#probe) | `"liveness"`, `"readiness"`, `"startup"`, or an array | `"readiness"` |
/// | [`failure_threshold`](#failure_threshold-success_threshold) | a whole number from 1 | 1 |
/// | [`success_threshold`](#failure_threshold-success_threshold) | a whole number from 1 | 1 |
/// | [`tags`](#tags) | one or an array, each like a name | none |
/// | [`blocking`](#blocking) | stands alone | the function is async |
/// | [`crate`](#crate) | a path | `::servicekit_health` |
///
/// A duration is a whole number and one of the units `ms`, `s`, `m`, `h`, without a space, and at most
/// an hour: `"300ms"`, `"2s"`, `"1m"`.
///
/// ## `name`
///
/// What the check is called on the wire, in logs and in metrics. It begins with an ASCII letter or
/// digit, goes on with letters, digits, `.`, `_` and `-`, and has at most 64 characters. By default it
/// is the function's name, without `r#`. Two checks of one name are an error when the program builds
/// its health endpoint.
///
/// ```
/// # use servicekit_health::health_check;
/// #[health_check(name = "orders-db.primary")]
/// async fn primary() {}
/// ```
///
/// ## `on_error`
///
/// The state while the check returns `Err`, panics or times out. `"degraded"` is for what the service
/// can do without: it is seen, and traffic goes on.
///
/// ```
/// # use servicekit_health::health_check;
/// #[health_check(on_error = "degraded")]
/// async fn recommendations() -> Result<(), std::io::Error> {
///     Ok(())
/// }
/// ```
///
/// ## `timeout`
///
/// How long one run may take. Then the result is `timed out after 300ms`, with the state of
/// `on_error`, and an async run is cancelled at its next `await`.
///
/// ```
/// # use servicekit_health::health_check;
/// #[health_check(timeout = "300ms")]
/// async fn search() {}
/// ```
///
/// ## `cache`
///
/// How long a result serves further requests, from the end of its run. `"0s"` turns that off: requests
/// then share only a run that is still going on. Not together with `interval`.
///
/// ```
/// # use servicekit_health::health_check;
/// #[health_check(cache = "5s")]
/// async fn licence() {}
/// ```
///
/// ## `interval`
///
/// Runs the check in the background this often, the first time at start. Requests then only read, so
/// this is for what is slow or costs money.
///
/// ```
/// # use servicekit_health::health_check;
/// #[health_check(interval = "1m", timeout = "10s")]
/// async fn payment_provider() {}
/// ```
///
/// ## `probe`
///
/// Which of Kubernetes' probes ask for the check: `"liveness"` (`/livez`, where a failure restarts the
/// container), `"readiness"` (`/readyz`, where it takes the pod out of the load balancer) or
/// `"startup"` (`/startupz`, once). `/health` shows every check.
///
/// ```
/// # use servicekit_health::health_check;
/// #[health_check(probe = "liveness")]
/// async fn worker_is_alive() {}
///
/// #[health_check(probe = ["startup", "readiness"])]
/// async fn migrations() {}
/// ```
///
/// ## `failure_threshold`, `success_threshold`
///
/// How many results in a row it takes until the reported state gets worse, or better. The first result
/// always counts at once.
///
/// ```
/// # use servicekit_health::health_check;
/// #[health_check(failure_threshold = 3, success_threshold = 2)]
/// async fn flapping_upstream() {}
/// ```
///
/// ## `tags`
///
/// What the check can be selected by, as in `/health?tag=storage`. A tag is made like a name.
///
/// ```
/// # use servicekit_health::health_check;
/// #[health_check(tags = ["storage", "critical"])]
/// async fn database() {}
///
/// #[health_check(tags = "storage")]
/// async fn bucket() {}
/// ```
///
/// ## `blocking`
///
/// The function is not async and may block: it runs on tokio's blocking pool. After a timeout it cannot
/// be cancelled; until it ends, no second run starts beside it.
///
/// ```
/// # use servicekit_health::health_check;
/// #[health_check(blocking)]
/// fn disk() -> Result<(), std::io::Error> {
///     std::fs::write(std::env::temp_dir().join("probe"), "x")
/// }
/// ```
///
/// ## `crate`
///
/// Where to find `servicekit_health` when it has another name in `Cargo.toml`, or when a macro or a
/// framework re-exports it: that name, or a path that is valid where the function stands.
///
/// ```
/// # mod framework { pub use servicekit_health as health; }
/// # use servicekit_health::health_check;
/// #[health_check(crate = "crate::framework::health")]
/// async fn clock() {}
/// # fn main() {}
/// ```
///
/// # Parameters
///
/// Parameters are dependencies, found by their exact type among what the builder was given with
/// `provide`. Types must be `Send + Sync + 'static` and have a size.
///
/// | parameter | what it gets |
/// |---|---|
/// | `&T` | a borrow |
/// | `T` | a clone |
/// | `Option<&T>` | a borrow, or `None` where nobody provided a `T` |
///
/// ```
/// use std::sync::Arc;
/// # use servicekit_health::health_check;
///
/// # trait Queue: Send + Sync { fn length(&self) -> usize; }
/// # struct Pool;
/// # #[derive(Clone)] struct HttpClient;
/// #[health_check]
/// async fn jobs(pool: &Pool, client: HttpClient, queue: Option<&Arc<dyn Queue>>) {
///     // ...
/// #   let _ = (pool, client, queue.map(|queue| queue.length()));
/// }
/// ```
///
/// A type that has no size of its own is provided inside one that has: `String` for `str`, `Vec<T>` for
/// `[T]`, `Arc<dyn Trait + Send + Sync>` for `dyn Trait`. Such common types are best wrapped in one of
/// your own, `struct DatabaseUrl(String)`, because each type can be provided once.
///
/// # Return types
///
/// `()` is healthy; `HealthState`, `(HealthState, Option<String>)` and `CheckResult` say it themselves;
/// a `Result` of any of these takes every error that converts into `Box<dyn Error + Send + Sync>`:
/// the standard library's, `anyhow`'s, `eyre`'s, a `String`. Further types implement
/// `IntoCheckResult`.
///
/// ```
/// use servicekit_health::{CheckResult, HealthState, health_check};
///
/// #[health_check]
/// async fn replicas() -> Result<CheckResult, std::io::Error> {
///     Ok(CheckResult::degraded("2 of 3 replicas answer").with_detail("answering", 2))
/// }
///
/// #[health_check]
/// async fn lag() -> HealthState {
///     HealthState::Healthy
/// }
/// ```
///
/// # Errors
///
/// Every mistake is a compile error at the token that is wrong; it says what is allowed and, where that
/// can be guessed, what was meant. All mistakes of one function are shown at once:
///
/// ```text
/// error: there is no key `timeot`: did you mean `timeout`?
///  --> src/checks.rs:3:16
///   |
/// 3 | #[health_check(timeot = "5s", probe = "ready")]
///   |                ^^^^^^
///
/// error: a probe is `"liveness"`, `"readiness"` or `"startup"`: did you mean `"readiness"`?
///  --> src/checks.rs:3:39
///   |
/// 3 | #[health_check(timeot = "5s", probe = "ready")]
///   |                                       ^^^^^^^
/// ```
///
/// The compiler itself finds some, and its words need a translation:
///
/// - *future cannot be sent between threads safely*, at the function's name: something that is not
///   `Send`, such as an `Rc` or the guard of a `std::sync::Mutex`, is alive across an `await`. The note
///   below it names the value. Drop it before the `await`.
/// - *`T` is not something a health check can return*, at the return type: see [Return
///   types](#return-types).
/// - *`E` cannot be the error of a health check*, at the return type: it does not convert into
///   `Box<dyn Error + Send + Sync>`. Implement `std::error::Error` for it, or return its text.
/// - *`T` cannot be a dependency of a health check*, or *cannot be shared between threads safely*, at a
///   parameter's type: it is not `Send + Sync`. A `Mutex` or an atomic makes the latter.
/// - *`T` is not `Clone`*, at a parameter's type: a `T` is cloned for every run, a `&T` is not.
/// - *unresolved import `servicekit_health`*, at the attribute: the crate has another name here. Say
///   which with [`crate`](#crate).
/// - *`const` items in this context need a name* and *cannot find function `ping` in this scope*: the
///   attribute is on an associated function in an `impl`, which it cannot tell from a free one. Move the
///   function out.
/// - A check that compiles and does not show up: the crate it is in is not linked, because nothing of it
///   is used. `use my_checks as _;` in the program brings it in.
#[proc_macro_attribute]
pub fn health_check(
    attribute: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    expand(attribute.into(), &item.into()).into()
}

fn expand(attribute: TokenStream, item: &TokenStream) -> TokenStream {
    match check::read(attribute, item.clone()) {
        Ok(check) => expand::expand(&check, item),
        Err(mistakes) => fallback::expand(&mistakes, item),
    }
}
