//! A program in a terminal of its own, and what is on the terminal's screen.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::fs::{Mode, OFlags, open};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use vt100::Parser;

use crate::common::eventually;

pub(super) struct Pty {
    controller: OwnedFd,
    child: Child,
    output: Arc<Mutex<Output>>,
}

struct Output {
    parser: Parser,
    bytes: Vec<u8>,
}

impl Pty {
    pub(super) fn start(command: &mut Command, rows: u16, columns: u16) -> Self {
        Self::start_with_term(command, "xterm-256color", rows, columns)
    }

    /// With the name of a kind of terminal.
    pub(super) fn start_with_term(
        command: &mut Command,
        term: &str,
        rows: u16,
        columns: u16,
    ) -> Self {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let name = ptsname(&controller, Vec::new()).unwrap();
        let terminal = open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let output = Output { parser: Parser::new(rows, columns, 0), bytes: Vec::new() };
        let output = Arc::new(Mutex::new(output));

        let (written, mut reader) = (Arc::clone(&output), File::from(duplicate(&controller)));
        resize(&controller, rows, columns);
        let stdio = || Stdio::from(duplicate(&terminal));
        command.env("TERM", term).stdin(stdio()).stdout(stdio()).stderr(stdio());
        let child = command.spawn().unwrap();
        // Else the terminal would stay open after the program.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                let mut output = written.lock().unwrap();
                output.parser.process(&buffer[..read]);
                output.bytes.extend_from_slice(&buffer[..read]);
            }
        });
        Self { controller, child, output }
    }

    /// Looks at the screen until it is as wanted.
    pub(super) async fn shows(&self, what: &str, mut is_so: impl FnMut(&vt100::Screen) -> bool) {
        let look = async || is_so(self.output.lock().unwrap().parser.screen()).then_some(());
        let seen = tokio::time::timeout(super::PATIENCE / 2, eventually(what, look)).await;
        assert!(seen.is_ok(), "no {what} on the screen:\n{}", self.screen());
    }

    /// The text on the screen.
    pub(super) fn screen(&self) -> String {
        self.output.lock().unwrap().parser.screen().contents()
    }

    /// All that was written to the terminal.
    pub(super) fn written(&self) -> String {
        String::from_utf8_lossy(&self.output.lock().unwrap().bytes).into_owned()
    }

    pub(super) fn resize(&self, rows: u16, columns: u16) {
        self.output.lock().unwrap().parser.screen_mut().set_size(rows, columns);
        resize(&self.controller, rows, columns);
        // The kernel tells only programs whose controlling terminal this is.
        self.signal(Signal::WINCH);
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(super) async fn ended(&mut self) -> ExitStatus {
        let child = &mut self.child;
        eventually("it ends", async || child.try_wait().unwrap()).await
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn duplicate(file: &OwnedFd) -> OwnedFd {
    fcntl_dupfd_cloexec(file, 0).unwrap()
}

fn resize(terminal: &OwnedFd, rows: u16, columns: u16) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).unwrap();
}
