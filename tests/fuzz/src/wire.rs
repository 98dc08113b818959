//! What is at the other end of a connection? Bytes that come in pieces, and nobody who hears the answers.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Ends a piece, so that whoever chooses the bytes chooses the cuts of the network, too. UTF-8 does not know it.
pub(crate) const CUT: u8 = 0xfe;

/// How often a far side that has said everything looks whether it was answered.
const PATIENCE: u8 = 64;

/// A far side that says its pieces one by one, whatever it hears, and hangs up.
pub(crate) struct Wire {
    pieces: VecDeque<Vec<u8>>,
    /// Whether the near side waits for nobody else.
    is_idle: Box<dyn Fn() -> bool + Send>,
    patience: u8,
    /// What it was told.
    pub(crate) heard: Arc<Mutex<Vec<u8>>>,
}

impl Wire {
    /// One that hangs up at once.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self { patience: 0, ..Self::that_waits(bytes, || true) }
    }

    /// One that hangs up when it was answered.
    pub(crate) fn that_waits(bytes: &[u8], is_idle: impl Fn() -> bool + Send + 'static) -> Self {
        let pieces = bytes.split(|byte| *byte == CUT).filter(|piece| !piece.is_empty());
        let pieces = pieces.map(<[u8]>::to_vec).collect();
        Self { pieces, is_idle: Box::new(is_idle), patience: PATIENCE, heard: Arc::default() }
    }

    fn hangs_up(&mut self) -> bool {
        if !(self.is_idle)() {
            return false;
        }
        let over = self.patience == 0;
        self.patience = self.patience.saturating_sub(1);
        over
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Some(mut piece) = self.pieces.pop_front() else {
            if self.hangs_up() {
                return Poll::Ready(Ok(()));
            }
            cx.waker().wake_by_ref();
            return Poll::Pending;
        };
        let rest = piece.split_off(piece.len().min(room.remaining()));
        room.put_slice(&piece);
        if !rest.is_empty() {
            self.pieces.push_front(rest);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
