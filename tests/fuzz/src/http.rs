//! What does the entrance promise of any client? An answer that is no fault of ours, and nothing held when he has gone.
//! What is stored came over the wire.

use crate::house::{House, runtime};
use crate::recorded;
use crate::wire::Wire;
use gateway::channel::Channel;
use gateway::public::fuzzing::connection;
use gateway::sources::Source;
use std::cell::RefCell;
use std::sync::{Arc, PoisonError};
use tokio::runtime::Runtime;

/// Sources whose channels are there, under their own names; none that would fetch something.
pub(crate) const SOURCES: [&str; 12] = [
    "form",
    "twilio",
    "telegram",
    "mail",
    "tilda",
    "call",
    "chat",
    "webflow",
    "google_ads",
    "vk",
    "freeswitch",
    "sendgrid",
];

/// A gateway with a channel of many a source.
pub(crate) struct Entrance {
    runtime: Runtime,
    house: RefCell<House>,
}

fn open() -> House {
    let channel = |name: &&'static str| -> (&'static Source, Channel) {
        let url = format!("https://leads.example.com/in/{name}");
        (recorded::the(name), Channel { id: (*name).into(), url, ..recorded::channel(name) })
    };
    House::open(&SOURCES.iter().map(channel).collect::<Vec<_>>())
}

impl Entrance {
    pub(crate) fn new() -> Self {
        Self { runtime: runtime(), house: RefCell::new(open()) }
    }

    pub(crate) fn play(&self, bytes: &[u8]) {
        let mut house = self.house.borrow_mut();
        let gateway = Arc::clone(&house.gateway);
        let wire = Wire::that_waits(bytes, move || gateway.journal.waiting() == 0);
        let heard = Arc::clone(&wire.heard);
        self.runtime.block_on(connection(&house.gateway, wire));
        let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(heard.is_empty() || heard.starts_with(b"HTTP/1."), "this is no answer");
        assert!(!String::from_utf8_lossy(&heard).contains("HTTP/1.1 500 "), "we say that we are broken");
        house.assert_empty();
        for raw in house.new_rows() {
            assert!(raw.len() <= bytes.len(), "more was stored than was sent");
        }
        if house.is_full() {
            *house = open();
        }
    }
}

/// A recorded request as it travels.
pub(crate) fn on_the_wire(source: &str, raw: &[u8]) -> Option<Vec<u8>> {
    let end = raw.windows(2).position(|pair| pair == b"\n\n")?;
    let (head, body) = (std::str::from_utf8(&raw[..end]).ok()?, &raw[end + 2..]);
    let (first, headers) = head.split_once('\n').unwrap_or((head, ""));
    let (method, target) = first.split_once(" /in/")?;
    let below = target.find(['/', '?', ' ']).map_or("", |at| &target[at..]);
    let lines = headers.lines().filter(|line| !line.to_ascii_lowercase().starts_with("content-length"));
    let lines: String = lines.map(|line| format!("{line}\r\n")).collect();
    let head = format!("{method} /in/{source}{below}\r\nhost: a\r\n{lines}content-length: {}\r\n\r\n", body.len());
    Some([head.as_bytes(), body].concat())
}
