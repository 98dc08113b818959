//! How is a request kept in a file, and which channel is it for? Shared with `tests/fuzz`, which begins with the same
//! requests.

use gateway::channel::Channel;
use gateway::sources::{Request, Source, source};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use lead::time::At;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// `tests/fixtures`, from whichever crate this is part of.
pub(crate) fn fixtures() -> PathBuf {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|folder| folder.join("tests/fixtures"));
    above.into_iter().find(|folder| folder.is_dir()).expect("the repository has recorded requests")
}

pub(crate) fn now() -> At {
    At::parse("2026-11-21T10:01:00Z").expect("a moment as RFC 3339 writes it")
}

pub(crate) fn the(name: &str) -> &'static Source {
    source(name).unwrap_or_else(|| panic!("there is no source {name}"))
}

/// A channel of the source as a workspace would configure it: what `channel.json` beside its recorded requests says,
/// over a channel without secrets.
pub(crate) fn channel(source: &'static str) -> Channel {
    #[derive(Default, serde::Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Written {
        id: Option<String>,
        address: Option<String>,
        secret: Option<String>,
        redirect_hosts: Vec<String>,
        fields: BTreeMap<String, String>,
        settings: BTreeMap<String, Vec<String>>,
    }
    let file = fixtures().join("sources").join(source).join("channel.json");
    let text = std::fs::read(&file).unwrap_or_else(|_| b"{}".to_vec());
    let written: Written = serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{source}: {error}"));
    let id = written.id.as_deref().unwrap_or("spring");
    let own = |name: &str| the(source).settings.iter().find(|own| own.name == name).map(|own| own.name);
    let setting = |(name, values): (String, Vec<String>)| {
        let name = own(&name).unwrap_or_else(|| panic!("{source} has no setting {name}"));
        (name, values.into_iter().map(Into::into).collect())
    };
    Channel {
        address: Some(written.address.unwrap_or_else(|| "+74951234567".to_owned())),
        url: format!("https://leads.example.com/in/{id}"),
        secrets: written.secret.into_iter().map(Into::into).collect(),
        redirect_hosts: written.redirect_hosts,
        fields: written.fields,
        own_emails: vec!["ivan@company.example".to_owned(), "forms@site.example".to_owned()],
        settings: written.settings.into_iter().map(setting).collect(),
        ..Channel::new(id.into(), "cottages".into(), source)
    }
}

/// A request as it was sent: request line, headers, an empty line, the body. None where there is no empty line or no
/// request line; a line that is no header is passed over, as it never gets past the listener.
pub(crate) fn parse(raw: &[u8]) -> Option<Request> {
    let end = raw.windows(2).position(|pair| pair == b"\n\n")?;
    let mut lines = raw[..end].split(|byte| *byte == b'\n');
    let first = std::str::from_utf8(lines.next()?).ok()?;
    let mut first = first.split(' ');
    let (method, target) = (first.next()?, first.next()?);
    let url = format!("https://leads.example.com{target}");
    let (path, query) = url.split_once('?').unwrap_or((&url, ""));
    let below = path.split_once("/in/").and_then(|(_, path)| path.split_once('/'));
    Some(Request {
        method: Method::from_bytes(method.as_bytes()).ok()?,
        rest: below.map(|(_, rest)| rest.to_owned()).unwrap_or_default(),
        query: query.to_owned(),
        headers: lines.filter_map(header).fold(HeaderMap::new(), appended),
        body: raw[end + 2..].to_vec().into(),
        documents: BTreeMap::new(),
        received_at: now(),
        url,
    })
}

fn header(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.windows(2).position(|pair| pair == b": ")?;
    Some((HeaderName::from_bytes(&line[..colon]).ok()?, HeaderValue::from_bytes(&line[colon + 2..]).ok()?))
}

fn appended(mut headers: HeaderMap, (name, value): (HeaderName, HeaderValue)) -> HeaderMap {
    headers.append(name, value);
    headers
}

/// What a source needs besides a recorded request: `<name>.document.json` beside it, else `document.json`.
pub(crate) fn document(source: &str, name: &str) -> Option<Vec<u8>> {
    let folder = fixtures().join("sources").join(source);
    let own = folder.join(format!("{name}.document.json"));
    std::fs::read(own).or_else(|_| std::fs::read(folder.join("document.json"))).ok()
}

/// The recorded requests of a source, in the order of their names.
pub(crate) fn names(source: &str) -> Vec<String> {
    let folder = std::fs::read_dir(fixtures().join("sources").join(source)).expect("every source has a folder");
    let files = folder.filter_map(|file| file.ok().map(|file| file.path()));
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "http"));
    let mut names: Vec<String> = files.filter_map(|path| path.file_stem()?.to_str().map(str::to_owned)).collect();
    names.sort();
    names
}

/// The bytes of one.
pub(crate) fn raw(source: &str, name: &str) -> Vec<u8> {
    let file = fixtures().join("sources").join(source).join(name).with_extension("http");
    std::fs::read(&file).unwrap_or_else(|error| panic!("{source}/{name}: {error}"))
}
