//! What systemd is told, on a socket as it provides one.
#![cfg(unix)]

use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The place of the service manager.
struct Manager {
    directory: TempDir,
    socket: UnixDatagram,
}

impl Manager {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(directory.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { directory, socket }
    }

    fn start(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Unit {
        let mut unit = Unit::command(arguments);
        unit.env("NOTIFY_SOCKET", self.directory.path().join("notify"));
        Unit::start(unit.envs(variables.iter().copied()))
    }

    /// The next message.
    fn told(&self) -> String {
        let mut message = [0; 4096];
        let length = self.socket.recv(&mut message).expect("nothing is told");
        String::from_utf8(message[..length].to_vec()).unwrap()
    }

    /// The messages until this one.
    fn told_until(&self, expected: &str) -> Vec<String> {
        let mut told = Vec::new();
        let start = Instant::now();
        while told.last().is_none_or(|last| last != expected) {
            assert!(start.elapsed() < PATIENCE, "no {expected:?} in {told:?}");
            told.push(self.told());
        }
        told
    }

    /// What comes in this time.
    fn told_for(&self, time: Duration) -> Vec<String> {
        sleep(time);
        self.socket.set_nonblocking(true).unwrap();
        let mut told = Vec::new();
        let mut message = [0; 4096];
        while let Ok(length) = self.socket.recv(&mut message) {
            told.push(String::from_utf8(message[..length].to_vec()).unwrap());
        }
        self.socket.set_nonblocking(false).unwrap();
        told
    }
}

/// The service, which ends with the test.
struct Unit(Child);

impl Unit {
    fn command(arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_unit"));
        command.args(arguments);
        for variable in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] {
            command.env_remove(variable);
        }
        command
    }

    fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::piped()).spawn().unwrap())
    }

    /// Lets a check take this state.
    fn set(&mut self, check: &str, state: &str) {
        writeln!(self.0.stdin.as_mut().unwrap(), "{check} {state}").unwrap();
    }

    fn terminate(&self) {
        let id = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    }

    fn end(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "the service does not end");
            sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn ready_comes_with_the_end_of_startup_and_stopping_before_the_end_of_the_process() {
    let manager = Manager::new();
    let mut unit = manager.start(&[], &[]);
    assert_eq!(manager.told(), "STATUS=unhealthy: warmup\n");
    assert_eq!(manager.told_for(Duration::from_secs(1)), [""; 0]);
    unit.set("warmup", "healthy");
    let mut told = [manager.told(), manager.told()];
    told.sort();
    assert_eq!(told, ["READY=1\n", "STATUS=healthy\n"]);

    unit.terminate();
    assert_eq!(manager.told(), "STOPPING=1\nSTATUS=draining\n");
    assert!(unit.end().success());
    assert_eq!(manager.told_for(Duration::ZERO), [""; 0]);
}

#[test]
fn a_program_that_stops_before_startup_has_passed_is_never_ready() {
    let manager = Manager::new();
    let mut unit = manager.start(&["slow-drain"], &[]);
    assert_eq!(manager.told(), "STATUS=unhealthy: warmup\n");
    unit.terminate();
    assert_eq!(manager.told(), "STOPPING=1\nSTATUS=draining\n");
    unit.set("warmup", "healthy");
    assert!(unit.end().success());
    assert_eq!(manager.told_for(Duration::ZERO), [""; 0]);
}

#[test]
fn each_change_of_the_state_is_a_status_and_nothing_else_is() {
    let manager = Manager::new();
    let mut unit = manager.start(&[], &[]);
    unit.set("warmup", "healthy");
    manager.told_until("STATUS=healthy\n");
    manager.told_for(Duration::from_secs(1));
    unit.set("redis", "degraded");
    assert_eq!(manager.told(), "STATUS=degraded: redis\n");
    unit.set("database", "unhealthy");
    assert_eq!(manager.told(), "STATUS=unhealthy: database, redis degraded\n");
    assert_eq!(manager.told_for(Duration::from_millis(500)), [""; 0]);
    unit.set("database", "healthy");
    assert_eq!(manager.told(), "STATUS=degraded: redis\n");
}

#[test]
fn the_watchdog_is_fed_twice_in_its_time_while_liveness_is_not_unhealthy() {
    let manager = Manager::new();
    let mut unit = manager.start(&[], &[("WATCHDOG_USEC", "400000")]);
    unit.set("warmup", "healthy");
    manager.told_until("READY=1\n");
    let feedings = |time| {
        let told = manager.told_for(time);
        told.iter().filter(|message| *message == "WATCHDOG=1\n").count()
    };
    feedings(Duration::ZERO);
    // One every 200 ms; a busy machine may be late.
    let fed = feedings(Duration::from_secs(2));
    assert!((8..=11).contains(&fed), "{fed}");
    unit.set("database", "unhealthy");
    unit.set("loop", "degraded");
    manager.told_until("STATUS=unhealthy: database, loop degraded\n");
    assert!(feedings(Duration::from_secs(1)) >= 3);
    unit.set("loop", "unhealthy");
    manager.told_until("STATUS=unhealthy: database, loop\n");
    feedings(Duration::from_millis(300));
    assert_eq!(feedings(Duration::from_secs(1)), 0);
    unit.set("loop", "healthy");
    manager.told_until("WATCHDOG=1\n");
}

#[test]
fn the_watchdog_is_not_fed_while_every_worker_is_blocked() {
    let manager = Manager::new();
    let mut unit = manager.start(&[], &[("WATCHDOG_USEC", "400000")]);
    manager.told_until("WATCHDOG=1\n");
    unit.set("block", "2500");
    // Until it has begun.
    manager.told_for(Duration::from_millis(500));
    assert_eq!(manager.told_for(Duration::from_millis(1500)), [""; 0]);
    manager.told_until("WATCHDOG=1\n");
}

#[test]
fn a_watchdog_of_another_process_is_left_to_it() {
    let manager = Manager::new();
    let variables = [("WATCHDOG_USEC", "100000"), ("WATCHDOG_PID", "1")];
    let _unit = manager.start(&[], &variables);
    assert_eq!(manager.told_for(Duration::from_secs(1)), ["STATUS=unhealthy: warmup\n"]);
}

#[test]
fn the_first_report_is_enough_to_begin() {
    let manager = Manager::new();
    let mut unit = manager.start(&["report"], &[]);
    assert_eq!(manager.told(), "STATUS=unhealthy: warmup\n");
    unit.set("warmup", "healthy");
    manager.told_until("READY=1\n");
}

#[test]
fn without_a_socket_nothing_is_different() {
    let mut unit = Unit::start(Unit::command(&[]).env("WATCHDOG_USEC", "1000"));
    sleep(Duration::from_millis(500));
    let begin = Instant::now();
    unit.terminate();
    assert!(unit.end().success());
    assert!(begin.elapsed() < Duration::from_millis(1100), "{:?}", begin.elapsed());
}

#[test]
fn a_manager_that_is_gone_or_does_not_read_holds_up_nothing() {
    for is_gone in [false, true] {
        let manager = Manager::new();
        let mut unit = manager.start(&[], &[("WATCHDOG_USEC", "10000")]);
        manager.told();
        if is_gone {
            std::fs::remove_file(manager.directory.path().join("notify")).unwrap();
        }
        // More messages than any queue of datagrams takes: 10 are usual, 512 where systemd runs.
        sleep(Duration::from_secs(4));
        let begin = Instant::now();
        unit.terminate();
        assert!(unit.end().success());
        assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
    }
}
