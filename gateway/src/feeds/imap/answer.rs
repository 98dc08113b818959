//! What does one line of an IMAP server say? RFC 3501, as far as a reader of one mailbox needs it; everything else is
//! `Other`, because a server may say much that does not concern us.

use bytes::Bytes;

/// One response, its literals taken out.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Each literal has left its length in braces and [`MARK`] behind.
    pub(super) text: Vec<u8>,
    pub(super) literals: Vec<Literal>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Literal {
    pub(super) bytes: Bytes,
    /// It was longer than anybody here wanted.
    pub(super) cut: bool,
}

/// Stands behind the length of a literal; no server may send it.
pub(super) const MARK: u8 = 0;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The end of a command.
    Done {
        tag: String,
        outcome: Outcome,
    },
    /// `+`: the server waits for more.
    Go,
    Bye,
    /// `* OK` and `* PREAUTH`, with the number behind a code like `UIDNEXT`.
    Fine(Option<(String, u32)>),
    /// Another number of mails is there.
    Exists,
    Capable(Vec<String>),
    Found(Vec<u32>),
    Fetched(Fetched),
    Other,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Ok,
    /// It may work later: the server is busy, the account in use.
    Later,
    No,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fetched {
    pub(super) uid: Option<u32>,
    pub(super) size: Option<u32>,
    /// What was asked with `BODY.PEEK[…]`.
    pub(super) body: Option<Literal>,
}

/// Codes of RFC 5530, and Gmail's, behind a NO that passes.
const PASSING: [&str; 5] = ["UNAVAILABLE", "INUSE", "SERVERBUG", "THROTTLED", "LIMIT"];

pub(super) fn parse(line: &Line) -> Answer {
    let mut tokens = Tokens { text: &line.text, literals: line.literals.iter() };
    match tokens.word().as_deref() {
        Some("+") => Answer::Go,
        Some("*") => untagged(&mut tokens),
        Some(tag) => match tokens.word().as_deref() {
            Some("OK") => Answer::Done { tag: tag.to_owned(), outcome: Outcome::Ok },
            Some("NO" | "BAD") => {
                let passing = code(tokens.text).is_some_and(|(name, _)| PASSING.contains(&name.as_str()));
                Answer::Done { tag: tag.to_owned(), outcome: if passing { Outcome::Later } else { Outcome::No } }
            }
            _ => Answer::Other,
        },
        None => Answer::Other,
    }
}

fn untagged(tokens: &mut Tokens<'_>) -> Answer {
    let Some(first) = tokens.word() else { return Answer::Other };
    match &*first {
        "OK" | "PREAUTH" => Answer::Fine(code(tokens.text).and_then(|(name, rest)| Some((name, number(rest)?)))),
        "BYE" => Answer::Bye,
        "CAPABILITY" => Answer::Capable(std::iter::from_fn(|| tokens.word()).collect()),
        "SEARCH" => Answer::Found(std::iter::from_fn(|| tokens.word()).filter_map(|word| word.parse().ok()).collect()),
        count if count.bytes().all(|byte| byte.is_ascii_digit()) => match tokens.word().as_deref() {
            Some("EXISTS") => Answer::Exists,
            Some("FETCH") => Answer::Fetched(fetched(tokens)),
            _ => Answer::Other,
        },
        _ => Answer::Other,
    }
}

/// `[UIDNEXT 7] Predicted next UID` is `UIDNEXT` and what follows it.
fn code(text: &[u8]) -> Option<(String, &str)> {
    let text = std::str::from_utf8(text).ok()?.trim_start();
    let (inside, _) = text.strip_prefix('[')?.split_once(']')?;
    let (name, rest) = inside.split_once(' ').unwrap_or((inside, ""));
    Some((name.to_ascii_uppercase(), rest))
}

fn number(text: &str) -> Option<u32> {
    text.trim().parse().ok()
}

/// `(UID 7 RFC822.SIZE 300 BODY[] {300}…)`, in any order, among whatever else the server tells.
fn fetched(tokens: &mut Tokens<'_>) -> Fetched {
    let mut fetched = Fetched::default();
    if tokens.next() != Some(Token::Open) {
        return fetched;
    }
    while let Some(Token::Word(name)) = tokens.next() {
        let value = tokens.value();
        match (&*name, value) {
            ("UID", Some(Token::Word(text))) => fetched.uid = number(&text),
            ("RFC822.SIZE", Some(Token::Word(text))) => fetched.size = number(&text),
            (name, Some(Token::Text(text))) if name.starts_with("BODY[") => fetched.body = Some(text),
            (_, Some(_)) => {}
            (_, None) => break,
        }
    }
    fetched
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    /// In capitals.
    Word(String),
    Text(Literal),
}

struct Tokens<'a> {
    text: &'a [u8],
    literals: std::slice::Iter<'a, Literal>,
}

impl Tokens<'_> {
    fn word(&mut self) -> Option<String> {
        match self.next() {
            Some(Token::Word(word)) => Some(word),
            _ => None,
        }
    }

    /// One value; of a list only that it was one.
    fn value(&mut self) -> Option<Token> {
        let first = self.next()?;
        let mut depth = usize::from(first == Token::Open);
        while depth > 0 {
            match self.next()? {
                Token::Open => depth += 1,
                Token::Close => depth -= 1,
                Token::Word(_) | Token::Text(_) => {}
            }
        }
        (first != Token::Close).then_some(first)
    }

    fn next(&mut self) -> Option<Token> {
        self.text = self.text.trim_ascii_start();
        let (first, rest) = self.text.split_first()?;
        match first {
            b'(' => {
                self.text = rest;
                Some(Token::Open)
            }
            b')' => {
                self.text = rest;
                Some(Token::Close)
            }
            b'"' => self.quoted(),
            _ => self.bare(),
        }
    }

    fn quoted(&mut self) -> Option<Token> {
        let (mut said, mut at) = (Vec::new(), 1);
        while let Some(byte) = self.text.get(at) {
            match byte {
                b'"' => break,
                b'\\' => {
                    at += 1;
                    said.extend(self.text.get(at));
                }
                other => said.push(*other),
            }
            at += 1;
        }
        self.text = self.text.get(at + 1..).unwrap_or_default();
        Some(Token::Text(Literal { bytes: said.into(), cut: false }))
    }

    /// A word, with what stands in its brackets, or the length of a literal.
    fn bare(&mut self) -> Option<Token> {
        let mut depth = 0_usize;
        let ends = |byte: &u8| {
            match byte {
                b'[' => depth += 1,
                b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && matches!(byte, b' ' | b'(' | b')' | b'"')
        };
        let end = self.text.iter().position(ends).unwrap_or(self.text.len());
        let (word, rest) = self.text.split_at(end);
        self.text = rest;
        if word.last() == Some(&MARK) {
            return self.literals.next().cloned().map(Token::Text);
        }
        Some(Token::Word(String::from_utf8_lossy(word).to_ascii_uppercase()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, literals: &[&str]) -> Line {
        let literals =
            literals.iter().map(|text| Literal { bytes: Bytes::copy_from_slice(text.as_bytes()), cut: false });
        Line { text: text.as_bytes().to_vec(), literals: literals.collect() }
    }

    fn said(text: &str) -> Answer {
        parse(&line(text, &[]))
    }

    #[test]
    fn the_end_of_a_command_says_whether_trying_again_helps() {
        for (text, outcome) in [
            ("A1 OK [READ-ONLY] Examine completed", Outcome::Ok),
            ("A1 NO [AUTHENTICATIONFAILED] Authentication failed.", Outcome::No),
            ("A1 NO [UNAVAILABLE] Temporary failure", Outcome::Later),
            ("A1 no [throttled] slowly", Outcome::Later),
            ("A1 BAD Error in IMAP command", Outcome::No),
        ] {
            assert_eq!(said(text), Answer::Done { tag: "A1".to_owned(), outcome }, "{text}");
        }
    }

    #[test]
    fn what_a_mailbox_is_told_to_be_is_read_and_the_rest_passes() {
        let fine = |name: &str, n| Answer::Fine(Some((name.to_owned(), n)));
        for (text, answer) in [
            ("* OK [UIDVALIDITY 1700000000] UIDs valid", fine("UIDVALIDITY", 1_700_000_000)),
            ("* OK [UIDNEXT 501] Predicted next UID", fine("UIDNEXT", 501)),
            ("* OK Still here", Answer::Fine(None)),
            ("* OK [PERMANENTFLAGS ()] Read-only mailbox.", Answer::Fine(None)),
            ("* 12 EXISTS", Answer::Exists),
            ("* 12 EXPUNGE", Answer::Other),
            ("* FLAGS (\\Answered \\Seen)", Answer::Other),
            ("* SEARCH 5 6 4294967295", Answer::Found(vec![5, 6, u32::MAX])),
            ("* SEARCH", Answer::Found(Vec::new())),
            ("* CAPABILITY IMAP4rev1 IDLE", Answer::Capable(vec!["IMAP4REV1".to_owned(), "IDLE".to_owned()])),
            ("* BYE Disconnected for inactivity.", Answer::Bye),
            ("+ idling", Answer::Go),
            ("+", Answer::Go),
            ("", Answer::Other),
            ("* LIST (\\HasNoChildren) \".\" \"a \\\" b\"", Answer::Other),
        ] {
            assert_eq!(said(text), answer, "{text}");
        }
    }

    #[test]
    fn a_mail_is_taken_out_of_whatever_the_server_tells_besides() {
        let body = |text: &str| Some(Literal { bytes: Bytes::copy_from_slice(text.as_bytes()), cut: false });
        let marked = |text: &str| text.replace('|', "\0");
        for (text, literals, fetched) in [
            ("* 1 FETCH (UID 7 RFC822.SIZE 300)", &[][..], Fetched { uid: Some(7), size: Some(300), body: None }),
            ("* 1 FETCH (UID 7 BODY[] {3}|)", &["a)b"], Fetched { uid: Some(7), size: None, body: body("a)b") }),
            (
                "* 9 FETCH (FLAGS (\\Seen (x)) BODY[] {1}| INTERNALDATE \"01-Jan ) 2026\" UID 8)",
                &["z"],
                Fetched { uid: Some(8), size: None, body: body("z") },
            ),
            (
                "* 2 FETCH (BODY[HEADER.FIELDS (FROM \"x\")] \"quo\\\"ted\" UID 9)",
                &[],
                Fetched { uid: Some(9), size: None, body: body("quo\"ted") },
            ),
            ("* 2 FETCH (UID 9 BODY[] NIL)", &[], Fetched { uid: Some(9), size: None, body: None }),
            ("* 2 FETCH (FLAGS (\\Seen))", &[], Fetched::default()),
            ("* 2 FETCH", &[], Fetched::default()),
            ("* 2 FETCH (UID", &[], Fetched::default()),
        ] {
            assert_eq!(parse(&line(&marked(text), literals)), Answer::Fetched(fetched), "{text}");
        }
    }
}
