//! What happens to one knock? Route → channel → admission → body → verify → read → rows → journal → answer, and
//! nothing is answered 2xx before its rows are on disk.

use crate::admission::Class;
use crate::body::{self, Pace};
use crate::channel::Channel;
use crate::channels::{ChannelTable, Entrance, Lookup, State};
use crate::client::{self, ClientKey, is_trusted};
use crate::config::Limits;
use crate::problem::Refused;
use crate::reply::{self, Cors, Reply};
use crate::rows;
use crate::sources::{Answer, BodyLimit, Denied, Reading, Refusal, Request, Source};
use crate::spam;
use crate::state::Gateway;
use crate::synthetic;
use bytes::Bytes;
use http::Method;
use http::header::ACCESS_CONTROL_REQUEST_METHOD;
use http::request::Parts;
use http_body::Body;
use lead::entry::Synthetic;
use lead::ids::Uid;
use ledger::journal::Row;
use secrecy::ExposeSecret;
use std::collections::BTreeMap;
use std::net::IpAddr;
use subtle::ConstantTimeEq;
use tokio::time::Instant;

/// The path of a knock, taken apart.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Door<'a> {
    pub channel: &'a str,
    pub key: Option<&'a str>,
    /// What belongs to the source.
    pub rest: &'a str,
}

/// Answers one knock, whatever it is.
pub async fn knock<B>(gateway: &Gateway, peer: IpAddr, door: Door<'_>, parts: &Parts, body: B) -> Reply
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::error::Error + 'static,
{
    let table = gateway.channels.load_full();
    match find(&table, door) {
        Ok(entrance) => greet(gateway, entrance, peer, door, parts, body).await,
        Err((channel, refused)) => refuse(gateway, channel, refused),
    }
}

/// The channel's name, where there is one, and why its door stays shut.
type Shut<'a> = (&'a str, Refused);

fn find<'a>(table: &'a ChannelTable, door: Door<'_>) -> Result<&'a Entrance, Shut<'a>> {
    match table.lookup(door.channel) {
        Lookup::Here(entrance) if fits(&entrance.channel, door.key) => Ok(entrance),
        Lookup::Here(entrance) => Err((entrance.channel.id.as_str(), Refused::NotFound)),
        Lookup::Absent => Err(("", Refused::Paused)),
        Lookup::Unknown => Err(("", Refused::NotFound)),
    }
}

/// The unguessable part of the path, compared without telling how much of it was right.
fn fits(channel: &Channel, key: Option<&str>) -> bool {
    match (&channel.url_key, key) {
        (None, None) => true,
        (Some(secret), Some(key)) => secret.expose_secret().as_bytes().ct_eq(key.as_bytes()).into(),
        _ => false,
    }
}

/// Counts and logs a refusal; a channel that is not configured has no name here.
pub(crate) fn refuse(gateway: &Gateway, channel: &str, refused: Refused) -> Reply {
    let (reason, status) = (refused.word(), refused.status().as_u16());
    gateway.metrics.refused.with_label_values(&[channel, reason]).inc();
    tracing::debug!(channel, status, reason, "knock.refused");
    refused.response()
}

async fn greet<B>(gateway: &Gateway, entrance: &Entrance, peer: IpAddr, door: Door<'_>, parts: &Parts, body: B) -> Reply
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::error::Error + 'static,
{
    let (source, channel) = (entrance.source, &entrance.channel);
    let cors = if source.anonymous { Cors::of(&parts.headers, &channel.origins) } else { Cors::None };
    if source.anonymous && parts.method == Method::OPTIONS && parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    {
        return cors.preflight(source.methods);
    }
    if source.anonymous && spam::is_challenge(&parts.method, door.rest, channel) {
        return cors.stamp(challenge(gateway, channel, peer, parts));
    }
    if !source.methods.contains(&parts.method) {
        refuse(gateway, channel.id.as_str(), Refused::Method);
        return cors.stamp(reply::method_not_allowed(source.methods));
    }
    let taken = if cors == Cors::Foreign {
        Err(Refused::Origin)
    } else {
        take(gateway, entrance, peer, door, parts, body).await
    };
    let reply = match taken {
        Ok((answer, uid)) => {
            let reply = reply::answer(answer, uid);
            tracing::debug!(channel = channel.id.as_str(), status = reply.status().as_u16(), "knock.taken");
            reply
        }
        Err(refused) => refuse(gateway, channel.id.as_str(), refused),
    };
    cors.stamp(reply)
}

/// What a page asks for before it posts; it is limited like the post.
fn challenge(gateway: &Gateway, channel: &Channel, peer: IpAddr, parts: &Parts) -> Reply {
    match limit_client(gateway, peer, parts) {
        Ok(_) => reply::body(spam::challenge(gateway, channel), "application/json"),
        Err(refused) => refuse(gateway, channel.id.as_str(), refused),
    }
}

/// The way in, for a request with the right path and method.
async fn take<B>(
    gateway: &Gateway,
    entrance: &Entrance,
    peer: IpAddr,
    door: Door<'_>,
    parts: &Parts,
    body: B,
) -> Result<(Answer, Option<Uid>), Refused>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::error::Error + 'static,
{
    let started = Instant::now();
    let (limits, admission) = (&gateway.config.limits, &gateway.admission);
    let (source, channel, class) = (entrance.source, &entrance.channel, Class::of(entrance.source));
    ready(gateway, entrance)?;
    let limit = body_limit(limits, source.body);
    body::check_head(&parts.headers, limit)?;
    let _place = admission.enter(class)?;
    let mut client = None;
    if source.anonymous {
        client = limit_client(gateway, peer, parts)?;
        admission.per_channel(&channel.id)?;
    }
    let mut request = as_request(gateway, door, parts);
    if !source.anonymous && (source.verify)(&request, channel) == Err(Denied::Missing) {
        return Err(Refused::Unauthorized);
    }
    let collected = body::collect(body, limit, Pace::of(limits), admission.bodies.open_for(client), class).await?;
    request.body = collected.bytes.clone();
    verify(gateway, source, &mut request, channel).await?;
    if !source.anonymous {
        admission.per_channel(&channel.id)?;
    }
    let Taken { rows, whole } = read(gateway, source, &mut request, channel).await?;
    let (count, uid) = (rows.len() as u64, rows.first().map(|row| row.entry.uid));
    let labels = [channel.workspace.as_str(), channel.id.as_str()];
    if count > 0 {
        store(gateway, rows).await?;
        gateway.metrics.accepted.with_label_values(&labels).inc_by(count);
        gateway.metrics.accept_seconds.observe(started.elapsed().as_secs_f64());
    } else if whole {
        gateway.metrics.ignored.with_label_values(&labels).inc();
    }
    if !whole {
        return Err(Refused::Upstream);
    }
    let text = uid.map(|uid| uid.to_string());
    Ok(((source.answer)(&request, channel, text.as_deref()), uid))
}

/// Faults on our side come before anything is read, so that the sender keeps what it has.
fn ready(gateway: &Gateway, entrance: &Entrance) -> Result<(), Refused> {
    match entrance.state {
        State::Paused => Err(Refused::Paused),
        State::Open if !gateway.journal.healthy() => Err(Refused::Journal),
        State::Open => Ok(()),
    }
}

fn body_limit(limits: &Limits, kind: BodyLimit) -> usize {
    match kind {
        BodyLimit::Json => limits.json,
        BodyLimit::Form => limits.form,
        BodyLimit::Mail => limits.mail,
    }
    .bytes()
}

/// Our own proxies are not clients; those behind them are.
fn limit_client(gateway: &Gateway, peer: IpAddr, parts: &Parts) -> Result<Option<ClientKey>, Refused> {
    let proxies = &gateway.config.trusted_proxies;
    let client = client::address(peer, &parts.headers, proxies);
    if is_trusted(client, proxies) {
        return Ok(None);
    }
    let key = ClientKey::of(client);
    gateway.admission.per_address(key)?;
    Ok(Some(key))
}

/// The request as sources see it, without its body.
fn as_request(gateway: &Gateway, door: Door<'_>, parts: &Parts) -> Request {
    let target = parts.uri.path_and_query().map_or("", http::uri::PathAndQuery::as_str);
    Request {
        method: parts.method.clone(),
        url: format!("{}{target}", gateway.config.public_url),
        rest: door.rest.to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers.clone(),
        body: Bytes::new(),
        documents: BTreeMap::new(),
        received_at: gateway.clock.now(),
    }
}

fn denied(denied: &Denied) -> Refused {
    match denied {
        Denied::Missing | Denied::Wrong | Denied::Stale => Refused::Unauthorized,
        Denied::Malformed => Refused::Malformed,
        Denied::Misconfigured => Refused::Misconfigured,
        Denied::Needs(_) => Refused::Upstream,
    }
}

/// A stranger may make us fetch what only tells whether he is one, but not as often as he likes.
async fn verify(gateway: &Gateway, source: &Source, request: &mut Request, channel: &Channel) -> Result<(), Refused> {
    let first = (source.verify)(request, channel);
    let Err(Denied::Needs(needed)) = first else { return first.map_err(|why| denied(&why)) };
    if gateway.fetcher.remembered(&needed).is_none() {
        gateway.admission.unproven_fetch(&channel.id)?;
    }
    gateway.fetcher.fetch(request, channel, &[needed]).await;
    (source.verify)(request, channel).map_err(|why| denied(&why))
}

/// What a request leaves in the journal. If it is not the whole, its provider has to send it again, and will hear so
/// once this is on disk.
pub(crate) struct Taken {
    pub(crate) rows: Vec<Row>,
    whole: bool,
}

/// The rows of a request whose genuineness is settled.
pub(crate) async fn read(
    gateway: &Gateway,
    source: &Source,
    request: &mut Request,
    channel: &Channel,
) -> Result<Taken, Refused> {
    let mut reading = (source.read)(request, channel);
    let mut whole = true;
    if let Err(Refusal::Needs(needed)) = &reading {
        whole = gateway.fetcher.fetch(request, channel, needed).await;
        reading = (source.read)(request, channel);
    }
    let synthetic = mark(gateway, request, channel);
    // Our own probes prove to be ours by their mark.
    if let (Ok(reading), true, None) = (&mut reading, source.anonymous, synthetic) {
        spam::judge(gateway, channel, reading, request.received_at).await;
    }
    let rows = match reading {
        Ok(Reading { signals, .. }) => rows::rows(channel, request, signals, synthetic, rand::random()),
        Err(Refusal::Unreadable(why)) if source.anonymous => return Err(Refused::Unreadable(why)),
        Err(Refusal::Unreadable(why)) => vec![rows::unreadable(channel, request, why, synthetic, rand::random())],
        Err(Refusal::Bad(why)) => return Err(Refused::Bad(why)),
        Err(Refusal::TooLarge(why)) => return Err(Refused::TooLarge(why)),
        Err(Refusal::MediaType) => return Err(Refused::MediaType),
        Err(Refusal::Needs(_)) => return Err(Refused::Upstream),
    };
    Ok(Taken { rows, whole })
}

fn mark(gateway: &Gateway, request: &Request, channel: &Channel) -> Option<Synthetic> {
    let mark = request.header(synthetic::HEADER)?;
    synthetic::verify(&gateway.pepper, mark, channel.id.as_str(), request.received_at)
}

pub(crate) async fn store(gateway: &Gateway, rows: Vec<Row>) -> Result<(), Refused> {
    let result = gateway.journal.append(rows).await;
    gateway.note_journal(&result);
    result.map_err(|_| Refused::Journal)
}
