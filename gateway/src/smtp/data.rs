//! Where does a mail end, and what did its sender mean? The dots of RFC 5321 4.5.2, taken off byte by byte.
//!
//! Only CR LF ends a line and only CR LF `.` CR LF ends a mail. A line feed alone is refused: servers that take it for
//! the end of a line see other mails in the same bytes (SMTP smuggling). A carriage return alone ends nothing and
//! belongs to the text: mails with one exist, and refusing them would turn customers away.

/// The position within the lines of one mail.
#[derive(Clone, Debug, Default)]
pub struct Dots {
    at: At,
}

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
enum At {
    #[default]
    Start,
    /// After a dot that began a line.
    Dot,
    /// After a dot that began a line, and a carriage return.
    DotReturn,
    Text,
    Return,
}

/// What the bytes so far mean.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    More,
    End,
    /// A line feed without its carriage return.
    Bare,
}

impl Dots {
    /// Takes bytes until they end or the mail does; says how many. What belongs to the mail goes to `keep`.
    pub fn take(&mut self, bytes: &[u8], mut keep: impl FnMut(&[u8])) -> (usize, Progress) {
        let mut used = 0;
        while used < bytes.len() {
            if self.at == At::Text {
                let text = text(&bytes[used..]);
                keep(text);
                used += text.len();
            }
            let Some(&byte) = bytes.get(used) else { break };
            used += 1;
            match self.step(byte, &mut keep) {
                Progress::More => {}
                over => return (used, over),
            }
        }
        (used, Progress::More)
    }

    fn step(&mut self, byte: u8, keep: &mut impl FnMut(&[u8])) -> Progress {
        self.at = match (self.at, byte) {
            (At::Start, b'.') => At::Dot,
            (At::Dot, b'\r') => At::DotReturn,
            (At::DotReturn, b'\n') => return Progress::End,
            (At::Return, b'\n') => {
                keep(b"\n");
                At::Start
            }
            (_, b'\n') => return Progress::Bare,
            (at, byte) => {
                if at == At::DotReturn {
                    keep(b"\r");
                }
                keep(&[byte]);
                if byte == b'\r' { At::Return } else { At::Text }
            }
        };
        Progress::More
    }
}

/// What of a line needs no looking at.
fn text(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(bytes.len());
    &bytes[..end]
}
