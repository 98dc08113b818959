//! What does the last server write above a mail? Return-Path and Received, RFC 5321 4.4. Pure.

use super::session::{Hello, Protocol};
use lead::text::cut;
use lead::time::At;
use std::fmt::Write as _;
use std::net::IpAddr;

/// How a mail came.
#[derive(Clone, Debug)]
pub(super) struct Came<'a> {
    /// Our name.
    pub host: &'a str,
    pub protocol: Protocol,
    pub hello: &'a Hello,
    /// None: through a file of this machine.
    pub address: Option<IpAddr>,
    pub secure: bool,
    pub utf8: bool,
    /// Empty: nobody wants an answer.
    pub sender: &'a str,
    /// Only where there is one: the others are nobody's business.
    pub recipient: Option<&'a str>,
    pub at: At,
}

impl Came<'_> {
    /// The lines with their ends.
    pub(super) fn lines(&self) -> String {
        let Self { host, sender, .. } = self;
        let mut lines = format!("Return-Path: <{sender}>\r\nReceived: from {}", name(&self.hello.name));
        let told = match self.address {
            Some(IpAddr::V4(address)) => write!(lines, " ([{address}])"),
            Some(IpAddr::V6(address)) => write!(lines, " ([IPv6:{address}])"),
            None => Ok(()),
        };
        let date = chrono::DateTime::from_timestamp_millis(self.at.millis()).unwrap_or_default().to_rfc2822();
        let whom = self.recipient.map(|recipient| format!("\r\n\tfor <{recipient}>")).unwrap_or_default();
        told.and_then(|()| write!(lines, "\r\n\tby {host} (leadgate) with {}{whom}; {date}\r\n", self.with()))
            .expect("a text can always be longer");
        lines
    }

    /// RFC 3848, and RFC 6531 4.3 for addresses in all letters.
    fn with(&self) -> String {
        let base = match self.protocol {
            Protocol::Smtp if self.utf8 => "UTF8SMTP",
            Protocol::Lmtp if self.utf8 => "UTF8LMTP",
            Protocol::Smtp if self.hello.extended || self.secure => "ESMTP",
            Protocol::Smtp => "SMTP",
            Protocol::Lmtp => "LMTP",
        };
        format!("{base}{}", if self.secure { "S" } else { "" })
    }
}

/// A name, or an address in brackets; nothing of what else a client may say can mean anything in the line.
fn name(hello: &str) -> String {
    let plain = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '[' | ']');
    let name: String = cut(hello, 255).chars().filter(plain).collect();
    if name.is_empty() { "unknown".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn came(hello: &Hello) -> Came<'_> {
        Came {
            host: "mx.leads.example",
            protocol: Protocol::Smtp,
            hello,
            address: Some([192, 0, 2, 1].into()),
            secure: false,
            utf8: false,
            sender: "anna@customer.example",
            recipient: Some("sales@company.example"),
            at: At::from_secs(1_795_243_469),
        }
    }

    #[test]
    fn the_lines_say_who_gave_what_to_whom() {
        let hello = Hello { name: "out.customer.example".into(), extended: true };
        assert_eq!(
            came(&hello).lines(),
            "Return-Path: <anna@customer.example>\r\n\
             Received: from out.customer.example ([192.0.2.1])\r\n\
             \tby mx.leads.example (leadgate) with ESMTP\r\n\
             \tfor <sales@company.example>; Sat, 21 Nov 2026 06:44:29 +0000\r\n"
        );
        let many = Came { sender: "", recipient: None, address: None, protocol: Protocol::Lmtp, ..came(&hello) };
        assert_eq!(
            many.lines(),
            "Return-Path: <>\r\nReceived: from out.customer.example\r\n\
             \tby mx.leads.example (leadgate) with LMTP; Sat, 21 Nov 2026 06:44:29 +0000\r\n"
        );
    }

    #[test]
    fn the_way_has_the_name_that_is_registered_for_it() {
        for (protocol, extended, secure, utf8, with) in [
            (Protocol::Smtp, false, false, false, "SMTP"),
            (Protocol::Smtp, true, false, false, "ESMTP"),
            (Protocol::Smtp, true, true, false, "ESMTPS"),
            (Protocol::Smtp, false, true, false, "ESMTPS"),
            (Protocol::Smtp, true, false, true, "UTF8SMTP"),
            (Protocol::Smtp, true, true, true, "UTF8SMTPS"),
            (Protocol::Lmtp, true, false, false, "LMTP"),
            (Protocol::Lmtp, true, true, false, "LMTPS"),
            (Protocol::Lmtp, true, false, true, "UTF8LMTP"),
        ] {
            let hello = Hello { name: "x".into(), extended };
            assert_eq!(Came { protocol, secure, utf8, ..came(&hello) }.with(), with);
        }
    }

    #[test]
    fn no_client_writes_more_than_a_name_into_the_line() {
        for (said, written) in [
            ("[192.0.2.1]", "[192.0.2.1]"),
            ("[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]"),
            ("почта.пример.рф", "почта.пример.рф"),
            ("x (by mx.bank.example); \"now\"", "xbymx.bank.examplenow"),
            ("x\r\nDKIM-Signature: v=1", "xDKIM-Signature:v1"),
            ("<>", "unknown"),
            ("", "unknown"),
        ] {
            assert_eq!(name(said), written, "{said}");
        }
        assert_eq!(name(&"я".repeat(1000)).len(), 254);
    }

    #[test]
    fn an_address_of_the_sixth_version_says_so() {
        let hello = Hello { name: "x".into(), extended: true };
        let came = Came { address: Some("2001:db8::1".parse().unwrap()), ..came(&hello) };
        assert!(came.lines().contains("from x ([IPv6:2001:db8::1])\r\n"), "{}", came.lines());
    }
}
