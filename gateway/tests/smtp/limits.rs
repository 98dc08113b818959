//! Is every bound one that is told, and does nothing stay in memory behind it?

use crate::house::{Client, House, code, config, limits, mail, span};
use gateway::config::Limits;
use gateway::smtp;
use lead::units::{Rate, Size};
use ledger::journal::Bounds;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

const SALES: &str = "sales@company.example";

async fn with_limits(limits: Limits) -> House {
    House::with(limits, config(), Bounds::default()).await
}

async fn with_config(config: smtp::Config) -> House {
    House::with(limits(), config, Bounds::default()).await
}

/// A mail of exactly `bytes` bytes.
fn sized(id: &str, bytes: usize) -> String {
    let bare = mail(id, "").len();
    let mut text = "0123456789012345678901234567890123456789\r\n".repeat((bytes - bare) / 42);
    text.push_str(&"x".repeat((bytes - bare) % 42));
    mail(id, &text)
}

#[tokio::test]
async fn a_mail_may_be_as_large_as_the_limit_and_not_a_byte_larger() {
    let house = House::open().await;
    let mut client = house.connect().await;
    assert_eq!(code(&client.deliver(&[SALES], &sized("1", 100_000)).await), 250);
    let answer = client.deliver(&[SALES], &sized("2", 100_001)).await;
    assert_eq!(answer, "552 5.3.4 the mail is larger than this server takes\r\n");
    assert_eq!(code(&client.deliver(&[SALES], &mail("3", "small")).await), 250, "the connection goes on");
    assert_eq!((house.rows().len(), house.refused("sales", "too_large"), house.held()), (2, 1, 0));
}

#[tokio::test]
async fn the_dots_that_transport_adds_do_not_count() {
    let house = with_limits(Limits { mail: Size(1_000), ..limits() }).await;
    let text = ".\r\n".repeat((1_000 - mail("1", "").len()) / 3);
    let wired = text.replace(".\r\n", "..\r\n");
    assert_eq!(code(&house.connect().await.deliver(&[SALES], &mail("1", &wired)).await), 250);
}

#[tokio::test]
async fn a_mail_that_is_far_too_large_is_not_heard_to_its_end() {
    let house = with_limits(Limits { mail: Size(10_000), ..limits() }).await;
    let mut client = house.connect().await;
    client.open("EHLO", &[SALES]).await;
    client.send(sized("1", 60_000)).await;
    assert_eq!(code(&client.hear().await), 552);
    assert!(client.is_over().await);
    assert_eq!(house.refused("sales", "too_large"), 1);
}

#[tokio::test]
async fn all_mails_in_memory_have_a_bound_together_and_another_with_all_bodies() {
    for (mails, bodies) in [(150_000, 1 << 20), (1 << 20, 150_000)] {
        let config = smtp::Config { mails: Size(mails), ..config() };
        let house = House::with(Limits { bodies: Size(bodies), ..limits() }, config, Bounds::default()).await;
        let mut first = house.connect().await;
        first.open("EHLO", &[SALES]).await;
        first.send(sized("1", 90_000)).await;
        while house.held() < 90_000 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let answer = house.connect().await.deliver(&[SALES], &sized("2", 90_000)).await;
        assert_eq!(answer, "452 4.3.1 too much is being handled, come back\r\n");
        assert_eq!(house.held(), 90_000, "what was refused is not kept");
        first.send(".\r\n").await;
        assert_eq!(code(&first.hear().await), 250);
        assert_eq!(house.held(), 0);
    }
}

#[tokio::test]
async fn mails_being_handled_have_a_bound() {
    let house = with_limits(Limits { requests: 1, ..limits() }).await;
    let mut first = house.connect().await;
    first.open("EHLO", &[SALES]).await;
    let mut second = house.connect().await;
    for (line, expected) in
        [("EHLO x", 250), ("MAIL FROM:<a@x.example>", 250), ("RCPT TO:<sales@company.example>", 250), ("DATA", 452)]
    {
        assert_eq!(code(&second.say(line).await), expected, "{line}");
    }
    first.send(".\r\n").await;
    first.hear().await;
    assert_eq!(code(&second.deliver(&[SALES], &mail("1", "Hello")).await), 250);
}

#[tokio::test]
async fn a_thousand_recipients_are_too_many_and_the_rest_of_the_mail_is_taken() {
    let house = House::open().await;
    let mut client = house.connect().await;
    client.say("EHLO x").await;
    client.send(format!("MAIL FROM:<a@x.example>\r\n{}DATA\r\n", format!("RCPT TO:<{SALES}>\r\n").repeat(1_000))).await;
    let mut codes = Vec::new();
    for _ in 0..1_002 {
        codes.push(code(&client.hear().await));
    }
    let count = |wanted| codes.iter().filter(|code| **code == wanted).count();
    assert_eq!((count(250), count(452), count(354)), (101, 900, 1));
    client.send(format!("{}.\r\n", mail("1", "Hello"))).await;
    assert_eq!(code(&client.hear().await), 250);
    assert_eq!(house.rows().len(), 1);
}

#[tokio::test]
async fn a_channel_that_gets_too_much_asks_for_patience() {
    let rate = Rate::parse("1/h burst 2").unwrap();
    let house = with_limits(Limits { per_channel: rate, ..limits() }).await;
    let mut client = house.connect().await;
    for id in ["1", "2"] {
        assert_eq!(code(&client.deliver(&[SALES], &mail(id, "Hello")).await), 250);
    }
    for _ in 0..10 {
        client.say("MAIL FROM:<a@x.example>").await;
        assert_eq!(code(&client.say(&format!("RCPT TO:<{SALES}>")).await), 250, "to name one costs nothing");
        client.say("RSET").await;
    }
    assert_eq!(code(&client.deliver(&[SALES], &mail("3", "Hello")).await), 450);
    assert_eq!(code(&client.deliver(&["service@company.example"], &mail("4", "Hello")).await), 250);
    assert_eq!(house.refused("sales", "per_channel"), 1);
}

#[tokio::test]
async fn connections_have_a_bound_in_all_and_for_each_address() {
    let hear = async |house: &House| {
        let mut client = Client { io: tokio::io::BufReader::new(TcpStream::connect(house.smtp).await.unwrap()) };
        (client.hear().await, client)
    };
    for (all, each, reason) in [(1, 64, "all"), (64, 1, "address")] {
        let limits = Limits { connections_per_address: each, ..limits() };
        let house = House::with(limits, smtp::Config { connections: all, ..config() }, Bounds::default()).await;
        let first = house.connect().await;
        let (answer, mut second) = hear(&house).await;
        assert_eq!(answer, "421 4.3.2 too many connections, come back\r\n", "{reason}");
        assert!(second.is_over().await);
        let refused = &house.gateway.metrics.connections_refused;
        assert_eq!(refused.with_label_values(&["smtp", reason]).get(), 1);
        assert_eq!(house.gateway.metrics.connections.with_label_values(&["smtp"]).get(), 1);
        assert_eq!(code(&house.connect_lmtp().await.say("NOOP").await), 250, "LMTP has connections of its own");
        drop((first, second));
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(code(&hear(&house).await.0), 220);
    }
}

#[tokio::test]
async fn a_command_has_a_length_and_a_time() {
    let house = with_config(smtp::Config { line: Size(600), command_time: span(300), ..config() }).await;
    let mut long = house.connect().await;
    assert_eq!(code(&long.say(&format!("NOOP {}", "x".repeat(500))).await), 250);
    assert_eq!(code(&long.say(&format!("NOOP {}", "x".repeat(600))).await), 500);
    assert!(long.is_over().await);
    let (mut silent, start) = (house.connect().await, Instant::now());
    assert_eq!(silent.hear().await, "421 4.4.2 waited too long\r\n");
    let mut dripping = house.connect().await;
    for _ in 0..4 {
        dripping.send("N").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(code(&dripping.hear().await), 421, "every byte begins no new time");
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_mail_has_a_time_in_all_and_for_each_silence() {
    for (silence, whole) in [(300, 10_000), (10_000, 300)] {
        let config = smtp::Config { command_time: span(silence), mail_time: span(whole), ..config() };
        let house = with_config(config).await;
        let mut client = house.connect().await;
        client.open("EHLO", &[SALES]).await;
        client.send("From: a@x.example\r\n").await;
        let start = Instant::now();
        assert_eq!(client.hear().await, "421 4.4.2 waited too long\r\n");
        assert!((200..2_000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
        assert!(client.is_over().await);
        assert_eq!((house.rows().len(), house.held()), (0, 0));
    }
}
