//! How does the desk change anything? It does not: it journals an entry, like any knock, and the engine decides.

use super::auth::Seat;
use super::error::Result;
use super::{Desk, ask};
use axum::response::Response;
use http::StatusCode;
use lead::entry::{Command, Entry, Order, Signal};
use lead::ids::{ChannelId, Uid, WorkspaceId};
use lead::time::At;
use ledger::journal::Row;

/// The channel of commands and the source of all that the desk journals.
pub(super) const NAME: &str = "desk";

/// A drawn id: neighbours in time are neighbours in the store.
pub(super) fn fresh(now: At) -> Uid {
    let millis = u64::try_from(now.millis()).unwrap_or(0);
    let drawn = uuid::Builder::from_unix_timestamp_millis(millis, &rand::random()).into_uuid();
    Uid::from_bytes(drawn.into_bytes())
}

/// An entry of the desk without the bytes of a request.
pub(super) fn row(workspace: &WorkspaceId, channel: &ChannelId, at: At, uid: Uid, signal: Signal) -> Row {
    let entry = Entry {
        uid,
        workspace: workspace.clone(),
        channel: channel.clone(),
        received_at: at,
        source: NAME.to_owned(),
        synthetic: None,
        same: None,
        signal,
    };
    Row { entry, raw: None }
}

pub(super) fn command(workspace: &WorkspaceId, by: &str, at: At, order: Order) -> Row {
    let signal = Signal::Command(Box::new(Command { by: by.to_owned(), order }));
    row(workspace, &ChannelId::new(NAME), at, fresh(at), signal)
}

/// Journals one order of a caller and answers 202 with its id.
pub(super) async fn give<N>(seat: &Seat<N>, order: Order) -> Result<Response> {
    let row = command(seat.workspace(), &seat.caller.name, seat.desk.now.now(), order);
    accept(&seat.desk, row).await
}

/// 202 once the row is on disk.
pub(super) async fn accept(desk: &Desk, row: Row) -> Result<Response> {
    let uid = row.entry.uid;
    desk.journal.append(vec![row]).await?;
    ask::json(StatusCode::ACCEPTED, &serde_json::json!({ "id": uid }))
}
