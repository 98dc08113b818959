//! What is under test? A gateway with two mailboxes, `sales` and `service`, a paused one and one that two channels have.

use gateway::Gateway;
use gateway::channel::Channel;
use gateway::channels::{ChannelTable, Entrance, State};
use gateway::clock::Clock;
use gateway::config::{Config, Limits};
use gateway::metrics::Metrics;
use gateway::smtp::session::Protocol;
use gateway::smtp::{self, Listen, Listener, Server};
use gateway::sources::mail;
use lead::identity::Pepper;
use lead::ids::WorkspaceId;
use lead::units::{Size, Span};
use ledger::journal::{Bounds, Journal, Stored};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

fn entrance(id: &str, address: &str, state: State) -> Entrance {
    let channel = Channel::new(id.into(), "demo".into(), "mail");
    Entrance { channel: Channel { address: Some(address.to_owned()), ..channel }, source: &mail::SOURCE, state }
}

fn table() -> ChannelTable {
    let entrances = [
        entrance("sales", "sales@company.example", State::Open),
        entrance("service", "Service@Company.example", State::Open),
        entrance("closed", "closed@company.example", State::Paused),
        entrance("one", "both@company.example", State::Open),
        entrance("two", "both@company.example", State::Open),
        entrance("master", "hostmaster@company.example", State::Open),
    ];
    ChannelTable::new(entrances, [])
}

pub fn span(millis: u64) -> Span {
    Span(Duration::from_millis(millis))
}

/// The product's limits, with a drain time that a test can wait for, and small mails.
pub fn limits() -> Limits {
    Limits { mail: Size(100_000), drain_time: span(1_500), ..Limits::default() }
}

pub fn config() -> smtp::Config {
    smtp::Config {
        host: "mx.leads.example".into(),
        command_time: span(3_000),
        mail_time: span(3_000),
        ..Default::default()
    }
}

/// A gateway that mail servers reach over SMTP and LMTP; stopped when dropped.
pub struct House {
    pub smtp: SocketAddr,
    pub lmtp: SocketAddr,
    pub gateway: Arc<Gateway>,
    pub stop: CancellationToken,
    pub running: JoinHandle<()>,
    pub data: TempDir,
}

impl House {
    pub async fn open() -> Self {
        Self::with(limits(), config(), Bounds::default()).await
    }

    pub async fn with(limits: Limits, config: smtp::Config, bounds: Bounds) -> Self {
        let anywhere = Listen::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)));
        let listeners = [Protocol::Smtp, Protocol::Lmtp].map(|one| (one, Listener::bind(&anywhere).unwrap()));
        let [smtp, lmtp] = [0, 1].map(|at: usize| listeners[at].1.local_addr().unwrap());
        let public = Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            public_url: "https://leads.example".into(),
            trusted_proxies: Vec::new(),
            hosts: Vec::new(),
            tls: None,
            limits,
        };
        let data = TempDir::new().unwrap();
        let journal = Journal::open(data.path(), bounds).unwrap();
        let metrics = Metrics::new(&prometheus::Registry::new());
        let gateway =
            Arc::new(Gateway::new(public, table(), journal, metrics, Pepper::new(b"pepper"), Clock::default()));
        let stop = CancellationToken::new();
        let server = Server::new(Arc::clone(&gateway), config).unwrap();
        let running = tokio::spawn(server.run(listeners.into(), stop.clone()));
        Self { smtp, lmtp, gateway, stop, running, data }
    }

    pub async fn connect(&self) -> Client<TcpStream> {
        Client::new(TcpStream::connect(self.smtp).await.unwrap()).await
    }

    pub async fn connect_lmtp(&self) -> Client<TcpStream> {
        Client::new(TcpStream::connect(self.lmtp).await.unwrap()).await
    }

    /// What is on disk.
    pub fn rows(&self) -> Vec<Stored> {
        self.gateway.journal.reader().unwrap().after(&WorkspaceId::new("demo"), 0, 1_000).unwrap()
    }

    pub fn raw(&self, row: &Stored) -> String {
        let raw = self.gateway.journal.reader().unwrap().raw(row.seq).unwrap().unwrap();
        String::from_utf8(raw).unwrap()
    }

    pub fn accepted(&self, channel: &str) -> u64 {
        self.gateway.metrics.accepted.with_label_values(&["demo", channel]).get()
    }

    pub fn refused(&self, channel: &str, reason: &str) -> u64 {
        self.gateway.metrics.refused.with_label_values(&[channel, reason]).get()
    }

    /// Bytes of mails in memory.
    pub fn held(&self) -> usize {
        self.gateway.admission.bodies.used()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A mail server that says exactly what it is told to.
pub struct Client<I> {
    pub io: BufReader<I>,
}

impl<I: AsyncRead + AsyncWrite + Unpin> Client<I> {
    pub async fn new(io: I) -> Self {
        let mut client = Self { io: BufReader::new(io) };
        assert_eq!(code(&client.hear().await), 220);
        client
    }

    /// The next answer, all its lines; nothing when the far side has closed.
    pub async fn hear(&mut self) -> String {
        let mut answer = String::new();
        loop {
            let before = answer.len();
            let read = timeout(Duration::from_secs(10), self.io.read_line(&mut answer)).await;
            if read.expect("an answer in time").unwrap_or(0) == 0 || answer.as_bytes().get(before + 3) == Some(&b' ') {
                return answer;
            }
        }
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.io.write_all(bytes.as_ref()).await.unwrap();
        self.io.flush().await.unwrap();
    }

    pub async fn say(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n")).await;
        self.hear().await
    }

    /// Everything up to the dot: hello, envelope, DATA.
    pub async fn open(&mut self, hello: &str, to: &[&str]) {
        self.say(&format!("{hello} client.example")).await;
        assert_eq!(code(&self.say("MAIL FROM:<anna@customer.example>").await), 250);
        for one in to {
            assert_eq!(code(&self.say(&format!("RCPT TO:<{one}>")).await), 250, "{one}");
        }
        assert_eq!(code(&self.say("DATA").await), 354);
    }

    /// A whole mail over SMTP; the answer to it.
    pub async fn deliver(&mut self, to: &[&str], mail: &str) -> String {
        self.open("EHLO", to).await;
        self.send(format!("{mail}.\r\n")).await;
        self.hear().await
    }

    /// Whether the far side has hung up: nothing more comes.
    pub async fn is_over(&mut self) -> bool {
        let mut rest = Vec::new();
        // A reset is as much an end as a close.
        let read = timeout(Duration::from_secs(5), self.io.read_to_end(&mut rest)).await;
        read.is_ok() && rest.is_empty()
    }
}

pub fn code(answer: &str) -> u16 {
    answer.get(..3).and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// A customer's mail with a Message-ID of its own.
pub fn mail(id: &str, text: &str) -> String {
    format!(
        "From: Anna <anna@customer.example>\r\nTo: sales@company.example\r\nSubject: A cottage\r\n\
         Message-ID: <{id}@customer.example>\r\n\r\n{text}\r\n"
    )
}
