//! What becomes of each field of a payload? Found by looking for its value in what was read, so that it holds for
//! every source, whichever way it reads.

use super::{expression, fields, json, multipart, urlencoded};
use crate::channel::Channel;
use crate::sources::{FORM_TYPE, JSON_TYPE, Read, Refusal, Request};
use lead::entry::Signal;
use serde::Serialize;
use serde_json::Value;

/// One field as it came, and where it went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    pub path: String,
    pub value: String,
    /// Our name for it; none where it was not used.
    pub becomes: Option<String>,
}

/// Shorter values are found everywhere.
const SHORTEST: usize = 3;
const SHORTEST_PHONE: usize = 6;

/// The fields of a request, in their order. A body that has none, such as a mail, gives none.
pub fn fields(request: &Request) -> Vec<(String, String)> {
    let query = urlencoded::flat(request.query.as_bytes()).unwrap_or_default();
    let body = in_body(request).unwrap_or_default();
    query.into_iter().map(owned).chain(body).collect()
}

fn owned(pair: (impl Into<String>, impl Into<String>)) -> (String, String) {
    (pair.0.into(), pair.1.into())
}

fn in_body(request: &Request) -> Result<Vec<(String, String)>, Refusal> {
    let pairs = if request.is(JSON_TYPE) {
        json::read(&request.body)?
    } else if request.is(FORM_TYPE) {
        urlencoded::read(&request.body, request.charset())?
    } else if request.is("multipart/form-data") {
        multipart::read(&request.body, request.content_type())?.pairs
    } else {
        return Ok(Vec::new());
    };
    Ok(pairs.into_iter().map(owned).collect())
}

/// Where each field went.
pub fn trace(fields: Vec<(String, String)>, reads: &[Read]) -> Vec<Line> {
    let mut leaves = Vec::new();
    for read in reads {
        walk(&said(&read.signal).1, &mut String::new(), &mut leaves);
    }
    let line = |(path, value): (String, String)| {
        let becomes = place(&path, &value, &leaves);
        Line { path, value, becomes }
    };
    fields.into_iter().map(line).collect()
}

/// A signal's kind and its fields.
pub fn said(signal: &Signal) -> (&'static str, Value) {
    let plain = |value: Result<Value, _>| value.expect("a signal is plain data with text keys");
    match signal {
        Signal::Touch(touch) => ("touch", plain(serde_json::to_value(touch))),
        Signal::Call(call) => ("call", plain(serde_json::to_value(call))),
        Signal::Reply(reply) => ("reply", plain(serde_json::to_value(reply))),
        Signal::Feedback(feedback) => ("feedback", plain(serde_json::to_value(feedback))),
        Signal::Command(command) => ("command", plain(serde_json::to_value(command))),
        Signal::Unreadable(unreadable) => ("unreadable", plain(serde_json::to_value(unreadable))),
    }
}

/// Which expressions of the channel computed nothing, and why. Tried over the fields as they came: a source that gives
/// them other names first may find another reason, so only where the touch says that one has failed.
pub fn failed(fields: &[(String, String)], channel: &Channel, reads: &[Read]) -> Vec<(String, String)> {
    let flagged = |read: &Read| match &read.signal {
        Signal::Touch(touch) => touch.flags.contains(fields::EXPRESSION_FAILED),
        _ => false,
    };
    if !reads.iter().any(flagged) {
        return Vec::new();
    }
    let pairs = fields.iter().map(|(path, value)| (path.into(), value.into())).collect();
    expression::failures(&channel.fields, &pairs)
}

fn walk(value: &Value, path: &mut String, leaves: &mut Vec<(String, String)>) {
    let end = path.len();
    let mut below = |key: &str, value: &Value| {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(key);
        walk(value, path, leaves);
        path.truncate(end);
    };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| below(key, value)),
        Value::Array(items) => items.iter().enumerate().for_each(|(at, value)| below(&at.to_string(), value)),
        Value::String(text) => leaves.push((path.clone(), text.clone())),
        Value::Number(number) => leaves.push((path.clone(), number.to_string())),
        Value::Null | Value::Bool(_) => {}
    }
}

/// The field that has the value; where several have it, the one of the same name.
fn place(path: &str, value: &str, leaves: &[(String, String)]) -> Option<String> {
    let value = value.trim();
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let number = digits(value);
    let phone = |text: &str| number.len() >= SHORTEST_PHONE && digits(text).ends_with(&number);
    let equal = |found: &&(String, String)| found.1 == value;
    let part = |found: &&(String, String)| value.len() >= SHORTEST && found.1.contains(value);
    let same_phone = |found: &&(String, String)| found.0.contains("phone") && phone(&found.1);
    if value.is_empty() {
        return None;
    }
    let namesake = leaves.iter().filter(equal).find(|(ours, _)| ours.ends_with(path));
    let found = namesake
        .or_else(|| leaves.iter().find(equal))
        .or_else(|| leaves.iter().find(same_phone))
        .or_else(|| leaves.iter().find(part))?;
    Some(found.0.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use lead::entry::{Kind, Touch};

    #[test]
    fn a_field_is_found_by_its_value_and_by_its_name_where_several_have_it() {
        let mut touch = Touch::new(Kind::Form);
        touch.name = Some("Anna Maria Ivanova".into());
        touch.phones = vec!["+7 916 123-45-67".into()];
        touch.attributes.insert("size".into(), "42".into());
        touch.attributes.insert("floor".into(), "42".into());
        let read = Read { id: None, signal: Signal::Touch(Box::new(touch)) };
        let fields = [
            ("first", "Anna Maria", Some("name")),
            ("last", "Ivanova", Some("name")),
            ("tel", "9161234567", Some("phones.0")),
            ("floor", "42", Some("attributes.floor")),
            ("size", "42", Some("attributes.size")),
            ("formid", "f-77", None),
            ("empty", " ", None),
        ];
        let given = fields.map(|(path, value, _)| (path.to_owned(), value.to_owned())).to_vec();
        let lines = trace(given, &[read]);
        assert_eq!(lines.iter().map(|line| line.becomes.as_deref()).collect::<Vec<_>>(), fields.map(|(.., to)| to));
    }
}
