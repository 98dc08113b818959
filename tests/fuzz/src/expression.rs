//! What is promised of an expression in a channel's `fields`, over any payload? It computes within its fuel or fails;
//! the touch is there either way. The first line is the expression, the rest a body.

use crate::recorded;
use gateway::sources::{expression, form};

pub(crate) fn play(bytes: &[u8]) {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return };
    let written = format!("= {}", String::from_utf8_lossy(&bytes[..end]));
    if expression::check(&written).is_err() {
        return;
    }
    let body = &bytes[end + 1..];
    let kind = if body.starts_with(b"{") { "application/json" } else { "application/x-www-form-urlencoded" };
    let head = format!("POST /in/spring HTTP/1.1\nContent-Type: {kind}\n\n");
    let Some(mut request) = recorded::parse(head.as_bytes()) else { return };
    request.body = bytes::Bytes::copy_from_slice(body);
    let mut channel = recorded::channel("form");
    channel.fields =
        [("name", written.clone()), ("budget", written)].map(|(ours, said)| (ours.to_owned(), said)).into();
    let _ = (form::SOURCE.read)(&request, &channel);
}
