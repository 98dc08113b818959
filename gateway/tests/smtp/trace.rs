//! Does a final server do what RFC 5321 asks of one: tell where a mail came from, notice a loop, have a postmaster?

use crate::house::{House, code, config, limits, mail};
use gateway::smtp;
use lead::entry::{Entry, Signal};
use ledger::journal::Bounds;
use std::time::Duration;

const SALES: &str = "sales@company.example";
const SERVICE: &str = "service@company.example";

fn last(house: &House) -> Entry {
    Entry::clone(&house.rows().pop().unwrap().entry)
}

/// What stands above the last mail, without the hour, which is that of the gateway.
fn trace(house: &House, sent: &str) -> String {
    let row = house.rows().pop().unwrap();
    let raw = house.raw(&row);
    let above = raw.strip_suffix(sent).unwrap();
    let (before, date) = above.rsplit_once("; ").unwrap();
    let hour = chrono::DateTime::parse_from_rfc2822(date.trim_end()).unwrap();
    let late = row.entry.received_at.millis() - hour.timestamp_millis();
    assert!((0..60_000).contains(&late), "{date}");
    format!("{before}\n")
}

#[tokio::test]
async fn a_mail_is_kept_below_who_brought_it_when_and_for_whom() {
    let house = House::open().await;
    for (hello, to, with) in [
        ("EHLO", &[SALES][..], "with ESMTP\r\n\tfor <sales@company.example>"),
        ("HELO", &[SALES], "with SMTP\r\n\tfor <sales@company.example>"),
        ("EHLO", &[SALES, SERVICE], "with ESMTP"),
        ("EHLO", &["SALES@company.example"], "with ESMTP\r\n\tfor <SALES@company.example>"),
    ] {
        let (mut client, sent) = (house.connect().await, mail("1", "Hello"));
        client.open(hello, to).await;
        client.send(format!("{sent}.\r\n")).await;
        assert_eq!(code(&client.hear().await), 250);
        let expected = format!(
            "Return-Path: <anna@customer.example>\r\n\
             Received: from client.example ([127.0.0.1])\r\n\tby mx.leads.example (leadgate) {with}\n"
        );
        assert_eq!(trace(&house, &sent), expected);
    }
    let mut lmtp = house.connect_lmtp().await;
    lmtp.open("LHLO", &[SALES]).await;
    lmtp.send(format!("{}.\r\n", mail("2", "Hello"))).await;
    assert_eq!(code(&lmtp.hear().await), 250);
    assert!(trace(&house, &mail("2", "Hello")).contains("(leadgate) with LMTP\r\n\tfor <sales@"));
}

#[tokio::test]
async fn what_a_client_calls_itself_writes_nothing_else_into_the_mail() {
    let house = House::open().await;
    let mut client = house.connect().await;
    client.say("EHLO evil.example (x) by mx.bank.example; Mon, 1 Jan").await;
    for line in ["MAIL FROM:<a@x.example>", "RCPT TO:<sales@company.example>", "DATA"] {
        client.say(line).await;
    }
    client.send(format!("{}.\r\n", mail("1", "Hello"))).await;
    assert_eq!(code(&client.hear().await), 250);
    let above = trace(&house, &mail("1", "Hello"));
    assert!(!above.contains("(x)") && !above.contains("bank.example;"), "{above}");
}

/// The lines above it tell another hour each time.
#[tokio::test]
async fn a_mail_that_is_sent_again_is_known_again_though_it_has_no_id() {
    let house = House::open().await;
    let without = mail("1", "Hello").replace("Message-ID: <1@customer.example>\r\n", "");
    for sent in [without.as_str(), "nothing of a mail\r\n"] {
        let mut same = Vec::new();
        for wait in [0, 1_100] {
            tokio::time::sleep(Duration::from_millis(wait)).await;
            assert_eq!(code(&house.connect().await.deliver(&[SALES], sent).await), 250);
            same.push(last(&house).same);
        }
        assert!(same[0].is_some() && same[0] == same[1], "{sent}");
        assert_eq!(code(&house.connect().await.deliver(&[SALES], &format!("{sent}more\r\n")).await), 250);
        assert_ne!(last(&house).same, same[0], "another mail is another");
    }
    let again = house.rows();
    assert!(matches!(again.last().unwrap().entry.signal, Signal::Unreadable(_)));
}

#[tokio::test]
async fn a_mail_that_was_passed_on_too_often_is_a_loop() {
    let house = House::open().await;
    let hop = "Received: from a.example by b.example; Mon, 2 Nov 2026 10:00:00 +0300\r\n";
    for (hops, rule) in [(1, None), (49, None), (50, Some("mail.loop")), (200, Some("mail.loop"))] {
        let looped = format!("{}{}", hop.repeat(hops), mail(&hops.to_string(), "Hello"));
        assert_eq!(code(&house.connect().await.deliver(&[SALES], &looped).await), 250);
        let Signal::Touch(touch) = last(&house).signal else { panic!("{hops} hops make no touch") };
        assert_eq!(touch.junk.as_deref(), rule, "{hops} hops before ours");
    }
}

const POSTMASTERS: [&str; 6] = [
    "postmaster",
    "PostMaster",
    "postmaster@company.example",
    "POSTMASTER@Company.Example",
    "postmaster@mx.leads.example",
    "hostmaster@company.example",
];

#[tokio::test]
async fn the_postmaster_is_the_channel_that_is_named_for_it() {
    let named = smtp::Config { postmaster: Some("master".into()), ..config() };
    let house = House::with(limits(), named, Bounds::default()).await;
    for (count, address) in POSTMASTERS.into_iter().enumerate() {
        let sent = mail(&count.to_string(), "Your server is on a list");
        assert_eq!(code(&house.connect().await.deliver(&[address], &sent).await), 250, "{address}");
        assert_eq!(last(&house).channel.as_str(), "master", "{address}");
    }
    let mut client = house.connect().await;
    client.say("EHLO x").await;
    client.say("MAIL FROM:<a@x.example>").await;
    for address in ["postmaster@elsewhere.example", "postmaster@example", "postmaster@sub.company.example", "abuse"] {
        let answer = code(&client.say(&format!("RCPT TO:<{address}>")).await);
        assert!(matches!(answer, 501 | 550), "{address}: {answer}");
    }
}

#[tokio::test]
async fn nobody_is_postmaster_until_one_is_named() {
    for postmaster in [None, Some("nobody".into())] {
        let house = House::with(limits(), smtp::Config { postmaster, ..config() }, Bounds::default()).await;
        let mut client = house.connect().await;
        client.say("EHLO x").await;
        client.say("MAIL FROM:<a@x.example>").await;
        for address in &POSTMASTERS[..5] {
            assert_eq!(code(&client.say(&format!("RCPT TO:<{address}>")).await), 550, "{address}");
        }
    }
}
