//! Through the real accept loop, over TCP.

use crate::house::House;
use gateway::config::Limits;
use gateway::metrics::Metrics;
use gateway::{desk, server};
use lead::units::Span;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

struct Served {
    address: SocketAddr,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

fn serve(house: &House) -> Served {
    let listener = server::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.local_addr().unwrap();
    let limits = Limits { drain_time: Span(Duration::from_secs(5)), ..Limits::default() };
    let (stop, metrics) = (CancellationToken::new(), Metrics::new(&prometheus::Registry::new()));
    let running = tokio::spawn(desk::run(listener, Arc::clone(&house.desk), limits, metrics, stop.clone()));
    Served { address, stop, running }
}

async fn say(address: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

async fn rest(mut stream: TcpStream) -> String {
    let mut heard = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut heard)).await;
    read.expect("it ends in time").unwrap();
    String::from_utf8(heard).unwrap()
}

fn get(path: &str, lines: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{lines}connection: close\r\n\r\n")
}

#[tokio::test]
async fn a_caller_on_this_machine_is_known_by_his_address() {
    let house = House::open();
    let served = serve(&house);
    let heard = rest(say(served.address, &get("/v1/workspaces", "")).await).await;
    assert!(heard.starts_with("HTTP/1.1 200 OK") && heard.contains(r#""id":"demo""#), "{heard}");
    let heard = rest(say(served.address, &get("/v1/workspaces", "").replace("localhost", "evil.example")).await).await;
    assert!(heard.starts_with("HTTP/1.1 421"), "{heard}");
}

#[tokio::test]
async fn an_order_is_carried_out_though_the_caller_hangs_up() {
    let house = House::open();
    let served = serve(&house);
    let body = r#"{"present": false}"#;
    for _ in 0..20 {
        let text = format!(
            "POST /v1/workspaces/demo/people/ivan/presence HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        drop(say(served.address, &text).await);
    }
    let all = async {
        while house.journalled().len() < 20 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), all).await.expect("every order is journalled");
    served.stop.cancel();
    served.running.await.unwrap();
    assert_eq!(house.journalled().len(), 20);
}

#[tokio::test]
async fn stopping_ends_streams_and_those_who_wait_at_once() {
    let house = House::open();
    let served = serve(&house);
    let mut stream = say(served.address, &get("/v1/workspaces/demo/events", "accept: text/event-stream\r\n")).await;
    let waiting = say(served.address, &get("/v1/workspaces/demo/events?wait=60s", "")).await;
    let mut head = [0; 15];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    tokio::time::sleep(Duration::from_millis(100)).await;
    let begun = Instant::now();
    served.stop.cancel();
    let (stream, waiting) = tokio::join!(rest(stream), rest(waiting));
    assert!(stream.ends_with("0\r\n\r\n"), "it ends whole: {stream}");
    assert!(waiting.starts_with("HTTP/1.1 200 OK"), "{waiting}");
    served.running.await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn a_body_that_never_ends_is_given_up() {
    let house =
        House::with(Vec::new(), desk::Limits { body_time: Duration::from_millis(200), ..desk::Limits::default() });
    let served = serve(&house);
    let head = "POST /v1/workspaces/demo/people/ivan/presence HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 18\r\n\r\n{";
    let heard = rest(say(served.address, head).await).await;
    assert!(heard.starts_with("HTTP/1.1 408"), "{heard}");
}
