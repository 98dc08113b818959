//! How does a command say that it did not work? One plain sentence that tells what to do, and an exit code.

use hyper::StatusCode;
use std::io;
use std::process::ExitCode;

/// Failed, or the answer is "no".
const NO: u8 = 1;
/// Typed wrongly.
const USAGE: u8 = 2;
/// The configuration is wrong.
pub(crate) const WRONG: u8 = 64;

/// Why a command ends without success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) sentence: String,
    /// What the desk answered, where it did.
    pub(crate) status: Option<StatusCode>,
    /// Lines of a list that were not taken, counted from one.
    pub(crate) lines: Vec<(usize, String)>,
}

pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    fn new(code: u8, sentence: impl Into<String>) -> Self {
        Self { code, sentence: sentence.into(), status: None, lines: Vec::new() }
    }

    pub(crate) fn no(sentence: impl Into<String>) -> Self {
        Self::new(NO, sentence)
    }

    pub(crate) fn usage(sentence: impl Into<String>) -> Self {
        Self::new(USAGE, sentence)
    }

    pub(crate) fn wrong(sentence: impl Into<String>) -> Self {
        Self::new(WRONG, sentence)
    }

    /// The same failure in better words, where the desk answered `status`.
    pub(crate) fn when(self, status: StatusCode, sentence: impl FnOnce() -> String) -> Self {
        if self.status == Some(status) { Self { sentence: sentence(), ..self } } else { self }
    }

    /// Tells the operator, and ends.
    #[expect(clippy::print_stderr, reason = "the process ends with this sentence")]
    pub(crate) fn tell(&self) -> ExitCode {
        for (line, why) in &self.lines {
            eprintln!("line {line}: {why}");
        }
        if !self.sentence.is_empty() {
            eprintln!("leadgate: {}", self.sentence);
        }
        ExitCode::from(self.code)
    }
}

/// A reader who has seen enough (`leadgate tail | head`) is no failure.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(0, ""),
            kind => Self::no(format!("failed to write the output: {kind}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pipe_ends_quietly_and_a_full_disk_does_not() {
        let quiet = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((quiet.code, quiet.sentence.as_str()), (0, ""));
        let full = Failure::from(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!((full.code, full.sentence.as_str()), (1, "failed to write the output: no storage space"));
    }
}
