//! How long may a connection be silent, and may it contradict itself? A stream wrapper under hyper with deadlines for
//! each phase of a request.
//!
//! hyper has one timer, which counts idle time as head time, and none for answers that nobody takes. It also resolves
//! a head with both `Content-Length` and `Transfer-Encoding` silently; here such a head is spoiled before hyper sees
//! its end, so it is answered 400 and the connection is closed.

pub mod framing;

use crate::config::Limits;
use framing::{Framing, Phase};
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// A connection's stream.
#[derive(Debug)]
pub struct Wire<I> {
    io: I,
    framing: Framing,
    seen: (Phase, u64),
    times: Times,
    read: Pin<Box<Sleep>>,
    write: Option<Pin<Box<Sleep>>>,
    busy: Busy,
}

/// Set while a request is being answered: a silent client is then waiting for us.
pub type Busy = Arc<AtomicBool>;

#[derive(Copy, Clone, Debug)]
struct Times {
    head: Duration,
    /// Longer than any handler takes: it ends bodies that nobody waits for any more.
    body: Duration,
    idle: Duration,
    write: Duration,
}

impl<I> Wire<I> {
    /// The first byte is due as soon as a head would be.
    pub fn new(io: I, limits: &Limits, busy: Busy) -> Self {
        let times = Times {
            head: limits.head_time.0,
            body: limits.request_time.0 + limits.head_time.0,
            idle: limits.idle_time.0,
            write: limits.write_time.0,
        };
        let framing = Framing::default();
        Self { io, seen: framing.position(), framing, times, read: Box::pin(sleep(times.head)), write: None, busy }
    }

    fn moved(&mut self) {
        let position = self.framing.position();
        if position != self.seen {
            self.seen = position;
            self.restart_read();
        }
    }

    fn restart_read(&mut self) {
        let span = match self.seen.0 {
            Phase::Quiet => self.times.idle,
            Phase::Head => self.times.head,
            Phase::Body => self.times.body,
        };
        self.read.as_mut().reset(Instant::now() + span);
    }

    /// Pending until the read deadline, which does not run while we owe an answer.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.read.as_mut().poll(cx));
        if self.seen.0 == Phase::Quiet && self.busy.load(Ordering::Acquire) {
            self.restart_read();
            ready!(self.read.as_mut().poll(cx));
        }
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Passes a finished write on and puts a deadline on a stuck one.
    fn watch_write<T>(&mut self, result: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if let Poll::Ready(done) = result {
            self.write = None;
            if self.seen.0 == Phase::Quiet {
                self.restart_read();
            }
            return Poll::Ready(done);
        }
        let stuck = self.write.get_or_insert_with(|| Box::pin(sleep(self.times.write)));
        ready!(stuck.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

/// The kind of the stream's error under hyper's wrapping.
pub fn io_kind(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    let mut causes = std::iter::successors(Some(error), |one: &&(dyn Error + 'static)| (*one).source());
    causes.find_map(|one| one.downcast_ref::<io::Error>().map(io::Error::kind))
}

impl<I: AsyncRead + Unpin> AsyncRead for Wire<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match Pin::new(&mut self.io).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => {
                self.framing.see(&mut buf.filled_mut()[before..]);
                self.moved();
                Poll::Ready(Ok(()))
            }
            Poll::Ready(failed) => Poll::Ready(failed),
            Poll::Pending => self.poll_silence(cx),
        }
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Wire<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        self.watch_write(written, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        if self.write.is_none() && flushed.is_ready() {
            return flushed;
        }
        self.watch_write(flushed, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = Pin::new(&mut self.io).poll_shutdown(cx);
        self.watch_write(closed, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.watch_write(written, cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    async fn after(wire: &mut (impl AsyncRead + Unpin)) -> (Option<io::ErrorKind>, u64) {
        let start = Instant::now();
        let mut heard = [0; 64];
        let result = loop {
            match wire.read(&mut heard).await {
                Ok(0) => break None,
                Ok(_) => {}
                Err(error) => break Some(error.kind()),
            }
        };
        (result, start.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn each_phase_has_a_deadline_of_its_own() {
        for (sent, expected) in [
            ("", 5),
            ("GET /", 5),
            ("GET / HTTP/1.1\r\n\r\n", 30),
            ("POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\nhalf", 20),
        ] {
            let (mut client, server) = duplex(1 << 10);
            client.write_all(sent.as_bytes()).await.unwrap();
            let mut wire = Wire::new(server, &Limits::default(), Busy::default());
            assert_eq!(after(&mut wire).await, (Some(io::ErrorKind::TimedOut), expected), "{sent:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_waits_for_us_is_not_idle() {
        let (mut client, server) = duplex(1 << 10);
        client.write_all(b"GET /v1/events?wait=100s HTTP/1.1\r\n\r\n").await.unwrap();
        let busy = Busy::default();
        busy.store(true, Ordering::Release);
        let mut wire = Wire::new(server, &Limits::default(), Arc::clone(&busy));
        let done = async {
            tokio::time::sleep(Duration::from_secs(100)).await;
            busy.store(false, Ordering::Release);
            std::future::pending::<()>().await;
        };
        let ended = tokio::select! { ended = after(&mut wire) => ended, () = done => unreachable!("it never ends") };
        assert_eq!(ended, (Some(io::ErrorKind::TimedOut), 120));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_takes_is_given_up() {
        let (_client, server) = duplex(16);
        let mut wire = Wire::new(server, &Limits::default(), Busy::default());
        let start = Instant::now();
        let error = wire.write_all(&[0; 100]).await.unwrap_err();
        assert_eq!((error.kind(), start.elapsed().as_secs()), (io::ErrorKind::TimedOut, 30));
    }
}
