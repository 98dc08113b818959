//! Where is the desk, and what is its token? What was typed, else the environment, else the configuration in force.

use super::desk_client::Desk;
use super::failure::{Failure, Result};
use crate::config::machine::{Config, Scope, Token};
use crate::config::{self, Env, Place};
use secrecy::SecretString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

const DESK: &str = "LEADGATE_DESK";
const TOKEN: &str = "LEADGATE_TOKEN";

/// What was typed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Typed<'a> {
    pub(crate) desk: Option<&'a str>,
    pub(crate) token: Option<SecretString>,
    pub(crate) config: Option<&'a Path>,
}

pub(crate) fn find(typed: Typed<'_>, env: &Env) -> Result<Desk> {
    let variable = |name: &str| env.get(name).map(String::as_str).filter(|text| !text.is_empty());
    let token = typed.token.or_else(|| variable(TOKEN).map(SecretString::from));
    // A token of the configuration is told only to the desk of that configuration.
    match typed.desk.or_else(|| variable(DESK)) {
        Some(desk) => Desk::new(desk, token),
        None => {
            let config = in_force(typed.config, env)?;
            let token = token.or_else(|| strongest(&config.desk.tokens).map(|token| token.token.clone()));
            Desk::new(&format!("http://{}", reachable(config.desk.listen)), token)
        }
    }
}

/// The machine's configuration, which must be right.
pub(crate) fn in_force(path: Option<&Path>, env: &Env) -> Result<Config> {
    let place = Place::find(path, env);
    let (config, problems) = config::machine(&place, env);
    if problems.is_empty() {
        return Ok(config);
    }
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    Err(Failure::wrong(format!(
        "the configuration is wrong, so it cannot say where the desk and the data are:\n{}\nmend it, or name the desk with --desk and --token",
        problems.join("\n")
    )))
}

fn strongest(tokens: &[Token]) -> Option<&Token> {
    tokens.iter().find(|token| token.scopes.contains(&Scope::Manage)).or_else(|| tokens.first())
}

/// Who listens everywhere is reached on this machine.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_desk_that_listens_everywhere_is_asked_on_this_machine() {
        for (listen, asked) in
            [("0.0.0.0:8090", "127.0.0.1:8090"), ("[::]:8090", "[::1]:8090"), ("10.0.0.7:1", "10.0.0.7:1")]
        {
            assert_eq!(reachable(listen.parse().unwrap()).to_string(), asked);
        }
    }

    fn found(config: &str, typed: Typed<'_>, env: &[(&str, &str)]) -> std::result::Result<String, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("leadgate.toml");
        std::fs::write(&path, config).unwrap();
        let env: Env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let desk = find(Typed { config: Some(&path), ..typed }, &env)?;
        Ok(desk.described())
    }

    const TWO: &str = "[desk]\nlisten = \"0.0.0.0:7\"\n\
        [[desk.tokens]]\nname = \"crm\"\ntoken = \"crm-0123456789abcdef\"\nscopes = [\"read\"]\n\
        [[desk.tokens]]\nname = \"ops\"\ntoken = \"ops-0123456789abcdef\"\nscopes = [\"manage\"]\n";

    #[test]
    fn what_is_typed_wins_over_the_environment_and_that_over_the_file() {
        let typed = Typed { desk: Some("http://a:1"), token: Some("typed".into()), config: None };
        let env = [(DESK, "http://b:2"), (TOKEN, "variable")];
        for (typed, env, expected) in [
            (typed, &env[..], "http://a:1/ typed"),
            (Typed::default(), &env[..], "http://b:2/ variable"),
            (Typed::default(), &env[1..], "http://127.0.0.1:7/ variable"),
            (Typed::default(), &[], "http://127.0.0.1:7/ ops-0123456789abcdef"),
        ] {
            assert_eq!(found(TWO, typed, env).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn another_desk_is_never_told_the_token_of_the_configuration() {
        let typed = Typed { desk: Some("http://elsewhere.example"), ..Typed::default() };
        assert_eq!(found(TWO, typed, &[]).as_deref(), Ok("http://elsewhere.example/ -"));
    }

    #[test]
    fn a_wrong_configuration_matters_only_where_it_is_asked() {
        let wrong = "[desk]\nlisten = \"nowhere\"\n";
        let failure = found(wrong, Typed::default(), &[]).unwrap_err();
        assert_eq!(failure.code, 64);
        assert!(failure.sentence.contains("desk.listen = \"nowhere\""), "{}", failure.sentence);
        let typed = Typed { desk: Some("http://a:1"), ..Typed::default() };
        assert!(found(wrong, typed, &[]).is_ok());
    }

    #[test]
    fn an_address_that_is_none_is_a_mistake_of_usage() {
        for bad in ["", "8090", "localhost:8090", "ftp://a", "https://a"] {
            let typed = Typed { desk: Some(bad), ..Typed::default() };
            assert_eq!(found("", typed, &[]).unwrap_err().code, 2, "{bad}");
        }
    }
}
