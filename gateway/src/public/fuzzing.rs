//! How does `tests/fuzz` play a client that says anything at all? It has a connection as every client has one, over a
//! wire of its own.

use super::Public;
use crate::server::exchange;
use crate::state::Gateway;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

/// Serves one connection to its end, and its requests to theirs.
#[doc(hidden)]
pub async fn connection(gateway: &Arc<Gateway>, io: impl AsyncRead + AsyncWrite + Unpin) {
    let service = Public { gateway: Arc::clone(gateway), peer: IpAddr::V4(Ipv4Addr::LOCALHOST) };
    exchange(io, &gateway.config.limits, service, &CancellationToken::new()).await;
    while !gateway.tasks.is_empty() {
        tokio::task::yield_now().await;
    }
}
