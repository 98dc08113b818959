//! What is happening now? The clean stream as server-sent events: `id` is the cursor, so a reader that comes back
//! with `Last-Event-ID` misses nothing. It ends when the desk stops or the workspace is gone.

use super::Desk;
use super::auth::{Reading, Seat};
use super::cursor::{self, List};
use super::error::{Kind, Result};
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::header::{CONTENT_TYPE, HeaderValue};
use lead::ids::WorkspaceId;
use ledger::{Position, Published};
use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// Events of one round: a reader that is far behind is served in bites.
const BITE: usize = 64;

struct Reader {
    desk: Arc<Desk>,
    workspace: WorkspaceId,
    from: Position,
    _place: OwnedSemaphorePermit,
}

pub(super) fn stream(seat: Seat<Reading>, from: Position) -> Result<Response> {
    let place = Arc::clone(&seat.desk.bounds.streams).try_acquire_owned().map_err(|_| Kind::Busy)?;
    let workspace = seat.workspace().clone();
    let reader = Reader { desk: seat.desk, workspace, from, _place: place };
    let hello = stream::once(async { Bytes::from_static(b"retry: 2000\n: open\n\n") });
    let chunks = hello.chain(stream::unfold(reader, Reader::next)).map(Ok::<_, Infallible>);
    let mut response = Response::new(Body::from_stream(chunks));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    Ok(response)
}

impl Reader {
    /// The next events, or a sign of life after a while without any.
    async fn next(mut self) -> Option<(Bytes, Self)> {
        if self.desk.stop.is_cancelled() || !self.desk.workspaces.load().contains_key(&self.workspace) {
            return None;
        }
        let found = tokio::select! {
            found = self.desk.ledger.events(&self.workspace, self.from, BITE, self.desk.limits.keep_alive) => found,
            () = self.desk.stop.cancelled() => return None,
        };
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(name: "desk.stream_ended", workspace = %self.workspace, error = %error, "an event stream ended");
                return None;
            }
        };
        let Some(last) = found.last() else { return Some((Bytes::from_static(b": alive\n\n"), self)) };
        self.from = last.position;
        let mut text = String::new();
        for event in &found {
            frame(&mut text, &cursor::position(List::Events, &self.workspace, event.position), event);
        }
        Some((Bytes::from(text), self))
    }
}

fn frame(text: &mut String, id: &str, event: &Published) {
    let _ = write!(text, "id: {id}\nevent: {}\n", event.kind);
    for line in event.json.lines() {
        let _ = writeln!(text, "data: {line}");
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_over_several_lines_stays_one_event() {
        let event = Published {
            position: Position(1),
            id: "e".into(),
            kind: "lead.created".into(),
            subject: "l".into(),
            json: "{\n\"a\":1}".into(),
        };
        let mut text = String::new();
        frame(&mut text, "c1", &event);
        assert_eq!(text, "id: c1\nevent: lead.created\ndata: {\ndata: \"a\":1}\n\n");
    }
}
