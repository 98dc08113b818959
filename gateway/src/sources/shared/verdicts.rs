//! Is the sender who he says he is? What whoever took the mail in found out about it: SPF, DKIM and DMARC, by one name
//! whoever says so.
//!
//! A mail says it in Authentication-Results (RFC 8601), and anybody can write such a line; so only those count that name
//! a server which the channel trusts. That server takes away what others wrote in its name (RFC 8601, 5). Of several the
//! topmost counts, which was written last.

use crate::channel::Channel;
use crate::sources::{Setting, Value};
use lead::entry::Touch;
use mail_parser::Message;
use std::borrow::Cow;

pub(crate) const AUTHSERV: Setting = Setting::optional(
    "authserv",
    Value::Texts,
    "a list of the names by which your mail server begins its header Authentication-Results",
);

/// What a mail is whose sender is not who he says he is.
pub(crate) const DMARC_FAIL: Setting = Setting::optional(
    "dmarc_fail",
    Value::Word(&["tag", "junk"]),
    "what becomes of a mail that fails DMARC: \"tag\" or \"junk\"",
);

/// Of each method a word of RFC 8601.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdicts {
    pub spf: Option<&'static str>,
    pub dkim: Option<&'static str>,
    pub dmarc: Option<&'static str>,
}

impl Verdicts {
    /// What the servers that the channel trusts wrote above the mail.
    pub(crate) fn of(message: &Message<'_>, channel: &Channel) -> Self {
        let raw = message.raw_message();
        let named = message.headers().iter().filter(|header| header.name().eq_ignore_ascii_case(HEADER));
        let lines = named.filter_map(|header| raw.get(header.offset_start() as usize..header.offset_end() as usize));
        lines.map(|line| line_of(&String::from_utf8_lossy(line), channel)).fold(Self::default(), Self::or)
    }

    /// What one does not say the other may.
    pub(crate) fn or(self, other: Self) -> Self {
        let Self { spf, dkim, dmarc } = self;
        Self { spf: spf.or(other.spf), dkim: dkim.or(other.dkim), dmarc: dmarc.or(other.dmarc) }
    }

    pub(crate) fn fails_dmarc(&self) -> bool {
        self.dmarc == Some(FAIL)
    }

    /// Told to people. What the mail itself says under these names is not what we found.
    pub(crate) fn note(&self, touch: &mut Touch) {
        for (name, word) in [("spf", self.spf), ("dkim", self.dkim), ("dmarc", self.dmarc)] {
            touch.attributes.remove(name);
            if let Some(word) = word {
                touch.attributes.insert(name.to_owned(), word.into());
            }
        }
        if self.fails_dmarc() {
            touch.flags.insert("dmarc_failed".to_owned());
        }
    }
}

const HEADER: &str = "authentication-results";
const PASS: &str = "pass";
const FAIL: &str = "fail";

/// A word of RFC 8601 2.7, however its carrier writes it. Others are none.
pub(crate) fn word(said: &str) -> Option<&'static str> {
    const WORDS: [&str; 8] = [PASS, FAIL, "softfail", "neutral", "none", "policy", "temperror", "permerror"];
    let said = said.trim();
    let also = [("hardfail", FAIL), ("gray", "none"), ("processing_failed", "temperror")];
    let known = WORDS.into_iter().map(|word| (word, word)).chain(also);
    known.into_iter().find(|(theirs, _)| said.eq_ignore_ascii_case(theirs)).map(|(_, word)| word)
}

/// Of many signatures one that is right is enough.
pub(crate) fn best(words: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    words.reduce(|first, word| if word == PASS { word } else { first })
}

/// One line, if it is a trusted server's.
fn line_of(value: &str, channel: &Channel) -> Verdicts {
    let value = without_comments(value);
    let mut clauses = split(&value);
    let named = clauses.next().and_then(|clause| clause.split_whitespace().next()).unwrap_or_default();
    let named = named.trim_matches('"');
    if !channel.each_setting(AUTHSERV.name).any(|trusted| trusted.eq_ignore_ascii_case(named)) {
        return Verdicts::default();
    }
    let results: Vec<(&str, &'static str)> = clauses.filter_map(result).collect();
    let of = |method: &str| {
        let said = results.iter().filter(|(name, _)| name.eq_ignore_ascii_case(method));
        best(said.map(|(_, word)| *word))
    };
    Verdicts { spf: of("spf"), dkim: of("dkim"), dmarc: of("dmarc") }
}

/// `dkim/1 = pass reason="good" header.d=example.com`
fn result(clause: &str) -> Option<(&str, &'static str)> {
    let (method, rest) = clause.split_once('=')?;
    let method = method.split('/').next().unwrap_or_default().trim();
    Some((method, word(rest.split_whitespace().next()?)?))
}

/// At semicolons outside of quotation marks.
fn split(value: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    value.split(move |c| {
        let ends = c == ';' && !quoted;
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && quoted && !escaped;
        ends
    })
}

/// RFC 5322 3.2.2: they may stand anywhere, within each other, and hold what looks like a result.
fn without_comments(value: &str) -> Cow<'_, str> {
    if !value.contains('(') {
        return Cow::Borrowed(value);
    }
    let (mut plain, mut depth, mut quoted, mut escaped) = (String::with_capacity(value.len()), 0_usize, false, false);
    for c in value.chars() {
        let literal = escaped;
        escaped = c == '\\' && !literal && (quoted || depth > 0);
        match c {
            '(' if !literal && !quoted => depth += 1,
            ')' if !literal && depth > 0 => depth -= 1,
            _ if depth > 0 => {}
            _ => {
                quoted ^= c == '"' && !literal;
                plain.push(c);
                continue;
            }
        }
        plain.push(' ');
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail_parser::MessageParser;

    fn of(head: &str) -> [&'static str; 3] {
        let mut channel = Channel::new("mailbox".into(), "demo".into(), "mail");
        channel.settings.insert(AUTHSERV.name, vec!["mx.company.example".into(), "mx2.company.example".into()]);
        let mail = format!("{head}\nFrom: a@x.example\n\nhi").replace('\n', "\r\n");
        let message = MessageParser::default().parse(mail.as_bytes()).unwrap();
        let Verdicts { spf, dkim, dmarc } = Verdicts::of(&message, &channel);
        [spf, dkim, dmarc].map(|word| word.unwrap_or("-"))
    }

    #[test]
    fn only_a_trusted_server_is_believed() {
        for (head, expected) in [
            ("mx.company.example; spf=pass; dkim=fail; dmarc=pass", ["pass", "fail", "pass"]),
            ("MX.Company.Example 1; spf=SoftFail smtp.mailfrom=x.example", ["softfail", "-", "-"]),
            ("\"mx2.company.example\"; dmarc=fail (p=reject) header.from=x.example", ["-", "-", "fail"]),
            ("mx.evil.example; spf=pass; dkim=pass; dmarc=pass", ["-"; 3]),
            ("mx.company.example.evil.example; dmarc=pass", ["-"; 3]),
            ("(mx.company.example;) mx.evil.example; dmarc=pass", ["-"; 3]),
            ("mx.evil.example (; mx.company.example); dmarc=pass", ["-"; 3]),
            ("\"mx.evil.example; mx.company.example\"; dmarc=pass", ["-"; 3]),
            ("mx.company.example; none", ["-"; 3]),
            ("mx.company.example", ["-"; 3]),
            ("", ["-"; 3]),
        ] {
            assert_eq!(of(&format!("Authentication-Results: {head}")), expected, "{head}");
        }
    }

    #[test]
    fn a_line_is_read_as_the_grammar_has_it() {
        for (head, expected) in [
            ("spf=pass\n\t(mx: domain of a@x.example;\n dmarc=pass)\n\tsmtp.mailfrom=x", ["pass", "-", "-"]),
            ("dkim=fail header.d=a.example; dkim=pass header.d=b.example", ["-", "pass", "-"]),
            ("dkim=none; dkim=fail", ["-", "none", "-"]),
            ("dkim/1 = pass; spf/1=neutral", ["neutral", "pass", "-"]),
            (
                "spf=pass reason=\"it; dmarc=pass \\\"; dmarc=pass\" smtp.helo=x; dkim=permerror",
                ["pass", "permerror", "-"],
            ),
            ("dmarc=bestguesspass; spf=<script>; dkim=", ["-"; 3]),
            ("spf=hardfail; x-dmarc=pass; arc=pass", ["fail", "-", "-"]),
            ("spf=pass (unfinished; dmarc=pass", ["pass", "-", "-"]),
            ("spf=pass \"unfinished; dmarc=pass", ["pass", "-", "-"]),
        ] {
            assert_eq!(of(&format!("Authentication-Results: mx.company.example; {head}")), expected, "{head}");
        }
    }

    #[test]
    fn what_was_written_last_counts() {
        let line = |said: &str| format!("Authentication-Results: mx.company.example; {said}");
        let forged = line("spf=pass; dkim=pass; dmarc=pass");
        assert_eq!(of(&format!("{}\n{forged}", line("dmarc=fail; spf=fail"))), ["fail", "pass", "fail"]);
        let odd = "Authentication-Results: mx.company.example; dmarc=fail header.from=\u{fffd}";
        assert_eq!(of(&format!("{odd}\n{forged}"))[2], "fail");
        assert_eq!(of(&format!("ARC-{forged}")), ["-"; 3]);
    }

    #[test]
    fn every_carriers_words_are_the_same_words() {
        for (said, known) in [
            ("Pass", Some("pass")),
            (" FAIL ", Some("fail")),
            ("SoftFail", Some("softfail")),
            ("GRAY", Some("none")),
            ("PROCESSING_FAILED", Some("temperror")),
            ("whatever", None),
            ("", None),
        ] {
            assert_eq!(word(said), known, "{said}");
        }
    }
}
