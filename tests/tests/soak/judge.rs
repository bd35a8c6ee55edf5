//! What has to hold for each answer by itself.

use serde_json::Value;

use crate::service::chaos::SECRET;

/// How long a message may be.
const MAX_MESSAGE: usize = 1024;

type Judged = Result<(), String>;

/// The status code and the header of an answer, where it has them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    pub(crate) code: u16,
    pub(crate) status: &'a str,
}

impl Head<'_> {
    /// The code is that of the status in the header.
    pub(crate) fn agrees(&self) -> Judged {
        let code = match self.status {
            "healthy" | "degraded" => 200,
            "unhealthy" => 503,
            other => return Err(format!("x-health-status is {other:?}")),
        };
        ensure(code == self.code, || {
            format!("the code is {}, x-health-status {}", self.code, self.status)
        })
    }

    fn is(&self, status: &str) -> Judged {
        self.agrees()?;
        ensure(self.status == status, || {
            format!("x-health-status is {}, the body says {status}", self.status)
        })
    }
}

fn ensure(holds: bool, text: impl FnOnce() -> String) -> Judged {
    if holds { Ok(()) } else { Err(text()) }
}

fn rank(state: &Value) -> Result<u8, String> {
    match state.as_str() {
        Some("healthy") => Ok(0),
        Some("degraded") => Ok(1),
        Some("unhealthy") => Ok(2),
        _ => Err(format!("{state} is no state")),
    }
}

fn parsed(body: &str) -> Result<Value, String> {
    no_secret(body)?;
    serde_json::from_str(body).map_err(|error| format!("{error} in {body:?}"))
}

/// Credentials never leave the process.
pub(crate) fn no_secret(body: &str) -> Judged {
    ensure(!body.contains(SECRET), || format!("a secret in {body:?}"))
}

/// A report as JSON, of an answer or of an event. Gives back whether the service drains.
pub(crate) fn report(body: &str, head: Option<Head<'_>>) -> Result<bool, String> {
    let report = parsed(body)?;
    let none = serde_json::Map::new();
    let checks = report.get("checks").map_or(Some(&none), Value::as_object);
    let checks = checks.ok_or_else(|| format!("`checks` is no object in {body}"))?;
    let mut worst = 0;
    for (name, check) in checks {
        worst = worst.max(rank(&check["state"]).map_err(|error| format!("{name}: {error}"))?);
        let length = check["message"].as_str().map_or(0, str::len);
        ensure(length <= MAX_MESSAGE, || format!("{name} has a message of {length} bytes"))?;
    }
    let status = rank(&report["status"])?;
    ensure(status == worst, || format!("the status is not the worst of the states in {body}"))?;
    if let Some(head) = head {
        head.is(report["status"].as_str().unwrap_or_default())?;
    }
    let draining = checks.get("$drain");
    let is_drain = |entry: &Value| entry["state"] == "unhealthy" && entry["message"] == "draining";
    ensure(draining.is_none_or(is_drain), || format!("a strange `$drain` in {body}"))?;
    Ok(draining.is_some())
}

/// A report as `application/health+json`.
pub(crate) fn health_json(body: &str, head: Head<'_>) -> Judged {
    let report = parsed(body)?;
    let state = |status: &Value| match status.as_str() {
        Some("pass") => Ok("healthy"),
        Some("warn") => Ok("degraded"),
        Some("fail") => Ok("unhealthy"),
        _ => Err(format!("{status} is no status")),
    };
    let mut worst = 0;
    let checks = report["checks"].as_object().into_iter().flatten();
    for measured in checks.flat_map(|(_, measured)| measured.as_array().into_iter().flatten()) {
        worst = worst.max(rank(&state(&measured["status"])?.into())?);
    }
    let status = state(&report["status"])?;
    ensure(rank(&status.into())? == worst, || format!("the status is not the worst in {body}"))?;
    head.is(status)
}

/// A report as text, a line a check.
pub(crate) fn text(body: &str, head: Head<'_>) -> Judged {
    no_secret(body)?;
    let worst = if body.lines().any(|line| line.starts_with("[-]")) {
        "unhealthy"
    } else if body.lines().any(|line| line.starts_with("[!]")) {
        "degraded"
    } else {
        "healthy"
    };
    let last = match worst {
        "unhealthy" => "health check failed",
        _ => "health check passed",
    };
    ensure(body.lines().last() == Some(last), || format!("the last line is not {last:?}: {body}"))?;
    head.is(worst)
}

/// The history: within one answer, each transition begins where the last of its check ended.
pub(crate) fn history(body: &str) -> Judged {
    let history = parsed(body)?;
    let newest_first = history["transitions"].as_array().ok_or("no `transitions`")?;
    let mut states = std::collections::BTreeMap::new();
    for next in newest_first.iter().rev() {
        let check = next["check"].as_str().ok_or("no `check`")?;
        rank(&next["to"])?;
        let before = states.insert(check, &next["to"]);
        let fits = before.is_none_or(|before| *before == next["from"]);
        ensure(fits && next["from"] != next["to"], || {
            format!("in the history, {next} follows a transition to {before:?}")
        })?;
    }
    Ok(())
}

/// An error of the request.
pub(crate) fn problem(body: &str, code: u16) -> Judged {
    let problem = parsed(body)?;
    ensure(problem["status"] == code && problem["detail"].is_string(), || {
        format!("no problem of status {code}: {body}")
    })
}

/// Metrics as text: each set of states has one that is 1, and the end is there.
pub(crate) fn metrics(body: &str) -> Judged {
    ensure(body.ends_with("# EOF\n"), || "the metrics do not end with `# EOF`".to_owned())?;
    let mut sets = std::collections::BTreeMap::<&str, u32>::new();
    for line in body.lines() {
        let name = ["servicekit_health_status{", "servicekit_health_check_status{"];
        if !name.iter().any(|name| line.starts_with(name)) {
            continue;
        }
        let (set, value) = line.split_once(",state=").ok_or_else(|| line.to_owned())?;
        let is_one = value.ends_with(" 1");
        ensure(is_one || value.ends_with(" 0"), || format!("neither 0 nor 1: {line}"))?;
        *sets.entry(set).or_default() += u32::from(is_one);
    }
    ensure(!sets.is_empty(), || "no states in the metrics".to_owned())?;
    for (set, ones) in sets {
        ensure(ones == 1, || format!("{ones} of the states of {set} are 1"))?;
    }
    Ok(())
}

/// The sum of all series of a metric.
pub(crate) fn sum(metrics: &str, name: &str) -> Option<u64> {
    let mut values = metrics.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        rest.starts_with(['{', ' ']).then_some(rest.rsplit_once(' ')?.1.parse::<u64>().ok()?)
    });
    let first = values.next()?;
    Some(first + values.sum::<u64>())
}
