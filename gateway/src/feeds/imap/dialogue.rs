//! How is an IMAP server asked? One command at a time, over one connection, and nothing counts as answered before the
//! server has said so.
//!
//! Written by hand because of that last half-sentence: the clients there are take a NO, or a connection that ends in the
//! middle of a FETCH, for the end of the list, and the mails behind it would be skipped for ever.

use super::answer::{Answer, Line, Literal, MARK, Outcome, parse};
use crate::feeds::Failure;
use crate::feeds::dial::Wire;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::time::{Instant, timeout, timeout_at};

/// A server that says nothing for so long is not there any more.
const SILENCE: Duration = Duration::from_secs(60);
/// A list of a million mails is a line of seven megabytes.
const LONGEST_LINE: usize = 8 << 20;
const HUNG_UP: Failure = Failure::Away("the server hung up");
const SILENT: Failure = Failure::Away("the server fell silent");

/// A connection with a command's number.
pub(super) struct Dialogue {
    wire: BufReader<Wire>,
    number: u32,
    /// Bytes of a literal that are kept; of all in one answer twice as many.
    keep: usize,
}

impl Dialogue {
    /// The server speaks first.
    pub(super) async fn begin(wire: Wire, keep: usize) -> Result<Self, Failure> {
        let mut dialogue = Self { wire: BufReader::with_capacity(1 << 16, wire), number: 0, keep };
        match dialogue.hear().await? {
            Answer::Fine(_) => Ok(dialogue),
            Answer::Bye => Err(Failure::Away("the server turns us away")),
            _ => Err(Failure::Refused("this is no IMAP server")),
        }
    }

    /// The same connection after STARTTLS was answered; what the server said too early is not believed.
    pub(super) fn bare(self) -> Result<Wire, Failure> {
        let early = !self.wire.buffer().is_empty();
        if early { Err(Failure::Refused("the server speaks before TLS begins")) } else { Ok(self.wire.into_inner()) }
    }

    /// Goes on after the server was secured: it does not greet again.
    pub(super) fn on(wire: Wire, keep: usize) -> Self {
        Self { wire: BufReader::with_capacity(1 << 16, wire), number: 0, keep }
    }

    /// Asks, hands over what comes, and returns when the server has said OK.
    pub(super) async fn ask(&mut self, command: &str, take: impl FnMut(Answer)) -> Result<(), Failure> {
        self.ask_on(command, None, take).await.and_then(|outcome| match outcome {
            Outcome::Ok => Ok(()),
            Outcome::Later => Err(Failure::Away("the server asks for patience")),
            Outcome::No => Err(Failure::Refused("the server refuses a command")),
        })
    }

    /// The same, with what is said where the server asks to go on; whatever it answers. If it asks again it has said
    /// why it refuses, and wants an empty line before it says NO.
    pub(super) async fn ask_on(
        &mut self,
        command: &str,
        mut more: Option<&str>,
        mut take: impl FnMut(Answer),
    ) -> Result<Outcome, Failure> {
        let own = self.send(command).await?;
        loop {
            match self.hear().await? {
                Answer::Done { tag, outcome } if tag == own => return Ok(outcome),
                Answer::Go => match more.replace("") {
                    Some(said) => self.write(format!("{said}\r\n")).await?,
                    None => return Err(Failure::Away("the server waits for what nobody said")),
                },
                answer => take(answer),
            }
        }
    }

    /// Waits until there is another mail, or for so long.
    pub(super) async fn idle(&mut self, longest: Duration) -> Result<(), Failure> {
        let (own, until) = (self.send("IDLE").await?, Instant::now() + longest);
        let ends = |answer: &Answer| match answer {
            Answer::Done { tag, .. } => *tag == own,
            Answer::Bye => true,
            _ => false,
        };
        let mut idling = false;
        while !idling {
            let answer = self.hear().await?;
            if ends(&answer) {
                return Err(Failure::Away("the server ends the waiting"));
            }
            idling = answer == Answer::Go;
        }
        while let Ok(ready) = timeout_at(until, self.wire.fill_buf()).await {
            ready.map_err(|_| HUNG_UP)?;
            let answer = self.hear().await?;
            if ends(&answer) {
                return Err(Failure::Away("the server ends the waiting"));
            }
            if answer == Answer::Exists {
                break;
            }
        }
        self.write("DONE\r\n".to_owned()).await?;
        while !ends(&self.hear().await?) {}
        Ok(())
    }

    async fn send(&mut self, command: &str) -> Result<String, Failure> {
        self.number += 1;
        let tag = format!("A{}", self.number);
        self.write(format!("{tag} {command}\r\n")).await?;
        Ok(tag)
    }

    async fn write(&mut self, text: String) -> Result<(), Failure> {
        let writing = async {
            self.wire.write_all(text.as_bytes()).await?;
            self.wire.flush().await
        };
        timeout(SILENCE, writing).await.map_err(|_| SILENT)?.map_err(|_| HUNG_UP)
    }

    async fn hear(&mut self) -> Result<Answer, Failure> {
        let (mut line, mut room) = (Line::default(), self.keep.saturating_mul(2));
        loop {
            self.line(&mut line.text).await?;
            let Some(length) = literal(&line.text) else { return Ok(parse(&line)) };
            line.text.push(MARK);
            let literal = self.literal(length, room.min(self.keep)).await?;
            room -= literal.bytes.len();
            line.literals.push(literal);
        }
    }

    /// Up to the end of the line, which is not kept.
    async fn line(&mut self, text: &mut Vec<u8>) -> Result<(), Failure> {
        loop {
            let piece = self.piece().await?;
            let end = piece.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(piece.len(), |end| end + 1);
            text.extend(piece[..taken].iter().filter(|byte| !matches!(**byte, b'\r' | b'\n' | MARK)));
            self.wire.consume(taken);
            if text.len() > LONGEST_LINE {
                return Err(Failure::Refused("the server never ends a line"));
            }
            if end.is_some() {
                return Ok(());
            }
        }
    }

    async fn literal(&mut self, length: usize, keep: usize) -> Result<Literal, Failure> {
        let (mut kept, mut left) = (Vec::new(), length);
        while left > 0 {
            let piece = self.piece().await?;
            let taken = piece.len().min(left);
            kept.extend_from_slice(&piece[..taken.min(keep - kept.len())]);
            self.wire.consume(taken);
            left -= taken;
        }
        Ok(Literal { cut: kept.len() < length, bytes: kept.into() })
    }

    /// Some bytes that are there.
    async fn piece(&mut self) -> Result<&[u8], Failure> {
        let piece = timeout(SILENCE, self.wire.fill_buf()).await.map_err(|_| SILENT)?.map_err(|_| HUNG_UP)?;
        if piece.is_empty() { Err(HUNG_UP) } else { Ok(piece) }
    }
}

/// `… {300}` announces so many bytes; `{300+}` is what clients say.
fn literal(text: &[u8]) -> Option<usize> {
    let open = text.strip_suffix(b"}")?.iter().rposition(|byte| *byte == b'{')?;
    let digits = text.get(open + 1..text.len() - 1)?;
    let digits = digits.strip_suffix(b"+").unwrap_or(digits);
    std::str::from_utf8(digits).ok()?.parse::<u32>().ok().map(|length| length as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, DuplexStream};

    async fn begun(keep: usize) -> (Dialogue, DuplexStream) {
        let (ours, mut theirs) = tokio::io::duplex(1 << 16);
        theirs.write_all(b"* OK ready\r\n").await.unwrap();
        (Dialogue::begin(Box::new(ours), keep).await.unwrap(), theirs)
    }

    async fn asked(said: &'static str, keep: usize) -> (Result<(), Failure>, Vec<Answer>) {
        let (mut dialogue, mut theirs) = begun(keep).await;
        theirs.write_all(said.as_bytes()).await.unwrap();
        theirs.shutdown().await.unwrap();
        let mut heard = Vec::new();
        (dialogue.ask("UID FETCH 1:2 (UID BODY.PEEK[])", |answer| heard.push(answer)).await, heard)
    }

    fn mails(heard: &[Answer]) -> Vec<(String, bool)> {
        let mail = |answer: &Answer| match answer {
            Answer::Fetched(fetched) => fetched.body.clone(),
            _ => None,
        };
        heard.iter().filter_map(mail).map(|one| (String::from_utf8(one.bytes.to_vec()).unwrap(), one.cut)).collect()
    }

    #[tokio::test]
    async fn mails_come_whole_with_all_their_line_ends() {
        let (asked, heard) =
            asked("* 1 FETCH (UID 1 BODY[] {6}\r\na\r\nb)\n)\r\n* 2 FETCH (BODY[] {0}\r\n UID 2)\r\nA1 OK\r\n", 99)
                .await;
        assert_eq!(asked, Ok(()));
        assert_eq!(mails(&heard), [("a\r\nb)\n".to_owned(), false), (String::new(), false)]);
    }

    #[tokio::test]
    async fn a_mail_longer_than_wanted_is_cut_and_the_next_one_is_read() {
        let (asked, heard) =
            asked("* 1 FETCH (UID 1 BODY[] {9}\r\n123456789)\r\n* 2 FETCH (UID 2 BODY[] {2}\r\nab)\r\nA1 OK\r\n", 4)
                .await;
        assert_eq!(asked, Ok(()));
        assert_eq!(mails(&heard), [("1234".to_owned(), true), ("ab".to_owned(), false)]);
    }

    #[tokio::test]
    async fn an_answer_of_many_literals_has_an_end_and_a_bound() {
        let (asked, heard) =
            asked("* 1 FETCH (X {4}\r\n1234 Y {4}\r\n1234 BODY[] {4}\r\n1234 UID 1)\r\nA1 OK\r\n", 5).await;
        assert_eq!((asked, mails(&heard)), (Ok(()), vec![("12".to_owned(), true)]));
        let (mut dialogue, mut theirs) = begun(9).await;
        let endless = tokio::spawn(async move { while theirs.write_all(&b"{0}\r\n".repeat(1 << 10)).await.is_ok() {} });
        let failure = dialogue.ask("NOOP", drop).await;
        assert_eq!(failure, Err(Failure::Refused("the server never ends a line")));
        drop(dialogue);
        endless.await.unwrap();
    }

    #[tokio::test]
    async fn nothing_but_an_ok_is_the_end_of_a_list() {
        for (said, failure) in [
            ("* 1 FETCH (UID 1 BODY[] {1}\r\na)\r\n", HUNG_UP),
            ("* 1 FETCH (UID 1 BODY[] {10}\r\na", HUNG_UP),
            ("* 1 FETCH (UID 1 BODY[] {1}\r\na)\r\nA1 NO later\r\n", Failure::Refused("the server refuses a command")),
            ("A1 NO [INUSE] mailbox\r\n", Failure::Away("the server asks for patience")),
            ("A2 OK of another command\r\n", HUNG_UP),
        ] {
            assert_eq!(asked(said, 99).await.0, Err(failure), "{said}");
        }
    }

    #[tokio::test]
    async fn waiting_ends_with_a_new_mail_and_not_with_other_news() {
        let (mut dialogue, mut theirs) = begun(9).await;
        theirs.write_all(b"+ idling\r\n* OK Still here\r\n* 3 EXPUNGE\r\n* 4 EXISTS\r\nA1 OK done\r\n").await.unwrap();
        dialogue.idle(Duration::from_secs(60)).await.unwrap();
        let mut said = vec![0; 15];
        theirs.read_exact(&mut said).await.unwrap();
        assert_eq!(said, b"A1 IDLE\r\nDONE\r\n");
    }

    #[tokio::test]
    async fn waiting_that_the_server_ends_is_a_lost_connection() {
        for said in ["A1 NO not here\r\n", "+\r\n* BYE timeout\r\n", "+\r\n"] {
            let (mut dialogue, mut theirs) = begun(9).await;
            theirs.write_all(said.as_bytes()).await.unwrap();
            theirs.shutdown().await.unwrap();
            assert!(dialogue.idle(Duration::from_secs(60)).await.is_err(), "{said}");
        }
    }

    #[tokio::test]
    async fn what_is_no_imap_server_is_told_from_one_that_is_busy() {
        for (greeting, failure) in [
            ("220 mail ESMTP\r\n", Failure::Refused("this is no IMAP server")),
            ("* BYE too many connections\r\n", Failure::Away("the server turns us away")),
        ] {
            let (ours, mut theirs) = tokio::io::duplex(99);
            theirs.write_all(greeting.as_bytes()).await.unwrap();
            assert_eq!(Dialogue::begin(Box::new(ours), 9).await.err(), Some(failure));
        }
    }

    #[test]
    fn only_braces_at_the_end_announce_bytes() {
        for (text, length) in
            [("BODY[] {12}", Some(12)), ("{3+}", Some(3)), ("{x}", None), ("{12} ", None), ("12}", None)]
        {
            assert_eq!(literal(text.as_bytes()), length, "{text}");
        }
    }
}
