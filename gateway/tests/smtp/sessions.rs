//! What follows from each command? Whole dialogues, without a socket.

use gateway::problem::Refused;
use gateway::smtp::session::{Offer, Protocol, Session, Step};
use proptest::prelude::*;

fn session(protocol: Protocol, tls: bool) -> Session<String> {
    let offer = Offer { host: "mx.leads.example".into(), size: 10_000, tls, recipients: 3, commands: 30, mistakes: 4 };
    Session::new(protocol, offer)
}

fn find(address: &str) -> Result<String, Refused> {
    match address {
        "sales@company.example" | "анна@пример.рф" => Ok(address.to_owned()),
        "paused@company.example" => Err(Refused::Paused),
        "full@company.example" => Err(Refused::PerChannel),
        "disk@company.example" => Err(Refused::Journal),
        _ => Err(Refused::NotFound),
    }
}

/// What is answered, by its code; a mail that may come is 354 and comes at once, TLS is 220 and works.
fn hear(session: &mut Session<String>, line: &str) -> u16 {
    match session.hear(format!("{line}\r\n").as_bytes(), find) {
        Step::Say(reply) | Step::Part(reply) => reply.code,
        Step::Secure => {
            session.secured();
            220
        }
        Step::Receive => {
            session.envelope().unwrap();
            354
        }
    }
}

fn text(step: Step) -> String {
    let (Step::Say(reply) | Step::Part(reply)) = step else { panic!("{step:?} says nothing") };
    let mut out = bytes::BytesMut::new();
    reply.write(&mut out);
    String::from_utf8(out.to_vec()).unwrap()
}

/// A dialogue as it would be written down.
fn check(protocol: Protocol, tls: bool, dialogue: &[(&str, u16)]) {
    let mut session = session(protocol, tls);
    for (place, (line, code)) in dialogue.iter().enumerate() {
        assert_eq!(hear(&mut session, line), *code, "line {place} of {dialogue:?}");
    }
}

const HELLO: (&str, u16) = ("EHLO client.example", 250);
const SENDER: (&str, u16) = ("MAIL FROM:<a@x.example>", 250);
const SALES: (&str, u16) = ("RCPT TO:<sales@company.example>", 250);

#[test]
fn commands_have_an_order() {
    for dialogue in [
        &[HELLO, SENDER, SALES, ("DATA", 354), ("QUIT", 221)][..],
        &[("HELO client", 250), SENDER, SALES, ("DATA", 354), SENDER, SALES, ("DATA", 354)],
        &[("MAIL FROM:<a@x.example>", 503), HELLO, SENDER],
        &[("RCPT TO:<sales@company.example>", 503), HELLO, ("RCPT TO:<sales@company.example>", 503)],
        &[HELLO, ("DATA", 503), SENDER, ("DATA", 503), SALES, ("DATA", 354), ("DATA", 503)],
        &[HELLO, SENDER, ("MAIL FROM:<b@x.example>", 503), SALES, ("DATA", 354)],
        &[HELLO, SENDER, SALES, ("RSET", 250), ("DATA", 503), SENDER],
        &[HELLO, SENDER, SALES, HELLO, ("DATA", 503), SENDER],
        &[HELLO, ("MAIL FROM:<>", 250), SALES, ("DATA", 354)],
        &[("NOOP", 250), ("RSET", 250), ("HELP", 214), ("VRFY sales", 252), ("QUIT", 221)],
        &[HELLO, ("AUTH LOGIN", 502), ("EXPN sales", 502), ("BDAT 5 LAST", 502), ("ETRN x.example", 502)],
        &[("LHLO client", 500), ("FROB", 500), ("", 500), HELLO],
    ] {
        check(Protocol::Smtp, false, dialogue);
    }
    let hello = ("LHLO client", 250);
    check(Protocol::Lmtp, false, &[("EHLO client", 500), ("HELO client", 500), hello, SENDER, SALES, ("DATA", 354)]);
    check(Protocol::Lmtp, false, &[hello, SENDER, ("RCPT TO:<who@company.example>", 550), ("DATA", 503)]);
}

#[test]
fn each_recipient_is_told_whether_it_is_one() {
    for (address, answer) in [
        ("sales@company.example", "250 2.1.5 ok\r\n"),
        ("who@company.example", "550 5.1.1 there is no such mailbox here\r\n"),
        ("postmaster", "550 5.1.1 there is no such mailbox here\r\n"),
        ("paused@company.example", "450 4.2.1 this mailbox is closed for now, come back\r\n"),
        ("full@company.example", "450 4.3.2 too many mails for this mailbox, come back\r\n"),
        ("disk@company.example", "451 4.3.0 nothing can be stored right now, come back\r\n"),
    ] {
        let mut session = session(Protocol::Smtp, false);
        hear(&mut session, "EHLO x");
        hear(&mut session, "MAIL FROM:<a@x.example>");
        assert_eq!(text(session.hear(format!("RCPT TO:<{address}>\r\n").as_bytes(), find)), answer);
    }
}

#[test]
fn there_is_an_end_to_recipients() {
    let more = ("RCPT TO:<sales@company.example>", 452);
    check(Protocol::Smtp, false, &[HELLO, SENDER, SALES, SALES, SALES, more, more, ("DATA", 354), SENDER, SALES]);
}

#[test]
fn a_size_is_refused_before_it_is_sent() {
    for (declared, code) in
        [("0", 250), ("10000", 250), ("10001", 552), ("9999999999999999999", 552), ("99999999999999999999", 501)]
    {
        let line = format!("MAIL FROM:<a@x.example> SIZE={declared}");
        check(Protocol::Smtp, false, &[HELLO, (&line, code)]);
    }
}

#[test]
fn addresses_in_all_letters_need_the_extension_that_allows_them() {
    let anna = "RCPT TO:<анна@пример.рф>";
    check(Protocol::Smtp, false, &[HELLO, ("MAIL FROM:<a@x.example> SMTPUTF8", 250), (anna, 250), ("DATA", 354)]);
    check(Protocol::Smtp, false, &[HELLO, SENDER, (anna, 553)]);
    check(Protocol::Smtp, false, &[HELLO, ("MAIL FROM:<анна@пример.рф>", 553), SENDER]);
}

#[test]
fn tls_begins_a_session_anew_and_once() {
    let start = ("STARTTLS", 220);
    check(Protocol::Smtp, true, &[HELLO, start, ("MAIL FROM:<a@x.example>", 503), HELLO, SENDER, SALES, ("DATA", 354)]);
    check(Protocol::Smtp, true, &[HELLO, SENDER, SALES, start, ("DATA", 503), HELLO, ("DATA", 503)]);
    check(Protocol::Smtp, true, &[HELLO, start, HELLO, ("STARTTLS", 503)]);
    check(Protocol::Smtp, false, &[HELLO, ("STARTTLS", 502)]);
}

#[test]
fn what_is_offered_is_what_is_there() {
    let said = |protocol, tls: bool, secure: bool, line: &str| {
        let mut session = session(protocol, tls);
        if secure {
            session.secured();
        }
        text(session.hear(format!("{line}\r\n").as_bytes(), find))
    };
    let all = "250-mx.leads.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n";
    let size = "250 SIZE 10000\r\n";
    assert_eq!(said(Protocol::Smtp, true, false, "EHLO x"), format!("{all}250-STARTTLS\r\n{size}"));
    assert_eq!(said(Protocol::Smtp, true, true, "EHLO x"), format!("{all}{size}"));
    assert_eq!(said(Protocol::Lmtp, false, false, "LHLO x"), format!("{all}{size}"));
    assert_eq!(said(Protocol::Smtp, true, false, "HELO x"), "250 mx.leads.example\r\n");
    assert_eq!(text(Step::Say(session(Protocol::Smtp, false).greeting())), "220 mx.leads.example ESMTP leadgate\r\n");
    assert_eq!(text(Step::Say(session(Protocol::Lmtp, false).greeting())), "220 mx.leads.example LMTP leadgate\r\n");
}

#[test]
fn whoever_only_makes_mistakes_is_sent_away() {
    let guess = ("RCPT TO:<guess@company.example>", 550);
    check(Protocol::Smtp, false, &[HELLO, SENDER, guess, guess, guess, guess, ("RCPT TO:<g@company.example>", 421)]);
    let busy = ("RCPT TO:<full@company.example>", 450);
    check(Protocol::Smtp, false, &[HELLO, SENDER, busy, busy, busy, busy, busy, busy, SALES]);
}

#[test]
fn commands_without_a_mail_come_to_an_end_and_those_with_mails_do_not() {
    let mut idle = session(Protocol::Smtp, false);
    let codes: Vec<u16> = (0..31).map(|_| hear(&mut idle, "NOOP")).collect();
    assert_eq!((codes[..30].iter().all(|code| *code == 250), codes[30]), (true, 421));
    let mut busy = session(Protocol::Smtp, false);
    hear(&mut busy, "EHLO x");
    for _ in 0..50 {
        let codes = [SENDER.0, SALES.0, "DATA"].map(|line| hear(&mut busy, line));
        assert_eq!(codes, [250, 250, 354]);
        busy.delivered();
    }
}

#[test]
fn no_answer_repeats_what_was_sent() {
    let mut session = session(Protocol::Smtp, false);
    for line in ["EHLO secret", "MAIL FROM:<secret@x.example> SECRET=1", "SECRET", "VRFY secret", "RCPT TO:<secret>"] {
        let said = text(session.hear(format!("{line}\r\n").as_bytes(), find));
        assert!(!said.to_lowercase().contains("secret"), "{line}: {said}");
    }
}

/// What clients say, and what they do not.
fn lines() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let known = prop::sample::select(vec![
        "EHLO x",
        "LHLO x",
        "HELO x",
        "MAIL FROM:<a@x.example>",
        "MAIL FROM:<> SIZE=9",
        "RCPT TO:<sales@company.example>",
        "RCPT TO:<who@company.example>",
        "DATA",
        "RSET",
        "STARTTLS",
        "QUIT",
        "NOOP",
    ]);
    let known = known.prop_map(|line| line.as_bytes().to_vec());
    let bent = (known.clone(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut line, at, byte)| {
        let at = at.index(line.len());
        line[at] = byte;
        line
    });
    let whatever = prop::collection::vec(any::<u8>(), 0..60);
    prop::collection::vec(prop_oneof![4 => known, 2 => bent, 1 => whatever], 0..40)
}

proptest! {
    /// No line breaks a session, and no mail comes without hello, a sender and a recipient of ours.
    #[test]
    fn whatever_is_said_a_mail_has_a_recipient(lines in lines(), lmtp: bool) {
        let mut session = session(if lmtp { Protocol::Lmtp } else { Protocol::Smtp }, true);
        let mut recipients = 0;
        for mut line in lines {
            line.extend_from_slice(b"\r\n");
            match session.hear(&line, |address| find(address).inspect(|_| recipients += 1)) {
                Step::Say(_) => {}
                Step::Part(reply) => prop_assert!(matches!(reply.code, 221 | 421)),
                Step::Secure => session.secured(),
                Step::Receive => {
                    let envelope = session.envelope().unwrap();
                    prop_assert!((1..=recipients.min(3)).contains(&envelope.recipients.len()));
                    recipients = 0;
                }
            }
        }
    }
}
