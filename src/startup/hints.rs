//! What does a newcomer try first? Printed when leadgate runs without a configuration of its own.

use gateway::channel::Channel;
use gateway::sources::{self, Sample, Source};
use lead::time::At;
use std::fmt::Write as _;
use std::net::SocketAddr;

/// Commands that work as printed, and what to open.
pub(super) fn text(channels: &[Channel], public: SocketAddr, desk: SocketAddr, now: At) -> String {
    let mut text = format!(
        "\nleadgate runs with the built-in demo; everything below works as printed.\n\n\
         The demo landing page:  http://{public}/demo\n\
         The console:            http://{desk}/\n"
    );
    for (channel, person) in channels.iter().zip(PEOPLE.iter().cycle()) {
        let Some(source) = sources::source(channel.source) else { continue };
        let _ = write!(
            text,
            "\nA {} through {}:\n  {}\n",
            source.kind.word(),
            channel.id,
            knock(source, channel, person, now)
        );
    }
    let _ = write!(
        text,
        "\nThe clean stream, as it is and as it grows:\n  curl http://{desk}/v1/workspaces/demo/events\n  \
         curl -N -H 'Accept: text/event-stream' http://{desk}/v1/workspaces/demo/events\n\n\
         Your own company: put a leadgate.toml here and your workspaces beside it, see README.md.\n"
    );
    text
}

/// Four strangers, so that each knock is a lead of its own.
const PEOPLE: [[&str; 3]; 4] = [
    ["Vera", "+79035551234", "vera@example.com"],
    ["Boris", "+79265557788", "boris@example.com"],
    ["Galina", "+78125554433", "galina@example.com"],
    ["Denis", "+74955556677", "denis@example.com"],
];

/// A request as the provider would send it, as a command line.
fn knock(source: &Source, channel: &Channel, [name, phone, email]: &[&str; 3], now: At) -> String {
    let sample = Sample {
        name: Some((*name).to_owned()),
        phone: Some((*phone).to_owned()),
        email: Some((*email).to_owned()),
        text: Some("A cottage for four, please".to_owned()),
        nonce: now.millis().to_string(),
    };
    let request = (source.sample)(channel, &sample, now);
    let mut line = format!("curl -X {}", request.method);
    for (name, value) in &request.headers {
        let _ = write!(line, " -H {}", quoted(&format!("{name}: {value}")));
    }
    let body = String::from_utf8_lossy(&request.body);
    let _ = write!(line, " --data-binary {} {}", quoted(&body), quoted(&format!("{}{}", channel.url, request.path)));
    line
}

/// As a shell reads it: single quotes, and `$'…'` where the text has line breaks.
fn quoted(text: &str) -> String {
    if text.contains(['\n', '\r']) {
        let escaped = text.replace('\\', "\\\\").replace('\'', "\\'").replace('\r', "\\r").replace('\n', "\\n");
        return format!("$'{escaped}'");
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_survives_the_shell() {
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted("a\r\nb'c\\d"), r"$'a\r\nb\'c\\d'");
    }
}
