//! What is under test? A gateway with two channels of invented sources: an anonymous form and a signed hook.

use bytes::Bytes;
use gateway::channel::Channel;
use gateway::channels::{ChannelTable, Entrance, State};
use gateway::clock::Clock;
use gateway::config::{Config, Limits, TlsFiles};
use gateway::metrics::Metrics;
use gateway::sources::{
    Answer, BodyLimit, Denied, Proof, Read, Reading, Refusal, Request, SampleRequest, Source, form,
};
use gateway::{Gateway, server};
use http::{Method, StatusCode};
use lead::entry::{Kind, Signal, Touch};
use lead::identity::Pepper;
use lead::ids::{ChannelId, WorkspaceId};
use lead::units::{Size, Span};
use ledger::journal::{Bounds, Journal, Stored};
use secrecy::SecretString;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

static FORM: Source = Source {
    name: "test-form",
    kind: Kind::Form,
    body: BodyLimit::Form,
    anonymous: true,
    proof: Proof::Open,
    settings: &[],
    methods: &[Method::POST],
    verify: |_, _| Ok(()),
    read,
    answer: |_, _, _| Answer::Accepted,
    sample: |_, _, _| sample(),
    help: "",
};

static HOOK: Source = Source { name: "test-hook", kind: Kind::Call, anonymous: false, verify, ..FORM };

fn verify(request: &Request, _: &Channel) -> Result<(), Denied> {
    match request.header("x-proof") {
        Some("good") => Ok(()),
        Some("malformed") => Err(Denied::Malformed),
        Some("no-secret") => Err(Denied::Misconfigured),
        Some("stale") => Err(Denied::Stale),
        Some(_) => Err(Denied::Wrong),
        None => Err(Denied::Missing),
    }
}

fn read(request: &Request, _: &Channel) -> Result<Reading, Refusal> {
    if request.header("content-type") != Some("text/plain") {
        return Err(Refusal::MediaType);
    }
    let text = match &request.body[..] {
        b"" => return Err(Refusal::Bad("the body is empty")),
        b"unreadable" => return Err(Refusal::Unreadable("depth")),
        b"parts" => return Err(Refusal::TooLarge("too many parts")),
        b"boring" => return Ok(Reading { signals: Vec::new(), ignored: vec!["edited"] }),
        b"bug" => panic!("a reader of a test has a bug"),
        b"slow" => {
            tokio::task::block_in_place(|| std::thread::sleep(Duration::from_millis(400)));
            "slow"
        }
        other => std::str::from_utf8(other).unwrap_or("odd"),
    };
    let mut touch = Touch::new(Kind::Form);
    touch.name = Some(text.chars().take(100).collect());
    let id = request.header("x-id").map(|id| (id.to_owned(), String::new()));
    Ok(Reading { signals: vec![Read { id, signal: Signal::Touch(Box::new(touch)) }], ignored: Vec::new() })
}

fn sample() -> SampleRequest {
    SampleRequest {
        method: Method::POST,
        path: String::new(),
        headers: Vec::new(),
        body: Vec::new(),
        expect: StatusCode::OK,
    }
}

pub fn channel(id: &str, source: &'static Source) -> Channel {
    Channel { url: format!("https://leads.example/in/{id}"), ..Channel::new(id.into(), "demo".into(), source.name) }
}

/// `form` and `hook`; `keyed` with a key in its path; `listed` with one origin; `paused`; `gone`, which only the store
/// knows; and `demo-form`, the real form of
/// the demo page.
fn table() -> ChannelTable {
    let open = |channel: Channel, source| Entrance { channel, source, state: State::Open };
    let mut keyed = channel("keyed", &FORM);
    keyed.url_key = Some(SecretString::from("k3y"));
    let mut listed = channel("listed", &FORM);
    listed.origins = vec!["https://shop.example".into()];
    let paused = Entrance { channel: channel("paused", &FORM), source: &FORM, state: State::Paused };
    let entrances = [
        open(channel("form", &FORM), &FORM),
        open(channel("hook", &HOOK), &HOOK),
        open(channel("demo-form", &form::SOURCE), &form::SOURCE),
        open(keyed, &FORM),
        open(listed, &FORM),
        paused,
    ];
    ChannelTable::new(entrances, [ChannelId::new("gone"), ChannelId::new("form")])
}

/// The product's limits, with deadlines that a test can wait for.
pub fn limits() -> Limits {
    let span = |millis| Span(Duration::from_millis(millis));
    Limits {
        form: Size(64 << 10),
        head_time: span(400),
        body_time: span(1_500),
        body_grace: span(500),
        request_time: span(3_000),
        idle_time: span(900),
        handshake_time: span(400),
        drain_time: span(2_000),
        ..Limits::default()
    }
}

pub fn config() -> Config {
    Config {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        public_url: "https://leads.example".into(),
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
        hosts: Vec::new(),
        tls: None,
        limits: limits(),
    }
}

pub fn with_tls(files: TlsFiles) -> Config {
    Config { tls: Some(files), ..config() }
}

/// A running gateway; stopped when dropped.
pub struct House {
    pub address: SocketAddr,
    pub gateway: Arc<Gateway>,
    pub stop: CancellationToken,
    pub running: JoinHandle<()>,
    _data: TempDir,
}

impl House {
    pub async fn open(config: Config) -> Self {
        Self::serving(config, table()).await
    }

    pub async fn serving(config: Config, table: ChannelTable) -> Self {
        let listener = server::bind(config.listen).unwrap();
        let address = listener.local_addr().unwrap();
        let metrics = Metrics::new(&prometheus::Registry::new());
        let pepper = Pepper::new(b"pepper");
        let data = TempDir::new().unwrap();
        let journal = Journal::open(data.path(), Bounds::default()).unwrap();
        let gateway = Arc::new(Gateway::new(config, table, journal, metrics, pepper, Clock::default()));
        let stop = CancellationToken::new();
        let (inner, token) = (Arc::clone(&gateway), stop.clone());
        let running = tokio::spawn(async move { gateway::run(listener, inner, token).await.unwrap() });
        Self { address, gateway, stop, running, _data: data }
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes on a connection of their own and reads until the far side closes.
    pub async fn say(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        let _ = stream.write_all(bytes.as_ref()).await;
        hear(&mut stream).await
    }

    /// A POST of plain text, with further header lines.
    pub async fn post(&self, path: &str, lines: &str, body: &str) -> String {
        self.say(post(path, lines, body)).await
    }

    /// What is on disk.
    pub fn rows(&self) -> Vec<Stored> {
        self.gateway.journal.reader().unwrap().after(&WorkspaceId::new("demo"), 0, 1_000).unwrap()
    }

    /// The bytes of the request behind a row.
    pub fn raw(&self, row: &Stored) -> Option<Vec<u8>> {
        self.gateway.journal.reader().unwrap().raw(row.seq).unwrap()
    }

    pub fn accepted(&self, channel: &str) -> u64 {
        self.gateway.metrics.accepted.with_label_values(&["demo", channel]).get()
    }

    pub fn refused(&self, channel: &str, reason: &str) -> u64 {
        self.gateway.metrics.refused.with_label_values(&[channel, reason]).get()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub fn post(path: &str, lines: &str, body: &str) -> Bytes {
    let length = body.len();
    Bytes::from(format!(
        "POST {path} HTTP/1.1\r\nhost: leads.example\r\nconnection: close\r\ncontent-type: text/plain\r\n\
         content-length: {length}\r\n{lines}\r\n{body}"
    ))
}

/// Everything until the far side closes; a gateway that never does fails the test.
pub async fn hear(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut heard = Vec::new();
    // A reset after the answer is as much an end as a close.
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut heard)).await;
    let _ = read.expect("the connection is closed in time");
    String::from_utf8_lossy(&heard).into_owned()
}

/// The status of the (first) answer; 0 when there is none.
pub fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// A header of the (first) answer.
pub fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let head = answer.split("\r\n\r\n").next()?;
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

pub fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}
