//! What a step printed, made fit for the place it goes to.
//!
//! Bytes come in pieces that may be cut anywhere, also inside an escape sequence. On a terminal
//! only colours pass: no sequence of a step may move the cursor, set the title or ask the terminal
//! something. Lines that a step wrote over again and again with carriage returns keep their last
//! state. Memory is flat whatever comes. This file knows no files, steps or options.

use std::io::{self, Write};

use super::style::RESET;

/// The longest line that is held back for a carriage return; a longer one goes out in parts.
const HELD: usize = 64 * 1024;

/// The longest colour sequence that is passed on; longer ones are no colours.
const SEQUENCE: usize = 64;

const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;
const DEL: u8 = 0x7f;

/// What may pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fit {
    /// Everything, byte for byte: binary data that goes to a file or program.
    Exact,
    /// Everything but escape sequences: text that goes to a file or program.
    Pipe,
    /// Lines of text without escape sequences and control characters.
    Log,
    /// As `Log`, and colours.
    Screen,
}

impl Fit {
    fn has_lines(self) -> bool {
        matches!(self, Self::Log | Self::Screen)
    }
}

/// Cleans one stream of bytes.
#[derive(Debug)]
pub(super) struct Cleaner {
    fit: Fit,
    escapes: Escapes,
    line: Line,
    /// Reused from piece to piece.
    text: Vec<u8>,
    ready: Vec<u8>,
}

impl Cleaner {
    /// A cleaner that lets pass what `fit` says.
    pub(super) fn new(fit: Fit) -> Self {
        let escapes = Escapes::new(fit);
        Self {
            fit,
            escapes,
            line: Line::default(),
            text: Vec::new(),
            ready: Vec::new(),
        }
    }

    /// Takes a piece and writes what can be written of it.
    ///
    /// # Errors
    ///
    /// Those of `to`, here and below.
    pub(super) fn push(&mut self, bytes: &[u8], to: &mut dyn Write) -> io::Result<()> {
        if self.fit == Fit::Exact {
            return to.write_all(bytes);
        }
        self.escapes.push_all(bytes, &mut self.text);
        if !self.fit.has_lines() {
            return write_and_clear(&mut self.text, to);
        }
        self.line.push_all(&self.text, &mut self.ready);
        self.text.clear();
        write_and_clear(&mut self.ready, to)
    }

    /// Writes what is held back of a line: something else wants to be written now.
    ///
    /// # Errors
    ///
    /// Those of `to`.
    pub(super) fn pause(&mut self, to: &mut dyn Write) -> io::Result<()> {
        self.line.pause(&mut self.ready);
        write_and_clear(&mut self.ready, to)
    }

    /// Writes the rest: lines are completed, colours ended.
    ///
    /// # Errors
    ///
    /// Those of `to`.
    pub(super) fn finish(&mut self, to: &mut dyn Write) -> io::Result<()> {
        let open = self.line.finish(&mut self.ready);
        if self.escapes.take_coloured() {
            self.ready.extend_from_slice(RESET.as_bytes());
        }
        if open {
            self.ready.push(b'\n');
        }
        write_and_clear(&mut self.ready, to)
    }
}

fn write_and_clear(bytes: &mut Vec<u8>, to: &mut dyn Write) -> io::Result<()> {
    let result = to.write_all(bytes);
    bytes.clear();
    result
}

/// Where in an escape sequence the last byte was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// In none.
    Text,
    /// After a byte that may start a control character of two bytes in UTF-8.
    Lead,
    /// After ESC.
    Escape,
    /// After ESC and an intermediate byte: one final byte is to come.
    Between,
    /// After ESC and `[`.
    Csi,
    /// In a text for the terminal (title, link, image) that runs to BEL or ESC `\`.
    Payload,
    /// After an ESC in such a text.
    PayloadEnd,
}

/// Takes escape sequences (and, for lines, control characters) out of a stream of bytes.
#[derive(Debug)]
struct Escapes {
    colours: bool,
    controls: bool,
    state: State,
    sequence: Vec<u8>,
    /// Whether the last colour that passed was not a reset.
    coloured: bool,
}

impl Escapes {
    fn new(fit: Fit) -> Self {
        Self {
            colours: fit == Fit::Screen,
            controls: fit == Fit::Pipe,
            state: State::Text,
            sequence: Vec::new(),
            coloured: false,
        }
    }

    fn take_coloured(&mut self) -> bool {
        std::mem::take(&mut self.coloured)
    }

    fn push_all(&mut self, mut bytes: &[u8], text: &mut Vec<u8>) {
        while let [byte, rest @ ..] = bytes {
            if self.state == State::Text && is_ordinary(*byte) {
                // Most of what steps print: taken in runs, for speed.
                let run = bytes.iter().position(|byte| !is_ordinary(*byte));
                let (ordinary, rest) = bytes.split_at(run.unwrap_or(bytes.len()));
                text.extend_from_slice(ordinary);
                bytes = rest;
            } else {
                self.push(*byte, text);
                bytes = rest;
            }
        }
    }

    fn push(&mut self, byte: u8, text: &mut Vec<u8>) {
        self.state = match self.state {
            State::Text => self.text(byte, text),
            State::Lead => self.lead(byte, text),
            State::Escape => self.escape(byte, text),
            State::Between => self.between(byte, text),
            State::Csi => self.csi(byte, text),
            State::Payload => self.payload(byte, text),
            State::PayloadEnd if byte == b'\\' => State::Text,
            State::PayloadEnd => self.escape(byte, text),
        };
    }

    fn text(&mut self, byte: u8, text: &mut Vec<u8>) -> State {
        match byte {
            ESC => return State::Escape,
            _ if self.controls => text.push(byte),
            0xc2 => return State::Lead,
            b'\n' | b'\r' | b'\t' => text.push(byte),
            0..0x20 | DEL => {}
            _ => text.push(byte),
        }
        State::Text
    }

    /// U+0080 to U+009F are control characters too; terminals take U+009B for ESC `[`.
    fn lead(&mut self, byte: u8, text: &mut Vec<u8>) -> State {
        if matches!(byte, 0x80..=0x9f) {
            return State::Text;
        }
        text.push(0xc2);
        self.text(byte, text)
    }

    fn escape(&mut self, byte: u8, text: &mut Vec<u8>) -> State {
        match byte {
            b'[' => {
                self.sequence.clear();
                State::Csi
            }
            b']' | b'P' | b'X' | b'^' | b'_' => State::Payload,
            b' '..=b'/' => State::Between,
            b'0'..=b'~' => State::Text,
            // No sequence after all: what is broken must not swallow what follows.
            _ => self.text(byte, text),
        }
    }

    fn between(&mut self, byte: u8, text: &mut Vec<u8>) -> State {
        match byte {
            b' '..=b'/' => State::Between,
            b'0'..=b'~' => State::Text,
            _ => self.text(byte, text),
        }
    }

    fn csi(&mut self, byte: u8, text: &mut Vec<u8>) -> State {
        match byte {
            b' '..=b'?' => {
                // One more than what passes, so that a longer one is known as such.
                if self.sequence.len() <= SEQUENCE {
                    self.sequence.push(byte);
                }
                State::Csi
            }
            b'@'..=b'~' => {
                if byte == b'm' && self.colours {
                    self.colour(text);
                }
                State::Text
            }
            _ => self.text(byte, text),
        }
    }

    fn colour(&mut self, text: &mut Vec<u8>) {
        let plain = self
            .sequence
            .iter()
            .all(|byte| matches!(byte, b'0'..=b'9' | b';' | b':'));
        if !plain || self.sequence.len() > SEQUENCE {
            return;
        }
        text.extend_from_slice(b"\x1b[");
        text.extend_from_slice(&self.sequence);
        text.push(b'm');
        self.coloured = !self.sequence.iter().all(|byte| *byte == b'0');
    }

    /// A line's end ends it too: one that is never closed must not swallow the rest of the log.
    fn payload(&mut self, byte: u8, text: &mut Vec<u8>) -> State {
        match byte {
            BEL => State::Text,
            ESC => State::PayloadEnd,
            b'\n' => self.text(byte, text),
            _ => State::Payload,
        }
    }
}

/// Whether a byte passes everywhere, outside of sequences.
fn is_ordinary(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\n')
}

/// Resolves carriage returns: a line that is written over keeps its last state.
#[derive(Debug, Default)]
struct Line {
    held: Vec<u8>,
    /// The last byte was a carriage return.
    returned: bool,
    /// A part of the line is written already and cannot be taken back.
    spilled: bool,
}

impl Line {
    fn push_all(&mut self, mut text: &[u8], ready: &mut Vec<u8>) {
        while let [byte, rest @ ..] = text {
            match byte {
                b'\n' => self.end(ready),
                b'\r' => self.returned = true,
                _ => {
                    let run = text.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
                    let (run, rest) = text.split_at(run.unwrap_or(text.len()));
                    self.push(run, ready);
                    text = rest;
                    continue;
                }
            }
            text = rest;
        }
    }

    /// Takes a part of a line.
    fn push(&mut self, part: &[u8], ready: &mut Vec<u8>) {
        if self.returned {
            self.over(ready);
        }
        self.held.extend_from_slice(part);
        if self.held.len() >= HELD {
            self.spill(ready);
        }
    }

    /// The line is written over from its start.
    fn over(&mut self, ready: &mut Vec<u8>) {
        if self.spilled {
            self.end(ready);
        }
        self.held.clear();
        self.returned = false;
    }

    fn spill(&mut self, ready: &mut Vec<u8>) {
        self.spilled |= !self.held.is_empty();
        ready.append(&mut self.held);
    }

    fn end(&mut self, ready: &mut Vec<u8>) {
        ready.append(&mut self.held);
        ready.push(b'\n');
        self.returned = false;
        self.spilled = false;
    }

    fn pause(&mut self, ready: &mut Vec<u8>) {
        if self.returned && (self.spilled || !self.held.is_empty()) {
            // A state of progress: whole, and to be written over by nobody.
            self.end(ready);
        } else {
            self.spill(ready);
        }
    }

    /// Hands out what is held; whether the line is still without its end.
    fn finish(&mut self, ready: &mut Vec<u8>) -> bool {
        self.spill(ready);
        self.returned = false;
        std::mem::take(&mut self.spilled)
    }
}

#[cfg(test)]
mod tests {
    use super::{Cleaner, Fit, HELD};

    fn clean(fit: Fit, pieces: &[&[u8]]) -> String {
        let mut to = Vec::new();
        let mut cleaner = Cleaner::new(fit);
        for piece in pieces {
            cleaner.push(piece, &mut to).unwrap();
        }
        cleaner.finish(&mut to).unwrap();
        String::from_utf8(to).unwrap()
    }

    /// The same result wherever the bytes are cut.
    fn cleaned(fit: Fit, text: &str) -> String {
        let whole = clean(fit, &[text.as_bytes()]);
        for at in 0..=text.len() {
            let (left, right) = text.as_bytes().split_at(at);
            assert_eq!(clean(fit, &[left, right]), whole, "cut at {at}");
        }
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(clean(fit, &bytes), whole, "cut everywhere");
        whole
    }

    #[test]
    fn a_log_has_no_escape_sequences_wherever_they_are_cut() {
        assert_eq!(cleaned(Fit::Log, "\x1b[1;31mred\x1b[0m é ö\n"), "red é ö\n");
        assert_eq!(
            cleaned(Fit::Log, "a\x1b]0;title\x07b\x1b]8;;http://x\x1b\\c\n"),
            "abc\n"
        );
        assert_eq!(
            cleaned(Fit::Log, "a\x1b(Bb\x1b7c\x1b[?25ld\u{9b}2Je\n"),
            "abcd2Je\n"
        );
        assert_eq!(cleaned(Fit::Log, "a\0b\x08c\td\x7f\n"), "abc\td\n");
    }

    #[test]
    fn a_screen_gets_colours_and_nothing_else() {
        assert_eq!(
            cleaned(Fit::Screen, "\x1b[38;5;1mx\x1b[m\x1b[2K\x1b[3A\n"),
            "\x1b[38;5;1mx\x1b[m\n"
        );
        assert_eq!(cleaned(Fit::Screen, "\x1b[>4;1mx\x1b[?1049h\n"), "x\n");
        let long = format!("\x1b[{}mx\n", "1;".repeat(200));
        assert_eq!(cleaned(Fit::Screen, &long), "x\n");
    }

    #[test]
    fn colours_do_not_run_over_the_end() {
        assert_eq!(cleaned(Fit::Screen, "\x1b[31mred"), "\x1b[31mred\x1b[0m\n");
        assert_eq!(
            cleaned(Fit::Screen, "\x1b[31mred\n"),
            "\x1b[31mred\n\x1b[0m"
        );
    }

    #[test]
    fn broken_sequences_swallow_no_lines() {
        assert_eq!(
            cleaned(Fit::Log, "a\x1b[12\nb\x1b]0;x\nc\x1b\nd\n"),
            "a\nb\nc\nd\n"
        );
        assert_eq!(cleaned(Fit::Log, "end\x1b["), "end\n");
    }

    #[test]
    fn progress_lines_keep_their_last_state() {
        assert_eq!(cleaned(Fit::Log, "10%\r50%\r100%\nnext"), "100%\nnext\n");
        assert_eq!(cleaned(Fit::Log, "\r10%\r\x1b[Kdone\r\n"), "done\n");
        assert_eq!(
            cleaned(Fit::Log, "windows\r\nlines\r\n\r\n"),
            "windows\nlines\n\n"
        );
        assert_eq!(cleaned(Fit::Log, "left at 90%\r"), "left at 90%\n");
    }

    #[test]
    fn what_went_out_early_is_not_written_over() {
        let mut to = Vec::new();
        let mut cleaner = Cleaner::new(Fit::Log);
        for part in ["10%\r", "20%", "\r30%\n"] {
            cleaner.push(part.as_bytes(), &mut to).unwrap();
            cleaner.pause(&mut to).unwrap();
        }
        assert_eq!(String::from_utf8(to).unwrap(), "10%\n20%\n30%\n");
    }

    #[test]
    fn very_long_lines_need_no_memory() {
        let piece = vec![b'x'; HELD];
        let mut to = Vec::new();
        let mut cleaner = Cleaner::new(Fit::Log);
        for _ in 0..8 {
            cleaner.push(&piece, &mut to).unwrap();
        }
        assert_eq!(to.len(), 8 * HELD);
        assert!(cleaner.line.held.capacity() <= 2 * HELD);
    }

    #[test]
    fn a_program_gets_text_as_it_is_but_for_escapes_and_binary_data_untouched() {
        assert_eq!(
            cleaned(Fit::Pipe, "\x1b[1m1.2\x1b[0m\r\n\x08\u{9b}x"),
            "1.2\r\n\x08\u{9b}x"
        );
        assert_eq!(cleaned(Fit::Exact, "\x1b[1m\0\r"), "\x1b[1m\0\r");
    }
}
