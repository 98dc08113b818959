//! What is wrong with the configuration, where, and what should stand there instead?
//!
//! Every mistake of every file becomes one [`Problem`]; nothing stops at the first. The value is shown to the person
//! who runs `leadgate check`; logs take [`Problem::for_log`], which leaves it out, because a value may be somebody's
//! phone.

use serde::Serialize;
use std::fmt;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    /// The file as the operator named it, or the name of the environment variable that overrode it.
    pub(crate) file: String,
    pub(crate) line: Option<usize>,
    /// `gateway.listen`, `channel[line-1].secret`; empty when the whole file is meant.
    pub(crate) key: String,
    #[serde(serialize_with = "shown")]
    pub(crate) value: Said,
    /// Fits after "expected".
    pub(crate) expected: String,
}

/// What the file says at that place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// As written; secrets are already redacted.
    Value(String),
    /// The key is not there.
    Missing,
    /// Not worth or not safe to repeat.
    Untold,
}

impl Problem {
    /// About a file as a whole.
    pub(crate) fn of_file(file: &str, line: Option<usize>, expected: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, key: String::new(), value: Said::Untold, expected: expected.into() }
    }

    /// The same without the value.
    pub(crate) fn for_log(&self) -> String {
        match self.value {
            Said::Value(_) => Self { value: Said::Untold, ..self.clone() }.to_string(),
            Said::Missing | Said::Untold => self.to_string(),
        }
    }

    /// The order of the report: the machine's file, the environment, then the workspaces; each from top to bottom.
    pub(crate) fn sort(problems: &mut [Self], machine_file: &str) {
        problems.sort_by(|a, b| a.rank(machine_file).cmp(&b.rank(machine_file)));
    }

    fn rank(&self, machine_file: &str) -> (u8, &str, usize) {
        let group = match self.file.as_str() {
            file if file == machine_file => 0,
            file if file.starts_with(super::VARIABLES) => 1,
            _ => 2,
        };
        (group, &self.file, self.line.unwrap_or(usize::MAX))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        match &self.value {
            Said::Value(value) => write!(f, " = {value}")?,
            Said::Missing => f.write_str(" is missing")?,
            Said::Untold => {}
        }
        write!(f, ": expected {}", self.expected)
    }
}

fn shown<S: serde::Serializer>(said: &Said, serializer: S) -> Result<S::Ok, S::Error> {
    match said {
        Said::Value(value) => serializer.serialize_some(value),
        Said::Missing | Said::Untold => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(value: Said) -> Problem {
        let (file, key, expected) = ("a.toml".to_owned(), "desk.listen".to_owned(), "an address".to_owned());
        Problem { file, line: Some(3), key, value, expected }
    }

    #[test]
    fn a_problem_reads_as_one_line() {
        for (said, line) in [
            (Said::Value("\"x\"".into()), "a.toml:3: desk.listen = \"x\": expected an address"),
            (Said::Missing, "a.toml:3: desk.listen is missing: expected an address"),
            (Said::Untold, "a.toml:3: desk.listen: expected an address"),
        ] {
            assert_eq!(problem(said).to_string(), line);
        }
        assert_eq!(Problem::of_file("a.toml", None, "a file").to_string(), "a.toml: expected a file");
    }

    #[test]
    fn the_log_never_sees_a_value() {
        let line = problem(Said::Value("\"+79161234567\"".into())).for_log();
        assert_eq!(line, "a.toml:3: desk.listen: expected an address");
    }

    #[test]
    fn machines_read_the_same_as_people() {
        let json = serde_json::to_string(&problem(Said::Value("7".into()))).unwrap();
        let same = r#"{"file":"a.toml","line":3,"key":"desk.listen","value":"7","expected":"an address"}"#;
        assert_eq!(json, same);
    }
}
