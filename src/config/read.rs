//! How is a tree read so that one mistake does not hide the next?
//!
//! A [`Section`] is a table being read. Each accessor takes one key, notes a problem when the value is not what it has
//! to be, and goes on with the default below it. [`Section::end`] names the keys nobody asked for.

use super::hint::{instead_of_unknown, one_of};
use super::problem::{Problem, Said};
use super::tree::{Node, Origin, Value};
use super::{Env, Place, secret};
use lead::units::{Rate, Size, Span};
use secrecy::SecretString;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

pub(crate) const A_DURATION: &str = "a duration above zero like \"90s\", \"15m\", \"24h\" or \"7d\"";
const A_SIZE: &str = "a size above zero like \"64KiB\" or \"25MiB\"";
const A_RATE: &str = "a rate like \"20/s burst 100\" or \"600/m\"";
const A_TEXT: &str = "a text in quotes";
const A_LIST: &str = "a list of texts like [\"a\", \"b\"]";
const DEFAULT: &str = "the built-in defaults hold every key that is read with a default";

/// The problems found so far.
#[derive(Default)]
pub(crate) struct Report(RefCell<Vec<Problem>>);

impl Report {
    pub(crate) fn add(&self, problem: Problem) {
        self.0.borrow_mut().push(problem);
    }

    pub(crate) fn take(self) -> Vec<Problem> {
        self.0.into_inner()
    }
}

/// A place in a file that may turn out to be wrong later, when other places are known.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    origin: Origin,
    key: String,
    said: Said,
}

impl Spot {
    pub(crate) fn wrong(&self, expected: impl Into<String>) -> Problem {
        Problem {
            file: self.origin.file.to_string(),
            line: self.origin.line,
            key: self.key.clone(),
            value: self.said.clone(),
            expected: expected.into(),
        }
    }

    /// Nobody wrote this: it is built in.
    pub(crate) fn is_default(&self) -> bool {
        &*self.origin.file == super::BUILT_IN
    }

    /// The key with its value, `limits.head (16KiB)`.
    fn told(&self) -> String {
        match &self.said {
            Said::Value(value) => format!("{} ({})", self.key, value.trim_matches('"')),
            Said::Missing | Said::Untold => self.key.clone(),
        }
    }

    fn hidden(self) -> Self {
        Self { said: Said::Value("\"[redacted]\"".to_owned()), ..self }
    }

    pub(crate) fn untold(self) -> Self {
        Self { said: Said::Untold, ..self }
    }
}

/// Two values that contradict each other: what the operator wrote is the mistake, not the default beside it.
pub(crate) fn too_large(small: &Spot, large: &Spot) -> Problem {
    if small.is_default() && !large.is_default() {
        large.wrong(format!("at least {}", small.told()))
    } else {
        small.wrong(format!("at most {}", large.told()))
    }
}

/// A table being read.
pub(crate) struct Section<'a> {
    origin: &'a Origin,
    table: &'a BTreeMap<String, Node>,
    path: String,
    report: &'a Report,
    known: RefCell<Vec<&'static str>>,
}

impl<'a> Section<'a> {
    /// The root of a tree, which a TOML text always has.
    pub(crate) fn root(node: &'a Node, report: &'a Report) -> Self {
        Self::of(node, String::new(), report).expect("the root of a TOML text is a table")
    }

    fn of(node: &'a Node, path: String, report: &'a Report) -> Option<Self> {
        let Value::Table(table) = &node.value else { return None };
        Some(Self { origin: &node.origin, table, path, report, known: RefCell::default() })
    }

    pub(crate) fn wrong(&self, problem: Problem) {
        self.report.add(problem);
    }

    fn path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn node(&self, key: &'static str) -> Option<&'a Node> {
        self.known.borrow_mut().push(key);
        self.table.get(key)
    }

    fn spot_of(&self, key: &str, node: &Node) -> Spot {
        Spot { origin: node.origin.clone(), key: self.path(key), said: Said::Value(node.value.shown()) }
    }

    /// Where a key stands, or where it is missing.
    pub(crate) fn spot(&self, key: &str) -> Spot {
        match self.table.get(key) {
            Some(node) => self.spot_of(key, node),
            None => Spot { origin: self.origin.clone(), key: self.path(key), said: Said::Missing },
        }
    }

    /// Whether this file, or anything above the defaults, says something here.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Whether a list is not there or empty.
    pub(crate) fn is_blank(&self, key: &str) -> bool {
        self.table.get(key).is_none_or(|node| matches!(&node.value, Value::List(items) if items.is_empty()))
    }

    /// The value of a key as `parse` understands it; what it does not understand is a problem.
    pub(crate) fn read<T>(
        &self,
        key: &'static str,
        expected: &str,
        parse: impl Fn(&'a Value) -> Option<T>,
    ) -> Option<T> {
        let node = self.node(key)?;
        parse(&node.value).or_else(|| {
            self.wrong(self.spot_of(key, node).wrong(expected));
            node.instead_of.as_ref().and_then(|below| parse(&below.value))
        })
    }

    /// As [`Self::read`], and a problem when the key is not there.
    pub(crate) fn need<T>(
        &self,
        key: &'static str,
        expected: &str,
        parse: impl Fn(&'a Value) -> Option<T>,
    ) -> Option<T> {
        if !self.has(key) {
            self.wrong(self.spot(key).wrong(expected));
        }
        self.read(key, expected, parse)
    }

    /// A text read by `parse`.
    pub(crate) fn parsed<T>(
        &self,
        key: &'static str,
        expected: &str,
        parse: impl Fn(&'a str) -> Option<T>,
    ) -> Option<T> {
        self.read(key, expected, |value| value.text().and_then(&parse))
    }

    /// A text that is not blank.
    pub(crate) fn text(&self, key: &'static str) -> Option<String> {
        self.parsed(key, "a text in quotes that is not blank", |text| {
            let text = text.trim();
            (!text.is_empty()).then(|| text.to_owned())
        })
    }

    pub(crate) fn span(&self, key: &'static str) -> Duration {
        let above_zero = |text: &str| Span::parse(text).map(|span| span.0).filter(|span| !span.is_zero());
        self.parsed(key, A_DURATION, above_zero).expect(DEFAULT)
    }

    pub(crate) fn size(&self, key: &'static str) -> Size {
        self.parsed(key, A_SIZE, |text| Size::parse(text).filter(|size| size.0 > 0)).expect(DEFAULT)
    }

    pub(crate) fn rate(&self, key: &'static str) -> Rate {
        self.parsed(key, A_RATE, Rate::parse).expect(DEFAULT)
    }

    pub(crate) fn flag(&self, key: &'static str) -> bool {
        self.read(key, "true or false", Value::flag).expect(DEFAULT)
    }

    pub(crate) fn whole(&self, key: &'static str, range: RangeInclusive<u32>) -> Option<u32> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let within = |value: &Value| value.whole().and_then(|n| u32::try_from(n).ok()).filter(|n| range.contains(n));
        self.read(key, &expected, within)
    }

    pub(crate) fn count(&self, key: &'static str, range: RangeInclusive<u32>) -> usize {
        self.whole(key, range).expect(DEFAULT) as usize
    }

    /// One of a few words.
    pub(crate) fn word<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> T {
        let names: Vec<String> = words.iter().map(|(name, _)| format!("{name:?}")).collect();
        let find = |text: &str| words.iter().find(|(name, _)| *name == text).map(|(_, meaning)| *meaning);
        self.parsed(key, &one_of(&names), find).expect(DEFAULT)
    }

    /// The texts of a list, each with its place.
    pub(crate) fn texts(&self, key: &'static str) -> Vec<(Spot, &'a str)> {
        let Some(items) = self.list(key, A_LIST) else { return Vec::new() };
        let place = |(index, node): (usize, &'a Node)| (self.spot_of(&format!("{key}[{}]", index + 1), node), node);
        let texts = items.iter().enumerate().map(place).filter_map(|(spot, node)| {
            let text = node.value.text().map(str::trim).filter(|text| !text.is_empty());
            if text.is_none() {
                self.wrong(spot.wrong("a text in quotes that is not blank"));
            }
            Some((spot, text?))
        });
        texts.collect()
    }

    /// Each text of a list as `parse` understands it.
    pub(crate) fn all<T>(
        &self,
        key: &'static str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Vec<(Spot, T)> {
        let read = |(spot, text): (Spot, &str)| {
            let value = parse(text);
            if value.is_none() {
                self.wrong(spot.wrong(expected));
            }
            Some((spot, value?))
        };
        self.texts(key).into_iter().filter_map(read).collect()
    }

    /// A list of texts that need no further reading.
    pub(crate) fn words(&self, key: &'static str) -> Vec<String> {
        self.texts(key).into_iter().map(|(_, text)| text.to_owned()).collect()
    }

    fn list(&self, key: &'static str, expected: &str) -> Option<&'a [Node]> {
        let node = self.node(key)?;
        if let Value::List(items) = &node.value {
            return Some(items);
        }
        self.wrong(self.spot_of(key, node).untold().wrong(expected));
        None
    }

    /// A secret of at least `least` characters. Its value never reaches a problem.
    pub(crate) fn secret(&self, key: &'static str, least: usize, env: &Env, place: &Place) -> Option<SecretString> {
        let node = self.node(key)?;
        self.secret_of(key, node, least, env, place)
    }

    pub(crate) fn secrets(&self, key: &'static str, least: usize, env: &Env, place: &Place) -> Vec<SecretString> {
        let items = self.list(key, A_LIST).unwrap_or_default().iter().enumerate();
        items
            .filter_map(|(index, node)| self.secret_of(&format!("{key}[{}]", index + 1), node, least, env, place))
            .collect()
    }

    fn secret_of(&self, key: &str, node: &Node, least: usize, env: &Env, place: &Place) -> Option<SecretString> {
        let found = match node.value.text() {
            Some(text) => secret::resolve(text, env, place).and_then(|found| long_enough(found, least)),
            None => Err(format!("{A_TEXT}: the secret itself, \"env:NAME\" or \"file:PATH\"")),
        };
        found.map_err(|expected| self.wrong(self.spot_of(key, node).hidden().wrong(expected))).ok()
    }

    /// A section, with the defaults below it when the file has something else there.
    pub(crate) fn section(&self, key: &'static str) -> Section<'a> {
        self.maybe_section(key).expect(DEFAULT)
    }

    pub(crate) fn maybe_section(&self, key: &'static str) -> Option<Section<'a>> {
        let node = self.node(key)?;
        Section::of(node, self.path(key), self.report).or_else(|| {
            self.wrong(self.spot_of(key, node).untold().wrong(format!("a section [{}]", self.path(key))));
            Section::of(node.instead_of.as_ref()?, self.path(key), self.report)
        })
    }

    /// The tables of a list, each named by its `id` or `name` where it has one.
    pub(crate) fn sections(&self, key: &'static str) -> Vec<Section<'a>> {
        let expected = format!("tables, each under its own [[{}]]", self.path(key));
        let Some(items) = self.list(key, &expected) else { return Vec::new() };
        let open = |(index, node): (usize, &'a Node)| {
            let path = self.path(&format!("{key}[{}]", label(node).unwrap_or_else(|| (index + 1).to_string())));
            Section::of(node, path, self.report).or_else(|| {
                self.wrong(self.spot_of(key, node).wrong(&expected));
                None
            })
        };
        items.iter().enumerate().filter_map(open).collect()
    }

    /// Every key and text of a free table.
    pub(crate) fn map(&self, key: &'static str) -> BTreeMap<String, String> {
        let Some(inner) = self.maybe_section(key) else { return BTreeMap::new() };
        let read = |(name, node): (&String, &Node)| {
            let text = node.value.text().map(str::trim).filter(|text| !text.is_empty());
            if text.is_none() {
                self.wrong(inner.spot_of(name, node).wrong(A_TEXT));
            }
            Some((name.clone(), text?.to_owned()))
        };
        inner.table.iter().filter_map(read).collect()
    }

    /// Names the keys that nobody asked for. Their values stay untold: a misspelt key may hold a secret.
    pub(crate) fn end(&self) {
        let mut known = self.known.borrow().clone();
        known.sort_unstable();
        known.dedup();
        for (key, node) in self.table.iter().filter(|(key, _)| !known.contains(&key.as_str())) {
            let what = if matches!(node.value, Value::Table(_)) { "section" } else { "key" };
            self.report.add(self.spot_of(key, node).untold().wrong(instead_of_unknown(what, key, &known)));
        }
    }
}

fn label(node: &Node) -> Option<String> {
    let Value::Table(table) = &node.value else { return None };
    let name = table.get("id").or_else(|| table.get("name"))?.value.text()?;
    lead::ids::is_name(name).then(|| name.to_owned())
}

fn long_enough(secret: SecretString, least: usize) -> Result<SecretString, String> {
    use secrecy::ExposeSecret as _;
    if secret.expose_secret().chars().count() < least {
        return Err(format!("a secret of at least {least} characters"));
    }
    Ok(secret)
}
