//! How does one HTTP request go out? Over plain HTTP, with a bound on time and on the size of the answer.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::time::Duration;
use tokio::time::timeout;

/// A larger answer is none of ours.
const LONGEST: usize = 64 << 20;
const CONNECT: Duration = Duration::from_secs(5);

/// A client for one command.
#[derive(Clone, Debug)]
pub(crate) struct Http(Client<HttpConnector, Full<Bytes>>);

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nobody listens there; with what the system says.
    Unreachable(String),
    /// No answer within this time.
    Late(Duration),
    /// The connection ended within the answer.
    Broken,
}

impl Trouble {
    /// Fits after the name of what was asked.
    pub(crate) fn sentence(&self) -> String {
        match self {
            Self::Unreachable(why) => format!("cannot be reached ({why})"),
            Self::Late(time) => format!("did not answer within {} s", time.as_secs()),
            Self::Broken => "broke off within its answer".to_owned(),
        }
    }
}

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Http {
    pub(crate) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT));
        Self(Client::builder(TokioExecutor::new()).build(connector))
    }

    /// The head of the answer; the body comes as it comes.
    pub(crate) async fn open(
        &self,
        request: Request<Full<Bytes>>,
        time: Duration,
    ) -> Result<Response<Incoming>, Trouble> {
        match timeout(time, self.0.request(request)).await {
            Err(_) => Err(Trouble::Late(time)),
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) if error.is_connect() => Err(Trouble::Unreachable(root(&error))),
            Ok(Err(_)) => Err(Trouble::Broken),
        }
    }

    pub(crate) async fn send(&self, request: Request<Full<Bytes>>, time: Duration) -> Result<Answer, Trouble> {
        let response = self.open(request, time).await?;
        whole(response, time).await
    }
}

/// The rest of an answer.
pub(crate) async fn whole(response: Response<Incoming>, time: Duration) -> Result<Answer, Trouble> {
    let (parts, body) = response.into_parts();
    match timeout(time, Limited::new(body, LONGEST).collect()).await {
        Err(_) => Err(Trouble::Late(time)),
        Ok(Err(_)) => Err(Trouble::Broken),
        Ok(Ok(body)) => Ok(Answer { status: parts.status, headers: parts.headers, body: body.to_bytes() }),
    }
}

/// What the system said, below the layers that only repeat each other.
fn root(error: &hyper_util::client::legacy::Error) -> String {
    let mut deepest: &dyn std::error::Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    let told = deepest.to_string();
    told.split(" (os error").next().unwrap_or_default().to_lowercase()
}
