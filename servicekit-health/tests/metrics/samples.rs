//! A scrape, read sample by sample.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::http::StatusCode;
use servicekit_health::{Check, Health, HealthBuilder, HealthState};

use crate::common::get;

pub(crate) const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Every sample by its series, as it stands in the text.
#[derive(Debug)]
pub(crate) struct Samples(pub(crate) BTreeMap<String, f64>);

impl Samples {
    pub(crate) fn parse(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.to_owned(), value.parse().unwrap())
        });
        let mut seen = BTreeMap::new();
        for (series, value) in samples {
            assert_eq!(seen.insert(series.clone(), value), None, "{series} is there twice");
        }
        Self(seen)
    }

    /// A sample that must be there, of a name without the crate's prefix.
    #[track_caller]
    pub(crate) fn of(&self, series: &str) -> f64 {
        let full = format!("servicekit_health_{series}");
        *self.0.get(&full).unwrap_or_else(|| panic!("no {full} in {:#?}", self.0))
    }

    #[track_caller]
    pub(crate) fn assert(&self, series: &str, value: f64) {
        assert!((self.of(series) - value).abs() < 1e-9, "{series} is {}", self.of(series));
    }

    /// The one of the three states whose series is 1.
    #[track_caller]
    pub(crate) fn state(&self, name: &str, label: &str) -> HealthState {
        let value = |state: &HealthState| self.of(&format!("{name}{{{label},state=\"{state}\"}}"));
        let (present, absent): (Vec<_>, Vec<_>) =
            HealthState::ALL.into_iter().partition(|state| value(state) > 0.5);
        assert_eq!(absent.iter().map(value).sum::<f64>().to_bits(), 0.0_f64.to_bits());
        assert_eq!(present.iter().map(value).sum::<f64>().to_bits(), 1.0_f64.to_bits());
        present[0]
    }
}

pub(crate) async fn scrape(router: &Router) -> Samples {
    let answer = get(router, "/metrics").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), OPENMETRICS);
    assert!(answer.body.ends_with("\n# EOF\n"), "{}", answer.body);
    Samples::parse(&answer.body)
}

pub(crate) fn build(builder: HealthBuilder) -> (Health, Router) {
    let health = builder.metrics_path("/metrics").build().unwrap();
    let router = health.router();
    (health, router)
}

/// A check that counts its runs.
pub(crate) fn counted(name: &str) -> (Check, Arc<AtomicU64>) {
    let runs = Arc::<AtomicU64>::default();
    let counter = Arc::clone(&runs);
    let check = Check::new(name, move || {
        counter.fetch_add(1, Ordering::Relaxed);
        async {}
    });
    (check, runs)
}
