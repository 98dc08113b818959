//! Does a stop lose no mail and keep nobody waiting?

use crate::house::{House, code, config, limits, mail, span};
use gateway::config::Limits;
use ledger::journal::Bounds;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::time::timeout;

const SALES: &str = "sales@company.example";

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_stop_lets_a_mail_finish_and_sends_the_idle_away() {
    let mut house = House::open().await;
    let mut running = house.connect().await;
    running.open("EHLO", &[SALES]).await;
    running.send(mail("1", "the first half")).await;
    let mut idle = house.connect().await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let start = Instant::now();
    house.stop.cancel();
    assert_eq!(idle.hear().await, "421 4.3.2 this server stops, come back\r\n");
    running.send("the second half\r\n.\r\n").await;
    assert_eq!(code(&running.hear().await), 250);
    assert_eq!(code(&running.hear().await), 421, "the next mail goes to whoever comes after us");
    drop((running, idle));
    (&mut house.running).await.unwrap();
    assert!(start.elapsed() < Duration::from_millis(1_400), "{:?}", start.elapsed());
    assert_eq!(house.rows().len(), 1);
    assert!(TcpStream::connect(house.smtp).await.is_err(), "the port is given back");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever_for_a_slow_mail() {
    let limits = Limits { drain_time: span(300), ..limits() };
    let mut house = House::with(limits, config(), Bounds::default()).await;
    let mut slow = house.connect().await;
    slow.open("EHLO", &[SALES]).await;
    slow.send("From: a@x.example\r\n").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    house.stop.cancel();
    timeout(Duration::from_secs(2), &mut house.running).await.expect("the drain time ends").unwrap();
    assert!(slow.is_over().await);
    assert_eq!((house.rows().len(), house.held()), (0, 0));
}
