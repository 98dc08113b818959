//! What do the files and the environment say together, and where does each value stand?
//!
//! A TOML text becomes a tree of [`Node`]s that remember file and line. Trees are laid over each other: the built-in
//! defaults below, the operator's file above, the environment on top. A node remembers what it replaced, so that after
//! a mistake the reading goes on with the default and finds the next mistake.

use super::problem::Problem;
use std::collections::BTreeMap;
use std::sync::Arc;
use toml::de::{DeTable, DeValue};

/// Where a value was written.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) file: Arc<str>,
    pub(crate) line: Option<usize>,
}

/// One value and its history. Holds secrets as they were written, so it has no `Debug`.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) origin: Origin,
    pub(crate) value: Value,
    pub(crate) instead_of: Option<Box<Node>>,
}

#[derive(Clone)]
pub(crate) enum Value {
    Text(String),
    /// From the environment, where nothing is quoted: whatever the reader expects it to be.
    Bare(String),
    Whole(i64),
    Float(f64),
    Flag(bool),
    Date(String),
    List(Vec<Node>),
    Table(BTreeMap<String, Node>),
}

impl Value {
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) | Value::Bare(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn whole(&self) -> Option<i64> {
        match self {
            Value::Whole(number) => Some(*number),
            Value::Bare(text) => text.parse().ok(),
            _ => None,
        }
    }

    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Value::Float(number) => Some(*number),
            Value::Whole(number) => number.to_string().parse().ok(),
            Value::Bare(text) => text.parse().ok(),
            _ => None,
        }
    }

    pub(crate) fn flag(&self) -> Option<bool> {
        match self {
            Value::Flag(flag) => Some(*flag),
            Value::Bare(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// A date, quoted or not.
    pub(crate) fn date(&self) -> Option<&str> {
        match self {
            Value::Date(text) => Some(text),
            _ => self.text(),
        }
    }

    /// How the value appears in a problem: shortened, and without what a URL may hide.
    pub(crate) fn shown(&self) -> String {
        match self {
            Value::Text(text) | Value::Bare(text) => format!("{:?}", shorten(text)),
            Value::Whole(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            Value::Flag(flag) => flag.to_string(),
            Value::Date(text) => text.clone(),
            Value::List(items) if items.is_empty() => "[]".to_owned(),
            Value::List(_) => "[…]".to_owned(),
            Value::Table(_) => "{…}".to_owned(),
        }
    }
}

/// The longest value a problem repeats.
const SHOWN: usize = 80;

fn shorten(text: &str) -> String {
    let safe = match text.split_once("://") {
        Some((scheme, rest)) => {
            let rest = rest.split(['?', '#']).next().unwrap_or_default();
            let host = rest.rsplit_once('@').map_or(rest.to_owned(), |(_, host)| format!("[redacted]@{host}"));
            format!("{scheme}://{host}")
        }
        // A URL with a slip in it may hold a password all the same.
        None => text.rsplit_once('@').map_or(text.to_owned(), |(_, host)| format!("[redacted]@{host}")),
    };
    if safe.chars().count() > SHOWN { safe.chars().take(SHOWN).chain(['…']).collect() } else { safe }
}

/// Reads one TOML text; every syntax error is a problem.
pub(crate) fn parse(file: &Arc<str>, text: &str) -> Result<Node, Vec<Problem>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let ruler = Ruler { file: file.clone(), text };
    if errors.is_empty() {
        return Ok(Node { origin: ruler.at(0), value: Value::Table(ruler.table(table.get_ref())), instead_of: None });
    }
    let mut problems: Vec<Problem> = errors
        .iter()
        .map(|error| {
            let line = error.span().and_then(|span| ruler.at(span.start).line);
            Problem::of_file(file, line, format!("valid TOML: {}", error.message().replace('\n', ", ")))
        })
        .collect();
    problems.dedup_by_key(|problem| problem.line);
    Err(problems)
}

/// Turns byte offsets of one text into lines.
struct Ruler<'a> {
    file: Arc<str>,
    text: &'a str,
}

impl Ruler<'_> {
    fn at(&self, offset: usize) -> Origin {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        let breaks = before.split(|byte| *byte == b'\n').count();
        Origin { file: self.file.clone(), line: Some(breaks) }
    }

    fn table(&self, table: &DeTable<'_>) -> BTreeMap<String, Node> {
        let entry = |(key, value): (&toml::Spanned<toml::de::DeString<'_>>, &toml::Spanned<DeValue<'_>>)| {
            (key.get_ref().to_string(), self.node(key.span().start, value.get_ref()))
        };
        table.iter().map(entry).collect()
    }

    fn node(&self, offset: usize, value: &DeValue<'_>) -> Node {
        let value = match value {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or_else(|_| Value::Text(number.to_string()), Value::Whole),
            DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(flag) => Value::Flag(*flag),
            DeValue::Datetime(date) => Value::Date(date.to_string()),
            DeValue::Array(items) => {
                Value::List(items.iter().map(|item| self.node(item.span().start, item.get_ref())).collect())
            }
            DeValue::Table(table) => Value::Table(self.table(table)),
        };
        Node { origin: self.at(offset), value, instead_of: None }
    }
}

/// Lays `above` over `below`: sections are merged key by key, everything else is replaced.
pub(crate) fn merge(below: Node, above: Node) -> Node {
    match (below.value, above.value) {
        (Value::Table(mut merged), Value::Table(over)) => {
            for (key, node) in over {
                let node = match merged.remove(&key) {
                    Some(old) => merge(old, node),
                    None => node,
                };
                merged.insert(key, node);
            }
            Node { value: Value::Table(merged), ..above }
        }
        (old, new) => {
            let old = Node { value: old, ..below };
            Node { value: new, instead_of: Some(Box::new(old)), ..above }
        }
    }
}

/// One environment variable as a tree: `LEADGATE__STORE__URL=x` is `store.url`. Lists and tables are written in TOML.
pub(crate) fn variable(name: &str, text: &str) -> Result<Option<Node>, Vec<Problem>> {
    let Some(path) = name.strip_prefix(super::VARIABLES) else { return Ok(None) };
    let origin = Origin { file: Arc::from(name), line: None };
    let value = if text.starts_with(['[', '{', '"', '\'']) {
        let parsed = DeValue::parse(text).map_err(|error| {
            vec![Problem::of_file(name, None, format!("a TOML value: {}", error.message().replace('\n', ", ")))]
        })?;
        let mut node = Ruler { file: origin.file.clone(), text }.node(0, parsed.get_ref());
        forget_lines(&mut node);
        node.value
    } else {
        Value::Bare(text.to_owned())
    };
    let leaf = Node { origin: origin.clone(), value, instead_of: None };
    Ok(Some(path.to_ascii_lowercase().rsplit("__").fold(leaf, |node, key| {
        let table = BTreeMap::from([(key.to_owned(), node)]);
        Node { origin: origin.clone(), value: Value::Table(table), instead_of: None }
    })))
}

fn forget_lines(node: &mut Node) {
    node.origin.line = None;
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(forget_lines),
        Value::Table(table) => table.values_mut().for_each(forget_lines),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str) -> Node {
        parse(&Arc::from("a.toml"), text).unwrap_or_else(|problems| panic!("{problems:?}"))
    }

    fn get<'a>(node: &'a Node, key: &str) -> &'a Node {
        let Value::Table(table) = &node.value else { panic!("no table above {key}") };
        &table[key]
    }

    #[test]
    fn every_node_knows_its_line() {
        let root = tree("a = 1\n\n[b]\nc = [\n  2,\n  3,\n]\n\n[[d]]\n\n[[d]]\ne = 4\n");
        assert_eq!(get(&root, "a").origin.line, Some(1));
        assert_eq!(get(&root, "b").origin.line, Some(3));
        let Value::List(items) = &get(get(&root, "b"), "c").value else { panic!() };
        assert_eq!(items.iter().map(|item| item.origin.line).collect::<Vec<_>>(), [Some(5), Some(6)]);
        let Value::List(items) = &get(&root, "d").value else { panic!() };
        assert_eq!(items.iter().map(|item| item.origin.line).collect::<Vec<_>>(), [Some(9), Some(11)]);
        assert_eq!(get(&items[1], "e").origin.line, Some(12));
    }

    #[test]
    fn what_lies_above_wins_and_what_lies_below_is_remembered() {
        let merged = merge(tree("[a]\nx = 1\ny = 2\n"), tree("[a]\ny = 3\n"));
        let a = get(&merged, "a");
        assert_eq!((get(a, "x").value.whole(), get(a, "y").value.whole()), (Some(1), Some(3)));
        let below = get(a, "y").instead_of.as_ref().unwrap();
        assert_eq!(below.value.whole(), Some(2));
    }

    #[test]
    fn a_variable_is_a_path_and_its_text_is_what_the_reader_expects() {
        let node = variable("LEADGATE__LIMITS__CONNECTIONS", "64").unwrap().unwrap();
        let leaf = get(get(&node, "limits"), "connections");
        assert_eq!((leaf.value.whole(), leaf.value.text()), (Some(64), Some("64")));
        let list = variable("LEADGATE__GATEWAY__HOSTS", r#"["a.example"]"#).unwrap().unwrap();
        assert_eq!(get(get(&list, "gateway"), "hosts").value.shown(), "[…]");
        assert!(variable("LEADGATE__GATEWAY__HOSTS", "[oops").is_err());
        assert!(variable("LEADGATE_CONFIG", "x").unwrap().is_none());
    }

    #[test]
    fn every_syntax_error_is_reported_with_its_line() {
        let Err(problems) = parse(&Arc::from("a.toml"), "a = \nb = 2\nb = 3\n") else { panic!("this is no TOML") };
        assert_eq!(problems.iter().map(|problem| problem.line).collect::<Vec<_>>(), [Some(1), Some(3)]);
    }

    #[test]
    fn a_shown_value_is_short_and_tells_no_password() {
        for (value, shown) in [
            ("redis://user:hidden@host:6379/0", "\"redis://[redacted]@host:6379/0\""),
            ("https://crm.example.com/hook?key=hidden", "\"https://crm.example.com/hook\""),
            ("redis//user:hidden@host:6379/0", "\"[redacted]@host:6379/0\""),
            ("plain", "\"plain\""),
        ] {
            assert_eq!(Value::Text(value.to_owned()).shown(), shown);
        }
        assert_eq!(Value::Text("я".repeat(1000)).shown().chars().count(), SHOWN + 3);
    }
}
