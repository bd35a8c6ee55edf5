//! `watch`: the state of services and their checks, as a live table or as a log.
//!
//! A thread for each service follows its stream and sends what it receives; one loop displays it.

mod connection;
mod events;
mod log;
mod service;
mod signals;
mod styled;
mod table;
mod terminal;

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use self::connection::Update;
use self::log::ServiceLog;
use self::service::Service;
use self::terminal::Terminal;

/// How many updates may wait for a terminal that is stopped.
const QUEUE_LEN: usize = 64;

/// How often the table is drawn anew while nothing changes: its ages count seconds.
const REDRAW_INTERVAL: Duration = Duration::from_secs(1);

/// How long changes are gathered before they are drawn, so that many services, or one that never
/// stops talking, do not keep the terminal busy.
const MIN_REDRAW_INTERVAL: Duration = Duration::from_millis(50);

/// A service to watch.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Target {
    /// Its base URL, without a slash at the end.
    pub(super) base: String,
    /// The query keys that select checks, encoded.
    pub(super) selection: String,
}

impl Target {
    pub(super) fn stream_url(&self, query: &str) -> String {
        let separator = if self.selection.is_empty() { "" } else { "&" };
        format!("{}/health/$stream?{query}{separator}{}", self.base, self.selection)
    }

    /// The base URL without `http://`.
    fn label(&self) -> String {
        self.base.strip_prefix("http://").unwrap_or(&self.base).to_owned()
    }
}

enum Message {
    /// From the service at this index.
    Update(usize, Update),
    #[cfg(unix)]
    Resized,
    Interrupted,
}

/// Watches until interrupted or until stdout is closed. `Some` says why each of the URLs is not a
/// health stream, where none is.
pub(super) fn watch(targets: &[Target]) -> Option<Vec<String>> {
    let is_terminal = terminal::is_usable();
    let (sender, messages) = sync_channel(QUEUE_LEN);
    signals::handle(is_terminal.then(|| sender.clone()));
    // The table shows ages and latencies, which change all the time; the log only shows changes.
    let query = if is_terminal { "verbose" } else { "on=change" };
    for (index, target) in targets.iter().enumerate() {
        follow(index, target.stream_url(query), sender.clone());
    }
    let services = targets.iter().map(|target| Service::new(target.label())).collect();
    let ended = if is_terminal {
        show_table(services, &messages)
    } else {
        print_log(services, targets, &messages)
    };
    // An error is a closed output.
    ended.unwrap_or_default()
}

fn follow(index: usize, url: String, sender: SyncSender<Message>) {
    thread::spawn(move || {
        connection::follow(&url, |update| sender.send(Message::Update(index, update)).is_ok());
    });
}

fn show_table(
    mut services: Vec<Service>,
    messages: &Receiver<Message>,
) -> io::Result<Option<Vec<String>>> {
    let mut terminal = Terminal::open()?;
    loop {
        let now = Instant::now();
        terminal.draw(|size| table::render(&services, now, SystemTime::now(), size))?;
        let mut redraw_at = now + REDRAW_INTERVAL;
        while let Some(left) = redraw_at.checked_duration_since(Instant::now()) {
            match messages.recv_timeout(left) {
                Ok(Message::Update(index, update)) => services[index].apply(update),
                #[cfg(unix)]
                Ok(Message::Resized) => {}
                Ok(Message::Interrupted) => return Ok(None),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
            redraw_at = redraw_at.min(Instant::now() + MIN_REDRAW_INTERVAL);
        }
        if let Some(refusals) = refusals(&services) {
            terminal.clear();
            return Ok(Some(refusals));
        }
    }
}

fn print_log(
    mut services: Vec<Service>,
    targets: &[Target],
    messages: &Receiver<Message>,
) -> io::Result<Option<Vec<String>>> {
    let mut out = terminal::lines();
    let has_labels = targets.len() > 1;
    let log =
        |target: &Target| ServiceLog::new(target.base.clone(), has_labels.then(|| target.label()));
    let mut logs: Vec<_> = targets.iter().map(log).collect();
    for message in messages {
        let Message::Update(index, update) = message else { continue };
        let lines = logs[index].lines(&update);
        services[index].apply(update);
        if let Some(refusals) = refusals(&services) {
            return Ok(Some(refusals));
        }
        if !lines.is_empty() {
            out.write_all(log::with_time(SystemTime::now(), &lines).as_bytes())?;
            out.flush()?;
        }
    }
    Ok(None)
}

/// Why each service is refused, where all are.
fn refusals(services: &[Service]) -> Option<Vec<String>> {
    services.iter().map(Service::refusal).collect()
}
