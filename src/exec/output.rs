//! Where the output of a step's processes goes: to its log on disk as it comes, and, if somebody
//! wants to see it live, in pieces to the coordinator.
//!
//! `LOG` holds all bytes in the order in which they arrived; it is made for the first of them.
//! `LOG.streams`, which is there only if
//! standard error was used, tells which of them came from where: records of one byte (0 standard
//! output, 1 standard error) and a length (u64, little endian). A log that cannot be written is a
//! note, never a failure. Secrets are masked before anything else sees the bytes. Knows no process.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::mask::{Forms, Masker};
use super::messages::Messenger;
use crate::event::{self, StepFinished, StepOutput};
use crate::process::{OutputSink, Stream};
use crate::sys::fs::{self, FsError};

/// A line that is longer than this is shown in pieces.
const LONGEST_PIECE: usize = 8 * 1024;

/// The name of the one empty log that all steps of a run share which print nothing: a file for
/// each of them would cost more than all else that is done for a short step.
pub(super) const SILENT: &str = "nothing-printed.log";

/// The log of one step.
pub(super) struct StepLog<'a> {
    path: PathBuf,
    text: Text,
    /// Whether there is a file at `path`.
    is_made: bool,
    streams: Streams,
    live: Option<Live<'a>>,
    mask: Option<Mask>,
    /// The last line has no end yet.
    in_line: bool,
    note: Option<String>,
}

/// Takes secrets out of both streams.
struct Mask {
    forms: Forms,
    /// By the number of the stream.
    maskers: [Masker; 2],
}

/// The file of a log.
enum Text {
    /// Nothing was printed so far.
    Unmade,
    /// It takes what comes.
    Open(File),
    /// It takes nothing any more.
    Closed,
}

impl<'a> StepLog<'a> {
    /// A log that will be at `path` once something is printed; `live` takes the pieces for those
    /// who look on. Nothing of `secrets` gets there.
    pub(super) fn new(path: PathBuf, live: Option<Live<'a>>, secrets: Forms) -> Self {
        let streams = Streams {
            path: streams_path(&path),
            file: None,
            run: None,
        };
        Self {
            path,
            text: Text::Unmade,
            is_made: false,
            streams,
            live,
            mask: (!secrets.is_empty()).then(|| Mask {
                forms: secrets,
                maskers: Default::default(),
            }),
            in_line: false,
            note: None,
        }
    }

    /// Where it is: the shared empty one as long as nothing was printed.
    pub(super) fn path(&self) -> PathBuf {
        if self.is_made {
            self.path.clone()
        } else {
            self.path.with_file_name(SILENT)
        }
    }

    /// Whether there is a file of its own.
    pub(super) fn is_made(&self) -> bool {
        self.is_made
    }

    /// Makes the file also where nothing was printed: a log that people are pointed to says whose
    /// it is.
    pub(super) fn make(&mut self) {
        if !self.is_made {
            self.is_made = fs::create(&self.path).is_ok();
        }
    }

    /// Puts in a line of `pipe`'s own.
    pub(super) fn say(&mut self, line: &str) {
        self.let_go();
        let start = if self.in_line { "\n" } else { "" };
        self.take(Stream::Stderr, format!("{start}pipe: {line}\n").as_bytes());
    }

    /// Writes what is held back: the files hold all that came so far. Says what could not be
    /// written.
    pub(super) fn flush(&mut self) -> Option<String> {
        self.let_go();
        if let Some(live) = &mut self.live {
            live.flush();
        }
        if let Err(error) = self.streams.flush() {
            self.fail(&error);
        }
        self.note.take()
    }

    /// What was held back as the possible beginning of a secret.
    fn let_go(&mut self) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let Some(Mask { forms, maskers }) = &mut self.mask else {
                return;
            };
            let rest = maskers[index(stream)].finish(forms);
            self.keep(stream, &rest);
        }
    }

    /// To the log, and to those who look on.
    fn keep(&mut self, stream: Stream, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if let Err(error) = self.write(stream, bytes) {
            self.fail(&error);
        }
        self.in_line = bytes.last() != Some(&b'\n');
        if let Some(live) = &mut self.live {
            live.take(stream, bytes);
        }
    }

    /// `text` without the step's secrets.
    pub(super) fn masked(&self, text: &str) -> String {
        let mask = self.mask.as_ref();
        mask.map_or_else(|| text.to_owned(), |mask| mask.forms.mask(text))
    }

    /// Takes the step's secrets out of what is said of its end.
    pub(super) fn without_secrets(&self, finished: &mut StepFinished) {
        let texts = finished.message.iter_mut().chain(&mut finished.command);
        for text in texts.chain(&mut finished.notes) {
            *text = self.masked(text);
        }
    }

    fn write(&mut self, stream: Stream, bytes: &[u8]) -> Result<(), FsError> {
        if let Text::Unmade = self.text {
            self.text = Text::Open(fs::create(&self.path)?);
            self.is_made = true;
        }
        let Text::Open(file) = &mut self.text else {
            return Ok(());
        };
        file.write_all(bytes)
            .map_err(|error| FsError::new("write", &self.path, error))?;
        self.streams.count(stream, bytes.len())
    }

    /// The first error is told; after it the log stays as it is.
    fn fail(&mut self, error: &FsError) {
        self.text = Text::Closed;
        self.note
            .get_or_insert_with(|| format!("the log is not complete: {error}: {}", error.source));
    }
}

impl OutputSink for StepLog<'_> {
    fn take(&mut self, stream: Stream, bytes: &[u8]) {
        match &mut self.mask {
            None => self.keep(stream, bytes),
            Some(Mask { forms, maskers }) => {
                let masked = maskers[index(stream)].push(forms, bytes);
                self.keep(stream, &masked);
            }
        }
    }
}

fn index(stream: Stream) -> usize {
    usize::from(stream == Stream::Stderr)
}

fn streams_path(log: &Path) -> PathBuf {
    let mut path = log.as_os_str().to_owned();
    path.push(".streams");
    path.into()
}

/// Which bytes of a log came from where.
struct Streams {
    path: PathBuf,
    file: Option<BufWriter<File>>,
    /// The bytes since the stream last changed.
    run: Option<(Stream, u64)>,
}

impl Streams {
    fn count(&mut self, stream: Stream, len: usize) -> Result<(), FsError> {
        match &mut self.run {
            Some((same, total)) if *same == stream => *total += len as u64,
            run => {
                let before = run.replace((stream, len as u64));
                self.record(before)?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), FsError> {
        match self.run {
            // All of it came from standard output.
            Some((Stream::Stdout, _)) if self.file.is_none() => return Ok(()),
            last => self.record(last)?,
        }
        self.run = None;
        let flushed = self.file.as_mut().map_or(Ok(()), BufWriter::flush);
        flushed.map_err(|error| FsError::new("write", &self.path, error))
    }

    fn record(&mut self, run: Option<(Stream, u64)>) -> Result<(), FsError> {
        let Some((stream, len)) = run else {
            return Ok(());
        };
        if self.file.is_none() {
            self.file = Some(BufWriter::new(fs::create(&self.path)?));
        }
        let mut record = [0; 9];
        record[0] = u8::from(stream == Stream::Stderr);
        record[1..].copy_from_slice(&len.to_le_bytes());
        let written = self
            .file
            .as_mut()
            .map_or(Ok(()), |file| file.write_all(&record));
        written.map_err(|error| FsError::new("write", &self.path, error))
    }
}

/// Cuts output into pieces that can be shown: whole lines where they are not too long, and never
/// a part of a character.
pub(super) struct Live<'a> {
    step: &'a str,
    messenger: &'a Messenger,
    held: [(Stream, Vec<u8>); 2],
}

impl<'a> Live<'a> {
    /// The pieces of `step` go to `messenger`.
    pub(super) fn new(step: &'a str, messenger: &'a Messenger) -> Self {
        Self {
            step,
            messenger,
            held: [(Stream::Stdout, Vec::new()), (Stream::Stderr, Vec::new())],
        }
    }

    fn take(&mut self, stream: Stream, bytes: &[u8]) {
        let held = &mut self.held[index(stream)].1;
        held.extend_from_slice(bytes);
        let cut = cut(held);
        let rest = held.split_off(cut);
        let piece = std::mem::replace(held, rest);
        self.tell(stream, &piece);
    }

    fn flush(&mut self) {
        for at in 0..self.held.len() {
            let (stream, piece) = (self.held[at].0, std::mem::take(&mut self.held[at].1));
            self.tell(stream, &piece);
        }
    }

    fn tell(&self, stream: Stream, piece: &[u8]) {
        if piece.is_empty() {
            return;
        }
        let text = String::from_utf8_lossy(piece);
        let exact = matches!(text, std::borrow::Cow::Borrowed(_));
        let stream = match stream {
            Stream::Stdout => event::Stream::Stdout,
            Stream::Stderr => event::Stream::Stderr,
        };
        let base64 = (!exact).then(|| base64(piece));
        self.messenger.output(StepOutput {
            step: self.step.to_owned(),
            stream,
            text: text.into_owned(),
            base64,
        });
    }
}

/// How much of `held` can be shown now.
fn cut(held: &[u8]) -> usize {
    let after_line = held
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    if held.len() - after_line < LONGEST_PIECE {
        return after_line;
    }
    match std::str::from_utf8(&held[after_line..]) {
        // The end may be the first half of a character.
        Err(error) if error.error_len().is_none() => after_line + error.valid_up_to(),
        _ => held.len(),
    }
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let value = (bits >> (18 - 6 * digit)) & 63;
            text.push(if digit > group.len() {
                '='
            } else {
                char::from(DIGITS[value as usize])
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::messages::{Message, messages};

    const OUT: Stream = Stream::Stdout;
    const ERR: Stream = Stream::Stderr;

    fn logged(pieces: &[(Stream, &str)]) -> (String, Option<Vec<(u8, u64)>>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = StepLog::new(path.clone(), None, Forms::default());
        pieces
            .iter()
            .for_each(|(stream, text)| log.take(*stream, text.as_bytes()));
        assert_eq!(log.flush(), None);
        let record = |bytes: &[u8]| {
            (
                bytes[0],
                u64::from_le_bytes(bytes[1..9].try_into().unwrap()),
            )
        };
        let streams = std::fs::read(streams_path(&path)).ok();
        let streams = streams.map(|bytes| bytes.chunks(9).map(record).collect());
        log.make();
        assert_eq!(log.path(), path);
        (std::fs::read_to_string(path).unwrap(), streams)
    }

    #[test]
    fn a_log_keeps_the_order_and_tells_the_streams_apart() {
        assert_eq!(logged(&[]), (String::new(), None));
        assert_eq!(logged(&[(OUT, "a"), (OUT, "b")]), ("ab".to_owned(), None));
        let (text, streams) = logged(&[(OUT, "a"), (OUT, "bc"), (ERR, "!"), (OUT, "d")]);
        assert_eq!(
            (text.as_str(), streams),
            ("abc!d", Some(vec![(0, 3), (1, 1), (0, 1)]))
        );
        assert_eq!(logged(&[(ERR, "e")]).1, Some(vec![(1, 1)]));
    }

    #[test]
    fn secrets_do_not_reach_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = StepLog::new(path.clone(), None, Forms::of([&b"hunter2"[..]]));
        for (stream, text) in [(OUT, "a hunt"), (ERR, "hun"), (OUT, "er2 b"), (ERR, "t")] {
            log.take(stream, text.as_bytes());
        }
        assert_eq!(log.flush(), None);
        assert_eq!(std::fs::read_to_string(path).unwrap(), "a *** bhunt");
        let mut finished = StepFinished::new("s", event::Outcome::Failed);
        finished.command = Some("login hunter2".to_owned());
        log.without_secrets(&mut finished);
        assert_eq!(finished.command.as_deref(), Some("login ***"));
    }

    #[test]
    fn steps_that_print_nothing_share_a_log() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = StepLog::new(dir.path().join("log"), None, Forms::default());
        assert_eq!(log.flush(), None);
        assert_eq!(log.path(), dir.path().join(SILENT));
        assert!(!dir.path().join("log").exists());
        log.make();
        assert_eq!(log.path(), dir.path().join("log"));
        assert_eq!(std::fs::read(log.path()).unwrap(), b"");
    }

    #[test]
    fn lines_of_our_own_stand_alone_and_more_may_follow() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = StepLog::new(path.clone(), None, Forms::default());
        log.take(OUT, b"no end");
        assert_eq!(log.flush(), None);
        log.say("one");
        log.say("two");
        assert_eq!(log.flush(), None);
        log.take(ERR, b"end");
        assert_eq!(log.flush(), None);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "no end\npipe: one\npipe: two\nend");
        let streams = std::fs::read(streams_path(&path)).unwrap();
        let kinds: Vec<u8> = streams.chunks(9).map(|record| record[0]).collect();
        assert_eq!(kinds, [0, 1, 1]);
    }

    #[test]
    fn a_log_that_cannot_be_written_is_a_note() {
        let mut log = StepLog::new("/nowhere/log".into(), None, Forms::default());
        log.take(OUT, b"x");
        assert!(
            log.flush()
                .is_some_and(|note| note.starts_with("the log is not complete: cannot create"))
        );
    }

    fn shown(pieces: &[(Stream, &[u8])]) -> Vec<(String, Option<String>)> {
        let (messenger, receiver) = messages();
        let mut live = Live::new("s", &messenger);
        pieces
            .iter()
            .for_each(|(stream, bytes)| live.take(*stream, bytes));
        live.flush();
        let piece = |message| match message {
            Message::Output(output, _) => (output.text, output.base64),
            _ => panic!("only output was sent"),
        };
        receiver.try_iter().map(piece).collect()
    }

    #[test]
    fn whole_lines_and_whole_characters_are_shown() {
        let pieces = shown(&[(OUT, b"one\ntw"), (ERR, b"oops"), (OUT, "o\nä".as_bytes())]);
        let texts: Vec<&str> = pieces.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(texts, ["one\n", "two\n", "ä", "oops"]);
        let long = "x".repeat(LONGEST_PIECE - 1);
        let pieces = shown(&[(OUT, long.as_bytes()), (OUT, b"\xc3"), (OUT, b"\xa4")]);
        assert_eq!(pieces, [(long, None), ("ä".to_owned(), None)]);
    }

    #[test]
    fn bytes_that_are_no_text_stand_beside_it() {
        let shown = shown(&[(OUT, b"a\xff\n")]);
        assert_eq!(shown, [("a\u{fffd}\n".to_owned(), Some("Yf8K".to_owned()))]);
        assert_eq!(
            (
                base64(b"").as_str(),
                base64(b"f").as_str(),
                base64(b"fo").as_str()
            ),
            ("", "Zg==", "Zm8=")
        );
    }
}
