//! What a service holds over time: once it is warm, it does not grow.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::Value;
use tokio::time::sleep;

use crate::clients::Target;
use crate::process::{Running, Usage};
use crate::soak::Soak;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) usage: Usage,
    pub(crate) tasks: u64,
}

impl Sample {
    /// The least of each.
    pub(crate) fn min(self, other: Self) -> Self {
        let (one, two) = (self.usage, other.usage);
        let usage = Usage {
            resident_kib: one.resident_kib.min(two.resident_kib),
            threads: one.threads.min(two.threads),
            files: one.files.min(two.files),
        };
        Self { usage, tasks: self.tasks.min(other.tasks) }
    }
}

/// Something that a service holds, and how much more of it is no growth: clients come and go.
pub(crate) struct Resource {
    pub(crate) name: &'static str,
    pub(crate) of: fn(&Sample) -> u64,
    percent: u64,
    plus: u64,
    /// Never more, whatever happens.
    most: u64,
    /// How much more than before the load is nothing left behind, where it all has to go.
    pub(crate) left: Option<u64>,
}

pub(crate) const RESOURCES: [Resource; 4] = [
    Resource {
        name: "KiB of resident memory",
        of: |sample| sample.usage.resident_kib,
        percent: 10,
        plus: 8 * 1024,
        most: 512 * 1024,
        left: None,
    },
    Resource {
        name: "open files",
        of: |sample| sample.usage.files,
        percent: 20,
        plus: 8,
        most: 300,
        left: Some(2),
    },
    Resource {
        name: "threads",
        of: |sample| sample.usage.threads,
        percent: 0,
        plus: 5,
        most: 40,
        left: Some(1),
    },
    Resource {
        name: "tasks",
        of: |sample| sample.tasks,
        percent: 20,
        plus: 16,
        most: 600,
        left: Some(2),
    },
];

impl Resource {
    pub(crate) fn peak(&self, samples: &[Sample]) -> u64 {
        samples.iter().map(self.of).max().unwrap_or_default()
    }

    /// The lowest tenths of the second and of the last quarter; the first is the warm-up. What hangs
    /// comes in waves, and what leaks stays when they are over.
    pub(crate) fn levels(&self, samples: &[Sample]) -> Option<(u64, u64)> {
        let quarter = samples.len() / 4;
        let lowest_tenth = |samples: &[Sample]| {
            let mut values: Vec<_> = samples.iter().map(self.of).collect();
            values.sort_unstable();
            values.get(values.len() / 10).copied()
        };
        let second = lowest_tenth(samples.get(quarter..2 * quarter)?)?;
        Some((second, lowest_tenth(&samples[samples.len() - quarter..])?))
    }

    pub(crate) fn judge(&self, samples: &[Sample]) -> Result<(), String> {
        let (name, peak) = (self.name, self.peak(samples));
        if peak > self.most {
            return Err(format!("{peak} {name}, more than {}", self.most));
        }
        let Some((second, last)) = self.levels(samples) else {
            return Err(format!("too few samples of {name}"));
        };
        let most = second + second * self.percent / 100 + self.plus;
        if last > most {
            return Err(format!(
                "{name} grow: {second} in the second quarter, {last} in the last (at most {most})"
            ));
        }
        Ok(())
    }
}

/// What a service says of itself.
pub(crate) async fn state(client: &Client, target: &Target) -> Result<Value, String> {
    let answer = client.get(target.url("/soak/state")).send().await;
    let answer = answer.map_err(|error| format!("no state: {error}"))?;
    let text = answer.text().await.map_err(|error| error.to_string())?;
    serde_json::from_str(&text).map_err(|error| format!("{error} in {text}"))
}

/// One look at it.
pub(crate) async fn sample(
    client: &Client,
    target: &Target,
    running: &Running,
) -> Result<(Sample, Value), String> {
    let state = state(client, target).await?;
    let usage = running.usage().map_err(|error| error.to_string())?;
    let tasks = state["tasks"].as_u64().ok_or("no number of tasks")?;
    Ok((Sample { usage, tasks }, state))
}

/// Looks once a second, until the time is over or something was found.
pub(crate) async fn watch(
    soak: &Arc<Soak>,
    target: &Target,
    running: &Running,
    until: Instant,
) -> Vec<Sample> {
    let client = Client::builder().no_proxy().build().unwrap();
    let (begin, mut samples) = (Instant::now(), Vec::new());
    while soak.goes_on() && Instant::now() < until {
        match sample(&client, target, running).await {
            Ok((sample, state)) => {
                samples.push(sample);
                for violation in state["violations"].as_array().into_iter().flatten() {
                    soak.finding(format!("{}: {violation}", target.role));
                }
                if samples.len() % 60 == 0 {
                    progress(soak, begin.elapsed(), sample, &state);
                }
            }
            Err(error) => soak.finding(format!("{}: {error}", target.role)),
        }
        sleep(Duration::from_secs(1)).await;
    }
    samples
}

#[allow(clippy::print_stdout, reason = "a long soak says that it lives")]
fn progress(soak: &Soak, lasted: Duration, sample: Sample, state: &Value) {
    println!(
        "{:>5} s: {} requests, {} events, {} restarts, {} runs, {} KiB, {} files, {} threads, {} tasks",
        lasted.as_secs(),
        soak.tally.requests.load(Ordering::Relaxed),
        soak.tally.events.load(Ordering::Relaxed),
        soak.tally.restarts.load(Ordering::Relaxed),
        state["runs"],
        sample.usage.resident_kib,
        sample.usage.files,
        sample.usage.threads,
        sample.tasks,
    );
}
