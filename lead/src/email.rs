//! When are two mail addresses one? When they are the same in lower case with the domain in ASCII. Dots and plus tags
//! stay: they are different mailboxes at most providers.

use email_address::{EmailAddress, Options};

/// The normal form, or none if this is no deliverable address (RFC 5321, with a dot in the domain).
pub fn normalise(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches("mailto:").trim_matches(|c| c == '<' || c == '>');
    if text.len() > 254 || text.chars().any(char::is_control) {
        return None;
    }
    let (local, host) = text.rsplit_once('@')?;
    let address = format!("{}@{}", local.to_lowercase(), domain(host)?);
    let options = Options::default().with_required_tld().without_display_text().without_domain_literal();
    EmailAddress::parse_with_options(&address, options).is_ok().then_some(address)
}

/// A domain in ASCII and lower case.
pub fn domain(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches('.');
    let ascii = idna::domain_to_ascii_strict(text).ok()?;
    let labels = ascii.split('.').all(|label| !label.is_empty() && label.len() <= 63);
    (labels && ascii.contains('.') && ascii.len() <= 253).then_some(ascii)
}

/// Does the address look like another one on purpose: letters of several scripts in one word?
pub fn confusable(text: &str) -> bool {
    let Some((local, host)) = text.rsplit_once('@') else { return false };
    local.split('.').chain(host.split('.')).any(|word| {
        let latin = word.chars().any(|c| c.is_ascii_alphabetic());
        latin && word.chars().any(|c| matches!(c, '\u{370}'..='\u{52f}'))
    })
}

/// Addresses nobody reads: never a customer.
pub fn is_machine(address: &str) -> bool {
    const ROLES: [&str; 11] = [
        "noreply",
        "no-reply",
        "no_reply",
        "donotreply",
        "do-not-reply",
        "mailer-daemon",
        "postmaster",
        "wordpress",
        "robot",
        "bounce",
        "bounces",
    ];
    let local = address.split('@').next().unwrap_or_default();
    let role = local.split('+').next().unwrap_or_default();
    ROLES.contains(&role) || local.starts_with("noreply") || local.starts_with("no-reply")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_does_not_matter_but_the_mailbox_does() {
        for (typed, normal) in [
            (" Anna@Example.COM ", "anna@example.com"),
            ("mailto:anna@example.com", "anna@example.com"),
            ("<anna@example.com>", "anna@example.com"),
            ("анна@пример.рф", "анна@xn--e1afmkfd.xn--p1ai"),
            ("a.n.na+tag@gmail.com", "a.n.na+tag@gmail.com"),
            ("anna@example.com.", "anna@example.com"),
        ] {
            assert_eq!(normalise(typed).as_deref(), Some(normal), "{typed}");
        }
    }

    #[test]
    fn what_no_server_would_deliver_is_no_address() {
        let long = format!("{}@example.com", "a".repeat(250));
        for wrong in [
            "a@b",
            "nobody",
            "@example.com",
            "a@",
            "a b@example.com",
            "a@-bad-.com",
            "a\r\nBcc: x@y.zz@example.com",
            "a@exa mple.com",
            &long,
        ] {
            assert_eq!(normalise(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn mixed_scripts_are_flagged() {
        assert!(confusable("anna@gm\u{430}il.com"));
        assert!(!confusable("anna@gmail.com"));
        assert!(!confusable("анна@пример.рф"));
    }

    #[test]
    fn machines_are_known_by_their_mailbox() {
        assert!(
            is_machine("no-reply@shop.example")
                && is_machine("wordpress@shop.example")
                && is_machine("noreply+1@x.example")
        );
        assert!(!is_machine("anna@example.com") && !is_machine("robotov@example.com"));
    }
}
