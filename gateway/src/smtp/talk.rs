//! How does one connection go? Lines in, answers out, a mail now and then; every wait has an end.

use super::data::{Dots, Progress};
use super::deliver::{self, Behind};
use super::lines::{self, Line};
use super::listener::Io;
use super::mail::{Holds, Mail, Whole};
use super::reply::Reply;
use super::session::{Envelope, Hello, Protocol, Session, Step};
use super::trace::Came;
use super::{Place, Server};
use crate::admission::{Class, Hold};
use crate::channels::Entrance;
use crate::problem::Refused;
use crate::server::linger;
use bytes::{Buf, BytesMut};
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

/// Bytes read at once: of commands, and of a mail.
const COMMANDS: usize = 4 << 10;
const MAIL: usize = 64 << 10;

/// One connection.
pub(super) struct Talk {
    io: Io,
    server: Arc<Server>,
    place: Place,
    /// None: through a file of this machine.
    address: Option<IpAddr>,
    session: Session<Behind>,
    /// What came and was not looked at.
    inbox: BytesMut,
    /// What was answered and not sent: commands that came together are answered together.
    outbox: BytesMut,
}

/// Why a conversation is over without a last word.
struct Gone;

impl From<io::Error> for Gone {
    fn from(_: io::Error) -> Self {
        Self
    }
}

/// A last word, or none.
type Over = Result<Reply, Gone>;

impl Talk {
    pub(super) fn new(io: Io, server: Arc<Server>, place: Place, address: Option<IpAddr>) -> Self {
        let session = Session::new(place.protocol, server.offer());
        let (inbox, outbox) = (BytesMut::new(), BytesMut::new());
        Self { io, server, place, address, session, inbox, outbox }
    }

    pub(super) async fn run(mut self) {
        let Ok(last) = self.converse().await else { return };
        self.say(&last);
        if self.flush().await.is_ok() {
            linger(self.io).await;
        }
    }

    async fn converse(&mut self) -> Over {
        self.say(&self.session.greeting());
        loop {
            let line = match self.line().await? {
                Ok(line) => line,
                Err(last) => return Ok(last),
            };
            let gateway = &self.server.gateway;
            let config = &self.server.config;
            match self.session.hear(&line, |address| deliver::find(gateway, config, address)) {
                Step::Say(reply) => self.say(&reply),
                Step::Part(last) => return Ok(last),
                Step::Secure => self.secure().await?,
                Step::Receive => {
                    if let Err(last) = self.receive().await? {
                        return Ok(last);
                    }
                }
            }
        }
    }

    fn say(&mut self, reply: &Reply) {
        if let Some(refusal) = reply.refusal() {
            let listener = self.place.protocol.word();
            self.server.gateway.metrics.smtp_refusals.with_label_values(&[listener, &refusal]).inc();
        }
        reply.write(&mut self.outbox);
    }

    async fn flush(&mut self) -> Result<(), Gone> {
        let within = self.server.gateway.config.limits.write_time.0;
        let written = timeout(within, async {
            self.io.write_all_buf(&mut self.outbox).await?;
            self.io.flush().await
        });
        Ok(written.await.map_err(|_| Gone)??)
    }

    /// Waits for more; false when the time is over.
    async fn more(&mut self, room: usize, until: Instant) -> Result<bool, Gone> {
        self.flush().await?;
        self.inbox.reserve(room);
        match timeout_at(until, self.io.read_buf(&mut self.inbox)).await {
            Ok(Ok(0)) => Err(Gone),
            Ok(read) => Ok(read.map(|_| true)?),
            Err(_) => Ok(false),
        }
    }

    /// The next command, or the last word when none will be heard.
    async fn line(&mut self) -> Result<Result<BytesMut, Reply>, Gone> {
        let until = Instant::now() + self.server.config.command_time.0;
        let most = self.server.config.line.bytes();
        loop {
            match lines::next(&mut self.inbox, most) {
                Line::Whole(line) => return Ok(Ok(line)),
                Line::Bare => return Ok(Err(Reply::BARE)),
                Line::Long => return Ok(Err(Reply::LONG)),
                Line::Part => {}
            }
            let stop = self.place.stop.clone();
            let Some(more) = stop.run_until_cancelled(self.more(COMMANDS, until)).await else {
                return Ok(Err(Reply::STOPPING));
            };
            if !more? {
                return Ok(Err(Reply::SLOW));
            }
        }
    }

    /// Whatever was sent before TLS began was not protected, so nothing of it is heard.
    async fn secure(&mut self) -> Result<(), Gone> {
        let Some(tls) = self.server.tls.clone() else { return Err(Gone) };
        self.say(&Reply::SECURE);
        self.flush().await?;
        self.inbox.clear();
        let plain = std::mem::replace(&mut self.io, Box::new(tokio::io::empty()));
        let within = self.server.gateway.config.limits.handshake_time.0;
        match timeout(within, tls.acceptor().accept(plain)).await {
            Ok(Ok(encrypted)) => self.io = Box::new(encrypted),
            Ok(Err(_)) | Err(_) => {
                self.place.doors.count("handshake");
                return Err(Gone);
            }
        }
        self.session.secured();
        Ok(())
    }

    /// A mail, from the word that it may come to the answer; or the last word.
    async fn receive(&mut self) -> Result<Result<(), Reply>, Gone> {
        let Some(envelope) = self.session.envelope() else { return Ok(Err(Reply::RECIPIENT_FIRST)) };
        if !self.inbox.is_empty() {
            return Ok(Err(Reply::EARLY));
        }
        let admission = &self.server.gateway.admission;
        let Ok(place) = admission.enter(Class::Signed) else {
            self.refuse(&envelope, Refused::Overloaded);
            self.say(&Reply::of(Refused::Overloaded));
            return Ok(Ok(()));
        };
        self.say(&Reply::GO_ON);
        let mail = match self.collect(&envelope).await? {
            Ok(mail) => mail,
            Err(last) => return Ok(Err(last)),
        };
        // Its way here took what the sender took; what is measured is what we take.
        let started = Instant::now();
        match mail.finish() {
            Ok((mail, holds)) => self.deliver(envelope, mail, (place, holds), started).await,
            Err(refused) => {
                self.refuse(&envelope, refused);
                self.answer(envelope.recipients.iter().map(|_| Err(refused)).collect());
            }
        }
        Ok(Ok(()))
    }

    async fn collect(&mut self, envelope: &Envelope<Behind>) -> Result<Result<Mail, Reply>, Gone> {
        let (config, mut dots) = (&self.server.config, Dots::default());
        let (silence, end) = (config.command_time.0, Instant::now() + config.mail_time.0);
        let gateway = &self.server.gateway;
        let holds = [self.place.mails.open(), gateway.admission.bodies.open()];
        let mut mail = Mail::new(&self.trace(envelope), gateway.config.limits.mail.bytes(), holds);
        loop {
            let (used, progress) = dots.take(&self.inbox, |part| mail.keep(part));
            self.inbox.advance(used);
            match progress {
                Progress::End => return Ok(Ok(mail)),
                Progress::Bare => return Ok(Err(Reply::BARE)),
                Progress::More => {}
            }
            if let Some(refused) = mail.beyond() {
                return Ok(Err(Reply::of(self.refuse(envelope, refused))));
            }
            if !self.more(MAIL, end.min(Instant::now() + silence)).await? {
                return Ok(Err(Reply::SLOW));
            }
        }
    }

    fn trace(&self, envelope: &Envelope<Behind>) -> String {
        let nobody = Hello::default();
        let came = Came {
            host: &self.server.config.host,
            protocol: self.place.protocol,
            hello: self.session.hello().unwrap_or(&nobody),
            address: self.address,
            secure: self.session.is_secure(),
            utf8: envelope.utf8,
            sender: &envelope.sender,
            recipient: envelope.only(),
            at: self.server.gateway.clock.now(),
        };
        came.lines()
    }

    /// Counts a mail that was not taken.
    fn refuse(&self, envelope: &Envelope<Behind>, refused: Refused) -> Refused {
        for id in unique(&envelope.recipients).keys() {
            deliver::count(&self.server.gateway, id, refused);
        }
        refused
    }

    /// To the journal in a task of its own, which ends when it is done and not when the sender hangs up.
    async fn deliver(&mut self, envelope: Envelope<Behind>, mail: Whole, holds: (Hold, Holds), started: Instant) {
        let unique: Vec<Arc<Entrance>> = unique(&envelope.recipients).into_values().map(Arc::clone).collect();
        let (gateway, whole) = (Arc::clone(&self.server.gateway), self.place.protocol == Protocol::Smtp);
        let delivery = {
            let unique = unique.clone();
            async move {
                let _holds = holds;
                let told = deliver::deliver(&gateway, &mail, &unique, whole).await;
                if told.iter().any(Result::is_ok) {
                    gateway.metrics.accept_seconds.observe(started.elapsed().as_secs_f64());
                }
                told
            }
        };
        let task = self.server.deliveries.spawn(delivery);
        let told = match timeout(self.server.config.command_time.0, task).await {
            Ok(Ok(told)) => told,
            Ok(Err(_)) => vec![Err(self.refuse(&envelope, Refused::Broken)); unique.len()],
            Err(_) => vec![Err(self.refuse(&envelope, Refused::Late)); unique.len()],
        };
        let told: BTreeMap<&str, Result<(), Refused>> =
            unique.iter().map(|door| door.channel.id.as_str()).zip(told).collect();
        let verdict = |behind: &Behind| behind.iter().try_for_each(|door| told[door.channel.id.as_str()]);
        self.answer(envelope.recipients.iter().map(verdict).collect());
    }

    /// SMTP hears one answer, LMTP one for each recipient.
    fn answer(&mut self, told: Vec<Result<(), Refused>>) {
        if told.iter().any(Result::is_ok) {
            self.session.delivered();
        }
        let told = match self.place.protocol {
            Protocol::Smtp => vec![told.into_iter().collect::<Result<(), Refused>>()],
            Protocol::Lmtp => told,
        };
        for one in told {
            self.say(&one.map_or_else(Reply::of, |()| Reply::STORED));
        }
    }
}

/// The channels of a mail, each once, however many of its recipients they are behind.
fn unique(recipients: &[Behind]) -> BTreeMap<&str, &Arc<Entrance>> {
    recipients.iter().flatten().map(|door| (door.channel.id.as_str(), door)).collect()
}

/// Says a last word to somebody we do not talk with.
pub(super) async fn part(mut io: Io, last: &Reply) {
    let mut text = BytesMut::new();
    last.write(&mut text);
    if let Ok(Ok(())) = timeout(Duration::from_secs(1), io.write_all(&text)).await {
        linger(io).await;
    }
}
