//! What does a channel compute from a payload that has no field for what we want? `fields = { name = "= first ~ ' ' ~
//! last" }`: what begins with an equals sign is an expression of Jinja's language, over the payload's fields.
//!
//! Names with dots in them are read with `field("data.customer.tel")`. An expression has only so much fuel, and what it
//! gives is cut like any other value; one that fails computes nothing, and the touch says so. Fuel counts steps and not
//! bytes, so what makes a text as long as a payload says is not there: `indent`, `format`, `tojson`, and a `replace` that
//! makes more than a message may have.

use super::fields::{DEEPEST, LONGEST_TEXT, Pairs};
use minijinja::value::{Serde, Value};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Steps of one expression.
const FUEL: u64 = 500;
/// Characters of one expression: longer ones are deeper than a parser should go.
const LONGEST: usize = 2_000;

/// The expression in a channel's `fields`, where it is one.
pub(crate) fn of(written: &str) -> Option<&str> {
    written.strip_prefix('=').map(str::trim)
}

/// Whether an expression can be read; for whoever checks a configuration.
pub fn check(written: &str) -> Result<(), String> {
    let Some(expression) = of(written) else { return Ok(()) };
    if expression.len() > LONGEST {
        return Err(format!("it is longer than {LONGEST} characters"));
    }
    let language = language();
    let found = language.compile_expression(expression).map(|_| ());
    found.map_err(|error| error.detail().unwrap_or("an expression").to_owned())?;
    names(expression).into_iter().find_map(|name| unknown(&language, name)).map_or(Ok(()), Err)
}

/// A name that the language must know, by where it stands.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Name<'a> {
    Filter(&'a str),
    Test(&'a str),
    Function(&'a str),
}

/// Tried out on its own: an expression over an empty payload may never come to the branch that holds it.
fn unknown(language: &Environment<'_>, name: Name<'_>) -> Option<String> {
    let (what, name, probe, kind) = match name {
        Name::Filter(name) => ("filter", name, format!("''|{name}"), ErrorKind::UnknownFilter),
        Name::Test(name) => ("test", name, format!("'' is {name}"), ErrorKind::UnknownTest),
        Name::Function("field") => return None,
        Name::Function(name) => ("function", name, format!("{name}()"), ErrorKind::UnknownFunction),
    };
    let tried = language.compile_expression(&probe).and_then(|probe| probe.eval(()));
    tried.is_err_and(|error| error.kind() == kind).then(|| format!("there is no {what} `{name}`"))
}

/// Words that may stand before a bracket and call nothing.
const WORDS: [&str; 7] = ["and", "else", "if", "in", "is", "not", "or"];

/// The names of an expression that can be read, outside its texts.
fn names(expression: &str) -> Vec<Name<'_>> {
    let (mut found, mut rest, mut before) = (Vec::new(), expression, "");
    while let Some(first) = rest.chars().next() {
        let length = token(rest, first);
        let (one, behind) = rest.split_at(length);
        rest = behind.trim_start();
        let is_name = first.is_alphabetic() || first == '_';
        if is_name && before == "|" {
            found.push(Name::Filter(one));
        } else if is_name && before == "is" && one != "not" {
            found.push(Name::Test(one));
        } else if is_name && before != "." && rest.starts_with('(') && !WORDS.contains(&one) {
            found.push(Name::Function(one));
        }
        // `is not` reads like `is`.
        before = if before == "is" && one == "not" { before } else { one };
    }
    found
}

/// The length of what an expression begins with: a text, a name or number, or a sign.
fn token(rest: &str, first: char) -> usize {
    if matches!(first, '\'' | '"') {
        let mut escaped = false;
        let end = rest.char_indices().skip(1).find(|(_, c)| {
            let ends = !escaped && *c == first;
            escaped = !escaped && *c == '\\';
            ends
        });
        return end.map_or(rest.len(), |(at, _)| at + 1);
    }
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    if is_word(first) { rest.find(|c| !is_word(c)).unwrap_or(rest.len()) } else { first.len_utf8() }
}

/// Which of a channel's expressions fail over these fields, and why; for whoever tries a payload out.
pub(crate) fn failures(fields: &BTreeMap<String, String>, pairs: &Pairs<'_>) -> Vec<(String, String)> {
    let failed = |(ours, written): (&String, &String)| {
        let error = compute(of(written)?, pairs).err()?;
        Some((ours.clone(), error.detail().map_or_else(|| error.kind().to_string(), str::to_owned)))
    };
    fields.iter().filter_map(failed).collect()
}

/// What it says over these fields; none where that is nothing. An error is an expression that failed.
pub(crate) fn compute(expression: &str, pairs: &Pairs<'_>) -> Result<Option<String>, Error> {
    let mut environment = language();
    environment.set_fuel(Some(FUEL));
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    let all: BTreeMap<String, String> =
        pairs.iter().map(|(path, value)| (path.to_string(), value.to_string())).collect();
    let context = Value::from(Serde(&nested(pairs)));
    let all = Arc::new(all);
    environment.add_function("field", move |path: String| all.get(&path).cloned());
    let said = environment.compile_expression(expression)?.eval(context)?;
    if said.is_undefined() || said.is_none() {
        return Ok(None);
    }
    if said.len().is_some() && said.as_str().is_none() {
        return Err(Error::new(ErrorKind::InvalidOperation, "an expression must give a text or a number"));
    }
    let text = said.to_string();
    Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
}

/// Jinja's, without what a number makes large.
fn language() -> Environment<'static> {
    let mut language = Environment::new();
    ["indent", "format", "tojson"].into_iter().for_each(|filter| language.remove_filter(filter));
    language.add_filter("replace", replace);
    language
}

fn replace(text: &str, from: &str, to: &str) -> Result<String, Error> {
    let longest = text.matches(from).count().saturating_mul(to.len()).saturating_add(text.len());
    let fits = longest <= LONGEST_TEXT;
    let too_long = || Error::new(ErrorKind::InvalidOperation, "the text would be too long");
    fits.then(|| text.replace(from, to)).ok_or_else(too_long)
}

/// `a.b` = `c` as `{"a": {"b": "c"}}`. What is both a value and a parent stays a value; what would lie deeper than JSON
/// may be is not there.
fn nested(pairs: &Pairs<'_>) -> serde_json::Value {
    let mut root = serde_json::Map::new();
    for (path, value) in pairs {
        let mut segments: Vec<&str> = path.split('.').take(DEEPEST + 1).collect();
        if segments.len() > DEEPEST {
            continue;
        }
        let Some(last) = segments.pop() else { continue };
        let place = segments.into_iter().try_fold(&mut root, |map, segment| {
            let below = map.entry(segment).or_insert_with(|| serde_json::Map::new().into());
            below.as_object_mut()
        });
        if let Some(map) = place {
            map.entry(last).or_insert_with(|| value.as_ref().into());
        }
    }
    root.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(expression: &str) -> Result<Option<String>, String> {
        let pairs = [("first", "Анна"), ("last", "Иванова"), ("data.tel", "+7916"), ("data.0.x", "1"), ("a.b", "c")];
        let pairs: Pairs<'_> = pairs.iter().map(|(path, value)| ((*path).into(), (*value).into())).collect();
        compute(expression, &pairs).map_err(|error| error.kind().to_string())
    }

    #[test]
    fn an_expression_computes_over_the_fields_of_the_payload() {
        for (expression, value) in [
            ("first ~ ' ' ~ last", Some("Анна Иванова")),
            ("data.tel", Some("+7916")),
            ("field('data.0.x')", Some("1")),
            ("data.nobody.here", None),
            ("first if last == 'X' else last|upper", Some("ИВАНОВА")),
            ("'  '", None),
            ("40 + 2", Some("42")),
            ("last|replace('ова', 'in')", Some("Иванin")),
        ] {
            assert_eq!(said(expression), Ok(value.map(str::to_owned)), "{expression}");
        }
    }

    #[test]
    fn an_expression_that_works_too_long_or_gives_no_text_fails() {
        let long = format!("first{}", " ~ 'x'".repeat(300));
        assert_eq!(said(&long), Err("engine ran out of fuel".to_owned()));
        assert!(said("[first, last]").is_err());
        assert!(said("first.no_such()").is_err());
    }

    #[test]
    fn a_payload_does_not_say_how_much_memory_an_expression_takes() {
        for expression in [
            "first|indent(1 + 79161234567)",
            "'%99999999999d'|format(1)",
            "[1]|tojson(indent=99999999999)",
            "('x' * 30000)|replace('x', 'abc')",
            "('x' * 30000)|replace('', 'abc')",
        ] {
            assert!(said(expression).is_err(), "{expression}");
        }
    }

    #[test]
    fn a_name_that_the_language_does_not_have_is_found_in_any_branch() {
        for (written, expected) in [
            ("= first|nofilter", Err("there is no filter `nofilter`")),
            ("= first if last else last|upper|nofilter(1)", Err("there is no filter `nofilter`")),
            ("= 'x' if nobody() else first", Err("there is no function `nobody`")),
            ("= 'x' if first is strange else 'y'", Err("there is no test `strange`")),
            ("= 'x' if first is not strange else 'y'", Err("there is no test `strange`")),
            ("= first|tojson", Err("there is no filter `tojson`")),
            ("= first|upper ~ ' |nofilter nobody() is strange ' ~ last|replace('a', 'b')", Ok(())),
            ("= 'it\\'s |nofilter'", Ok(())),
            ("= field('data.0.x')|default('-')|truncate(3)", Err("there is no filter `truncate`")),
            ("= 'x' if (first is defined) and not (last is divisibleby(3)) else first.strip()", Ok(())),
            ("= data['is'] ~ data['имя']|title", Ok(())),
            ("= range(3)|join", Ok(())),
        ] {
            assert_eq!(check(written), expected.map_err(str::to_owned), "{written}");
        }
    }

    #[test]
    fn an_expression_that_fails_says_why() {
        let fields = [("name", "= first.no_such()"), ("text", "= 1 + first"), ("phone", "= tel"), ("email", "mail")];
        let fields = fields.map(|(ours, written)| (ours.to_owned(), written.to_owned())).into();
        let pairs: Pairs<'_> = vec![("first".into(), "Anna".into())];
        let failed = failures(&fields, &pairs);
        assert_eq!(failed.iter().map(|(ours, _)| ours.as_str()).collect::<Vec<_>>(), ["name", "text"]);
        assert!(failed.iter().all(|(_, why)| !why.is_empty() && !why.contains("Anna")), "{failed:?}");
    }

    #[test]
    fn what_cannot_be_read_is_found_before_it_is_used() {
        assert!(check("= first ~").is_err());
        assert_eq!(check("= first ~ last"), Ok(()));
        assert!(check(&format!("= {}", "(".repeat(100_000))).unwrap_err().contains("longer"));
        assert_eq!(check("data.tel ~"), Ok(()), "a path is no expression");
    }

    #[test]
    fn a_path_of_many_steps_is_not_there_for_an_expression() {
        let (deep, last) = ("a.".repeat(100_000) + "b", "a.".repeat(DEEPEST - 1) + "c");
        let pairs: Pairs<'_> = vec![(deep.into(), "1".into()), ((&*last).into(), "2".into())];
        let found = |path: &str| compute(path, &pairs).map_err(|error| error.to_string());
        assert_eq!(found(&last), Ok(Some("2".to_owned())));
        assert_eq!(found("a.b"), Ok(None));
    }
}
