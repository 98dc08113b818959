//! How does a mail that we fetched from a mailbox become a touch? As one that was sent to us; only how it is known again
//! differs, because a mailbox that is made anew gives its mails other numbers.

use super::verdicts::{AUTHSERV, DMARC_FAIL};
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
    answer,
    sample: mail::SOURCE.sample,
    help: HELP,
};

const SETTINGS: &[Setting] = &[
    Setting {
        name: "host",
        value: Value::Text,
        required: true,
        expected: "the name of the mail server, like \"imap.example.com\"",
    },
    Setting { name: "port", value: Value::Port, required: false, expected: "the port, unless it is 993 or 143" },
    Setting {
        name: "tls",
        value: Value::Word(&["tls", "starttls", "off"]),
        required: false,
        expected: "how the connection is secured",
    },
    Setting {
        name: "ca",
        value: Value::Text,
        required: false,
        expected: "a PEM file with the authority of a server that the public ones do not know",
    },
    Setting {
        name: "user",
        value: Value::Text,
        required: false,
        expected: "the user name, unless it is the address of the channel",
    },
    Setting { name: "folder", value: Value::Text, required: false, expected: "the folder, unless it is INBOX" },
    Setting {
        name: "token_url",
        value: Value::Url,
        required: false,
        expected: "where an access token is got instead of a password (OAuth), like \"https://oauth2.googleapis.com/token\"",
    },
    Setting { name: "client_id", value: Value::Text, required: false, expected: "our id there (OAuth)" },
    Setting {
        name: "refresh_token",
        value: Value::Secret,
        required: false,
        expected: "what the mailbox's owner has granted (OAuth); without it the application shows itself",
    },
    Setting { name: "scope", value: Value::Text, required: false, expected: "what the token is for (OAuth)" },
    Setting {
        name: "poll",
        value: Value::Span,
        required: false,
        expected: "a duration like \"2m\": how often the mailbox is looked at even if the server says nothing",
    },
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

const fn answer(_: &Request, _: &Channel, _: Option<&str>) -> Answer {
    Answer::Accepted
}

const HELP: &str = "\
# A mailbox that is read (IMAP)

leadgate reads the mailbox itself; nothing has to be sent to it, and nothing is changed in it: no mail is marked as read,
moved or deleted. It begins with the mails that arrive after its first contact, and after an outage it reads all that
came in between.

1. `host`: the mail server, like `imap.gmail.com`, `imap.yandex.ru`, `imap.mail.ru`. Port and TLS are those of IMAP over
   TLS (993); `tls = \"starttls\"` (143) and `port` change it. `tls = \"off\"` sends the password readably: only on your own
   machine. `ca`: a PEM file, where your server's certificate is signed by yourselves.
2. `address`: the mailbox itself; `user`, if you log in with another name. `secret`: the password. With Gmail, Yandex and
   Mail.ru switch IMAP on and make an *app password*; the account's own is refused.
   A mailbox that takes no password (Microsoft 365, Google without app passwords) takes an access token: `token_url`,
   `client_id`, and as `secret` the client's secret. Microsoft 365: register an application with the permission
   `IMAP.AccessAsApp`, grant it the mailbox, and set
   `token_url = \"https://login.microsoftonline.com/<tenant>/oauth2/v2.0/token\"`,
   `scope = \"https://outlook.office365.com/.default\"`. Google: `token_url = \"https://oauth2.googleapis.com/token\"` and
   the `refresh_token` that the owner granted for `https://mail.google.com/`.
3. `folder`: where the customers' mails are, if not in `INBOX`. If people or filters move mails away at once, let the
   server copy them into a folder of leadgate's own: what is gone before it was seen is not read.
4. `own_emails`: the mailboxes of your staff. Copies of their answers that arrive here count as the first human answer.
5. `poll`: how often leadgate looks although the server said nothing (`2m`).
6. `authserv = [\"mx.google.com\"]`: the name with which the server begins its header Authentication-Results (look at the
   source of any mail). What it found out (`spf`, `dkim`, `dmarc`) is kept with the touch; nobody else's such header is
   read. A mail that fails DMARC is flagged `dmarc_failed`, and with `dmarc_fail = \"junk\"` put aside.

To prove it, write a mail to the address from outside: it is a lead within seconds where the server tells of new mail
(IDLE), else within `poll`. The metric `leadgate_feed_connected` says 1 in the gateway that reads the mailbox.
";
