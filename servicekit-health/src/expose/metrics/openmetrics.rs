//! The metrics as text for Prometheus, and as a collector for a registry. Feature `prometheus`.
//!
//! The endpoint answers in OpenMetrics, and in Prometheus' older text format to who prefers
//! `text/plain`, as `promtool check metrics` and some agents do.

use std::fmt;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures_util::future::{BoxFuture, join_all};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, EncodeMetric, MetricEncoder, NoLabelSet,
    prometheus_text, text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::names::{
    CHECK_STATUS, DRAINING, DURATION, LAST_RUN, LAST_SUCCESS, Metric, REQUESTS, RUNS, STATUS,
    STREAMS, TRANSITIONS,
};
use super::timestamp;
use crate::evaluate::group::GROUPS;
use crate::expose::accept::preferred;
use crate::expose::http::HttpState;
use crate::expose::request::HealthRequest;
use crate::model::{DRAIN_ENTRY, HealthState, Report};

/// A format of the text.
struct TextFormat {
    media_type: (&'static str, &'static str),
    content_type: HeaderValue,
    encode: fn(&mut String, &Registry) -> fmt::Result,
}

static FORMATS: [TextFormat; 2] = [
    TextFormat {
        media_type: ("application", "openmetrics-text"),
        content_type: HeaderValue::from_static(
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
        encode: text::encode,
    },
    TextFormat {
        media_type: ("text", "plain"),
        content_type: HeaderValue::from_static(prometheus_text::CONTENT_TYPE),
        encode: prometheus_text::encode,
    },
];

/// The endpoint: renews what is too old, within the deadline, and always answers.
pub(crate) fn respond(
    state: &Arc<HttpState>,
    request: &HealthRequest,
) -> BoxFuture<'static, Response> {
    let media_types = FORMATS.each_ref().map(|format| format.media_type);
    let format = &FORMATS[preferred(request.headers(), media_types)];
    Box::pin(scrape(Arc::clone(state), format))
}

async fn scrape(state: Arc<HttpState>, format: &TextFormat) -> Response {
    // All at once: they share the runs and the deadline.
    let snapshots = join_all(GROUPS.map(async |group| {
        let view = state.engine.group(group);
        state.engine.snapshot(&view).await
    }))
    .await;
    let reports = GROUPS.map(|group| snapshots[group.index()].report.clone());
    let scrape = Scrape { state, reports };
    let mut registry = Registry::default();
    registry.register_collector(Box::new(scrape));

    let mut text = String::new();
    (format.encode)(&mut text, &registry).expect("a string takes every text");
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, format.content_type.clone());
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    response
}

/// The collector of [`Health::collector`](crate::Health::collector).
pub(crate) struct HealthCollector(pub(crate) Arc<HttpState>);

impl Collector for HealthCollector {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let engine = &self.0.engine;
        let reports = GROUPS.map(|group| engine.known(&engine.group(group)));
        // It cannot wait: what is too old is renewed for the next scrape.
        engine.renew();
        Scrape { state: Arc::clone(&self.0), reports }.encode(encoder)
    }
}

impl fmt::Debug for HealthCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthCollector").finish_non_exhaustive()
    }
}

/// What one scrape sees.
struct Scrape {
    state: Arc<HttpState>,
    /// By group.
    reports: [Report; GROUPS.len()],
}

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scrape").field("reports", &self.reports).finish_non_exhaustive()
    }
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let mut families = Families(encoder);
        self.states(&mut families)?;
        self.times(&mut families)?;
        self.counts(&mut families)?;
        let is_draining = self.state.engine.lifecycle.is_draining();
        families.gauge(&DRAINING)?.encode_gauge(&u64::from(is_draining))?;
        families.gauge(&STREAMS)?.encode_gauge(&self.state.open_streams())
    }
}

impl Scrape {
    fn states(&self, families: &mut Families<'_>) -> fmt::Result {
        let mut family = families.gauge(&STATUS)?;
        for (group, report) in GROUPS.iter().zip(&self.reports) {
            one_state(&mut family, ("scope", group.name), report.status)?;
        }
        let mut family = families.gauge(&CHECK_STATUS)?;
        for (name, check) in &self.reports[0].checks {
            one_state(&mut family, ("check", name), check.state)?;
        }
        Ok(())
    }

    fn times(&self, families: &mut Families<'_>) -> fmt::Result {
        let checks = &self.reports[0].checks;
        let mut family = families.gauge(&LAST_RUN)?;
        for (name, check) in checks {
            sample(&mut family, &[("check", &**name)], &timestamp(check.checked_at))?;
        }
        let mut family = families.gauge(&LAST_SUCCESS)?;
        for (name, check) in checks {
            sample(&mut family, &[("check", &**name)], &timestamp(check.last_success))?;
        }
        Ok(())
    }

    fn counts(&self, families: &mut Families<'_>) -> fmt::Result {
        let counts = &self.state.config.metrics.counts;
        let mut family = families.counter(&RUNS)?;
        for check in counts.checks() {
            for (outcome, runs) in check.runs() {
                let labels = [("check", &*check.name), ("outcome", outcome.as_str())];
                count(&mut family, &labels, runs)?;
            }
        }
        let mut family = families.histogram(&DURATION)?;
        for check in counts.checks() {
            check.durations.encode(family.encode_family(&[("check", &*check.name)])?)?;
        }
        let mut family = families.counter(&TRANSITIONS)?;
        for check in counts.checks() {
            for (to, transitions) in check.transitions() {
                count(&mut family, &[("check", &*check.name), ("to", to.as_str())], transitions)?;
            }
        }
        let drained = [("check", DRAIN_ENTRY), ("to", HealthState::Unhealthy.as_str())];
        count(&mut family, &drained, counts.drains())?;
        let mut family = families.counter(&REQUESTS)?;
        for ((endpoint, status), requests) in counts.requests() {
            let labels = [("endpoint", endpoint.name()), ("code", status.as_str())];
            count(&mut family, &labels, requests)?;
        }
        Ok(())
    }
}

/// Begins the families, with their suffixes where the encoder wants them.
struct Families<'a>(DescriptorEncoder<'a>);

impl Families<'_> {
    fn gauge(&mut self, metric: &'static Metric) -> Result<MetricEncoder<'_>, fmt::Error> {
        self.begin(metric, metric.name, MetricType::Gauge)
    }

    fn counter(&mut self, metric: &'static Metric) -> Result<MetricEncoder<'_>, fmt::Error> {
        let stem = metric.name.strip_suffix("_total").unwrap_or(metric.name);
        self.begin(metric, stem, MetricType::Counter)
    }

    fn histogram(&mut self, metric: &'static Metric) -> Result<MetricEncoder<'_>, fmt::Error> {
        self.begin(metric, metric.name, MetricType::Histogram)
    }

    fn begin(
        &mut self,
        metric: &'static Metric,
        name: &'static str,
        kind: MetricType,
    ) -> Result<MetricEncoder<'_>, fmt::Error> {
        let (name, unit) = match name.strip_suffix("_seconds") {
            Some(stem) => (stem, Some(&Unit::Seconds)),
            None => (name, None),
        };
        self.0.encode_descriptor(name, metric.help, unit, kind)
    }
}

fn sample(
    family: &mut MetricEncoder<'_>,
    labels: &impl EncodeLabelSet,
    value: &impl EncodeGaugeValue,
) -> fmt::Result {
    family.encode_family(labels)?.encode_gauge(value)
}

fn count(family: &mut MetricEncoder<'_>, labels: &impl EncodeLabelSet, value: u64) -> fmt::Result {
    family.encode_family(labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None)
}

/// 1 for the present state and 0 for the others.
fn one_state(
    family: &mut MetricEncoder<'_>,
    label: (&str, &str),
    present: HealthState,
) -> fmt::Result {
    for state in HealthState::ALL {
        sample(family, &[label, ("state", state.as_str())], &u64::from(state == present))?;
    }
    Ok(())
}
