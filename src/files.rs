//! How is the failure of a file told?

use std::io;

/// In the words of people: what the standard library calls an entity is a file.
pub(crate) fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        kind => kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_is_called_a_file() {
        let gone = std::fs::read("no such folder/here").unwrap_err();
        assert_eq!(why(&gone), "no such file");
        assert_eq!(why(&io::ErrorKind::PermissionDenied.into()), "permission denied");
    }
}
