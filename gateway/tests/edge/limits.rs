//! Is there room for everyone, and is whoever takes too much of it told so?

use crate::house::{House, config, header, hear, limits, post, status};
use gateway::config::{Config, Limits};
use lead::units::{Rate, Size};
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// Our own proxy is trusted in other tests; here the client is a stranger.
fn strangers(limits: Limits) -> Config {
    Config { trusted_proxies: Vec::new(), limits, ..config() }
}

#[tokio::test]
async fn a_connection_too_many_is_told_to_come_back() {
    for (limits, expected) in
        [(Limits { connections: 3, ..limits() }, 503), (Limits { connections_per_address: 3, ..limits() }, 429)]
    {
        let house = House::open(strangers(limits)).await;
        let held = [house.connect().await, house.connect().await, house.connect().await];
        tokio::time::sleep(Duration::from_millis(50)).await;
        let answer = house.post("/in/form", "", "Ann").await;
        assert_eq!(status(&answer), expected, "{answer}");
        assert!(header(&answer, "retry-after").is_some(), "{answer}");
        drop(held);
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(status(&house.post("/in/form", "", "Ann").await), 200, "a place is given back");
    }
}

#[tokio::test]
async fn many_clients_may_stand_behind_one_of_our_proxies() {
    let house = House::open(Config { limits: Limits { connections_per_address: 1, ..limits() }, ..config() }).await;
    let _held = [house.connect().await, house.connect().await];
    assert_eq!(status(&house.post("/in/form", "", "Ann").await), 200);
}

#[tokio::test]
async fn a_client_that_posts_too_often_is_limited_and_others_are_not() {
    let rate = Rate::parse("1/h burst 5").unwrap();
    let house = House::open(Config { limits: Limits { per_address: rate, ..limits() }, ..config() }).await;
    let mut codes = Vec::new();
    for _ in 0..20 {
        let answer = house.post("/in/form", "x-forwarded-for: 192.0.2.1\r\n", "Ann").await;
        assert_eq!(header(&answer, "retry-after").is_some(), status(&answer) == 429, "{answer}");
        codes.push(status(&answer));
    }
    assert_eq!(codes, [[200; 5].as_slice(), &[429; 15]].concat());
    for (lines, expected) in
        [("x-forwarded-for: 192.0.2.2\r\n", 200), ("x-forwarded-for: 192.0.2.2, 192.0.2.1\r\n", 429), ("", 200)]
    {
        assert_eq!(status(&house.post("/in/form", lines, "Ann").await), expected, "{lines}");
    }
    let signed = "x-proof: good\r\nx-forwarded-for: 192.0.2.1\r\n";
    assert_eq!(status(&house.post("/in/hook", signed, "Ann").await), 200, "a provider's address is not limited");
    assert_eq!(house.refused("form", "per_address"), 16);
}

#[tokio::test]
async fn a_channel_has_a_rate_that_forged_requests_do_not_use_up() {
    let rate = Rate::parse("1/h burst 2").unwrap();
    let house = House::open(Config { limits: Limits { per_channel: rate, ..limits() }, ..config() }).await;
    for (lines, expected) in [
        ("x-proof: wrong\r\n", 401),
        ("x-proof: wrong\r\n", 401),
        ("x-proof: wrong\r\n", 401),
        ("x-proof: good\r\n", 200),
        ("x-proof: good\r\n", 200),
        ("x-proof: good\r\n", 429),
    ] {
        assert_eq!(status(&house.post("/in/hook", lines, "Ann").await), expected, "{lines}");
    }
    assert_eq!(status(&house.post("/in/form", "", "Ann").await), 200, "another channel has its own");
}

#[tokio::test]
async fn when_bodies_fill_memory_forms_are_shed_and_signed_webhooks_are_not() {
    let limits = Limits { bodies: Size(16 << 10), ..limits() };
    let house = House::open(Config { limits, ..config() }).await;
    let held = "x".repeat(7 << 10);
    let mut streams = Vec::new();
    for _ in 0..2 {
        let mut stream = house.connect().await;
        let request = post("/in/hook", "x-proof: good\r\n", &format!("{held}!"));
        stream.write_all(&request[..request.len() - 1]).await.unwrap();
        streams.push(stream);
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let refused = house.post("/in/form", "", "Ann").await;
    assert_eq!((status(&refused), header(&refused, "retry-after").is_some()), (503, true), "{refused}");
    assert_eq!(status(&house.post("/in/hook", "x-proof: good\r\n", "Ann").await), 200);
    for mut stream in streams {
        stream.write_all(b"!").await.unwrap();
        assert_eq!(status(&hear(&mut stream).await), 200);
    }
    assert_eq!(status(&house.post("/in/form", "", "Ann").await), 200, "memory is given back");
}
