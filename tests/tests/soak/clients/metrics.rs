//! A scraper: what it is told is consistent, and counters only grow.

use reqwest::Method;
use tokio::time::timeout;

use super::{Call, HUNG, Visitor};
use crate::judge::{self, sum};
use crate::service::MAX_STREAMS;
use crate::soak::{Server, Tally};

const COUNTERS: [&str; 3] = [
    "servicekit_health_check_runs_total",
    "servicekit_health_transitions_total",
    "servicekit_health_requests_total",
];

pub(super) async fn scrapes(mut visitor: Visitor) {
    let mut before: (u64, [u64; 3]) = Default::default();
    while visitor.soak.goes_on() {
        let what = format!("{} GET /metrics", visitor.target.role);
        let call = Call::new(&visitor, Server::Application, what);
        let (what, epoch) = (&call.what, call.epoch);
        let url = visitor.target.url("/metrics");
        if let Some(answer) = visitor.send(&call, Method::GET, url, None).await {
            match timeout(HUNG, answer.text()).await {
                Ok(Ok(body)) => {
                    visitor.soak.answered(&call);
                    Tally::count(&visitor.soak.tally.scrapes);
                    visitor.soak.judge(what, judge::metrics(&body));
                    let counts = COUNTERS.map(|name| sum(&body, name).unwrap_or_default());
                    let streams = sum(&body, "servicekit_health_streams").unwrap_or(u64::MAX);
                    if streams > MAX_STREAMS {
                        visitor.soak.finding(format!("{what}: {streams} open streams"));
                    }
                    let same = visitor.target.was_there(epoch) && before.0 == epoch;
                    let shrinks = counts.iter().zip(before.1).any(|(now, before)| *now < before);
                    if same && shrinks {
                        let before = before.1;
                        visitor.soak.finding(format!("{what}: {before:?} became {counts:?}"));
                    }
                    before = (epoch, counts);
                }
                Ok(Err(error)) => visitor.failed(epoch, what, &error),
                Err(_) => visitor.soak.finding(format!("{what}: no body within {HUNG:?}")),
            }
        }
        visitor.pause(1000).await;
    }
}
