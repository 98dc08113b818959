//! What does the engine say to Redis, byte for byte? Its connections are taped; the tape of the one that decides can be
//! played to an equal store, where every order gets the answer it got, even to the epoch of the claim.

use anyhow::{Context as _, Result, bail, ensure};
use async_trait::async_trait;
use ledger::Error;
use ledger::redis::{Dial, link};
use redis::RedisConnectionInfo;
use redis::aio::MultiplexedConnection;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader, ReadBuf};
use tokio::net::TcpStream;

/// What one connection wrote, cut where it read in between.
#[derive(Debug, Default)]
struct Tape {
    said: Vec<Vec<u8>>,
    answered: bool,
}

type SharedTape = Arc<Mutex<Tape>>;

/// Dials a server and tapes every connection.
#[derive(Debug)]
pub(crate) struct Recorder {
    to: SocketAddr,
    tapes: Mutex<Vec<SharedTape>>,
}

impl Recorder {
    pub(crate) fn new(to: SocketAddr) -> Self {
        Self { to, tapes: Mutex::default() }
    }

    /// The pipelines of the connection that decides, the one that watches, up to the last that published anything.
    pub(crate) fn decider(&self) -> Result<Vec<Order>> {
        let tapes = self.tapes.lock().unwrap_or_else(PoisonError::into_inner);
        for tape in tapes.iter() {
            let tape = tape.lock().unwrap_or_else(PoisonError::into_inner);
            let mut orders = orders(&tape.said)?;
            if orders.iter().any(|order| order.says(b"WATCH\r\n")) {
                let last = orders.iter().rposition(|order| order.says(b"XADD\r\n"));
                orders.truncate(last.context("the engine published nothing")? + 1);
                return Ok(orders);
            }
        }
        bail!("no connection watched anything")
    }
}

#[async_trait]
impl Dial for Recorder {
    async fn dial(&self, patience: Duration) -> ledger::Result<MultiplexedConnection> {
        let stream = TcpStream::connect(self.to).await.map_err(|_| Error::Away("connection refused"))?;
        stream.set_nodelay(true).map_err(|_| Error::Away("connection refused"))?;
        let tape = SharedTape::default();
        self.tapes.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&tape));
        let info = RedisConnectionInfo::default().set_skip_set_lib_name();
        let taped = Taped { stream, tape };
        let made = MultiplexedConnection::new_with_config(&info, taped, link::settings(patience)).await;
        let (connection, driver) = made.map_err(Error::from)?;
        tokio::spawn(driver);
        Ok(connection)
    }
}

/// A stream that keeps a copy of what is written.
struct Taped {
    stream: TcpStream,
    tape: SharedTape,
}

impl AsyncRead for Taped {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let before = to.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, to))?;
        if to.filled().len() > before {
            self.tape.lock().unwrap_or_else(PoisonError::into_inner).answered = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Taped {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<std::io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, from))?;
        let mut tape = self.tape.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut tape.answered) || tape.said.is_empty() {
            tape.said.push(Vec::new());
        }
        if let Some(last) = tape.said.last_mut() {
            last.extend_from_slice(&from[..written]);
        }
        drop(tape);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A pipeline: its bytes, and how many answers come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Order {
    bytes: Vec<u8>,
    answers: usize,
}

impl Order {
    fn says(&self, word: &[u8]) -> bool {
        self.bytes.windows(word.len()).any(|at| at == word)
    }
}

/// Answers may come while a large pipeline is still being written: a cut within a command or a transaction is none.
fn orders(said: &[Vec<u8>]) -> Result<Vec<Order>> {
    let mut orders = Vec::new();
    let mut bytes = Vec::new();
    for part in said {
        bytes.extend_from_slice(part);
        if let Some(answers) = whole(&bytes)? {
            orders.push(Order { bytes: std::mem::take(&mut bytes), answers });
        }
    }
    ensure!(bytes.is_empty(), "the tape ends within a command");
    Ok(orders)
}

/// How many commands these are; none when the last is not whole, or its transaction still open.
fn whole(bytes: &[u8]) -> Result<Option<usize>> {
    let (mut rest, mut commands, mut open) = (bytes, 0, false);
    while !rest.is_empty() {
        let Some((words, mut left)) = header(rest, b'*')? else { return Ok(None) };
        let mut first = None;
        for _ in 0..words {
            let Some((length, body)) = header(left, b'$')? else { return Ok(None) };
            let Some((word, after)) = body.split_at_checked(length + 2) else { return Ok(None) };
            first.get_or_insert(word);
            left = after;
        }
        open = (open || first == Some(b"MULTI\r\n")) && first != Some(b"EXEC\r\n");
        commands += 1;
        rest = left;
    }
    Ok((!open).then_some(commands))
}

/// The number of a line that begins with `kind`, and what follows the line.
fn header(bytes: &[u8], kind: u8) -> Result<Option<(usize, &[u8])>> {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
    ensure!(bytes[0] == kind, "this is no command of Redis");
    let number = std::str::from_utf8(&bytes[1..end])?.trim_end().parse()?;
    Ok(Some((number, &bytes[end + 1..])))
}

/// Plays the orders one after the other, each once the answers of the one before are here.
pub(crate) async fn play(to: SocketAddr, orders: &[Order]) -> Result<()> {
    let stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let mut stream = BufReader::with_capacity(1 << 16, stream);
    let mut line = Vec::new();
    for order in orders {
        stream.get_mut().write_all(&order.bytes).await?;
        for _ in 0..order.answers {
            skip(&mut stream, &mut line).await?;
        }
    }
    Ok(())
}

/// Reads one answer and forgets it, unless it says that something was not done.
async fn skip(from: &mut BufReader<TcpStream>, line: &mut Vec<u8>) -> Result<()> {
    let (mut left, mut outermost) = (1, true);
    while left > 0 {
        left -= 1;
        line.clear();
        from.read_until(b'\n', line).await?;
        let (kind, rest) = line.split_first().context("the server ended the connection")?;
        let number = || Ok::<i64, anyhow::Error>(std::str::from_utf8(rest)?.trim_end().parse()?);
        match kind {
            b'+' | b':' => {}
            b'*' => {
                let items = number()?;
                ensure!(items >= 0 || !outermost, "a transaction that was taped was aborted when it was played");
                left += items.max(0);
            }
            b'$' => forget(from, usize::try_from(number()? + 2).unwrap_or(0)).await?,
            _ => bail!("Redis refused what it had done before: {}", String::from_utf8_lossy(rest)),
        }
        outermost = false;
    }
    Ok(())
}

async fn forget(from: &mut BufReader<TcpStream>, mut bytes: usize) -> Result<()> {
    // -1 is the length of what is not there, and no line end follows it.
    if bytes == 1 {
        return Ok(());
    }
    while bytes > 0 {
        let here = from.fill_buf().await?.len().min(bytes);
        ensure!(here > 0, "the server ended the connection");
        from.consume(here);
        bytes -= here;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    fn said(parts: &[&str]) -> Vec<Vec<u8>> {
        parts.iter().map(|part| part.as_bytes().to_vec()).collect()
    }

    #[test]
    fn a_tape_is_cut_only_between_whole_pipelines() {
        let (get, multi) = ("*2\r\n$3\r\nGET\r\n$1\r\na\r\n", "*1\r\n$5\r\nMULTI\r\n");
        let exec = "*1\r\n$4\r\nEXEC\r\n";
        let cases: [(&[&str], &[usize]); 5] = [
            (&[get], &[1]),
            (&[get, &format!("{get}{get}")], &[1, 2]),
            (&[&get[..9], &get[9..]], &[1]),
            (&[multi, get, &format!("{exec}{get}"), get], &[4, 1]),
            (&[], &[]),
        ];
        for (parts, answers) in cases {
            let cut = orders(&said(parts)).unwrap();
            assert_eq!(cut.iter().map(|order| order.answers).collect::<Vec<_>>(), answers, "{parts:?}");
        }
        assert!(orders(&said(&[&get[..9]])).is_err() && orders(&said(&[multi])).is_err());
        assert!(orders(&said(&["hello\r\n"])).is_err());
    }

    #[tokio::test]
    async fn answers_are_counted_whatever_they_hold_and_a_refusal_ends_it() {
        let cases = [
            ("+OK\r\n:1\r\n", true),
            ("$-1\r\n$5\r\na\r\nb\n\r\n", true),
            ("*2\r\n$1\r\na\r\n*-1\r\n*2\r\n:1\r\n$-1\r\n", true),
            ("*-1\r\n+OK\r\n", false),
            ("+OK\r\n-ERR no\r\n", false),
            ("+OK\r\n", false),
        ];
        for (answers, good) in cases {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let to = listener.local_addr().unwrap();
            tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut heard = [0; 4];
                stream.read_exact(&mut heard).await.unwrap();
                stream.write_all(answers.as_bytes()).await.unwrap();
            });
            let order = Order { bytes: b"both".to_vec(), answers: 2 };
            assert_eq!(play(to, &[order]).await.is_ok(), good, "{answers}");
        }
    }
}
