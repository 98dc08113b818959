//! Is the configuration right? `leadgate check` reads all of it and lists every problem, one a line.

use crate::config::{self, Checkup, Env, Place};
use serde_json::json;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Configuration wrong.
pub(crate) const WRONG: u8 = 64;

/// Checks the configuration, or only `files` as workspaces that are not in place yet. The result is the exit code.
pub(crate) fn run(
    config: Option<&Path>,
    files: &[PathBuf],
    env: &Env,
    json: bool,
    out: &mut dyn Write,
) -> io::Result<u8> {
    let checkup = config::check(&Place::find(config, env), env, files);
    if json {
        writeln!(out, "{}", as_json(&checkup))?;
    } else {
        out.write_all(as_text(&checkup).as_bytes())?;
    }
    Ok(if checkup.problems.is_empty() { 0 } else { WRONG })
}

fn as_text(checkup: &Checkup) -> String {
    if checkup.problems.is_empty() {
        let (workspaces, channels) = (count(checkup.workspaces, "workspace"), count(checkup.channels, "channel"));
        return format!("configuration is fine: {workspaces}, {channels}\n");
    }
    checkup.problems.iter().map(|problem| format!("{problem}\n")).collect()
}

fn as_json(checkup: &Checkup) -> serde_json::Value {
    json!({
        "fine": checkup.problems.is_empty(),
        "workspaces": checkup.workspaces,
        "channels": checkup.channels,
        "problems": checkup.problems,
    })
}

fn count(number: usize, of: &str) -> String {
    if number == 1 { format!("1 {of}") } else { format!("{number} {of}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(config: &str, json: bool) -> (u8, String) {
        let mut out = Vec::new();
        let code = run(Some(Path::new(config)), &[], &Env::new(), json, &mut out).unwrap();
        (code, String::from_utf8(out).unwrap())
    }

    #[test]
    fn what_is_right_is_counted() {
        let fine = (0, "configuration is fine: 1 workspace, 4 channels\n".to_owned());
        assert_eq!(checked("config/leadgate.toml", false), fine);
        let json: serde_json::Value = serde_json::from_str(&checked("config/leadgate.toml", true).1).unwrap();
        assert_eq!((&json["fine"], &json["channels"]), (&json!(true), &json!(4)));
    }

    #[test]
    fn what_is_wrong_is_listed_and_the_exit_code_says_so() {
        let path = "config/bad/machine-listen.toml";
        let (code, text) = checked(path, false);
        assert_eq!((code, text.lines().count()), (WRONG, 1));
        let (code, text) = checked(path, true);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (code, &json["fine"], &json["problems"][0]["key"]),
            (WRONG, &json!(false), &json!("gateway.listen"))
        );
    }
}
