//! How does a command ask the desk of the running product? Path by path, with a token, and with every refusal turned
//! into one sentence that says what to do.

use super::failure::{Failure, Result};
use super::http::{self, Answer, Http, Trouble};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use std::time::Duration;
use url::Url;

/// Longest wait for an ordinary answer.
const TIME: Duration = Duration::from_secs(15);

/// The desk, from outside.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    base: Url,
    token: Option<SecretString>,
    pub(crate) http: Http,
}

/// What the desk said: as it came, and read.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) raw: Bytes,
    pub(crate) json: Value,
}

pub(crate) type Query<'a> = [(&'a str, &'a str)];

/// One question.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    pub(crate) path: &'a [&'a str],
    pub(crate) query: &'a Query<'a>,
    pub(crate) body: Option<&'a Value>,
    pub(crate) time: Duration,
}

impl Desk {
    pub(crate) fn new(base: &str, token: Option<SecretString>) -> Result<Self> {
        let url = Url::parse(base).ok().filter(|url| url.has_host() && matches!(url.scheme(), "http" | "https"));
        let Some(mut base) = url else {
            return Err(Failure::usage(
                "the desk's address is not understood; write it like --desk http://127.0.0.1:8090",
            ));
        };
        if base.scheme() == "https" {
            return Err(Failure::usage(
                "the desk is asked over plain HTTP; over a network use a tunnel (ssh -L 8090:127.0.0.1:8090 HOST) and --desk http://127.0.0.1:8090",
            ));
        }
        base.set_query(None);
        base.set_fragment(None);
        Ok(Self { base, token, http: Http::new() })
    }

    pub(crate) async fn get(&self, path: &[&str], query: &Query<'_>) -> Result<Said> {
        self.ask(Ask { method: Method::GET, path, query, body: None, time: TIME }).await
    }

    pub(crate) async fn post(&self, path: &[&str], body: Option<&Value>) -> Result<Said> {
        self.ask(Ask { method: Method::POST, path, query: &[], body, time: TIME }).await
    }

    pub(crate) async fn delete(&self, path: &[&str], query: &Query<'_>) -> Result<Said> {
        self.ask(Ask { method: Method::DELETE, path, query, body: None, time: TIME }).await
    }

    pub(crate) async fn ask(&self, ask: Ask<'_>) -> Result<Said> {
        let request = self.request(&ask, "application/json")?;
        let answer = self.http.send(request, ask.time).await.map_err(|trouble| self.trouble(&trouble))?;
        if !answer.status.is_success() {
            return Err(self.refused(&answer, ask.path).await);
        }
        let json = serde_json::from_slice(&answer.body).map_err(|_| self.stranger(answer.status))?;
        Ok(Said { raw: answer.body, json })
    }

    /// Opens the clean stream behind `cursor`, or from the oldest event that is kept.
    pub(crate) async fn stream(&self, workspace: &str, cursor: Option<&str>) -> Result<Response<Incoming>> {
        let path = ["v1", "workspaces", workspace, "events"];
        let ask = Ask { method: Method::GET, path: &path, query: &[], body: None, time: TIME };
        let mut request = self.request(&ask, "text/event-stream")?;
        if let Some(cursor) = cursor {
            let cursor =
                HeaderValue::from_str(cursor).map_err(|_| Failure::no("the desk named a place that is none"))?;
            request.headers_mut().insert("last-event-id", cursor);
        }
        let response = self.http.open(request, TIME).await.map_err(|trouble| self.trouble(&trouble))?;
        if response.status() == StatusCode::OK {
            return Ok(response);
        }
        let answer = http::whole(response, TIME).await.map_err(|trouble| self.trouble(&trouble))?;
        Err(self.refused(&answer, &path).await)
    }

    /// What was refused; where nothing is found because the workspace is none, that is what is told.
    async fn refused(&self, answer: &Answer, path: &[&str]) -> Failure {
        let refusal = self.refusal(answer);
        let (StatusCode::NOT_FOUND, ["v1", "workspaces", asked, ..]) = (answer.status, path) else { return refusal };
        match Box::pin(self.workspaces()).await {
            Ok(all) if !all.iter().any(|one| one == asked) => {
                let there = if all.is_empty() { "this token sees none".to_owned() } else { all.join(", ") };
                let mistakes = Box::pin(self.mistakes()).await;
                Failure::no(format!("there is no workspace {asked}; there are: {there}{mistakes}"))
            }
            _ => refusal,
        }
    }

    /// What to add where something is missing that a rejected file may hold.
    pub(crate) async fn mistakes(&self) -> &'static str {
        let said = self.get(&["ready"], &[]).await;
        let stale = said.is_ok_and(|said| said.json["parts"]["rules"]["up"] == false);
        if stale { "; the configuration has mistakes: see `leadgate check`" } else { "" }
    }

    /// The ids of the workspaces this caller may see.
    pub(crate) async fn workspaces(&self) -> Result<Vec<String>> {
        let said = self.get(&["v1", "workspaces"], &[]).await?;
        let all = said.json["workspaces"].as_array().ok_or_else(|| self.stranger(StatusCode::OK))?;
        Ok(all.iter().filter_map(|one| one["id"].as_str().map(str::to_owned)).collect())
    }

    /// The one asked for, or the only one there is.
    pub(crate) async fn workspace(&self, asked: Option<&str>) -> Result<String> {
        if let Some(asked) = asked {
            return Ok(asked.to_owned());
        }
        let mut all = self.workspaces().await?;
        match all.len() {
            0 => Err(Failure::no("the desk shows no workspace to this token")),
            1 => Ok(all.remove(0)),
            _ => Err(Failure::usage(format!(
                "there are several workspaces; add --workspace with one of: {}",
                all.join(", ")
            ))),
        }
    }

    fn request(&self, ask: &Ask<'_>, accept: &'static str) -> Result<Request<Full<Bytes>>> {
        let url = self.url(ask.path, ask.query);
        let mut request = Request::builder()
            .method(ask.method.clone())
            .uri(url.as_str())
            .header(ACCEPT, accept)
            .header(USER_AGENT, concat!("leadgate/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = &self.token {
            let bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()));
            let mut bearer = bearer.map_err(|_| Failure::usage("the token holds characters that no token has"))?;
            bearer.set_sensitive(true);
            request = request.header(AUTHORIZATION, bearer);
        }
        let mut body = Bytes::new();
        if let Some(json) = ask.body {
            request = request.header(CONTENT_TYPE, "application/json");
            body = Bytes::from(json.to_string());
        }
        request.body(Full::new(body)).map_err(|_| Failure::usage("the desk's address is not understood"))
    }

    fn url(&self, path: &[&str], query: &Query<'_>) -> Url {
        let mut url = self.base.clone();
        url.path_segments_mut().expect("an http address has a path").pop_if_empty().extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    fn name(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    fn trouble(&self, trouble: &Trouble) -> Failure {
        let what = match trouble {
            Trouble::Unreachable(_) => "is leadgate running? Start it with `leadgate`, or name its desk with --desk",
            Trouble::Late(_) => "it may be busy; look at its log, then try again",
            Trouble::Broken => "it may be stopping; try again",
        };
        Failure::no(format!("the desk at {} {}: {what}", self.name(), trouble.sentence()))
    }

    /// An answer that no desk gives.
    fn stranger(&self, status: StatusCode) -> Failure {
        let (name, status) = (self.name(), status.as_u16());
        Failure::no(format!("what answers at {name} is not a leadgate desk (HTTP {status}); check --desk"))
    }

    fn refusal(&self, answer: &Answer) -> Failure {
        let problem: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let Some(title) = problem["title"].as_str() else { return self.stranger(answer.status) };
        // What was wrong with the request says enough; of other refusals the title says what they are about.
        let enough = [StatusCode::UNPROCESSABLE_ENTITY, StatusCode::CONFLICT].contains(&answer.status);
        let told = match problem["detail"].as_str() {
            Some(detail) if enough => detail.to_owned(),
            Some(detail) => format!("{title}: {detail}"),
            None => title.to_owned(),
        };
        let wait = answer.headers.get(RETRY_AFTER).and_then(|seconds| seconds.to_str().ok());
        let lines = problem["errors"].as_array().map(|lines| lines.iter().filter_map(wrong_line).collect());
        Failure {
            status: Some(answer.status),
            lines: lines.unwrap_or_default(),
            ..Failure::no(self.advice(answer.status, &told, wait))
        }
    }

    fn advice(&self, status: StatusCode, told: &str, wait: Option<&str>) -> String {
        match (status, wait) {
            (StatusCode::UNAUTHORIZED, _) if self.token.is_some() => format!(
                "the desk at {} does not know this token: check --token, LEADGATE_TOKEN or [[desk.tokens]] of its configuration",
                self.name()
            ),
            (StatusCode::UNAUTHORIZED, _) => format!(
                "the desk at {} wants a token: add --token, set LEADGATE_TOKEN, or run this beside its leadgate.toml",
                self.name()
            ),
            (StatusCode::FORBIDDEN, _) => format!("the desk refused: {told}; use a token with the scope \"manage\""),
            (_, Some(seconds)) => format!("the desk refused: {told} (in {seconds} s)"),
            _ => format!("the desk refused: {told}"),
        }
    }
}

fn wrong_line(line: &Value) -> Option<(usize, String)> {
    let number = usize::try_from(line["line"].as_u64()?).ok()?;
    Some((number, line["error"].as_str()?.to_owned()))
}

#[cfg(test)]
impl Desk {
    /// Address and token, for tests alone.
    pub(crate) fn described(&self) -> String {
        format!("{} {}", self.base, self.token.as_ref().map_or("-", |token| token.expose_secret()))
    }
}
