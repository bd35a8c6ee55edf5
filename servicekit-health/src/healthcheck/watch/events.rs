//! Server-sent events, read as they come.

use std::io::{self, BufRead, Read};

/// The longest event, in bytes.
const MAX_EVENT_LEN: usize = 8 * 1024 * 1024;

/// The data of each event of a stream.
pub(super) struct Events<R>(R);

impl<R: BufRead> Events<R> {
    pub(super) fn new(stream: R) -> Self {
        Self(stream)
    }

    /// The data of the next event; `None` at the end; an incomplete event is dropped.
    pub(super) fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut data = Vec::new();
        loop {
            let mut line = Vec::new();
            let room = MAX_EVENT_LEN - data.len();
            self.0.by_ref().take(room as u64).read_until(b'\n', &mut line)?;
            let Some(text) = line.strip_suffix(b"\n") else {
                return if line.len() < room {
                    Ok(None)
                } else {
                    Err(io::Error::other("an event exceeds the limit of 8 MiB"))
                };
            };
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            if let Some(value) = text.strip_prefix(b"data:") {
                if !data.is_empty() {
                    data.push(b'\n');
                }
                data.extend_from_slice(value.strip_prefix(b" ").unwrap_or(value));
            } else if text.is_empty() && !data.is_empty() {
                return Ok(Some(data));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(stream: &[u8]) -> Vec<String> {
        let mut events = Events::new(stream);
        let next = || events.next().unwrap().map(|data| String::from_utf8(data).unwrap());
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn the_data_of_each_event_is_returned() {
        let stream =
            b":\n\ndata: one\n\nevent: x\nid: 7\ndata:two\ndata:  lines\n\n\n:\n\ndata: 3\r\n\r\n";
        assert_eq!(events(stream), ["one", "two\n lines", "3"]);
    }

    #[test]
    fn an_incomplete_event_is_dropped() {
        for half in ["data: {", "data: {\n", "data: {}\r", "data", ":"] {
            assert_eq!(events(format!("data: one\n\n{half}").as_bytes()), ["one"], "{half:?}");
        }
    }

    #[test]
    fn an_endless_event_is_refused() {
        for endless in ["x", "data: a\n", "data: "] {
            let stream = Endless(endless.as_bytes(), 0);
            let error = Events::new(io::BufReader::new(stream)).next().unwrap_err();
            assert_eq!(error.to_string(), "an event exceeds the limit of 8 MiB", "{endless:?}");
        }
    }

    /// Repeats the same piece.
    struct Endless(&'static [u8], usize);

    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            for byte in &mut *buffer {
                *byte = self.0[self.1 % self.0.len()];
                self.1 += 1;
            }
            Ok(buffer.len())
        }
    }
}
