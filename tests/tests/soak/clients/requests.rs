//! Plain requests: every path, format, selection and method.

use fastrand::Rng;
use reqwest::{Method, Response};
use tokio::time::timeout;

use super::{Call, HUNG, Visitor};
use crate::judge::{self, Head};
use crate::service::checks;
use crate::soak::Server;

/// What a request should get.
#[derive(Clone, Copy, Debug)]
enum Expected {
    Json,
    HealthJson,
    Text,
    History,
    /// Anything with 200 and a body.
    Page,
    Problem(u16),
}

struct Ask {
    path: String,
    accept: Option<String>,
    expected: Expected,
}

const REPORTS: [&str; 8] =
    ["/health", "/health/", "/livez", "/readyz", "/startupz", "/livez/", "/readyz/", "/startupz/"];

impl Ask {
    fn new(rng: &mut Rng, names: &[String]) -> Self {
        let name = |rng: &mut Rng| names[rng.usize(..names.len())].clone();
        let path = match rng.u8(..20) {
            0..=7 => REPORTS[rng.usize(..REPORTS.len())].to_owned(),
            8..=10 => format!("/health/{}", name(rng)),
            11..=15 => return Self::selection(rng, names),
            16 => {
                return Self::of(
                    ["/health/$history", "/health/%24history/"][rng.usize(..2)],
                    Expected::History,
                );
            }
            17 => {
                return Self::of(
                    ["/health/$ui", "/health/%24openapi"][rng.usize(..2)],
                    Expected::Page,
                );
            }
            18 => return Self::of("/health/nobody", Expected::Problem(404)),
            _ => return Self::refused(rng),
        };
        Self::report(rng, path)
    }

    fn of(path: &str, expected: Expected) -> Self {
        Self { path: path.to_owned(), accept: None, expected }
    }

    fn report(rng: &mut Rng, mut path: String) -> Self {
        if rng.u8(..4) == 0 {
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str("verbose");
        }
        let (accept, expected) = match rng.u8(..8) {
            0 => (Some("application/health+json".to_owned()), Expected::HealthJson),
            1 => (Some("text/plain".to_owned()), Expected::Text),
            2 => (Some("image/png, x, */*;q=0.1".to_owned()), Expected::Json),
            3 => (Some("a/b,".repeat(2000)), Expected::Json),
            _ => (None, Expected::Json),
        };
        Self { path, accept, expected }
    }

    fn selection(rng: &mut Rng, names: &[String]) -> Self {
        let mut query = Vec::new();
        match rng.u8(..3) {
            0 => {
                query
                    .push(["tag=odd", "tag=even", "tag=linked&tag=odd"][rng.usize(..3)].to_owned());
            }
            key => {
                let key = ["check", "exclude"][usize::from(key) - 1];
                for _ in 0..rng.usize(1..8) {
                    query.push(format!("{key}={}", names[rng.usize(..names.len())]));
                }
            }
        }
        Self::report(rng, format!("/health?{}", query.join("&")))
    }

    fn refused(rng: &mut Rng) -> Self {
        let paths = [
            "/health?check=nobody".to_owned(),
            "/readyz?tag=nobody".to_owned(),
            "/health/$stream?poll_interval=nan".to_owned(),
            "/health/$stream?limit=0".to_owned(),
            format!("/health?{}", "check=demand-0&".repeat(65)),
            "/health?check=demand-0&exclude=demand-0".to_owned(),
        ];
        Self::of(&paths[rng.usize(..paths.len())], Expected::Problem(400))
    }
}

/// Asks for everything there is.
pub(super) async fn everything(mut visitor: Visitor) {
    let names = checks::names();
    while visitor.soak.goes_on() {
        let ask = Ask::new(&mut visitor.rng, &names);
        visitor.ask(ask).await;
        visitor.pause(60).await;
    }
}

/// The same report where the service answers on a thread of its own.
pub(super) async fn beside(mut visitor: Visitor) {
    while visitor.soak.goes_on() {
        let base = visitor.target.beside.lock().unwrap().clone();
        let what = format!("{} GET {base}/health", visitor.target.role);
        let call = Call::new(&visitor, Server::Listener, what);
        let url = format!("{base}/health");
        if let Some(answer) = visitor.send(&call, Method::GET, url, None).await {
            visitor.read(&call, answer, Expected::Json).await;
        }
        visitor.pause(150).await;
    }
}

/// `HEAD`, `OPTIONS`, and what is not allowed.
pub(super) async fn methods(mut visitor: Visitor) {
    while visitor.soak.goes_on() {
        let method = [Method::HEAD, Method::OPTIONS, Method::POST][visitor.rng.usize(..3)].clone();
        let paths = ["/health", "/readyz", "/livez", "/health/demand-0"];
        let path = paths[visitor.rng.usize(..paths.len())];
        let what = format!("{} {method} {path}", visitor.target.role);
        let call = Call::new(&visitor, Server::Application, what);
        let what = &call.what;
        let is_post = method == Method::POST;
        let url = visitor.target.url(path);
        if let Some(answer) = visitor.send(&call, method, url, None).await {
            let code = answer.status().as_u16();
            let status = header(&answer, "x-health-status");
            let allowed = header(&answer, "allow") == "GET, HEAD, OPTIONS";
            if !allowed {
                visitor.soak.finding(format!("{what}: no header `allow`"));
            }
            match answer.text().await {
                Err(error) => visitor.failed(call.epoch, what, &error),
                Ok(body) if is_post => visitor.soak.judge(what, judge::problem(&body, 405)),
                Ok(body) => {
                    visitor.soak.judge(what, Head { code, status: &status }.agrees());
                    if !body.is_empty() {
                        visitor.soak.finding(format!("{what}: a body, {body:?}"));
                    }
                    visitor.soak.answered(&call);
                }
            }
        }
        visitor.pause(100).await;
    }
}

fn header(answer: &Response, name: &str) -> String {
    let value = answer.headers().get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}

impl Visitor {
    async fn ask(&self, ask: Ask) {
        let Ask { path, accept, expected } = ask;
        let shown = path.chars().take(200).collect::<String>();
        let what = format!("{} GET {shown} as {expected:?}", self.target.role);
        let call = Call::new(self, Server::Application, what);
        let url = self.target.url(&path);
        if let Some(answer) = self.send(&call, Method::GET, url, accept).await {
            self.read(&call, answer, expected).await;
        }
    }

    /// The head of the answer; `None` if it failed, which is told where nothing excuses it.
    pub(super) async fn send(
        &self,
        call: &Call,
        method: Method,
        url: String,
        accept: Option<String>,
    ) -> Option<Response> {
        let mut request = self.client.request(method, url);
        if let Some(accept) = accept {
            request = request.header("accept", accept);
        }
        match timeout(HUNG, request.send()).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(error)) => {
                self.failed(call.epoch, &call.what, &error);
                None
            }
            Err(_) => {
                self.soak.finding(format!("{}: no answer within {HUNG:?}", call.what));
                None
            }
        }
    }

    async fn read(&self, call: &Call, answer: Response, expected: Expected) {
        let what = &call.what;
        let code = answer.status().as_u16();
        let status = header(&answer, "x-health-status");
        if header(&answer, "cache-control") != "no-store" {
            self.soak.finding(format!("{what}: no `cache-control: no-store`"));
        }
        let body = match timeout(HUNG, answer.text()).await {
            Ok(Ok(body)) => body,
            Ok(Err(error)) => return self.failed(call.epoch, &call.what, &error),
            Err(_) => return self.soak.finding(format!("{what}: no body within {HUNG:?}")),
        };
        self.soak.answered(call);
        let head = Head { code, status: &status };
        let judged = match expected {
            Expected::Json => match judge::report(&body, Some(head)) {
                Ok(true) if !self.target.may_drain => Err("`$drain` without a drain".to_owned()),
                judged => judged.map(drop),
            },
            Expected::HealthJson => judge::health_json(&body, head),
            Expected::Text => judge::text(&body, head),
            Expected::History => judge::history(&body),
            Expected::Page if code == 200 && !body.is_empty() => Ok(()),
            Expected::Page => Err(format!("the code is {code}")),
            Expected::Problem(code) => judge::problem(&body, code),
        };
        self.soak.judge(what, judged);
    }
}
