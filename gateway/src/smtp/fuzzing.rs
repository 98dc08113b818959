//! How does `tests/fuzz` play a mail server that says anything at all? It has a session as every client has one, over a
//! wire of its own.

use super::session::Protocol;
use super::talk::Talk;
use super::{Place, Server};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

/// Serves one connection to its end.
#[doc(hidden)]
pub async fn session(
    server: &Arc<Server>,
    protocol: Protocol,
    io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) {
    let place = Place::new(server, protocol, CancellationToken::new());
    Talk::new(Box::new(io), Arc::clone(server), place, None).run().await;
}
