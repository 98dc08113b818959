//! How do the mails of a mailbox come to us? Read from where the last reader stopped, over IMAP, without leaving a trace
//! in the mailbox.
//!
//! - The mailbox is opened by EXAMINE and mails are fetched by BODY.PEEK, so nothing is ever marked as read.
//! - A position moves only after the mails before it are in the journal. What was read twice is recognised by its
//!   Message-ID, or by its bytes where it has none.
//! - Between two looks the server tells of new mail (IDLE); where it cannot, we look every `poll`.

mod answer;
mod dialogue;
mod fetch;
pub(super) mod fuzzing;
mod place;
mod token;

use super::Failure;
use super::dial::{Dial, Tls};
use super::line::Line;
use super::patience::Patience;
use answer::{Answer, Outcome};
use data_encoding::{BASE64, BASE64_NOPAD};
use dialogue::Dialogue;
use lead::time::At;
use lead::units::Span;
use place::{Found, Place};
use secrecy::ExposeSecret;
use std::time::Duration;

/// Ports of IMAP over TLS, and of IMAP.
const PORTS: (u16, u16) = (993, 143);
const POLL: Duration = Duration::from_secs(120);
/// Servers end a wait of half an hour (RFC 2177).
const LONGEST_WAIT: Duration = Duration::from_secs(25 * 60);
/// A note of when everything was read is not older than this, however quiet the mailbox: after a rebuild we would look
/// further back than ids are remembered. A store that lost its notes has them again by then.
const NOTED: Duration = Duration::from_secs(600);

pub(super) async fn run(line: Line) {
    let (mut patience, mut reader) = (Patience::default(), Reader { place: None, written: None });
    while !line.stop.is_cancelled() {
        let reading = line.stop.run_until_cancelled(reader.read(&line, &mut patience)).await;
        if let Some(Err(failure)) = reading {
            line.rest(&mut patience, failure).await;
        }
    }
    line.connected(false);
}

/// What outlives a connection.
struct Reader {
    place: Option<Place>,
    /// When the place was last noted.
    written: Option<At>,
}

impl Reader {
    /// Reads until the connection breaks.
    async fn read(&mut self, line: &Line, patience: &mut Patience) -> Result<(), Failure> {
        if self.place.is_none() {
            self.place = line.noted().await?.as_deref().and_then(Place::read);
        }
        let (mut dialogue, idles) = log_in(line).await?;
        let poll = line.channel().setting("poll").and_then(Span::parse).map_or(POLL, |span| span.0);
        let poll = poll.min(LONGEST_WAIT);
        loop {
            self.catch_up(line, &mut dialogue).await?;
            if !patience.is_first() || self.written.is_none() {
                tracing::info!(channel = line.name(), "feed.connected: everything there is has been read");
            }
            patience.reset();
            line.connected(true);
            self.note_done(line).await;
            if idles {
                dialogue.idle(poll).await?;
            } else {
                tokio::time::sleep(poll).await;
            }
        }
    }

    /// Reads everything that is there and was not read.
    async fn catch_up(&mut self, line: &Line, dialogue: &mut Dialogue) -> Result<(), Failure> {
        let (uidvalidity, next) = examine(line, dialogue).await?;
        let (mut place, found) = Place::find(self.place.take(), uidvalidity, next, line.now());
        let channel = line.name();
        match found {
            Found::Known => {}
            Found::First => tracing::info!(channel, "feed.begun: mails are read from now on, none that came before"),
            Found::Rebuilt => {
                tracing::warn!(
                    channel,
                    "feed.rebuilt: the mailbox was made anew and is read again; known mails stay known"
                );
            }
        }
        if found != Found::Known {
            line.note(&place.written()).await;
        }
        let read = fetch::all(line, dialogue, &mut place).await;
        self.place = Some(place);
        read
    }

    /// Says that all is read: the moment matters when the mailbox is made anew.
    async fn note_done(&mut self, line: &Line) {
        let now = line.now();
        let Some(place) = &mut self.place else { return };
        let before = place.clone();
        place.complete(now);
        let due = self.written.is_none_or(|written| now.since(written) >= NOTED);
        if due || before.search() != place.search() {
            line.note(&place.written()).await;
            self.written = Some(now);
        }
    }
}

/// A connection that knows us, and whether the server tells of new mail by itself.
async fn log_in(line: &Line) -> Result<(Dialogue, bool), Failure> {
    let channel = line.channel();
    let dial = Dial::of(channel, PORTS);
    let keep = line.gateway.config.limits.mail.bytes();
    let token = token::fetch(line).await?;
    let mut dialogue = Dialogue::begin(dial.connect().await?, keep).await?;
    if dial.tls == Tls::Started {
        dialogue.ask("STARTTLS", |_| {}).await?;
        dialogue = Dialogue::on(dial.secure(dialogue.bare()?).await?, keep);
    }
    let user = channel.setting("user").or(channel.address.as_deref()).unwrap_or_default();
    let let_in = if let Some(token) = &token {
        dialogue.ask_on("AUTHENTICATE XOAUTH2", Some(&token::proof(user, token)), |_| {}).await?
    } else {
        let secret = channel.secrets.first().map(ExposeSecret::expose_secret).unwrap_or_default();
        authenticate(&mut dialogue, user, secret).await?
    };
    match let_in {
        Outcome::Ok => {}
        Outcome::Later => return Err(Failure::Away("the server asks for patience")),
        Outcome::No => return Err(Failure::Refused("the server refuses user, password or token")),
    }
    let mut idles = false;
    dialogue.ask("CAPABILITY", |answer| idles |= can_idle(&answer)).await?;
    Ok((dialogue, idles))
}

fn can_idle(answer: &Answer) -> bool {
    matches!(answer, Answer::Capable(words) if words.iter().any(|word| word == "IDLE"))
}

/// LOGIN takes only what ASCII has (RFC 3501); other passwords go by SASL PLAIN (RFC 4616).
async fn authenticate(dialogue: &mut Dialogue, user: &str, secret: &str) -> Result<Outcome, Failure> {
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_control());
    if plain(user) && plain(secret) {
        return dialogue.ask_on(&format!("LOGIN {} {}", quoted(user), quoted(secret)), None, |_| {}).await;
    }
    let proof = BASE64.encode(format!("\0{user}\0{secret}").as_bytes());
    dialogue.ask_on("AUTHENTICATE PLAIN", Some(&proof), |_| {}).await
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Opens the mailbox for reading only: its UIDVALIDITY, and the UID that its next mail will have.
async fn examine(line: &Line, dialogue: &mut Dialogue) -> Result<(u32, u32), Failure> {
    let folder = quoted(&folder_name(line.channel().setting("folder").unwrap_or("INBOX")));
    let (mut uidvalidity, mut next) = (None, None);
    let told = |answer| {
        if let Answer::Fine(Some((name, number))) = answer {
            match name.as_str() {
                "UIDVALIDITY" => uidvalidity = Some(number),
                "UIDNEXT" => next = Some(number),
                _ => {}
            }
        }
    };
    match dialogue.ask_on(&format!("EXAMINE {folder}"), None, told).await? {
        Outcome::Ok => {}
        Outcome::Later => return Err(Failure::Away("the server asks for patience")),
        Outcome::No => return Err(Failure::Refused("there is no such folder, or it is not ours to read")),
    }
    let uidvalidity = uidvalidity.ok_or(Failure::Refused("the server gives mails no lasting numbers"))?;
    match next {
        Some(next) => Ok((uidvalidity, next)),
        None => Ok((uidvalidity, fetch::last(dialogue).await?.saturating_add(1))),
    }
}

/// The modified UTF-7 of RFC 3501, 5.1.3: `Заявки` is `&BBcEMARPBDIEOgQ4-`.
fn folder_name(name: &str) -> String {
    let (mut written, mut other) = (String::new(), Vec::new());
    let flush = |written: &mut String, other: &mut Vec<u8>| {
        if !other.is_empty() {
            written.push_str(&format!("&{}-", BASE64_NOPAD.encode(other).replace('/', ",")));
            other.clear();
        }
    };
    for letter in name.chars() {
        if matches!(letter, ' '..='~') {
            flush(&mut written, &mut other);
            written.push(letter);
            if letter == '&' {
                written.push('-');
            }
        } else {
            other.extend(letter.encode_utf16(&mut [0; 2]).iter().flat_map(|unit| unit.to_be_bytes()));
        }
    }
    flush(&mut written, &mut other);
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_called_what_the_server_calls_it() {
        for (name, written) in [
            ("INBOX", "INBOX"),
            ("Leads & more", "Leads &- more"),
            ("Заявки", "&BBcEMARPBDIEOgQ4-"),
            // The example of RFC 3501.
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("a\r\nA2 DELETE", "a&AA0ACg-A2 DELETE"),
        ] {
            assert_eq!(folder_name(name), written, "{name:?}");
        }
    }

    #[test]
    fn what_is_quoted_stays_one_word() {
        assert_eq!(quoted(r#"pass"word\"#), r#""pass\"word\\""#);
    }
}
