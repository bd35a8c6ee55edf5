//! The files of `examples/deploy`: what is tested is what users take, not a copy.

use std::fs;
use std::path::PathBuf;

pub(crate) fn path(file: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/deploy")).join(file)
}

pub(crate) fn read(file: &str) -> String {
    let path = path(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The file with other addresses and places in it. Each that is replaced must be there.
pub(crate) fn placed(file: &str, places: &[(&str, &str)]) -> String {
    let mut text = read(file);
    for (from, to) in places {
        assert!(text.contains(from), "{file} has no `{from}`");
        text = text.replace(from, to);
    }
    text
}
