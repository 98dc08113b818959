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
        ("Content-Type: multipart/report; report-type=delivery-status; boundary=b", Some("mail.bounce")),
        ("Content-Type: multipart/report; report-type=disposition-notification; boundary=b", Some("mail.bounce")),
        ("Content-Type: multipart/report; report-type=feedback-report; boundary=b", Some("mail.bounce")),
    ] {
        assert_eq!(touched(&format!("From: a@x.example\n{head}"), "hi").junk.as_deref(), rule, "{head}");
    }
    assert_eq!(touched("From: MAILER-DAEMON@x.example", "hi").junk.as_deref(), Some("mail.bounce"));
    assert_eq!(touched("From: postmaster@x.example", "hi").junk, None, "a person, unless nobody is to answer");
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

/// What a mail is that says `head`, at a channel with these settings.
fn judged(head: &str, body: &str, settings: &[(&'static str, &str)]) -> Result<gateway::sources::Read, Refusal> {
    let mut channel = channel("mail");
    for (name, value) in settings {
        channel.settings.insert(name, vec![(*value).into()]);
    }
    let raw = format!("{head}\nTo: b@y.example\nMessage-ID: <1@a.example>\n\n{body}").replace('\n', "\r\n");
    (the("mail").read)(&mail(raw), &channel).map(|mut reading| reading.signals.remove(0))
}

const OURS: (&str, &str) = ("authserv", "mx.company.example");

#[test]
fn what_our_own_server_found_out_about_a_sender_is_told() {
    let found = |said: &str, settings: &[(&'static str, &str)]| {
        let head = format!("Authentication-Results: {said}\nFrom: a@x.example");
        let Signal::Touch(touch) = judged(&head, "hi", settings).unwrap().signal else { panic!("{said}") };
        let of = |name: &str| touch.attributes.get(name).and_then(|word| word.as_str()).unwrap_or("-").to_owned();
        (of("spf"), of("dkim"), of("dmarc"), touch.flags.contains("dmarc_failed"), touch.junk.clone())
    };
    let words = |spf: &str, dkim: &str, dmarc: &str| (spf.to_owned(), dkim.to_owned(), dmarc.to_owned());
    let told = |(spf, dkim, dmarc), failed, junk: Option<&str>| (spf, dkim, dmarc, failed, junk.map(str::to_owned));
    let (good, bad) =
        ("mx.company.example; spf=pass; dkim=pass; dmarc=pass", "mx.company.example; spf=pass; dmarc=fail");
    let junk = ("dmarc_fail", "junk");
    for (said, settings, expected) in [
        (good, &[OURS][..], told(words("pass", "pass", "pass"), false, None)),
        (good, &[], told(words("-", "-", "-"), false, None)),
        (good, &[("authserv", "mx.other.example")], told(words("-", "-", "-"), false, None)),
        (bad, &[OURS], told(words("pass", "-", "fail"), true, None)),
        (bad, &[OURS, ("dmarc_fail", "tag")], told(words("pass", "-", "fail"), true, None)),
        (bad, &[OURS, junk], told(words("pass", "-", "fail"), true, Some("mail.dmarc"))),
        (bad, &[junk], told(words("-", "-", "-"), false, None)),
        (good, &[OURS, junk], told(words("pass", "pass", "pass"), false, None)),
    ] {
        assert_eq!(found(said, settings), expected, "{said} {settings:?}");
    }
}

#[test]
fn a_form_in_a_mail_cannot_say_that_its_sender_is_genuine() {
    let body = "Name: Anna\nPhone: +79161234567\ndmarc: pass\nspf: pass";
    for settings in [&[][..], &[OURS]] {
        let Signal::Touch(touch) = judged("From: a@x.example", body, settings).unwrap().signal else {
            panic!("no touch")
        };
        assert_eq!((touch.attributes.get("dmarc"), touch.attributes.get("spf")), (None, None));
    }
}

#[test]
fn a_mail_that_only_claims_to_be_ours_is_kept_aside() {
    let ours = |said: &str| format!("Authentication-Results: {said}\nFrom: ivan@company.example");
    for (said, settings, is_reply) in [
        ("mx.company.example; dmarc=fail", &[OURS][..], false),
        ("mx.other.example; dmarc=fail", &[OURS], true),
        // Without a server to trust any warning is heard; nobody gains by forging one.
        ("mx.other.example; dmarc=fail", &[], false),
        ("mx.other.example; dmarc=pass", &[], true),
    ] {
        let read = judged(&ours(said), "hi", settings);
        match read {
            Ok(read) => assert!(is_reply && matches!(read.signal, Signal::Reply(_)), "{said} {settings:?}"),
            Err(refusal) => assert!(!is_reply && matches!(refusal, Refusal::Unreadable(_)), "{said} {settings:?}"),
        }
    }
}

#[test]
fn a_large_mail_is_read_as_a_small_one_is() {
    let text = |size: usize| "Хотим домик у озера. ".repeat(size / 38);
    let attached = |kind: &str, body: &str| {
        let head = "Content-Disposition: attachment; filename=\"a.bin\"";
        format!("--b\r\nContent-Type: {kind}\r\n{head}\r\n{body}\r\n")
    };
    let base64 = |size: usize| {
        let lines = data_encoding::BASE64_MIME.encode(&vec![7; size]);
        format!("Content-Transfer-Encoding: base64\r\n\r\n{}", lines.trim_end())
    };
    let head = "From: a@x.example\r\nMessage-ID: <1@x>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n";
    let mail = mail(format!(
        "{head}{}--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHello\r\n{}{}{}--b--\r\n",
        attached("application/pdf", &base64(9_000_001)),
        attached("image/png", &format!("\r\n{}", "x".repeat(700_000))),
        attached("message/rfc822", &format!("\r\nSubject: y\r\n\r\n{}", text(3_000_000))),
        attached("text/csv", &base64(4_000_000)),
    ));
    assert!(mail.body.len() > 20_000_000);
    let started = Instant::now();
    let reading = read("mail", &mail).unwrap();
    let touch = touch(&reading);
    assert_eq!((touch.text.as_deref(), touch.flags.len()), (Some("Hello"), 0));
    let sizes: Vec<_> = touch.attributes["files"].as_array().unwrap().iter().map(|file| file["size"].clone()).collect();
    let nested = "Subject: y\r\n\r\n".len() + text(3_000_000).len();
    assert_eq!(sizes, [9_000_001, 700_000, nested, 4_000_000]);
    assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
}

#[test]
fn a_large_mail_of_words_keeps_the_first_of_them_and_says_so() {
    let words = "Здравствуйте, хотим домик у озера.\r\n".repeat(100_000);
    let (letters, _, _) = encoding_rs::WINDOWS_1251.encode(&words);
    for (head, body) in [
        ("text/plain; charset=utf-8", words.as_bytes()),
        ("text/plain; charset=windows-1251", &letters[..]),
        ("text/html; charset=utf-8", words.as_bytes()),
    ] {
        let head = format!("From: a@x.example\r\nMessage-ID: <1@x>\r\nContent-Type: {head}\r\n\r\n");
        let reading = read("mail", &mail([head.as_bytes(), body].concat())).unwrap();
        let touch = touch(&reading);
        let text = touch.text.as_deref().unwrap();
        assert!(text.starts_with("Здравствуйте, хотим") && text.len() > 60_000, "{head}: {}", text.len());
        assert!(touch.flags.contains("cut"), "{head}");
    }
}

#[test]
fn a_mail_that_names_no_letters_is_read_as_an_old_mailer_wrote_it() {
    let anna = b"\xc0\xed\xed\xe0";
    let hello = b"\xc4\xee\xe1\xf0\xfb\xe9 \xe4\xe5\xed\xfc";
    for kind in ["", "Content-Type: text/plain\r\n", "Content-Type: text/plain; charset=utf-8\r\n"] {
        let raw =
            [b"From: ", &anna[..], b" <a@b.example>\r\nSubject: ", hello, b"\r\n", kind.as_bytes(), b"\r\n", hello];
        let touch = touch(&read("mail", &mail(raw.concat())).unwrap()).clone();
        assert_eq!(touch.name.as_deref(), Some("Анна"), "{kind}");
        assert_eq!((touch.text.as_deref(), &touch.attributes["subject"]), (Some("Добрый день"), &"Добрый день".into()));
    }
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
        ("parts that belong nowhere", include_bytes!("vectors/parts_that_belong_nowhere.eml").to_vec()),
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
