//! Does every malformed, oversized or slow request end as documented?

use crate::house::{House, config, header, hear, post, status};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;

const HEAD: &str = "POST /in/form HTTP/1.1\r\nhost: a\r\ncontent-type: text/plain\r\n";

fn framed(lines: &str, body: &str) -> String {
    format!("{HEAD}{lines}\r\n{body}")
}

#[tokio::test]
async fn framing_that_contradicts_itself_is_answered_400_and_closed() {
    let house = House::open(config()).await;
    let chunk = "3\r\nAnn\r\n0\r\n\r\n";
    for (name, request, expected) in [
        ("length, then chunks", framed("content-length: 3\r\ntransfer-encoding: chunked\r\n", chunk), 400),
        ("chunks, then length", framed("transfer-encoding: chunked\r\ncontent-length: 3\r\n", chunk), 400),
        ("two lengths", framed("content-length: 3\r\ncontent-length: 4\r\n", "Anna"), 400),
        ("one length twice", framed("content-length: 3\r\ncontent-length: 3\r\n", "Ann"), 400),
        ("a negative length", framed("content-length: -1\r\n", "Ann"), 400),
        ("a length that is no number", framed("content-length: 3x\r\n", "Ann"), 400),
        ("another encoding", framed("transfer-encoding: gzip\r\n", "Ann"), 400),
        ("an encoding inside the chunks", framed("transfer-encoding: gzip, chunked\r\n", chunk), 400),
        ("chunks in chunks", framed("transfer-encoding: chunked, chunked\r\n", chunk), 400),
        ("a chunk too large to say", framed("transfer-encoding: chunked\r\n", "fffffffffffffffff\r\nAnn"), 400),
        ("a chunk without a size", framed("transfer-encoding: chunked\r\n", "zz\r\nAnn\r\n"), 400),
        ("a folded header", framed("x-a: b\r\n c\r\ncontent-length: 3\r\n", "Ann"), 400),
        ("a space before the colon", framed("content-length : 3\r\n", "Ann"), 400),
        ("chunks", framed("transfer-encoding: chunked\r\n", chunk), 200),
        ("HTTP/2, which is not spoken here", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), 0),
        ("nonsense", "\x16\x03\x01\x02\x00\r\n\r\n".into(), 400),
    ] {
        let answer = house.say(&request).await;
        assert_eq!(status(&answer), expected, "{name}: {answer}");
    }
    assert_eq!(house.accepted("form"), 1);
    let counted = house.gateway.metrics.connections_refused.with_label_values(&["public", "head"]).get();
    let bodies = house.refused("form", "framing");
    assert!(counted >= 11 && counted + bodies >= 13, "{counted} heads and {bodies} bodies");
}

#[tokio::test]
async fn a_smuggled_second_request_is_not_answered() {
    let house = House::open(config()).await;
    let inner = post("/in/form", "", "Eve");
    let request =
        [framed("content-length: 4\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n").as_bytes(), &inner].concat();
    let answer = house.say(&request).await;
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
    assert_eq!(house.accepted("form"), 0);
}

#[tokio::test]
async fn a_head_has_a_size() {
    let house = House::open(config()).await;
    let fields = |count: usize| (0..count).map(|index| format!("x-{index}: y\r\n")).collect::<String>();
    let long = "a".repeat(9 << 10);
    for (name, request, expected) in [
        ("17 KiB of header", framed(&format!("x-long: {}\r\n", "a".repeat(17 << 10)), ""), 431),
        ("65 headers", format!("POST /in/form HTTP/1.1\r\n{}\r\n", fields(65)), 431),
        ("64 headers", format!("POST /in/form HTTP/1.1\r\nconnection: close\r\n{}\r\n", fields(63)), 415),
        ("9 KiB of path", format!("GET /in/{long} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"), 414),
        ("9 KiB of query", format!("GET /live?{long} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"), 414),
    ] {
        let answer = house.say(&request).await;
        assert_eq!(status(&answer), expected, "{name}: {answer}");
    }
}

#[tokio::test]
async fn a_body_has_a_size_and_is_not_compressed() {
    let house = House::open(config()).await;
    let limit = 64 << 10;
    let big = "x".repeat(limit + 1);
    let chunked = format!("{:x}\r\n{big}\r\n0\r\n\r\n", big.len());
    let fits = "x".repeat(limit);
    for (name, request, expected) in [
        ("one byte over", framed(&format!("content-length: {}\r\n", limit + 1), &big), 413),
        ("declared over and never sent", framed("content-length: 99999999999\r\n", ""), 413),
        ("one byte over in chunks", framed("transfer-encoding: chunked\r\n", &chunked), 413),
        ("as large as allowed", framed(&format!("connection: close\r\ncontent-length: {limit}\r\n"), &fits), 200),
        ("gzip", framed("content-encoding: gzip\r\ncontent-length: 3\r\n", "Ann"), 415),
        ("gzip twice", framed("content-encoding: gzip, gzip\r\ncontent-length: 3\r\n", "Ann"), 415),
        (
            "two encodings",
            framed("content-encoding: identity\r\ncontent-encoding: br\r\ncontent-length: 3\r\n", "Ann"),
            415,
        ),
        ("none", framed("content-encoding: identity\r\nconnection: close\r\ncontent-length: 3\r\n", "Ann"), 200),
    ] {
        let answer = house.say(&request).await;
        assert_eq!(status(&answer), expected, "{name}: {answer}");
    }
    assert_eq!(house.gateway.admission.bodies.used(), 0);
}

#[tokio::test]
async fn a_sender_who_is_refused_midway_is_not_reset_before_he_listens() {
    let house = House::open(config()).await;
    let mut stream = house.connect().await;
    stream.write_all(framed("content-length: 327680\r\n", "").as_bytes()).await.unwrap();
    for _ in 0..20 {
        stream.write_all(&[b'x'; 16 << 10]).await.expect("the rest of the body is taken and dropped");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(status(&hear(&mut stream).await), 413);
}

#[tokio::test]
async fn who_asks_before_sending_is_answered_before_sending() {
    let house = House::open(config()).await;
    let ask = |path: &str, lines: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: text/plain\r\nexpect: 100-continue\r\n{lines}\
             content-length: 3\r\n\r\n"
        )
    };
    for (name, request, expected) in [
        ("no proof", ask("/in/hook", ""), 401),
        ("no such channel", ask("/in/nobody", ""), 404),
        ("a wrong key", ask("/in/keyed.k3x", ""), 404),
        ("compressed", ask("/in/form", "content-encoding: gzip\r\n"), 415),
    ] {
        let answer = house.say(&request).await;
        assert_eq!(status(&answer), expected, "{name}: {answer}");
        assert!(!answer.contains("100 Continue"), "{name}: {answer}");
    }
    let mut stream = house.connect().await;
    stream.write_all(ask("/in/form", "connection: close\r\n").as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    stream.write_all(b"Ann").await.unwrap();
    let answer = hear(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK"), "{answer}");
}

/// Sends the parts with pauses between them; the answer and how long the connection lived.
async fn drip(house: &House, parts: &[&str], pause: u64) -> (String, Duration) {
    let mut stream = house.connect().await;
    let start = Instant::now();
    let (mut reader, mut writer) = stream.split();
    let write = async {
        for part in parts {
            if writer.write_all(part.as_bytes()).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        std::future::pending::<()>().await;
    };
    let answer = tokio::select! {
        answer = hear(&mut reader) => answer,
        () = write => unreachable!("it never ends"),
    };
    (answer, start.elapsed())
}

#[tokio::test]
async fn a_client_that_takes_its_time_is_let_go() {
    let house = House::open(config()).await;
    let body = framed("content-length: 60\r\n", "");
    let drops = ["x"; 60];
    let slow_body: Vec<&str> = std::iter::once(body.as_str()).chain(drops).collect();
    let slow_head: Vec<&str> = std::iter::once("POST /in/form HTTP/1.1\r\nx-a: ").chain(drops).collect();
    for (name, parts, expected, at_least, at_most) in [
        ("no byte", vec![], 0, 300, 1_200),
        ("half a head", vec!["POST /in/form HT"], 0, 300, 1_200),
        ("a head drop by drop", slow_head, 0, 300, 1_200),
        ("no body", vec![body.as_str()], 408, 400, 1_400),
        ("a body drop by drop", slow_body, 408, 400, 1_400),
    ] {
        let (answer, lived) = drip(&house, &parts, 50).await;
        assert_eq!(status(&answer), expected, "{name}: {answer}");
        let range = Duration::from_millis(at_least)..Duration::from_millis(at_most + 1_000);
        assert!(range.contains(&lived), "{name} lived {lived:?}");
    }
    assert_eq!(house.accepted("form"), 0, "nothing of a part is stored");
}

#[tokio::test]
async fn a_body_cut_short_is_not_stored() {
    let house = House::open(config()).await;
    let mut stream = house.connect().await;
    stream.write_all(framed("content-length: 60\r\n", "Ann").as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let answer = hear(&mut stream).await;
    assert!(matches!(status(&answer), 0 | 408), "{answer}");
    assert_eq!(house.accepted("form"), 0);
}

#[tokio::test]
async fn a_kept_connection_is_used_again_and_let_go_when_idle() {
    let house = House::open(config()).await;
    let mut stream = house.connect().await;
    let start = Instant::now();
    let request = framed("content-length: 3\r\n", "Ann");
    for _ in 0..3 {
        stream.write_all(request.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let answer = hear(&mut stream).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 3, "{answer}");
    let lived = start.elapsed();
    assert!((Duration::from_millis(1_800)..Duration::from_millis(3_500)).contains(&lived), "{lived:?}");
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let house = House::open(config()).await;
    let get = "GET /live HTTP/1.1\r\nhost: a\r\n\r\n";
    let all = format!(
        "{get}{}{get}GET /nothing HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        framed("content-length: 3\r\n", "Ann")
    );
    let answer = house.say(&all).await;
    let codes: Vec<&str> = answer.split("HTTP/1.1 ").skip(1).map(|one| &one[..3]).collect();
    assert_eq!(codes, ["200", "200", "200", "404"], "{answer}");
    assert_eq!(header(&answer, "cache-control"), Some("no-store"));
}
