//! What does the entrance for mails promise of any client? What it stores below its own lines is what was sent: dots
//! taken off by RFC 5321 4.5.2 and nothing else, an end that is CR LF `.` CR LF and nothing else. The first byte says SMTP or LMTP.

use crate::house::House;
use crate::wire::{CUT, Wire};
use gateway::channel::Channel;
use gateway::smtp::session::Protocol;
use gateway::smtp::{self, Server, fuzzing};
use gateway::sources::mail;
use std::cell::RefCell;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// A gateway with one mailbox, `sales@company.example`.
pub(crate) struct Post {
    runtime: Runtime,
    open: RefCell<(House, Arc<Server>)>,
}

fn open() -> (House, Arc<Server>) {
    let channel = Channel::new("sales".into(), "demo".into(), "mail");
    let house =
        House::open(&[(&mail::SOURCE, Channel { address: Some("sales@company.example".to_owned()), ..channel })]);
    let server = Server::new(Arc::clone(&house.gateway), smtp::Config::default()).expect("no certificates to read");
    (house, Arc::new(server))
}

impl Post {
    pub(crate) fn new() -> Self {
        Self { runtime: crate::house::runtime(), open: RefCell::new(open()) }
    }

    pub(crate) fn play(&self, bytes: &[u8]) {
        let Some((kind, stream)) = bytes.split_first() else { return };
        let protocol = if kind & 1 == 0 { Protocol::Smtp } else { Protocol::Lmtp };
        let (house, server) = &mut *self.open.borrow_mut();
        self.runtime.block_on(fuzzing::session(server, protocol, Wire::new(stream)));
        let sent: Vec<u8> = stream.iter().copied().filter(|byte| *byte != CUT).collect();
        for raw in house.new_rows() {
            let mail = without_our_lines(&raw);
            assert!(was_sent(&sent, mail), "what was stored was not sent: {:?}", String::from_utf8_lossy(mail));
        }
        house.assert_empty();
        if house.is_full() {
            (*house, *server) = open();
        }
    }
}

/// Above the mail stand `Return-Path` and a `Received` of two or three lines, of which only the last ends with the hour.
fn without_our_lines(raw: &[u8]) -> &[u8] {
    let mut lines = raw.split_inclusive(|byte| *byte == b'\n');
    let (path, from) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    assert!(path.starts_with(b"Return-Path: <") && path.ends_with(b">\r\n") && from.starts_with(b"Received: from "));
    let mut ours = path.len() + from.len();
    for line in lines {
        ours += line.len();
        if line.ends_with(b" +0000\r\n") {
            return &raw[ours..];
        }
    }
    panic!("our own lines have no hour");
}

/// Whether the mail is what RFC 5321 makes of the lines behind one of the lines `DATA`.
fn was_sent(sent: &[u8], mail: &[u8]) -> bool {
    let ends = sent.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    let after_data = |start: &usize| {
        let line = sent[..start - 1].rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        line.trim_ascii().eq_ignore_ascii_case(b"DATA")
    };
    ends.filter(after_data).any(|start| plain(&sent[start..]).as_deref() == Some(mail))
}

/// RFC 5321 4.5.2 as plainly as it can be said; none where a mail does not end or holds a line feed alone.
fn plain(mut sent: &[u8]) -> Option<Vec<u8>> {
    let mut mail = Vec::new();
    loop {
        let end = sent.windows(2).position(|pair| pair == b"\r\n")?;
        let line = &sent[..end];
        if line == b"." {
            return Some(mail);
        }
        if line.contains(&b'\n') {
            return None;
        }
        mail.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        mail.extend_from_slice(b"\r\n");
        sent = &sent[end + 2..];
    }
}
