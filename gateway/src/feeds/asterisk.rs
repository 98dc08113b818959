//! How do the calls of an Asterisk come to us? By listening to its manager interface (AMI) and folding what each channel
//! does into the steps of a call.
//!
//! AMI remembers nothing. So a gap is said and counted, calls that go on are asked for when we are back, and calls that
//! ended meanwhile are ended here too.

mod ami;
mod fold;
pub(super) mod fuzzing;

use super::Failure;
use super::dial::Dial;
use super::line::Line;
use super::patience::Patience;
use crate::channel::Channel;
use crate::sources::asterisk::Step;
use ami::{Ami, Block};
use fold::{Fold, Plan};
use lead::time::At;
use md5::{Digest, Md5};
use secrecy::ExposeSecret;
use std::time::Duration;
use tokio::time::Instant;

/// Ports of AMI over TLS, and of AMI.
const PORTS: (u16, u16) = (5039, 5038);
/// How often we ask whether the exchange is there, and how often we note that we listened.
const PING: Duration = Duration::from_secs(15);
const NOTED: Duration = Duration::from_secs(60);
/// A reconnect faster than this missed nothing worth a word.
const NO_GAP: Duration = Duration::from_secs(1);

pub(super) async fn run(line: Line) {
    let mut patience = Patience::default();
    let mut listener = Listener { fold: Fold::new(Plan::of(line.channel())), heard: None, noted: None };
    while !line.stop.is_cancelled() {
        let listening = line.stop.run_until_cancelled(listener.listen(&line, &mut patience)).await;
        if let Some(Err(failure)) = listening {
            line.rest(&mut patience, failure).await;
        }
    }
    listener.note(&line).await;
    line.connected(false);
}

/// What outlives a connection.
struct Listener {
    fold: Fold,
    /// Until when we know of everything.
    heard: Option<At>,
    noted: Option<At>,
}

impl Listener {
    /// Listens until the connection breaks.
    async fn listen(&mut self, line: &Line, patience: &mut Patience) -> Result<(), Failure> {
        if self.heard.is_none() {
            self.heard = line.noted().await?.as_deref().and_then(At::parse);
        }
        let mut ami = Ami::begin(Dial::of(line.channel(), PORTS).connect().await?).await?;
        log_in(&mut ami, line.channel()).await?;
        self.say_gap(line);
        let (steps, going_on) = self.take_up(line, &mut ami).await?;
        self.heard = Some(line.now());
        patience.reset();
        line.connected(true);
        tracing::info!(channel = line.name(), going_on, "feed.connected: listening to the exchange");
        tell(line, steps).await?;
        self.note(line).await;
        self.hear(line, &mut ami).await
    }

    async fn hear(&mut self, line: &Line, ami: &mut Ami) -> Result<(), Failure> {
        let (mut ping, mut spoke) = (Instant::now() + PING, Instant::now());
        loop {
            if ami.something_by(ping).await? {
                spoke = Instant::now();
                let block = ami.read().await?;
                self.heard = Some(line.now());
                tell(line, self.fold.event(&block, line.now())).await?;
            }
            if spoke.elapsed() >= ami::SILENCE {
                return Err(ami::SILENT);
            }
            if Instant::now() >= ping {
                ami.say("Ping", &[]).await?;
                ping = Instant::now() + PING;
                if self.noted.is_none_or(|noted| line.now().since(noted) >= NOTED) {
                    self.note(line).await;
                }
            }
        }
    }

    /// Calls that are going on, for one who was away; what came in meanwhile is not lost.
    async fn take_up(&mut self, line: &Line, ami: &mut Ami) -> Result<(Vec<Step>, usize), Failure> {
        ami.say("CoreShowChannels", &[]).await?;
        let (mut channels, mut steps) = (Vec::new(), Vec::new());
        loop {
            let block = ami.read().await?;
            match (block.get("Event"), block.get("Response")) {
                (Some("CoreShowChannel"), _) => channels.push(block),
                (Some("CoreShowChannelsComplete"), _) => break,
                (_, Some("Error")) => {
                    tracing::info!(
                        channel = line.name(),
                        "feed.no_list: without `write = reporting` calls that go on are not listed"
                    );
                    return Ok((steps, 0));
                }
                _ => steps.extend(self.fold.event(&block, line.now())),
            }
        }
        steps.extend(self.fold.going_on(&channels, line.now()));
        Ok((steps, channels.len()))
    }

    fn say_gap(&self, line: &Line) {
        let Some(missed) = self.heard.map(|heard| line.now().since(heard)).filter(|missed| *missed >= NO_GAP) else {
            return;
        };
        let missed_s = missed.as_secs();
        tracing::warn!(channel = line.name(), missed_s, "feed.gap: the exchange does not tell what happened meanwhile");
        line.gateway.metrics.feed_missed_seconds.with_label_values(&[line.name()]).inc_by(missed_s);
    }

    async fn note(&mut self, line: &Line) {
        if let Some(heard) = self.heard {
            line.note(&heard.to_string()).await;
            self.noted = Some(line.now());
        }
    }
}

async fn tell(line: &Line, steps: Vec<Step>) -> Result<(), Failure> {
    if steps.is_empty() {
        return Ok(());
    }
    let request = |step: &Step| line.request("application/json", serde_json::to_vec(step).unwrap_or_default());
    line.take(steps.iter().map(request).collect()).await.map(drop)
}

/// docs.asterisk.org, "Login" and "Challenge": the key is the MD5 of challenge and secret in lower-case hex.
async fn log_in(ami: &mut Ami, channel: &Channel) -> Result<(), Failure> {
    let user = channel.setting("user").unwrap_or_default();
    let secret = channel.secrets.first().map(ExposeSecret::expose_secret).unwrap_or_default();
    let events = ("Events", "call,agent");
    let proof = if channel.setting("login") == Some("plain") {
        vec![("Username", user), ("Secret", secret), events]
    } else {
        let answer = ami.ask("Challenge", &[("AuthType", "MD5")]).await?;
        let challenge = answer.get("Challenge").ok_or(Failure::Refused("the exchange gives no MD5 challenge"))?;
        let key = key(challenge, secret);
        let answer = ami.ask("Login", &[("AuthType", "MD5"), ("Username", user), ("Key", &key), events]).await?;
        return welcome(&answer);
    };
    welcome(&ami.ask("Login", &proof).await?)
}

fn key(challenge: &str, secret: &str) -> String {
    data_encoding::HEXLOWER.encode(&Md5::new().chain_update(challenge).chain_update(secret).finalize())
}

fn welcome(answer: &Block) -> Result<(), Failure> {
    let welcome = answer.get("Response") == Some("Success");
    if welcome { Ok(()) } else { Err(Failure::Refused("the exchange refuses user or secret, or our address")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_answered_as_asterisk_reckons() {
        // echo -n '840415273secret' | md5sum
        assert_eq!(key("840415273", "secret"), "81c3ab5534a432bec402f6d988ee45b4");
    }
}
