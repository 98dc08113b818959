//! Who asks the desk, and what may he do?
//!
//! With tokens configured a request carries one. Without, only this machine is served: the peer is a loopback
//! address, the host is a loopback name (a page cannot point a name of its own here), and no page of another site
//! stands behind it.

use super::Desk;
use super::error::{Failure, Kind, Result};
use axum::extract::{FromRequestParts, RawPathParams};
use http::HeaderMap;
use http::header::{AUTHORIZATION, HOST, ORIGIN};
use http::request::Parts;
use lead::ids::WorkspaceId;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use subtle::ConstantTimeEq;

use super::WorkspaceView;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Leads, events, books.
    Read,
    /// What became of a lead.
    Feedback,
    /// Everything.
    Manage,
}

/// A token as the desk keeps it: its hash.
#[derive(Clone)]
pub struct Token {
    name: Arc<str>,
    digest: [u8; 32],
    scopes: Vec<Scope>,
    workspaces: Option<Vec<WorkspaceId>>,
}

impl Token {
    /// `workspaces`: none means every workspace.
    pub fn new(name: &str, secret: &SecretString, scopes: Vec<Scope>, workspaces: Option<Vec<WorkspaceId>>) -> Self {
        Self { name: Arc::from(name), digest: digest(secret.expose_secret().as_bytes()), scopes, workspaces }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}, [redacted])", self.name)
    }
}

fn digest(secret: &[u8]) -> [u8; 32] {
    Sha256::digest(secret).into()
}

/// The address at the other end of the connection.
#[derive(Copy, Clone, Debug)]
pub struct Peer(pub IpAddr);

/// Somebody who has been let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// As commands and the log name him.
    pub name: Arc<str>,
    /// None: this machine, which may do everything.
    grants: Option<Grants>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Grants {
    scopes: Vec<Scope>,
    workspaces: Option<Vec<WorkspaceId>>,
}

impl Caller {
    pub fn may(&self, scope: Scope) -> bool {
        self.grants.as_ref().is_none_or(|grants| grants.scopes.iter().any(|one| [scope, Scope::Manage].contains(one)))
    }

    pub fn sees(&self, workspace: &WorkspaceId) -> bool {
        let only = self.grants.as_ref().and_then(|grants| grants.workspaces.as_ref());
        only.is_none_or(|only| only.contains(workspace))
    }

    fn sees_all(&self) -> bool {
        self.grants.as_ref().is_none_or(|grants| grants.workspaces.is_none())
    }

    fn need(&self, scope: Scope) -> Result<()> {
        if self.may(scope) { Ok(()) } else { Err(Kind::Scope.into()) }
    }
}

/// Lets a request in, or says why not.
pub fn admit(tokens: &[Token], peer: Option<IpAddr>, headers: &HeaderMap) -> Result<Caller> {
    if tokens.is_empty() {
        near(peer, headers)?;
        own_page(headers)?;
        return Ok(Caller { name: Arc::from("desk"), grants: None });
    }
    let shown = digest(bearer(headers).unwrap_or_default().as_bytes());
    // Every token is compared, so that the time says nothing of which one was near.
    let found = tokens.iter().fold(None, |found, token| match bool::from(token.digest.ct_eq(&shown)) {
        true => Some(token),
        false => found,
    });
    let token = found.ok_or(Kind::Unauthorized)?;
    let grants = Grants { scopes: token.scopes.clone(), workspaces: token.workspaces.clone() };
    Ok(Caller { name: Arc::clone(&token.name), grants: Some(grants) })
}

/// What holds no data (the console's page, the API's description) is for whoever may reach the desk at all.
pub fn admit_to_pages(tokens: &[Token], peer: Option<IpAddr>, headers: &HeaderMap) -> Result<()> {
    if tokens.is_empty() { near(peer, headers) } else { Ok(()) }
}

/// The one value of a header; several are none.
fn single<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok() }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = single(headers, &AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn near(peer: Option<IpAddr>, headers: &HeaderMap) -> Result<()> {
    if !peer.is_some_and(|peer| peer.to_canonical().is_loopback()) {
        return Err(Failure::new(Kind::Scope, "without tokens only this machine is served"));
    }
    match single(headers, &HOST) {
        Some(host) if is_loopback_name(host) => Ok(()),
        _ => Err(Kind::Host.into()),
    }
}

fn is_loopback_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name.eq_ignore_ascii_case("localhost") || name == "[::1]" || name.parse().is_ok_and(|ip: Ipv4Addr| ip.is_loopback())
}

/// Browsers say which page asks; what says nothing is no browser.
fn own_page(headers: &HeaderMap) -> Result<()> {
    let site = headers.get("sec-fetch-site").map(http::HeaderValue::as_bytes);
    if !matches!(site, None | Some(b"same-origin" | b"none")) {
        return Err(Kind::Origin.into());
    }
    if !headers.contains_key(ORIGIN) {
        return Ok(());
    }
    let page = single(headers, &ORIGIN).and_then(|origin| origin.split_once("://")).map(|(_, page)| page);
    match (page, single(headers, &HOST)) {
        (Some(page), Some(host)) if page.eq_ignore_ascii_case(host) => Ok(()),
        _ => Err(Kind::Origin.into()),
    }
}

fn caller(parts: &Parts, desk: &Desk) -> Result<Caller> {
    admit(&desk.tokens, parts.extensions.get::<Peer>().map(|peer| peer.0), &parts.headers)
}

/// Which scope an endpoint needs, as a type.
pub trait Need: Send + Sync {
    const SCOPE: Scope;
}

#[derive(Debug)]
pub struct Reading;
#[derive(Debug)]
pub struct Reporting;
#[derive(Debug)]
pub struct Managing;

impl Need for Reading {
    const SCOPE: Scope = Scope::Read;
}
impl Need for Reporting {
    const SCOPE: Scope = Scope::Feedback;
}
impl Need for Managing {
    const SCOPE: Scope = Scope::Manage;
}

/// A caller at one workspace he may see, with the scope that the endpoint needs.
#[derive(Debug)]
pub struct Seat<N> {
    pub desk: Arc<Desk>,
    pub caller: Caller,
    pub view: Arc<WorkspaceView>,
    need: PhantomData<N>,
}

impl<N> Seat<N> {
    pub fn workspace(&self) -> &WorkspaceId {
        &self.view.rules.workspace
    }
}

impl<N: Need> FromRequestParts<Arc<Desk>> for Seat<N> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, desk: &Arc<Desk>) -> Result<Self> {
        let caller = caller(parts, desk)?;
        let params = RawPathParams::from_request_parts(parts, desk).await.map_err(|_| Kind::NotFound)?;
        let asked = params.iter().find(|(name, _)| *name == "w").map(|(_, value)| value).ok_or(Kind::NotFound)?;
        let view = desk.workspaces.load().get(asked).map(Arc::clone);
        let view = view.filter(|view| caller.sees(&view.rules.workspace)).ok_or(Kind::NotFound)?;
        caller.need(N::SCOPE)?;
        Ok(Self { desk: Arc::clone(desk), caller, view, need: PhantomData })
    }
}

/// A caller with a scope, at no workspace in particular.
#[derive(Debug)]
pub struct Office<N> {
    pub desk: Arc<Desk>,
    pub caller: Caller,
    need: PhantomData<N>,
}

impl<N> Office<N> {
    /// For what is of all workspaces at once.
    pub fn whole(self) -> Result<Self> {
        if self.caller.sees_all() { Ok(self) } else { Err(Kind::Scope.into()) }
    }
}

impl<N: Need> FromRequestParts<Arc<Desk>> for Office<N> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, desk: &Arc<Desk>) -> Result<Self> {
        let caller = caller(parts, desk)?;
        caller.need(N::SCOPE)?;
        Ok(Self { desk: Arc::clone(desk), caller, need: PhantomData })
    }
}

/// Somebody who may see pages without data.
#[derive(Debug)]
pub struct Visitor;

impl FromRequestParts<Arc<Desk>> for Visitor {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, desk: &Arc<Desk>) -> Result<Self> {
        let peer = parts.extensions.get::<Peer>().map(|peer| peer.0);
        admit_to_pages(&desk.tokens, peer, &parts.headers).map(|()| Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        headers
    }

    fn kind(tokens: &[Token], peer: &str, lines: &[(&str, &str)]) -> Option<Kind> {
        admit(tokens, peer.parse().ok(), &headers(lines)).err().map(|failure| failure.kind())
    }

    fn token(scopes: &[Scope], workspaces: Option<&str>) -> Token {
        let only = workspaces.map(|one| vec![WorkspaceId::new(one)]);
        Token::new("crm", &SecretString::from("0123456789abcdef"), scopes.to_vec(), only)
    }

    #[test]
    fn without_tokens_only_this_machine_by_its_own_name_is_served() {
        for host in ["localhost", "localhost:8090", "LOCALHOST", "127.0.0.1:8090", "127.1.2.3", "[::1]:8090", "[::1]"] {
            for peer in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
                assert_eq!(kind(&[], peer, &[("host", host)]), None, "{peer} {host}");
            }
        }
        for host in
            ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "[::2]", "localhost:x", "10.0.0.1"]
        {
            assert_eq!(kind(&[], "127.0.0.1", &[("host", host)]), Some(Kind::Host), "{host}");
        }
        assert_eq!(kind(&[], "127.0.0.1", &[]), Some(Kind::Host));
        assert_eq!(kind(&[], "127.0.0.1", &[("host", "localhost"), ("host", "evil.example")]), Some(Kind::Host));
        for peer in ["192.0.2.1", "unknown"] {
            assert_eq!(kind(&[], peer, &[("host", "localhost")]), Some(Kind::Scope), "{peer}");
        }
    }

    #[test]
    fn a_page_of_another_site_is_refused() {
        for (line, refused) in [
            (("sec-fetch-site", "same-origin"), None),
            (("sec-fetch-site", "none"), None),
            (("sec-fetch-site", "same-site"), Some(Kind::Origin)),
            (("sec-fetch-site", "cross-site"), Some(Kind::Origin)),
            (("origin", "http://localhost:8090"), None),
            (("origin", "http://localhost:3000"), Some(Kind::Origin)),
            (("origin", "https://evil.example"), Some(Kind::Origin)),
            (("origin", "null"), Some(Kind::Origin)),
        ] {
            assert_eq!(kind(&[], "127.0.0.1", &[("host", "localhost:8090"), line]), refused, "{line:?}");
        }
    }

    #[test]
    fn with_tokens_nobody_comes_in_without_one_not_even_this_machine() {
        let tokens = [token(&[Scope::Read], None), Token::new("b", &"fedcba9876543210".into(), vec![], None)];
        let asks = |value: &str| kind(&tokens, "127.0.0.1", &[("host", "localhost"), ("authorization", value)]);
        assert_eq!(kind(&tokens, "127.0.0.1", &[("host", "localhost")]), Some(Kind::Unauthorized));
        for wrong in ["Bearer 0123456789abcdeF", "Bearer", "Bearer ", "Basic 0123456789abcdef", "0123456789abcdef"] {
            assert_eq!(asks(wrong), Some(Kind::Unauthorized), "{wrong}");
        }
        assert_eq!((asks("Bearer 0123456789abcdef"), asks("bearer fedcba9876543210")), (None, None));
    }

    #[test]
    fn a_scope_covers_what_it_says_and_manage_covers_all() {
        use Scope::{Feedback, Manage, Read};
        for (given, may) in [
            (vec![Read], [true, false, false]),
            (vec![Feedback], [false, true, false]),
            (vec![Read, Feedback], [true, true, false]),
            (vec![Manage], [true, true, true]),
            (vec![], [false, false, false]),
        ] {
            let tokens = [token(&given, None)];
            let bearer = headers(&[("authorization", "Bearer 0123456789abcdef")]);
            let caller = admit(&tokens, None, &bearer).unwrap();
            assert_eq!([Read, Feedback, Manage].map(|scope| caller.may(scope)), may, "{given:?}");
        }
    }

    #[test]
    fn a_token_of_one_workspace_sees_no_other_and_never_prints() {
        let token = token(&[Scope::Manage], Some("cottages"));
        assert_eq!(format!("{token:?}"), "Token(crm, [redacted])");
        let caller = admit(&[token], None, &headers(&[("authorization", "Bearer 0123456789abcdef")])).unwrap();
        assert!(caller.sees(&"cottages".into()) && !caller.sees(&"demo".into()) && !caller.sees_all());
    }
}
