//! File systems of a test's own. Mounting needs root; without, the tests that want it say so.
#![allow(dead_code, reason = "every test file uses a part of it")]

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A file system in a directory of its own, unmounted at the end.
pub(crate) struct Mounted {
    directory: TempDir,
}

/// A tmpfs with these options.
pub(crate) fn tmpfs(options: &str) -> Option<Mounted> {
    mount(&["-t", "tmpfs", "-o", options, "tmpfs"])
}

/// An ext4 of 16 MiB, a fifth of it kept for root.
pub(crate) fn ext4() -> Option<Mounted> {
    /// Without this the kernel writes on in the background.
    const NOW: &str = "lazy_itable_init=0,lazy_journal_init=0";
    let image = tempfile::NamedTempFile::new().unwrap();
    File::set_len(image.as_file(), 16 << 20).unwrap();
    let made =
        Command::new("mkfs.ext4").args(["-q", "-m", "20", "-E", NOW]).arg(image.path()).status();
    if !made.is_ok_and(|status| status.success()) {
        return skipped("mkfs.ext4 is not installed");
    }
    // The loop device keeps the file when its name goes.
    mount(&["-o", "loop", image.path().to_str().unwrap()])
}

fn mount(arguments: &[&str]) -> Option<Mounted> {
    let directory = tempfile::tempdir().unwrap();
    let mount = Command::new("mount").args(arguments).arg(directory.path()).output();
    if mount.is_ok_and(|output| output.status.success()) {
        return Some(Mounted { directory });
    }
    skipped("a file system can be mounted by root only")
}

impl Mounted {
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// How many KiB an ext4 has written to its device.
    pub(crate) fn written(&self) -> u64 {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let point = format!(" {} ", self.path().display());
        let device = mounts.lines().find(|line| line.contains(&point)).unwrap();
        let device = device.split(' ').next().unwrap().trim_start_matches("/dev/");
        let written = fs::read_to_string(format!("/sys/fs/ext4/{device}/session_write_kbytes"));
        written.unwrap().trim().parse().unwrap()
    }

    /// Blocks every write, as a disk or a server does that hangs, until this is dropped.
    pub(crate) fn freeze(&self) -> Frozen<'_> {
        assert!(freeze("--freeze", self.path()));
        Frozen(self)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

pub(crate) struct Frozen<'a>(&'a Mounted);

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        freeze("--unfreeze", self.0.path());
    }
}

fn freeze(how: &str, path: &Path) -> bool {
    Command::new("fsfreeze").arg(how).arg(path).status().is_ok_and(|status| status.success())
}

fn skipped<T>(why: &str) -> Option<T> {
    // `eprintln` would keep it to itself unless the test fails.
    io::stderr().write_all(format!("skipped: {why}\n").as_bytes()).unwrap();
    None
}
