//! Where in the conversation is a client? A small reading of HTTP/1 heads that follows the bytes beside hyper, and
//! spoils a head whose length is said twice.

/// What the client is sending.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing of a next request yet.
    Quiet,
    Head,
    Body,
}

#[derive(Debug, Default)]
pub struct Framing {
    state: State,
    heads: u64,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Quiet,
    Head(Head),
    /// This many bytes of a body are still to come.
    Skip(u64),
    /// A chunked body, or a head only hyper will judge: the connection ends with this request.
    Last,
}

#[derive(Debug, Default)]
struct Head {
    line: Vec<u8>,
    /// The line goes on beyond what is kept of it.
    long: bool,
    lines: usize,
    lengths: usize,
    length: Option<u64>,
    chunked: bool,
    /// A coding that nobody here takes off, one said twice, or a length behind more spaces or zeros than anybody
    /// writes: the next reader may see another body.
    odd: bool,
}

/// The longest line that matters: `content-length:` and twenty digits, with room for spaces.
const LINE: usize = 64;

/// What the end of a line means.
enum Line {
    More,
    End,
}

impl Framing {
    /// Changes whenever a new deadline begins.
    pub fn position(&self) -> (Phase, u64) {
        let phase = match self.state {
            State::Quiet => Phase::Quiet,
            State::Head(_) => Phase::Head,
            State::Skip(_) | State::Last => Phase::Body,
        };
        (phase, self.heads)
    }

    /// Follows `bytes`; makes the last byte of a contradicting head invalid.
    pub fn see(&mut self, bytes: &mut [u8]) {
        let mut at = 0;
        while at < bytes.len() {
            match &mut self.state {
                State::Last => return,
                State::Skip(left) => {
                    let skipped = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len() - at);
                    at += skipped;
                    *left -= skipped as u64;
                    if *left == 0 {
                        self.state = State::Quiet;
                    }
                }
                State::Quiet if matches!(bytes[at], b'\r' | b'\n') => at += 1,
                State::Quiet => {
                    self.heads += 1;
                    self.state = State::Head(Head::default());
                }
                State::Head(head) => {
                    if let Line::End = head.see(bytes[at]) {
                        if head.contradicts() {
                            bytes[at] = 0;
                        }
                        self.state = head.body();
                    }
                    at += 1;
                }
            }
        }
    }
}

impl Head {
    fn see(&mut self, byte: u8) -> Line {
        if byte != b'\n' {
            if self.line.len() < LINE {
                self.line.push(byte);
            } else {
                self.long = true;
            }
            return Line::More;
        }
        let (line, long) = (std::mem::take(&mut self.line), std::mem::take(&mut self.long));
        let text = line.strip_suffix(b"\r").unwrap_or(&line);
        if text.is_empty() {
            return Line::End;
        }
        if self.lines > 0 {
            self.header(text, long);
        }
        self.lines += 1;
        Line::More
    }

    fn header(&mut self, line: &[u8], long: bool) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { return };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            self.lengths += 1;
            self.odd |= long;
            self.length = std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.odd |= long || self.chunked || !value.eq_ignore_ascii_case(b"chunked");
            self.chunked = true;
        }
    }

    /// A length said twice is how requests are smuggled past a proxy.
    fn contradicts(&self) -> bool {
        self.odd || self.lengths > 1 || (self.lengths == 1 && self.chunked)
    }

    fn body(&self) -> State {
        match (self.lengths, self.length) {
            _ if self.chunked || self.contradicts() => State::Last,
            (0, _) | (_, Some(0)) => State::Quiet,
            (_, Some(length)) => State::Skip(length),
            (_, None) => State::Last,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn follow(text: &str) -> (Phase, u64, bool) {
        let mut framing = Framing::default();
        let mut bytes = text.as_bytes().to_vec();
        framing.see(&mut bytes);
        let (phase, heads) = framing.position();
        (phase, heads, bytes != text.as_bytes())
    }

    #[test]
    fn the_position_follows_heads_and_bodies() {
        use Phase::{Body, Head, Quiet};
        for (text, expected) in [
            ("", (Quiet, 0, false)),
            ("\r\n", (Quiet, 0, false)),
            ("P", (Head, 1, false)),
            ("GET / HTTP/1.1\r\nhost: a\r\n", (Head, 1, false)),
            ("GET / HTTP/1.1\r\nhost: a\r\n\r\n", (Quiet, 1, false)),
            ("GET / HTTP/1.1\n\n", (Quiet, 1, false)),
            ("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\nG", (Head, 3, false)),
            ("POST / HTTP/1.1\r\nContent-Length:  3 \r\n\r\nab", (Body, 1, false)),
            ("POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nabcP", (Head, 2, false)),
            ("POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n", (Quiet, 1, false)),
            ("POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n", (Body, 1, false)),
            ("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", (Body, 1, false)),
            ("content-length: 3 HTTP/1.1\r\n\r\n", (Quiet, 1, false)),
        ] {
            assert_eq!(follow(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_head_that_leaves_open_where_its_body_ends_is_spoiled() {
        for lines in [
            "content-length: 3\r\ntransfer-encoding: chunked",
            "Transfer-Encoding: chunked\r\nX: y\r\nCONTENT-LENGTH: 3",
            "content-length: 3\r\ncontent-length: 4",
            "content-length: 3\r\ncontent-length: 3",
            "transfer-encoding: gzip, chunked",
            "transfer-encoding: chunked, chunked",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
            "transfer-encoding: identity",
            &format!("content-length:{}3", " ".repeat(60)),
            &format!("content-length: {}3", "0".repeat(70)),
            &format!("transfer-encoding:{}chunked", " ".repeat(60)),
        ] {
            let head = format!("POST / HTTP/1.1\r\n{lines}\r\n\r\n");
            assert_eq!(follow(&head), (Phase::Body, 1, true), "{lines:?}");
        }
    }

    proptest! {
        #[test]
        fn the_cuts_of_the_network_change_nothing(cut in 0_usize..120) {
            let text = b"POST /a HTTP/1.1\r\ncontent-length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n\r\n\
                POST /b HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n";
            let (mut whole, mut parts) = (text.to_vec(), text.to_vec());
            let (mut one, mut two) = (Framing::default(), Framing::default());
            one.see(&mut whole);
            let (left, right) = parts.split_at_mut(cut.min(text.len()));
            two.see(left);
            two.see(right);
            prop_assert_eq!(one.position(), two.position());
            prop_assert_eq!(whole, parts);
        }
    }
}
