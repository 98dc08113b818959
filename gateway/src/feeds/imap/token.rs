//! What lets us into a mailbox that takes no password? An access token that the provider's own service gives for the
//! client's secret (OAuth 2.0, RFC 6749), shown by XOAUTH2.
//!
//! Google "OAuth 2.0 Mechanism"; Microsoft "Authenticate an IMAP, POP or SMTP connection using OAuth".

use super::Failure;
use crate::feeds::line::Line;
use crate::sources::shared::urlencoded;
use data_encoding::BASE64;
use secrecy::ExposeSecret;
use serde::Deserialize;

#[derive(Deserialize)]
struct Answer {
    access_token: Option<String>,
}

/// None where the channel says nothing of tokens. A new one for each connection: none lasts longer than an hour, and
/// connections do.
pub(super) async fn fetch(line: &Line) -> Result<Option<String>, Failure> {
    let channel = line.channel();
    let Some(url) = channel.setting("token_url") else { return Ok(None) };
    let secret = channel.secrets.first().map(ExposeSecret::expose_secret).unwrap_or_default();
    let said = |name| channel.setting(name);
    let question = question(secret, said("client_id"), said("refresh_token"), said("scope"));
    let answer = line.gateway.fetcher.post(url, question).await.map_err(Failure::Away)?;
    let answer: Option<Answer> = serde_json::from_slice(&answer).ok();
    let token = answer.and_then(|answer| answer.access_token).filter(|token| is_token(token));
    token.map(Some).ok_or(Failure::Refused("no access token for this client, secret or refresh token"))
}

/// With a person's refresh token in his name, else in the name of the application.
fn question(secret: &str, client: Option<&str>, refresh: Option<&str>, scope: Option<&str>) -> String {
    let grant = if refresh.is_some() { "refresh_token" } else { "client_credentials" };
    let fields = [
        ("grant_type", Some(grant)),
        ("client_id", client),
        ("client_secret", Some(secret)),
        ("refresh_token", refresh),
        ("scope", scope),
    ];
    let fields: Vec<(&str, &str)> = fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    urlencoded::write(&fields)
}

/// Nothing that would end the proof early.
fn is_token(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())
}

pub(super) fn proof(user: &str, token: &str) -> String {
    BASE64.encode(format!("user={user}\x01auth=Bearer {token}\x01\x01").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proof_is_that_of_the_documentation() {
        // Google's example, "The SASL XOAUTH2 Mechanism".
        assert_eq!(
            proof("someuser@example.com", "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg"),
            "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0\
             Q2cBAQ=="
        );
    }

    #[test]
    fn a_person_is_asked_for_by_his_refresh_token_and_an_application_by_itself() {
        let scope = Some("https://outlook.office365.com/.default");
        assert_eq!(
            question("s&1", Some("app"), None, scope),
            "grant_type=client_credentials&client_id=app&client_secret=s%261&scope=https%3A%2F%2Foutlook.office365.com%2F\
             .default"
        );
        assert_eq!(
            question("s", Some("app"), Some("r/1"), None),
            "grant_type=refresh_token&client_id=app&client_secret=s&refresh_token=r%2F1"
        );
    }

    #[test]
    fn a_token_is_one_word() {
        for (token, is) in
            [("ya29.a-b_c~d/e+f=", true), ("", false), ("a b", false), ("a\x01b", false), ("ключ", false)]
        {
            assert_eq!(is_token(token), is, "{token:?}");
        }
    }
}
