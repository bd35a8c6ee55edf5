//! What the attribute generates, to be read.

use proc_macro2::TokenStream;

fn expanded(attribute: &str, item: &str) -> String {
    let parse = |text: &str| text.parse::<TokenStream>().unwrap();
    pretty(crate::expand(parse(attribute), &parse(item)))
}

fn pretty(tokens: TokenStream) -> String {
    prettyplease::unparse(&syn::parse2(tokens).unwrap())
}

#[track_caller]
fn assert_expansion(attribute: &str, item: &str, expected: &str) {
    let expanded = expanded(attribute, item);
    let expected = pretty(expected.parse().unwrap());
    // Inside a macro call the printer's spaces depend on how the tokens were made.
    let dense = |code: &str| code.split_whitespace().collect::<String>();
    assert!(dense(&expanded) == dense(&expected), "now expands to:\n{expanded}");
}

#[test]
fn the_smallest_check() {
    assert_expansion(
        "",
        "async fn clock() {}",
        r#"
        #[allow(clippy::unused_async)]
        async fn clock() {}

        const _: () = {
            use ::servicekit_health::__private0 as __servicekit_health;

            __servicekit_health::register! {
                __servicekit_health, "clock", "clock", [],
                Async(
                    |_| __servicekit_health::run(__servicekit_health::future(clock()))
                )
            }
        };
        "#,
    );
}

#[test]
fn a_check_with_everything() {
    assert_expansion(
        r#"
        name = "redis", on_error = "degraded", timeout = "300ms", cache = "2s",
        probe = ["liveness", "startup"], shared, failure_threshold = 3, success_threshold = 2,
        unhealthy_after = "10m", tags = ["storage"], crate = "health"
        "#,
        r"
        /// Session cache.
        #[expect(clippy::similar_names)]
        pub(crate) async fn ping(
            client: &Client,
            #[cfg(unix)] socket: Option<&Socket>,
            limit: u32,
        ) -> Result<(), Error> {
            client.ping(socket, limit).await
        }
        ",
        r#"
        /// Session cache.
        #[expect(clippy::similar_names)]
        pub(crate) async fn ping(
            client: &Client,
            #[cfg(unix)] socket: Option<&Socket>,
            limit: u32,
        ) -> Result<(), Error> {
            client.ping(socket, limit).await
        }

        #[allow(clippy::similar_names)]
        const _: () = {
            use health::__private0 as __servicekit_health;

            __servicekit_health::register! {
                __servicekit_health, "redis", "ping", [
                    required(Client),
                    #[cfg(unix)] optional(Socket),
                    required(u32)
                ],
                Async(
                    |__provided| __servicekit_health::run(__servicekit_health::future(
                        ping(
                            __provided.borrowed(),
                            #[cfg(unix)] __provided.optional(),
                            __provided.cloned::<u32>()
                        )
                    ))
                ),
                on_error(__servicekit_health::HealthState::Degraded),
                timeout(300u64),
                cache(2000u64),
                probe(&[
                    __servicekit_health::Probe::Liveness,
                    __servicekit_health::Probe::Startup
                ]),
                shared(),
                failure_threshold(3u32),
                success_threshold(2u32),
                unhealthy_after(600000u64),
                tags(&["storage"]),
                description("Session cache.")
            }
        };
        "#,
    );
}

#[test]
fn a_blocking_check() {
    assert_expansion(
        "blocking",
        "fn disk() -> HealthState { probe() }",
        r#"
        fn disk() -> HealthState { probe() }

        const _: () = {
            use ::servicekit_health::__private0 as __servicekit_health;

            __servicekit_health::register! {
                __servicekit_health, "disk", "disk", [],
                Blocking(
                    |_| __servicekit_health::outcome(__servicekit_health::identity(disk()))
                )
            }
        };
        "#,
    );
}

#[test]
fn a_mistake_leaves_the_function_as_it_was_and_the_keys_for_an_editor() {
    assert_expansion(
        "timeot = \"5s\"",
        "async fn clock() {}",
        r#"
        async fn clock() {}

        ::core::compile_error! { "unknown key `timeot`; did you mean `timeout`?" }

        #[allow(unexpected_cfgs)]
        const _: () = {
            #[cfg(rust_analyzer)]
            {
                #[allow(dead_code, non_camel_case_types)]
                mod keys {
                    pub struct name; pub struct on_error; pub struct timeout; pub struct cache;
                    pub struct interval; pub struct probe; pub struct shared;
                    pub struct failure_threshold; pub struct success_threshold;
                    pub struct unhealthy_after; pub struct tags; pub struct blocking;
                }
                #[allow(unused_imports)]
                use keys::{timeot as _};
            }
        };
        "#,
    );
}

#[test]
fn a_body_that_is_still_being_typed_passes_through() {
    let item = "async fn clock() { let now = Instant:: ; now. }";
    let item: TokenStream = item.parse().unwrap();
    for attribute in ["", "timeot"] {
        let expanded = crate::expand(attribute.parse().unwrap(), &item).to_string();
        assert!(expanded.contains(&item.to_string()), "{expanded}");
    }
}

#[test]
fn what_clippy_advises_for_a_type_that_must_be_exact_is_allowed() {
    let allows = |parameter: &str| {
        let item = format!("async fn f({parameter}) {{ ready().await }}");
        expanded("", &item).starts_with("#[allow(clippy::borrowed_box, clippy::ptr_arg)]")
    };
    for parameter in [
        "url: &String",
        "db: &Db, peers: &std::vec::Vec<Peer>",
        "queue: Option<&Box<dyn Queue + Send + Sync>>",
    ] {
        assert!(allows(parameter), "{parameter}");
    }
    for parameter in ["", "db: &Db", "url: String", "peers: &Arc<Vec<Peer>>"] {
        assert!(!allows(parameter), "{parameter}");
    }
}
