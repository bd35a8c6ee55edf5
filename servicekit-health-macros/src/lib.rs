//! The `#[health_check]` attribute of `servicekit-health`, which re-exports it.
//!
//! It works in three steps. The attribute's arguments and the function are read (`arguments`,
//! `function`), then judged (`settings`, `signature`), and become either the code of a check
//! (`expand`) or the function as it was and every mistake in it (`fallback`). The keys are one table,
//! in `keys`; what to write instead of a wrong value is found in `remedy`.

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
mod habits;
mod keys;
mod name;
mod other_attributes;
mod remedy;
mod returned;
mod settings;
mod signature;
mod suggest;
#[cfg(test)]
mod suggestions;
mod tokens;
mod values;

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
/// The function is not changed: it can be called and unit-tested like any other. Its doc comment is the
/// description of the check. `#[cfg]`, above or below the attribute, removes the check together with the
/// function. Where it awaits nothing, clippy's `unused_async` is allowed: a check has to be `async`. So are
/// `ptr_arg` and `borrowed_box` where a parameter is a `&String`, a `&Box<_>` or the like: its type is exact.
///
/// # Keys
///
/// All keys are optional, and each can be given once.
///
/// | key | value | default |
/// |---|---|---|
/// | [`name`](#name) | 1 to 64 letters, digits, `.`, `_`, `-` | the function's name |
/// | [`on_error`](#on_error) | `"degraded"` or `"unhealthy"` | `"unhealthy"` |
/// | [`timeout`](#timeout) | a duration above zero | the builder's, 800 ms |
/// | [`cache`](#cache) | a duration | the builder's, 500 ms |
/// | [`interval`](#interval) | a duration of at least 10 ms | runs on demand |
/// | [`probe`](#probe) | `"liveness"`, `"readiness"`, `"startup"`, an array of them, or `"none"` | `"readiness"` |
/// | [`shared`](#shared) | no value | |
/// | [`failure_threshold`](#failure_threshold-success_threshold) | an integer of at least 1 | 1 |
/// | [`success_threshold`](#failure_threshold-success_threshold) | an integer of at least 1 | 1 |
/// | [`unhealthy_after`](#unhealthy_after) | a duration above zero | never |
/// | [`tags`](#tags) | a string or an array of strings, each like a name | none |
/// | [`blocking`](#blocking) | no value | the function is async |
/// | [`crate`](#crate) | a path | `::servicekit_health` |
///
/// A duration is a string: an integer and one of the units `ms`, `s`, `m`, `h`, without a space, and at
/// most 1 hour, such as `"300ms"`, `"2s"`, `"1m"`.
///
/// ## `name`
///
/// The name of the check in responses, logs and metrics. It starts with an ASCII letter or digit, followed
/// by letters, digits, `.`, `_` and `-`, and has at most 64 characters. The default is the function's name,
/// without `r#`. Two checks with the same name are an error when the program builds its health endpoint.
///
/// ```
/// # use servicekit_health::health_check;
/// #[health_check(name = "orders-db.primary")]
/// async fn primary() {}
/// ```
///
/// ## `on_error`
///
/// The state of the check when it returns `Err`, panics or times out. Use `"degraded"` for what the service
/// can do without: the failure is visible, and traffic continues.
///
/// With `panic = "abort"` in the Cargo profile, a panic ends the process before it can become a result:
/// `on_error` then covers `Err` and timeouts only.
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
/// The maximum duration of one run. After that, the result is `timed out after 300ms` with the state of
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
/// How long a result serves further requests, from the end of its run. Cannot be combined with
/// [`interval`](#interval).
///
/// `"0s"` turns the cache off: requests then share only a run in progress. Whoever can reach the endpoint
/// then sets the rate at which the check runs, so keep a cache where the endpoint is public.
///
/// ```
/// # use servicekit_health::health_check;
/// #[health_check(cache = "5s")]
/// async fn license() {}
/// ```
///
/// ## `interval`
///
/// Runs the check in the background at this interval, for the first time at start. Requests only read the
/// newest result. Use it for a check that is slow or expensive.
///
/// ```
/// # use servicekit_health::health_check;
/// #[health_check(interval = "1m", timeout = "10s")]
/// async fn payment_provider() {}
/// ```
///
/// ## `probe`
///
/// The probes of Kubernetes that include the check. `/health` includes every check.
///
/// | value | path | a failure |
/// |---|---|---|
/// | `"liveness"` | `/livez` | restarts the container: only for what a restart fixes |
/// | `"readiness"` | `/readyz` | takes the pod out of the load balancer |
/// | `"startup"` | `/startupz` | holds the other probes back until the check has passed once |
/// | `"none"` | `/health` only | is visible and has no effect on traffic |
///
/// ```
/// # use servicekit_health::health_check;
/// #[health_check(probe = "liveness")]
/// async fn worker_is_alive() {}
///
/// #[health_check(probe = ["startup", "readiness"])]
/// async fn migrations() {}
///
/// #[health_check(probe = "none")]
/// async fn certificate_expiry() {}
/// ```
///
/// ## `shared`
///
/// For a dependency that every replica shares, such as the one database of the service. When it fails, it
/// fails for all replicas at once, and taking all of them out of the load balancer helps no user. So on the
/// readiness probe the check counts as `degraded` at worst. `/health` reports its real state.
///
/// ```
/// # use servicekit_health::health_check;
/// #[health_check(shared)]
/// async fn primary_database() -> Result<(), std::io::Error> {
///     Ok(())
/// }
/// ```
///
/// ## `failure_threshold`, `success_threshold`
///
/// The number of consecutive results that it takes for the reported state to get worse, and to get better.
/// The first result sets the state at once.
///
/// ```
/// # use servicekit_health::health_check;
/// #[health_check(failure_threshold = 3, success_threshold = 2)]
/// async fn flapping_upstream() {}
/// ```
///
/// ## `unhealthy_after`
///
/// A check that has been reported `degraded` for this long is reported `unhealthy`. Use it where a problem
/// is acceptable for a while, but not for good.
///
/// ```
/// # use servicekit_health::health_check;
/// #[health_check(on_error = "degraded", unhealthy_after = "10m")]
/// async fn replication() -> Result<(), std::io::Error> {
///     Ok(())
/// }
/// ```
///
/// ## `tags`
///
/// Labels by which a request can select checks, such as `/health?tag=storage`. A tag follows the rules of
/// a name.
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
/// The function is not async and may block its thread: each run has a thread of its own. A run cannot be
/// cancelled after its timeout, so the next one starts only when it has ended. The end of the process does
/// not wait for it.
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
/// The path to `servicekit_health`, if it has another name in `Cargo.toml` or is re-exported: a path that
/// is valid where the function is, as a path or as a string. A macro of a framework writes it with
/// `$crate`, so that its users need no dependency on `servicekit-health`.
///
/// ```
/// # mod framework { pub use servicekit_health as health; }
/// # use servicekit_health::health_check;
/// #[health_check(crate = crate::framework::health)]
/// async fn clock() {}
/// # fn main() {}
/// ```
///
/// # Parameters
///
/// Parameters are dependencies. Each is found by its exact type among the values that were given to
/// `provide` on the builder. Its type must be `Send + Sync + 'static` and sized.
///
/// | parameter | argument |
/// |---|---|
/// | `&T` | a reference |
/// | `T` | a clone |
/// | `Option<&T>` | a reference, or `None` if no `T` was provided |
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
/// For an unsized type, provide an owned one: `String` for `str`, `PathBuf` for `Path`, `Vec<T>` for
/// `[T]`, `Arc<dyn Trait + Send + Sync>` for `dyn Trait`. Each type can be provided once, so use a newtype
/// for a common one: `struct DatabaseUrl(String)`.
///
/// # Return types
///
/// | type | result |
/// |---|---|
/// | `()` | healthy |
/// | `HealthState` | that state |
/// | `(HealthState, Option<String>)` | that state, with a message |
/// | `CheckResult` | that state, with a message and details |
/// | `Result<T, E>` | that of `T`, which is any of these types, or `on_error` with the error as the message |
/// | `!` | none: every run ends with a panic or the timeout |
///
/// The error `E` is any type that converts into `Box<dyn Error + Send + Sync>`: an error of the standard
/// library, `anyhow::Error`, `eyre::Report`, `String`. The message is the whole chain of causes. For other
/// return types, implement `IntoCheckResult`.
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
/// # Linking
///
/// The linker collects the checks of every crate in the program. Three things to know:
///
/// - A crate is linked only if something of it is used. If its checks are missing, write `use my_checks as
///   _;` in the program.
/// - A Rust `dylib` has a collection of its own: its checks are not part of the program's.
/// - In edition 2024, the doctests of a crate are compiled into one program and share their checks. Mark a
///   doctest that declares a check and builds a health endpoint with `standalone_crate`.
///
/// # Errors
///
/// Every mistake is a compile error at the token that is wrong. It says what is allowed and, if that can be
/// told, what to write instead. All mistakes of one function are reported at once:
///
/// ```text
/// error: unknown key `timeot`; did you mean `timeout`?
///  --> src/checks.rs:3:16
///   |
/// 3 | #[health_check(timeot = "5s", cache = 2)]
///   |                ^^^^^^
///
/// error: invalid value for `cache`: expected a duration such as `"300ms"`, `"2s"` or `"1m"`; write `cache = "2s"`
///  --> src/checks.rs:3:39
///   |
/// 3 | #[health_check(timeot = "5s", cache = 2)]
///   |                                       ^
/// ```
///
/// Some mistakes are found by the compiler itself:
///
/// - *future cannot be sent between threads safely*, at the function's name: a value that is not `Send`,
///   such as an `Rc` or the guard of a `std::sync::Mutex`, is alive across an `await`. The note names the
///   value. Drop it before the `await`.
/// - *a health check cannot return `T`*, at the return type: see [Return types](#return-types).
/// - *`E` cannot be the error of a health check*, at the return type: it does not convert into
///   `Box<dyn Error + Send + Sync>`. Implement `std::error::Error` for it, or return its text.
/// - *`T` cannot be a dependency of a health check*, at a parameter's type: it is not `Send + Sync`. For a
///   trait object, write the bounds.
/// - *`T` is unsized*, at a parameter's type: see [Parameters](#parameters).
/// - *`T` is not `Clone`*, at a parameter's type: take `&T`.
/// - *unresolved import `servicekit_health`*, at the attribute: the crate has another name here. Set
///   [`crate`](#crate).
/// - *`const` items in this context need a name* and *cannot find function `ping` in this scope*: the
///   attribute is on an associated function in an `impl`, which it cannot distinguish from a free one. Move
///   the function out of the `impl`.
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
