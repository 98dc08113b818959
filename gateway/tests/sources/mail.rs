//! Is the customer found in a mail, are machines kept apart, and does a hostile mail cost little?

use crate::support::{SECRET, channel, read, request, the, touch};
use data_encoding::BASE64;
use gateway::sources::{Denied, Refusal, Request};
use http::Method;
use lead::entry::{Signal, Touch};
use std::time::Instant;

fn mail(raw: impl Into<Vec<u8>>) -> Request {
    request(Method::POST, "https://leads.example.com/in/mailbox", &[("content-type", "message/rfc822")], raw.into())
}

fn touched(head: &str, body: &str) -> Touch {
    let raw = format!("{head}\nMessage-ID: <1@a.example>\n\n{body}").replace('\n', "\r\n");
    touch(&read("mail", &mail(raw)).unwrap()).clone()
}

#[test]
fn a_secret_is_a_password_or_a_token() {
    let mut channel = channel("mail");
    channel.secrets = vec!["new".to_owned().into(), SECRET.to_owned().into()];
    let with = |proof: &str| {
        let headers = [("content-type", "message/rfc822"), ("authorization", proof)];
        let request = request(Method::POST, "https://leads.example.com/in/mailbox", &headers, "From: a@b.example");
        (the("mail").verify)(&request, &channel)
    };
    let basic = |pair: &str| format!("Basic {}", BASE64.encode(pair.as_bytes()));
    for good in ["Bearer 12345", "bearer new", &basic("leadgate:12345"), &basic(":new")] {
        assert_eq!(with(good), Ok(()), "{good}");
    }
    for wrong in ["Bearer 1234", &basic("12345"), &basic("12345:"), "Basic !!!", "Digest 12345", "Bearer "] {
        assert_eq!(with(wrong), Err(Denied::Wrong), "{wrong}");
    }
    assert_eq!(with("12345"), Err(Denied::Wrong));
    assert_eq!((the("mail").verify)(&mail("x"), &channel), Err(Denied::Missing));
}

#[test]
fn the_customer_is_in_reply_to_then_in_the_form_then_in_from() {
    for (head, body, emails) in [
        ("From: a@x.example\nReply-To: b@x.example", "hi", &["b@x.example"][..]),
        ("From: a@x.example\nReply-To: no-reply@x.example", "hi", &["a@x.example"]),
        ("From: a@x.example\nReply-To: SALES@company.example", "hi", &["a@x.example"]),
        ("From: forms@site.example\nTo: sales@company.example", "hi", &[]),
        ("From: wordpress@x.example", "hi", &[]),
        ("From: site@x.example", "Name: Anna\nEmail: c@x.example", &["c@x.example"]),
        ("From: site@x.example", "Name: Anna\nPhone: +79161234567", &[]),
        (
            "From: site@x.example\nReply-To: b@x.example",
            "Name: Anna\nEmail: c@x.example",
            &["b@x.example", "c@x.example"],
        ),
        ("From: site@x.example\nReply-To: c@x.example", "Name: Anna\nEmail: C@x.example", &["C@x.example"]),
    ] {
        assert_eq!(touched(head, body).emails, emails, "{head} / {body}");
    }
}

#[test]
fn phones_count_only_where_the_sender_wrote_them() {
    let text = "Call 8 916 123-45-67\n> old 8 495 765-43-21\n-- \nAnna 8 495 111-22-33";
    assert_eq!(touched("From: a@x.example", text).text_phones, ["+79161234567"]);
}

#[test]
fn automatic_mail_is_junk_by_name() {
    for (head, rule) in [
        ("Auto-Submitted: auto-replied", Some("mail.auto_reply")),
        ("Auto-Submitted: auto-generated", Some("mail.auto_reply")),
        ("Auto-Submitted: no", None),
        ("X-Auto-Response-Suppress: All", Some("mail.auto_reply")),
        ("Precedence: bulk", Some("mail.list")),
        ("Precedence: JUNK", Some("mail.list")),
        ("Precedence: first-class", None),
        ("List-Id: <a.example>", Some("mail.list")),
        ("Return-Path: <>", Some("mail.auto_reply")),
        ("Return-Path: <a@x.example>", None),
        ("X-Loop: Sales@company.example", Some("mail.loop")),
        ("X-Loop: other@x.example", None),
    ] {
        assert_eq!(touched(&format!("From: a@x.example\n{head}"), "hi").junk.as_deref(), rule, "{head}");
    }
    let form = "Name: Anna\nPhone: +79161234567";
    assert_eq!(touched("From: a@x.example\nAuto-Submitted: auto-generated", form).junk, None);
    assert_eq!(
        touched("From: a@x.example\nAuto-Submitted: auto-replied", form).junk.as_deref(),
        Some("mail.auto_reply")
    );
}

#[test]
fn a_mail_from_us_to_a_customer_is_a_reply() {
    let reading = |head: &str| read("mail", &mail(format!("{head}\r\nMessage-ID: <1@x>\r\n\r\nhi"))).unwrap();
    let reply = reading("From: IVAN@company.example\r\nTo: a@x.example, sales@company.example, b@x.example");
    let Signal::Reply(reply) = &reply.signals[0].signal else { panic!("no reply") };
    assert_eq!(
        (&reply.to_emails[..], reply.by.as_deref()),
        (&["a@x.example".to_owned(), "b@x.example".to_owned()][..], Some("IVAN@company.example"))
    );
    let own = reading("From: ivan@company.example\r\nTo: sales@company.example");
    assert!(matches!(own.signals[0].signal, Signal::Touch(_)), "a mail among ourselves is nobody's answer");
    let automatic = reading("From: ivan@company.example\r\nTo: a@x.example\r\nAuto-Submitted: auto-generated");
    assert_eq!(automatic.ignored, ["mail.own_automatic"]);
}

#[test]
fn what_is_no_mail_is_refused() {
    for raw in ["hello", "\r\n\r\n", "{\"a\": 1}", "\0\0\0", "Subject: only\r\n\r\nx"] {
        assert!(matches!(read("mail", &mail(raw)), Err(Refusal::Unreadable(_))), "{raw:?}");
    }
    assert_eq!(read("mail", &mail("")).err(), Some(Refusal::Bad("the mail is empty")));
}

/// A mail built to hurt the reader, with some text in front where it can be.
fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let head = "From: a@x.example\r\nMessage-ID: <1@x>\r\n";
    let mixed = format!("{head}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nHello\r\n");
    let nested: String =
        (0..100).map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n")).collect();
    let attached = "Content-Type: message/rfc822\r\n\r\n".repeat(100_000);
    vec![
        ("100 nested multiparts", format!("{head}{nested}Content-Type: text/plain\r\n\r\nHello").into()),
        ("100,000 nested messages", format!("{head}{attached}From: x@y.example\r\n\r\nHello").into()),
        (
            "10,000 parts",
            format!("{mixed}{}--b--", "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n".repeat(10_000)).into(),
        ),
        ("10,000 parts without a head", format!("{mixed}{}--b--", "--b\r\n\r\nx\r\n".repeat(10_000)).into()),
        ("a line of a megabyte", format!("{head}\r\n{}", "Hello ".repeat(1 << 18)).into()),
        ("a header of a megabyte", format!("{head}Subject: {}\r\n\r\nHello", "x".repeat(1 << 20)).into()),
        ("50,000 headers", format!("{head}{}\r\nHello", "X-A: b\r\n".repeat(50_000)).into()),
        ("HTML of only brackets", format!("{head}Content-Type: text/html\r\n\r\n{}", "<".repeat(1 << 19)).into()),
        ("a million blank lines", format!("{head}\r\nHello{}x", "\n".repeat(1 << 20)).into()),
        ("only introductions", format!("{head}\r\n{}", "> x\nA wrote:\n".repeat(1 << 15)).into()),
        ("only labels", format!("{head}\r\nPhone: 1\nName: x\n{}", "a: b\n".repeat(1 << 15)).into()),
        ("digits without end", format!("{head}\r\n{}", "8 916 123 ".repeat(1 << 16)).into()),
    ]
}

#[test]
fn a_hostile_mail_is_read_in_bounded_time() {
    for (name, raw) in hostile() {
        let request = mail(raw);
        let start = Instant::now();
        let reading = read("mail", &request).unwrap();
        assert_eq!(reading.signals.len(), 1, "{name}");
        assert!(start.elapsed().as_secs() < 5, "{name}: {:?} without optimisation", start.elapsed());
        assert!(touch(&reading).text.as_ref().is_none_or(|text| text.len() <= 64 * 1024), "{name}");
    }
}

#[test]
fn a_mail_with_too_many_parts_keeps_its_first_words() {
    let (_, raw) = hostile().swap_remove(2);
    let reading = read("mail", &mail(raw)).unwrap();
    let touch = touch(&reading);
    assert!(touch.text.as_ref().unwrap().starts_with("Hello") && touch.flags.contains("cut"));
}
