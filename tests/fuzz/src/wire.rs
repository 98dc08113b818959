//! What is at the other end of a connection? Bytes that come in pieces, and nobody who hears the answers.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Ends a piece, so that whoever chooses the bytes chooses the cuts of the network, too. UTF-8 does not know it.
pub(crate) const CUT: u8 = 0xfe;

/// A far side that says its pieces one by one, whatever it hears, and hangs up.
#[derive(Debug)]
pub(crate) struct Wire {
    pieces: VecDeque<Vec<u8>>,
}

impl Wire {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let pieces = bytes.split(|byte| *byte == CUT).filter(|piece| !piece.is_empty());
        Self { pieces: pieces.map(<[u8]>::to_vec).collect() }
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(mut piece) = self.pieces.pop_front() {
            let rest = piece.split_off(piece.len().min(room.remaining()));
            room.put_slice(&piece);
            if !rest.is_empty() {
                self.pieces.push_front(rest);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
