//! Reading of a step's log on disk.
//!
//! A log is the bytes that a step printed, merged in the order in which they arrived. The file
//! beside it, `LOG.streams`, tells which of them went to which stream: records of one byte (0 is
//! standard output, 1 standard error) and a length (`u64`, little-endian). Without that file all
//! is standard output. Logs may be gigabytes: everything here runs with flat memory. What writes
//! logs, and which step a log is of, this file does not know.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::clean::{Cleaner, Fit};
use super::style::RESET;
use crate::event::Stream;

/// How much is read at once.
const PIECE: usize = 64 * 1024;

/// How far a log is looked at to tell whether it is text: a NUL byte in it means that it is not.
const SNIFF: u64 = 8 * 1024;

/// Two places to write to.
pub(super) trait Streams {
    /// The writer for what was printed to `stream`.
    fn to(&mut self, stream: Stream) -> &mut dyn Write;
}

/// Copies a log, each part to the stream that the step printed it to, in the exact order:
/// a writer is flushed before the other one is written to.
///
/// Escape sequences are stripped, or all but colours.
///
/// # Errors
///
/// When the log cannot be read or a writer fails.
pub fn copy_log(
    log: &Path,
    out: &mut dyn Write,
    err: &mut dyn Write,
    strip_ansi: bool,
) -> io::Result<()> {
    let fit = if strip_ansi { Fit::Log } else { Fit::Screen };
    deliver(log, Delivery::new(fit, fit), &mut Pair { out, err })
}

/// The end of a log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tail {
    /// Its last lines, without their ends.
    pub lines: Vec<String>,
    /// Whether these are all lines.
    pub whole: bool,
}

/// The last `lines` lines of a log, of which no more than the last `max_bytes` are looked at.
///
/// # Errors
///
/// When the log cannot be read.
pub fn tail(log: &Path, lines: usize, max_bytes: u64, strip_ansi: bool) -> io::Result<Tail> {
    let (bytes, cut) = last_bytes(log, max_bytes)?;
    let mut clean = Vec::new();
    let mut cleaner = Cleaner::new(if strip_ansi { Fit::Log } else { Fit::Screen });
    cleaner.push(whole_lines(&bytes, cut), &mut clean)?;
    cleaner.finish(&mut clean)?;
    let text = String::from_utf8_lossy(&clean);
    let text = text.trim_end().trim_end_matches(RESET).trim_end();
    let all: Vec<&str> = text.lines().collect();
    let skipped = all.len().saturating_sub(lines);
    let lines = all[skipped..]
        .iter()
        .map(|line| (*line).to_owned())
        .collect();
    Ok(Tail {
        lines,
        whole: skipped == 0 && !cut,
    })
}

/// The last bytes of a file, and whether there are more.
fn last_bytes(path: &Path, max_bytes: u64) -> io::Result<(Vec<u8>, bool)> {
    let mut file = File::open(path)?;
    let start = file.metadata()?.len().saturating_sub(max_bytes);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(max_bytes).read_to_end(&mut bytes)?;
    Ok((bytes, start > 0))
}

/// `bytes` without the rest of a line that was cut, unless that is all there is.
fn whole_lines(bytes: &[u8], cut: bool) -> &[u8] {
    let end = bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .filter(|end| end + 1 < bytes.len());
    match end {
        Some(end) if cut => &bytes[end + 1..],
        _ => bytes,
    }
}

/// Whether the log holds something.
pub(super) fn is_worth_showing(log: &Path) -> bool {
    std::fs::metadata(log).is_ok_and(|meta| meta.is_file() && meta.len() > 0)
}

/// Whether the log holds other things than text.
pub(super) fn is_binary(log: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(log).and_then(|file| file.take(SNIFF).read_to_end(&mut head));
    read.is_ok() && head.contains(&0)
}

/// Copies a log by way of `delivery`.
pub(super) fn deliver(log: &Path, mut delivery: Delivery, to: &mut dyn Streams) -> io::Result<()> {
    pieces(log, &mut |stream, bytes| delivery.give(stream, bytes, to))?;
    delivery.finish(to)
}

/// Hands out a log in pieces, each with its stream.
fn pieces(log: &Path, each: &mut dyn FnMut(Stream, &[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut bytes = File::open(log)?;
    let mut split = Split::open(log);
    let mut piece = vec![0; PIECE];
    loop {
        let (stream, mut left) = split.next();
        while left > 0 {
            let want = left.min(PIECE as u64) as usize;
            let got = bytes.read(&mut piece[..want])?;
            if got == 0 {
                return Ok(());
            }
            each(stream, &piece[..got])?;
            left -= got as u64;
        }
    }
}

/// The records of the file beside a log.
struct Split(Option<BufReader<File>>);

impl Split {
    fn open(log: &Path) -> Self {
        Self(File::open(streams_path(log)).ok().map(BufReader::new))
    }

    /// The next record; where there is none (or half of one, after a kill), all that is left.
    fn next(&mut self) -> (Stream, u64) {
        let mut record = [0; 9];
        let read = self
            .0
            .as_mut()
            .and_then(|file| file.read_exact(&mut record).ok());
        if read.is_none() {
            self.0 = None;
            return (Stream::Stdout, u64::MAX);
        }
        let [stream, length @ ..] = record;
        let stream = if stream == 1 {
            Stream::Stderr
        } else {
            Stream::Stdout
        };
        (stream, u64::from_le_bytes(length))
    }
}

/// The file beside `log` that tells the streams of its parts.
pub fn streams_path(log: &Path) -> PathBuf {
    let mut name = OsString::from(log);
    name.push(".streams");
    name.into()
}

/// Cleans two streams and writes them in their order.
#[derive(Debug)]
pub(super) struct Delivery {
    out: Cleaner,
    err: Cleaner,
    last: Stream,
}

impl Delivery {
    pub(super) fn new(out: Fit, err: Fit) -> Self {
        Self {
            out: Cleaner::new(out),
            err: Cleaner::new(err),
            last: Stream::Stdout,
        }
    }

    fn cleaner(&mut self, stream: Stream) -> &mut Cleaner {
        match stream {
            Stream::Stdout => &mut self.out,
            Stream::Stderr => &mut self.err,
        }
    }

    fn give(&mut self, stream: Stream, bytes: &[u8], to: &mut dyn Streams) -> io::Result<()> {
        if self.last != stream {
            let last = std::mem::replace(&mut self.last, stream);
            self.cleaner(last).pause(to.to(last))?;
            to.to(last).flush()?;
        }
        self.cleaner(stream).push(bytes, to.to(stream))
    }

    fn finish(&mut self, to: &mut dyn Streams) -> io::Result<()> {
        for stream in [self.last, other(self.last)] {
            self.cleaner(stream).finish(to.to(stream))?;
            to.to(stream).flush()?;
        }
        Ok(())
    }
}

fn other(stream: Stream) -> Stream {
    match stream {
        Stream::Stdout => Stream::Stderr,
        Stream::Stderr => Stream::Stdout,
    }
}

struct Pair<'a> {
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
}

impl Streams for Pair<'_> {
    fn to(&mut self, stream: Stream) -> &mut dyn Write {
        match stream {
            Stream::Stdout => self.out,
            Stream::Stderr => self.err,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::disallowed_methods,
        reason = "tests make their files themselves"
    )]

    use std::io::{self, Write};
    use std::path::PathBuf;
    use std::sync::{Arc, Mutex};

    use super::{Tail, copy_log, is_binary, streams_path, tail};

    struct Place {
        _dir: tempfile::TempDir,
        log: PathBuf,
    }

    /// A log of parts, each with its stream.
    fn log(parts: &[(u8, &str)]) -> Place {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let (mut bytes, mut records) = (Vec::new(), Vec::new());
        for (stream, text) in parts {
            bytes.extend_from_slice(text.as_bytes());
            records.push(*stream);
            records.extend_from_slice(&(text.len() as u64).to_le_bytes());
        }
        std::fs::write(&log, bytes).unwrap();
        std::fs::write(streams_path(&log), records).unwrap();
        Place { _dir: dir, log }
    }

    fn copied(place: &Place, strip: bool) -> (String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        copy_log(&place.log, &mut out, &mut err, strip).unwrap();
        (
            String::from_utf8(out).unwrap(),
            String::from_utf8(err).unwrap(),
        )
    }

    /// Writes to a page that another one writes to too, only when flushed.
    struct Late(Vec<u8>, Arc<Mutex<Vec<u8>>>);

    impl Write for Late {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            self.1.lock().unwrap().append(&mut self.0);
            Ok(())
        }
    }

    #[test]
    fn each_part_goes_to_its_stream() {
        let place = log(&[(0, "a\n"), (1, "warning\n"), (0, "b\n"), (0, "c")]);
        assert_eq!(
            copied(&place, true),
            ("a\nb\nc\n".into(), "warning\n".into())
        );
    }

    #[test]
    fn order_between_the_streams_is_exact() {
        let place = log(&[(0, "one "), (1, "two "), (0, "three\n"), (1, "four\n")]);
        let page = Arc::new(Mutex::new(Vec::new()));
        let (mut out, mut err) = (
            Late(Vec::new(), page.clone()),
            Late(Vec::new(), page.clone()),
        );
        copy_log(&place.log, &mut out, &mut err, true).unwrap();
        assert_eq!(*page.lock().unwrap(), b"one two three\nfour\n");
    }

    #[test]
    fn without_the_side_file_all_is_standard_output() {
        let place = log(&[(1, "x\n")]);
        std::fs::remove_file(streams_path(&place.log)).unwrap();
        assert_eq!(copied(&place, true), ("x\n".into(), String::new()));
    }

    #[test]
    fn a_side_file_that_does_not_fit_loses_nothing() {
        let place = log(&[(1, "1234"), (0, "5678")]);
        let records = std::fs::read(streams_path(&place.log)).unwrap();
        std::fs::write(streams_path(&place.log), &records[..12]).unwrap();
        assert_eq!(copied(&place, true), ("5678\n".into(), "1234\n".into()));
        std::fs::write(&place.log, "12").unwrap();
        assert_eq!(copied(&place, true), (String::new(), "12\n".into()));
    }

    #[test]
    fn sequences_cut_by_the_other_stream_are_still_sequences() {
        let place = log(&[
            (0, "\x1b[3"),
            (1, "\x1b"),
            (0, "1mred\n"),
            (1, "[32mgreen\n"),
        ]);
        assert_eq!(copied(&place, true), ("red\n".into(), "green\n".into()));
        let (out, err) = copied(&place, false);
        assert_eq!(
            (out, err),
            (
                "\x1b[31mred\n\x1b[0m".into(),
                "\x1b[32mgreen\n\x1b[0m".into()
            )
        );
    }

    #[test]
    fn any_bytes_are_copied() {
        let place = log(&[]);
        std::fs::write(&place.log, b"\xff\xfe ok \xc3\n").unwrap();
        let mut out = Vec::new();
        copy_log(&place.log, &mut out, &mut io::sink(), true).unwrap();
        assert_eq!(out, b"\xff\xfe ok \xc3\n");
        assert!(!is_binary(&place.log));
        std::fs::write(&place.log, b"\x1f\x8b\x08\0").unwrap();
        assert!(is_binary(&place.log));
    }

    #[test]
    fn the_tail_is_the_last_lines() {
        let place = log(&[(0, "1\n\x1b[1m2\x1b[0m\n3\n4\n\n")]);
        let last = |lines, bytes| tail(&place.log, lines, bytes, true).unwrap();
        let lines = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(
            last(20, 100),
            Tail {
                lines: lines(&["1", "2", "3", "4"]),
                whole: true
            }
        );
        assert_eq!(
            last(2, 100),
            Tail {
                lines: lines(&["3", "4"]),
                whole: false
            }
        );
        assert_eq!(
            last(20, 4),
            Tail {
                lines: lines(&["4"]),
                whole: false
            }
        );
        assert!(tail(&place.log.join("none"), 1, 1, true).is_err());
    }

    #[test]
    fn the_tail_of_one_endless_line_is_its_end() {
        let place = log(&[(0, "aaaaaaaaaa")]);
        assert_eq!(tail(&place.log, 20, 4, true).unwrap().lines, ["aaaa"]);
    }

    #[test]
    fn an_open_colour_makes_no_line_of_its_own() {
        let place = log(&[(0, "\x1b[31mred\n")]);
        assert_eq!(
            tail(&place.log, 20, 99, false).unwrap().lines,
            ["\x1b[31mred"]
        );
    }
}
