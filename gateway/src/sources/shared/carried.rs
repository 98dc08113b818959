//! How does a mail that a provider took in for us become a mail again? What it took apart is written as a message, so
//! that every mail is read in one way, by [`crate::sources::mail`].

use super::fields::LONGEST_TEXT;
use super::verdicts::Verdicts;
use data_encoding::BASE64_MIME;
use lead::text::cut;
use serde_json::Value;
use std::borrow::Cow;

/// One message and what its carrier knows of it besides.
#[derive(Debug, Default)]
pub(crate) struct Carried<'a> {
    pub raw: Cow<'a, [u8]>,
    /// Of the envelope; empty where nobody wants an answer.
    pub sender: Option<Cow<'a, str>>,
    /// Of the envelope.
    pub recipient: Option<Cow<'a, str>>,
    /// The carrier found that the sender is not who he says he is.
    pub forged: bool,
    /// What the carrier checked.
    pub verdicts: Verdicts,
    /// What was attached, where the message itself does not hold it any more.
    pub files: Vec<Value>,
    /// The carrier's own id, for a message that has none.
    pub id: Option<String>,
    /// The body stayed where the carrier keeps it.
    pub without_body: bool,
}

impl<'a> Carried<'a> {
    /// A message of which nothing else is known.
    pub(crate) fn raw(raw: &'a [u8]) -> Self {
        Self { raw: Cow::Borrowed(raw), ..Self::default() }
    }

    pub(crate) fn has_no_sender(&self) -> bool {
        self.sender.as_deref().is_some_and(|sender| matches!(sender.trim(), "" | "<>"))
    }
}

/// Names and values of a mail's head.
pub(crate) type Head<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// Lines of a head that are looked at, by whoever takes it over from a carrier.
pub(crate) const MOST_LINES: usize = 1000;
const LONGEST_LINE: usize = 64 * 1024;
const BOUNDARY: &str = "leadgate-part";

/// A head as it stood in the mail, folded lines joined.
pub(crate) fn head(block: &str) -> Head<'_> {
    let mut head: Head<'_> = Vec::new();
    for line in block.lines() {
        if let Some((_, value)) = head.last_mut().filter(|_| line.starts_with([' ', '\t'])) {
            let room = LONGEST_LINE.saturating_sub(value.len());
            value.to_mut().push_str(cut(line, room));
        } else if head.len() < MOST_LINES {
            head.extend(line.split_once(':').map(|(name, value)| (name.into(), value.trim().into())));
        } else {
            break;
        }
    }
    head
}

/// Adds what the head does not say itself.
pub(crate) fn add<'a>(head: &mut Head<'a>, name: &'a str, value: impl Into<Cow<'a, str>>) {
    let value = value.into();
    if !value.trim().is_empty() && !head.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
        head.push((name.into(), value));
    }
}

/// The topmost line of a name: those that a carrier writes stand above those that came with the mail.
pub(crate) fn first<'a>(head: &'a Head<'_>, name: &str) -> Option<&'a str> {
    head.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
}

/// `"Anna" <anna@example.com>`
pub(crate) fn mailbox(name: &str, address: &str) -> String {
    let name: String = name.chars().filter(|c| !matches!(c, '"' | '\\')).collect();
    format!("\"{name}\" <{address}>")
}

/// The message. How its parts were written is ours; that it is a report about another mail stays known.
pub(crate) fn write(head: &Head<'_>, plain: &str, html: &str) -> Vec<u8> {
    let mut mail = String::new();
    for (name, value) in head.iter().filter(|(name, _)| is_name(name) && !is_ours(name)) {
        mail.extend([name, ": ", &one_line(value), "\r\n"]);
    }
    mail.push_str("MIME-Version: 1.0\r\n");
    mail.extend(["Content-Type: multipart/", &kind(head), "; boundary=", BOUNDARY, "\r\n"]);
    for (kind, text) in [("plain", plain), ("html", html)] {
        if !text.trim().is_empty() {
            part(&mut mail, kind, cut(text, 4 * LONGEST_TEXT));
        }
    }
    mail.extend(["\r\n--", BOUNDARY, "--\r\n"]);
    mail.into_bytes()
}

fn part(mail: &mut String, kind: &str, text: &str) {
    mail.extend(["\r\n--", BOUNDARY, "\r\nContent-Type: text/", kind, "; charset=utf-8\r\n"]);
    mail.extend(["Content-Transfer-Encoding: base64\r\n\r\n", &BASE64_MIME.encode(text.as_bytes())]);
}

fn is_name(name: &str) -> bool {
    (1..=256).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':')
}

fn is_ours(name: &str) -> bool {
    ["content-type", "content-transfer-encoding", "mime-version"].iter().any(|ours| name.eq_ignore_ascii_case(ours))
}

fn one_line(value: &str) -> String {
    cut(value, LONGEST_LINE).chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// `report; report-type=delivery-status` where the head says so.
fn kind(head: &Head<'_>) -> String {
    let said = head.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let said = said.map(|(_, value)| value.trim().to_ascii_lowercase()).unwrap_or_default();
    if !said.starts_with("multipart/report") {
        return "alternative".to_owned();
    }
    let of = said.split_once("report-type=").map(|(_, of)| of.trim_start_matches('"')).unwrap_or_default();
    let of: String = of.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').take(64).collect();
    if of.is_empty() { "report".to_owned() } else { format!("report; report-type={of}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(head: &[(&str, &str)], plain: &str, html: &str) -> String {
        let head: Head<'_> = head.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        String::from_utf8(write(&head, plain, html)).unwrap()
    }

    #[test]
    fn a_head_is_read_with_its_folded_lines() {
        let read = head("Subject: one\r\n two\r\nX-Empty:\r\nno colon\r\nTo: a@b.example\n\tc@d.example");
        let lines: Vec<String> = read.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(lines, ["Subject=one two", "X-Empty=", "To=a@b.example\tc@d.example"]);
        assert_eq!(head(&"a: b\n".repeat(2 * MOST_LINES)).len(), MOST_LINES);
    }

    #[test]
    fn nobody_writes_a_line_of_the_head_through_a_value() {
        let mail = written(&[("Subject", "x\r\nBcc: y@z.example"), ("Bad name", "1"), ("", "2")], "hi", "");
        assert!(mail.starts_with("Subject: x  Bcc: y@z.example\r\nMIME-Version"), "{mail}");
    }

    #[test]
    fn only_a_report_keeps_its_own_content_type() {
        let kind = |said: &str| {
            let mail = written(&[("Content-Type", said)], "hi", "");
            mail.lines().find_map(|line| line.strip_prefix("Content-Type: multipart/")).unwrap().to_owned()
        };
        assert_eq!(kind("multipart/mixed; boundary=x"), "alternative; boundary=leadgate-part");
        assert_eq!(
            kind("multipart/report; boundary=x; report-type=\"delivery-status\""),
            "report; report-type=delivery-status; boundary=leadgate-part"
        );
        assert_eq!(kind("Multipart/Report; boundary=x"), "report; boundary=leadgate-part");
    }

    #[test]
    fn what_the_head_says_itself_is_not_added() {
        let mut head: Head<'_> = vec![("from".into(), "a@b.example".into())];
        add(&mut head, "From", "x@y.example");
        add(&mut head, "Subject", " ");
        add(&mut head, "To", "c@d.example");
        assert_eq!(head.len(), 2);
    }
}
