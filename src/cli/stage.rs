//! A desk of canned answers, for tests: a real listener that says what it was told to say and remembers what it heard.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    /// Method, path and query.
    pub(crate) line: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// One answer.
#[derive(Clone, Debug)]
pub(crate) struct Canned {
    status: u16,
    kind: &'static str,
    body: String,
}

/// Answers by method and path without the query; several are given one after the other, the last one for ever.
type Script = Mutex<BTreeMap<String, Vec<Canned>>>;

/// A running stage; it ends with the test.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) base: String,
    heard: Arc<Mutex<Vec<Heard>>>,
}

pub(crate) fn json(body: &str) -> Canned {
    Canned { status: 200, kind: "application/json", body: body.to_owned() }
}

pub(crate) fn problem(status: u16, title: &str, detail: &str) -> Canned {
    let body =
        serde_json::json!({ "type": "urn:leadgate:problem:x", "title": title, "status": status, "detail": detail });
    Canned { status, kind: "application/problem+json", body: body.to_string() }
}

pub(crate) fn stream(body: &str) -> Canned {
    Canned { status: 200, kind: "text/event-stream", body: body.to_owned() }
}

pub(crate) fn other(status: u16, kind: &'static str, body: &str) -> Canned {
    Canned { status, kind, body: body.to_owned() }
}

impl Stage {
    /// `{base}` in a body becomes the stage's own address.
    pub(crate) fn play(script: &[(&str, Canned)]) -> Self {
        let mut answers: BTreeMap<String, Vec<Canned>> = BTreeMap::new();
        for (line, canned) in script {
            answers.entry((*line).to_owned()).or_default().push(canned.clone());
        }
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (script, ears) = (Arc::new(Mutex::new(answers)), Arc::clone(&heard));
        let own = base.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(serve(listener, script, ears, own));
        });
        Self { base, heard }
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    /// The request lines, in order.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.heard().into_iter().map(|heard| heard.line).collect()
    }
}

async fn serve(listener: std::net::TcpListener, script: Arc<Script>, heard: Arc<Mutex<Vec<Heard>>>, base: String) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        let (script, heard, base) = (Arc::clone(&script), Arc::clone(&heard), base.clone());
        let service = service_fn(move |request| answer(request, Arc::clone(&script), Arc::clone(&heard), base.clone()));
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service));
    }
}

async fn answer(
    request: Request<Incoming>,
    script: Arc<Script>,
    heard: Arc<Mutex<Vec<Heard>>>,
    base: String,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let key = format!("{} {}", parts.method, parts.uri.path());
    let line = format!("{} {}", parts.method, parts.uri.path_and_query().map_or("", |line| line.as_str()));
    let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    heard.lock().unwrap().push(Heard { line, headers: parts.headers, body });
    let canned = {
        let mut script = script.lock().unwrap();
        match script.get_mut(&key) {
            None => problem(404, "nothing is here", &key),
            Some(answers) if answers.len() > 1 => answers.remove(0),
            Some(answers) => answers[0].clone(),
        }
    };
    let body = Bytes::from(canned.body.replace("{base}", &base));
    let response = Response::builder().status(canned.status).header("content-type", canned.kind);
    Ok(response.body(Full::new(body)).unwrap())
}
