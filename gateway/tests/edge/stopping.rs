//! Does a stop, or a client that leaves, lose nothing?

use crate::house::{House, config, header, hear, limits, post, status};
use gateway::config::{Config, Limits};
use lead::units::Span;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_stop_finishes_what_runs_and_takes_nothing_new() {
    let mut house = House::open(config()).await;
    let mut running = house.connect().await;
    running.write_all(&post("/in/form", "", "slow")).await.unwrap();
    let mut idle = house.connect().await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let start = Instant::now();
    house.stop.cancel();
    assert_eq!(status(&hear(&mut running).await), 200);
    assert_eq!(hear(&mut idle).await, "");
    (&mut house.running).await.unwrap();
    assert!(start.elapsed() < Duration::from_millis(1_900), "{:?}", start.elapsed());
    assert_eq!(house.accepted("form"), 1);
    assert!(TcpStream::connect(house.address).await.is_err(), "the port is given back");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever_for_a_slow_client() {
    let span = |text| Span::parse(text).unwrap();
    let limits = Limits {
        drain_time: span("300ms"),
        body_time: span("1h"),
        body_grace: span("1h"),
        request_time: span("1h"),
        ..limits()
    };
    let mut house = House::open(Config { limits, ..config() }).await;
    let mut stream = house.connect().await;
    let request = post("/in/form", "", "never whole");
    stream.write_all(&request[..request.len() - 1]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    house.stop.cancel();
    tokio::time::timeout(Duration::from_secs(3), &mut house.running).await.expect("the drain time ends").unwrap();
    assert_eq!(house.accepted("form"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_knock_is_stored_although_the_client_hangs_up() {
    let house = House::open(config()).await;
    let mut stream = house.connect().await;
    stream.write_all(&post("/in/form", "", "slow")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(stream);
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!((house.accepted("form"), house.rows().len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn an_answer_that_is_late_is_503_and_the_knock_is_stored_all_the_same() {
    let limits = Limits { request_time: Span::parse("150ms").unwrap(), ..limits() };
    let house = House::open(Config { limits, ..config() }).await;
    let answer = house.post("/in/form", "", "slow").await;
    assert_eq!((status(&answer), header(&answer, "retry-after").is_some()), (503, true), "{answer}");
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!((house.accepted("form"), house.refused("", "late")), (1, 1));
}
