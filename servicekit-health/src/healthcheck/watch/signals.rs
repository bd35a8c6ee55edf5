//! Signals: the terminal is restored before the process ends, and drawn anew when it is resized.

use std::io;
use std::process;
use std::sync::mpsc::SyncSender;
use std::thread;

use super::Message;

/// Ends the process with 0 on Ctrl-C and SIGTERM, also as PID 1 of a container. Where there
/// is a table, the first of them is left to it.
pub(super) fn handle(table: Option<SyncSender<Message>>) {
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        // Without a handler the system ends the process.
        if let Ok(runtime) = runtime {
            let _ = runtime.block_on(forward(table));
        }
    });
}

#[cfg(unix)]
async fn forward(mut table: Option<SyncSender<Message>>) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut resize = signal(SignalKind::window_change())?;
    loop {
        tokio::select! {
            _ = interrupt.recv() => end(table.take()),
            _ = terminate.recv() => end(table.take()),
            _ = resize.recv() => {
                if let Some(table) = &table {
                    // A full queue is drawn soon anyway.
                    let _ = table.try_send(Message::Resized);
                }
            }
        }
    }
}

#[cfg(not(unix))]
async fn forward(mut table: Option<SyncSender<Message>>) -> io::Result<()> {
    loop {
        tokio::signal::ctrl_c().await?;
        end(table.take());
    }
}

fn end(table: Option<SyncSender<Message>>) {
    let Some(table) = table else { process::exit(0) };
    // On a thread of its own: where the queue is full, a second signal is still handled.
    thread::spawn(move || table.send(Message::Interrupted));
}
