//! How does the gateway get what a source asked for, or ask a captcha's service? Over HTTPS, bounded in size and time,
//! without following redirects; what never changes is kept. One document that cannot be had does not keep back the
//! others.

use crate::channel::Channel;
use crate::config::Limits;
use crate::sources::{FORM_TYPE, Needed, Request, Shown};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Request as Question, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Documents that last, by their address; certificates are few.
const MOST_KEPT: usize = 64;
/// Documents one request may ask for: Meta sends up to 1000 updates in one.
const MOST_NEEDED: usize = 1000;
const MOST_AT_ONCE: usize = 64;
const NAME: HeaderValue = HeaderValue::from_static(concat!("leadgate/", env!("CARGO_PKG_VERSION")));

#[derive(Debug)]
pub(crate) struct Fetcher {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// For all documents of one request, connecting included: providers wait no longer.
    time: Duration,
    size: usize,
    kept: Mutex<HashMap<String, Bytes>>,
}

/// What an operator can do about it. Its words are the provider's own, and may tell of a person.
fn refusal(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "the provider answers 400: it refuses our token, or what was asked",
        401 | 403 => "the provider refuses our token, or it lacks a permission",
        404 | 410 => "the provider does not know what was asked for",
        429 => "the provider has been asked too often",
        300..=399 => "the provider sends us elsewhere",
        500..=599 => "the provider has a fault of its own",
        _ => "the provider answers with an error",
    }
}

impl Fetcher {
    pub(crate) fn new(limits: &Limits) -> Self {
        let connector = HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().build();
        Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            time: limits.fetch_time.0,
            size: limits.fetched.bytes(),
            kept: Mutex::default(),
        }
    }

    /// Puts what is needed into the request, and says whether all of it could be had now.
    pub(crate) async fn fetch(&self, request: &mut Request, channel: &Channel, needed: &[Needed]) -> bool {
        let until = Instant::now() + self.time;
        let mut asked = needed.iter().take(MOST_NEEDED);
        let mut running = FuturesUnordered::new();
        for one in asked.by_ref().take(MOST_AT_ONCE) {
            running.push(self.answered(one, channel, until));
        }
        let (mut missing, mut why) = (needed.len(), "it asks for too many");
        while let Some((url, document)) = running.next().await {
            if let Some(next) = asked.next() {
                running.push(self.answered(next, channel, until));
            }
            match document {
                Ok(document) => {
                    request.documents.insert(url.to_owned(), document);
                    missing -= 1;
                }
                Err(reason) => why = reason,
            }
        }
        if missing > 0 {
            let channel = channel.id.as_str();
            tracing::warn!(channel, missing, why, "fetch.failed: a provider could not be asked; it is asked again");
        }
        missing == 0
    }

    /// One document by itself.
    pub(crate) async fn document(&self, needed: &Needed, channel: &Channel) -> Result<Bytes, &'static str> {
        self.get(needed, channel, Instant::now() + self.time).await
    }

    async fn answered<'n>(
        &self,
        needed: &'n Needed,
        channel: &Channel,
        until: Instant,
    ) -> (&'n str, Result<Bytes, &'static str>) {
        (&needed.url, self.get(needed, channel, until).await)
    }

    /// From memory: a lasting document that was fetched before.
    pub(crate) fn remembered(&self, needed: &Needed) -> Option<Bytes> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&needed.url).filter(|_| needed.lasting).cloned()
    }

    async fn get(&self, needed: &Needed, channel: &Channel, until: Instant) -> Result<Bytes, &'static str> {
        if let Some(document) = self.remembered(needed) {
            return Ok(document);
        }
        let asked = tokio::time::timeout_at(until, self.ask(needed, channel)).await;
        let document = asked.map_err(|_| "no answer in time")??;
        if needed.lasting {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() >= MOST_KEPT {
                kept.clear();
            }
            kept.insert(needed.url.clone(), document.clone());
        }
        Ok(document)
    }

    async fn ask(&self, needed: &Needed, channel: &Channel) -> Result<Bytes, &'static str> {
        let mut question = Question::get(&needed.url).header(USER_AGENT, NAME).header(ACCEPT, "*/*");
        if let Some(Shown { header, before, setting }) = needed.shown {
            let token = channel.setting(setting).ok_or("its token is not configured")?;
            let mut shown = HeaderValue::try_from(format!("{before}{token}")).map_err(|_| "its token is no token")?;
            shown.set_sensitive(true);
            question = question.header(header, shown);
        }
        let question = question.body(Full::default()).map_err(|_| "its address is no address")?;
        let answer = self.client.request(question).await.map_err(|_| "connection failed")?;
        match answer.status() {
            StatusCode::OK => self.whole(answer).await,
            status => Err(refusal(status)),
        }
    }

    /// Posts a form and gives what is answered, be it a yes or a no: some services say no with a status of 4xx.
    pub(crate) async fn post(&self, url: &str, form: String) -> Result<Bytes, &'static str> {
        let question = Question::post(url).header(USER_AGENT, NAME).header(CONTENT_TYPE, FORM_TYPE);
        let question = question.body(Full::from(form)).map_err(|_| "its address is no address")?;
        let asked = async {
            let answer = self.client.request(question).await.map_err(|_| "connection failed")?;
            if answer.status().is_server_error() {
                return Err("it answers with an error");
            }
            self.whole(answer).await
        };
        tokio::time::timeout(self.time, asked).await.map_err(|_| "no answer in time")?
    }

    async fn whole(&self, answer: Response<Incoming>) -> Result<Bytes, &'static str> {
        let whole = Limited::new(answer.into_body(), self.size).collect().await;
        Ok(whole.map_err(|_| "its answer is too long, or was cut off")?.to_bytes())
    }
}
