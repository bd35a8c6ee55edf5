//! A thread for each run of a blocking check.
//!
//! Not the runtime's blocking pool: a runtime that is dropped waits for its pool without limit, so
//! one hung check would keep the program from ending. A full pool would not begin the run at all.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant as RealInstant};

use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::Instant;

use crate::text::panic::panic_text;

/// How long a paused clock is kept from jumping ahead of a thread.
const PATIENCE: Duration = Duration::from_millis(200);

/// What the work returned, or the text that it panicked with.
pub(crate) type Returned<T> = Result<T, String>;

/// Starts a thread that is not waited for at the end of the process.
pub(crate) fn start<T: Send + 'static>(
    check: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<oneshot::Receiver<Returned<T>>> {
    let (send, receive) = oneshot::channel();
    thread::Builder::new().name(format!("health-{check}")).spawn(move || {
        let returned = catch_unwind(AssertUnwindSafe(work));
        // An error says that the run was given up.
        let _ = send.send(returned.map_err(|panic| panic_text(&*panic).to_owned()));
    })?;
    Ok(receive)
}

/// What the thread returned; `None` if it is gone without a word.
pub(crate) async fn returned<T>(
    receive: &mut oneshot::Receiver<Returned<T>>,
) -> Option<Returned<T>> {
    hold_paused_clock(|| !receive.is_empty() || receive.is_terminated()).await;
    receive.await.ok()
}

/// Where tokio's clock is paused, as in tests, keeps it from jumping ahead of a thread until
/// `is_done`, for a while.
///
/// A runtime that has nothing to do jumps to its next timer, such as the timeout of the run that the
/// thread works on. So it is given something to do.
pub(crate) async fn hold_paused_clock(mut is_done: impl FnMut() -> bool) {
    if is_done() || !clock_is_paused() {
        return;
    }
    let begin = RealInstant::now();
    while !is_done() && begin.elapsed() < PATIENCE {
        yield_now().await;
    }
}

/// Whether tokio's clock stands still.
fn clock_is_paused() -> bool {
    let (tokio, real) = (Instant::now(), RealInstant::now());
    while real.elapsed() < Duration::from_micros(5) {
        std::hint::spin_loop();
    }
    tokio.elapsed().is_zero()
}
