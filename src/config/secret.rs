//! Where does a secret come from? The file itself, a variable (`env:NAME`) or another file (`file:PATH`).

use super::{Env, Place};
use crate::files;
use secrecy::SecretString;
use std::io::Read as _;

/// A key longer than this is a mistake in the path.
const LONGEST: u64 = 64 * 1024;

/// The secret a text stands for, or what was expected of it. The error never repeats the secret.
pub(crate) fn resolve(text: &str, env: &Env, place: &Place) -> Result<SecretString, String> {
    let found = if let Some(name) = text.strip_prefix("env:") {
        env.get(name).cloned().ok_or_else(|| format!("the variable {name} to be set"))?
    } else if let Some(path) = text.strip_prefix("file:") {
        from_file(path, place)?
    } else {
        text.to_owned()
    };
    if found.is_empty() {
        return Err("a secret that is not empty".to_owned());
    }
    Ok(SecretString::from(found))
}

/// A trailing line break belongs to the editor, not to the secret.
fn from_file(path: &str, place: &Place) -> Result<String, String> {
    let open = std::fs::File::open(place.folder().join(path));
    let file = open.map_err(|error| format!("the file {path} to be readable: {}", files::why(&error)))?;
    let mut text = String::new();
    let read = file.take(LONGEST).read_to_string(&mut text);
    read.map_err(|error| format!("the file {path} to hold text: {}", error.kind()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    fn resolved(text: &str, folder: &std::path::Path) -> Result<String, String> {
        let env = Env::from([("TOKEN".to_owned(), "from the environment".to_owned())]);
        let place = Place::file(folder.join("leadgate.toml"));
        let secret = resolve(text, &env, &place)?;
        assert!(!format!("{secret:?}").contains(secret.expose_secret()), "a secret must not print");
        Ok(secret.expose_secret().to_owned())
    }

    #[test]
    fn a_secret_is_a_literal_a_variable_or_a_file_beside_the_configuration() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), "from a file\n").unwrap();
        for (text, secret) in
            [("literal", "literal"), ("env:TOKEN", "from the environment"), ("file:token", "from a file")]
        {
            assert_eq!(resolved(text, folder.path()).as_deref(), Ok(secret), "{text}");
        }
    }

    #[test]
    fn a_secret_that_cannot_be_found_says_where_it_was_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("empty"), "\n").unwrap();
        for (text, expected) in [
            ("env:NOBODY", "the variable NOBODY to be set"),
            ("file:nothing", "the file nothing to be readable: no such file"),
            ("file:empty", "a secret that is not empty"),
            ("", "a secret that is not empty"),
        ] {
            assert_eq!(resolved(text, folder.path()), Err(expected.to_owned()), "{text}");
        }
    }
}
