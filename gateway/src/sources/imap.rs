//! How does a mail that we fetched from a mailbox become a touch? As one that was sent to us; only how it is known again
//! differs, because a mailbox that is made anew gives its mails other numbers.

use super::shared::verdicts::{AUTHSERV, DMARC_FAIL};
use super::{Answer, BodyLimit, Denied, Proof, Read, Reading, Refusal, Request, Setting, Source, Value, mail};
use crate::channel::Channel;
use data_encoding::HEXLOWER;
use lead::entry::{Kind, Signal};
use lead::ids::digest;

/// What stands in [`Request::rest`] when only a part of the mail was fetched.
pub(crate) const CUT: &str = "cut";

pub const SOURCE: Source = Source {
    name: "imap",
    kind: Kind::Mail,
    body: BodyLimit::Mail,
    anonymous: false,
    proof: Proof::Secret,
    settings: SETTINGS,
    methods: &[],
    verify,
    read,
    answer: |_, _, _| Answer::Accepted,
    sample: mail::SOURCE.sample,
    help: include_str!("imap.md"),
};

const SETTINGS: &[Setting] = &[
    Setting::required("host", Value::Text, "the name of the mail server, like \"imap.example.com\""),
    Setting::optional("port", Value::Port, "the port, unless it is 993 or 143"),
    Setting::optional("tls", Value::Word(&["tls", "starttls", "off"]), "how the connection is secured"),
    Setting::optional("ca", Value::Text, "a PEM file with the authority of a server that the public ones do not know"),
    Setting::optional("user", Value::Text, "the user name, unless it is the address of the channel"),
    Setting::optional("folder", Value::Text, "the folder, unless it is INBOX"),
    Setting::optional(
        "token_url",
        Value::Url,
        "where an access token is got instead of a password (OAuth), like \"https://oauth2.googleapis.com/token\"",
    ),
    Setting::optional("client_id", Value::Text, "our id there (OAuth)"),
    Setting::optional(
        "refresh_token",
        Value::Secret,
        "what the mailbox's owner has granted (OAuth); without it the application shows itself",
    ),
    Setting::optional("scope", Value::Text, "what the token is for (OAuth)"),
    Setting::optional(
        "poll",
        Value::Span,
        "a duration like \"2m\": how often the mailbox is looked at even if the server says nothing",
    ),
    AUTHSERV,
    DMARC_FAIL,
];

/// It was fetched from the server that we asked, by the feed of this name; nobody else can send it.
const fn verify(_: &Request, _: &Channel) -> Result<(), Denied> {
    Ok(())
}

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    let mut reading = (mail::SOURCE.read)(request, channel)?;
    for Read { id, signal } in &mut reading.signals {
        id.get_or_insert_with(|| (HEXLOWER.encode(&digest("mail", &[&request.body])), mail::SOURCE.name.to_owned()));
        if let (CUT, Signal::Touch(touch)) = (request.rest.as_str(), signal) {
            touch.flags.insert(CUT.to_owned());
        }
    }
    for what in &mut reading.ignored {
        *what = "imap.own_automatic";
    }
    Ok(reading)
}
