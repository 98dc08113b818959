//! What did the person write in this mail, and what is quotation, signature, markup or a site's form?

use super::aliases::{self, Field};
use super::fields::{MOST_FIELDS, Pairs};
use lead::text::cut;
use mail_parser::decoders::html::html_to_text;
use std::borrow::Cow;

/// A line that starts a field has its name in at most so many bytes.
const LONGEST_LABEL: usize = 96;

/// Text of an HTML mail: table cells apart, a line for each block, neither styles nor scripts. Nothing is fetched.
pub(crate) fn from_html(html: &str) -> String {
    const BLOCKS: [&str; 11] =
        ["/tr", "/div", "/li", "/h1", "/h2", "/h3", "/h4", "/table", "/blockquote", "/dt", "/dd"];
    const LONGEST_TAG: usize = 12;
    let mut broken = String::with_capacity(html.len() + 64);
    let mut rest = html;
    while let Some(open) = rest.find('<') {
        let (before, tag) = rest.split_at(open);
        broken.push_str(before);
        let start = cut(&tag[1..], LONGEST_TAG);
        let name = start.split(|c: char| c.is_whitespace() || c == '>').next().unwrap_or_default();
        let is = |known: &&str| name.eq_ignore_ascii_case(known);
        if let Some(silent) = ["style", "script"].iter().find(|known| is(known)) {
            rest = after(&tag[1..], silent);
            continue;
        }
        if BLOCKS.iter().any(&is) {
            broken.push_str("<br>");
        } else if is(&"/td") || is(&"/th") {
            broken.push_str("&#9;");
        }
        broken.push('<');
        rest = &tag[1..];
    }
    broken.push_str(rest);
    html_to_text(&broken)
}

/// What comes behind the end of an element; nothing behind one that never ends.
fn after<'h>(html: &'h str, name: &str) -> &'h str {
    let is_end = |at: &usize| {
        let tag = html.as_bytes().get(at + 2..at + 2 + name.len());
        html[*at..].starts_with("</") && tag.is_some_and(|tag| tag.eq_ignore_ascii_case(name.as_bytes()))
    };
    let end = memchr::memchr_iter(b'<', html.as_bytes()).find(is_end);
    end.and_then(|end| html[end..].split_once('>')).map_or("", |(_, rest)| rest)
}

/// What the sender wrote himself: without quoted lines, the quoted mail below and the signature.
pub(crate) fn own_words(text: &str) -> String {
    let mut own = String::with_capacity(text.len());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let next = || lines.clone().find(|line| !line.trim().is_empty()).unwrap_or_default();
        if is_end(line, next) {
            break;
        }
        if !is_quote(line) && !is_introduction(line) {
            own.push_str(line);
            own.push('\n');
        }
    }
    own
}

fn is_quote(line: &str) -> bool {
    line.trim_start().starts_with('>')
}

/// The signature mark, or the head of a mail that is quoted whole below. `next` finds the next line with text; only a
/// line with text asks, so blank lines are walked once.
fn is_end<'a>(line: &str, next: impl Fn() -> &'a str) -> bool {
    let trimmed = line.trim();
    let ruled = trimmed.starts_with("-----") && trimmed.ends_with("-----") && trimmed.len() > 10;
    let head = ["From:", "От:"].iter().any(|mark| trimmed.starts_with(mark));
    let sent = |next: &str| ["Sent:", "Date:", "Отправлено:", "Дата:"].iter().any(|mark| next.trim().starts_with(mark));
    trimmed == "--" || ruled || (head && sent(next())) || (is_introduction(line) && !is_quote(next()))
}

/// `On Monday Anna <anna@example.com> wrote:`
fn is_introduction(line: &str) -> bool {
    let Some(said) = line.trim().strip_suffix(':') else { return false };
    let verb = ["wrote", "writes", "писал", "писала", "пишет", "schrieb"].iter().any(|verb| said.ends_with(verb));
    verb || (said.ends_with('>') && said.contains('@'))
}

/// The fields of a form that a site sent by mail: lines `Name: value`, or the value on the next line. It is a form if
/// at least two lines are fields we know and one of them is a phone or a mail address.
pub(crate) fn form_fields(text: &str) -> Option<Pairs<'_>> {
    let mut form = Form::default();
    for line in text.lines() {
        form.line(line);
    }
    (form.known >= 2 && form.reachable).then_some(form.pairs)
}

#[derive(Default)]
struct Form<'a> {
    pairs: Pairs<'a>,
    known: usize,
    reachable: bool,
    /// Following lines belong to the message.
    in_text: bool,
}

impl<'a> Form<'a> {
    fn line(&mut self, line: &'a str) {
        let labelled = label(line);
        let meaning = labelled.and_then(|(name, _)| aliases::of_path(name));
        if self.pairs.len() >= MOST_FIELDS {
            return;
        }
        match (labelled, meaning) {
            (Some((name, value)), Some(field)) => {
                self.known += 1;
                self.reachable |= matches!(field, Field::Phone | Field::Email);
                self.in_text = field == Field::Text;
                self.push(name, value);
            }
            (Some((name, value)), None) if !self.in_text => self.push(name, value),
            _ => self.continues(line),
        }
    }

    /// `От: Anna <anna@example.com>` says two things.
    fn push(&mut self, name: &'a str, value: &'a str) {
        let sender = ["from", "от", "от кого"].iter().any(|from| name.to_lowercase() == *from);
        match value.strip_suffix('>').and_then(|value| value.split_once('<')).filter(|_| sender) {
            Some((who, address)) => {
                self.reachable = true;
                self.known += 1;
                self.pairs.push((Cow::Borrowed("name"), Cow::Borrowed(who.trim().trim_matches('"'))));
                self.pairs.push((Cow::Borrowed("email"), Cow::Borrowed(address.trim())));
            }
            None => self.pairs.push((Cow::Borrowed(name), Cow::Borrowed(value))),
        }
    }

    fn continues(&mut self, line: &'a str) {
        let Some((_, value)) = self.pairs.last_mut() else { return };
        if value.is_empty() {
            *value = Cow::Borrowed(line.trim());
        } else if self.in_text {
            let whole = value.to_mut();
            whole.push('\n');
            whole.push_str(line);
        }
    }
}

/// `Name: value`, `*Name:* value` and the cells of a table row.
fn label(line: &str) -> Option<(&str, &str)> {
    let colon = line.find(':').filter(|at| !line[at + 1..].starts_with("//"));
    let tab = line.trim_start().find('\t').map(|at| at + line.len() - line.trim_start().len());
    let at = match (colon, tab) {
        (Some(colon), Some(tab)) => colon.min(tab),
        (colon, tab) => colon.or(tab)?,
    };
    let name = line[..at].trim().trim_matches('*');
    let value = line[at + 1..].trim_matches(|c: char| c.is_whitespace() || c == '*');
    let worded = name.chars().any(char::is_alphabetic) && !name.contains("://");
    (worded && name.len() <= LONGEST_LABEL).then_some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_words_end_where_quotation_or_signature_begins() {
        for (text, own) in [
            ("Hello\n-- \nAnna\n+1 415 555 2671", "Hello\n"),
            ("Yes\n\nOn Mon, Ivan <i@example.com> wrote:\n\nHello Anna", "Yes\n\n"),
            ("On Mon, Ivan wrote:\n> When?\nToday\n> Where?\nHere", "Today\nHere\n"),
            ("Да\n21.11.2026, 10:00, \"Иван\" <i@example.com>:\nДобрый день", "Да\n"),
            ("Да\n-----Original Message-----\nFrom: Ivan", "Да\n"),
            ("Да\nОт: Иван\nОтправлено: вчера\nТекст", "Да\n"),
            ("От: Анна\nТелефон: 1", "От: Анна\nТелефон: 1\n"),
        ] {
            assert_eq!(own_words(text), own, "{text}");
        }
    }

    #[test]
    fn a_form_in_a_mail_is_read_by_its_labels() {
        let pairs =
            |text| form_fields(text).map(|pairs| pairs.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>());
        let text = "Заявка с сайта\nИмя: Анна\n*Телефон:* +7 916 123-45-67\nБюджет: 10\nСообщение: Добрый день\nвопрос: цена\n\nE-mail:\nanna@example.com";
        assert_eq!(
            pairs(text).unwrap(),
            [
                "Имя=Анна",
                "Телефон=+7 916 123-45-67",
                "Бюджет=10",
                "Сообщение=Добрый день",
                "вопрос=цена\n",
                "E-mail=anna@example.com"
            ]
        );
        assert_eq!(
            pairs("От: Анна <anna@example.com>\nТема: Дом").unwrap()[..2],
            ["name=Анна", "email=anna@example.com"]
        );
        assert_eq!(pairs("Добрый день!\nМой телефон: 123\nhttps://a.example/x"), None);
        assert_eq!(pairs("Имя: Анна\nГород: Тверь"), None, "nobody can be reached by it");
    }

    #[test]
    fn what_nobody_sees_of_html_is_no_text() {
        for (html, text) in [
            ("<style type=\"text/css\">p{x:1}</style>Hi", "Hi"),
            ("<STYLE media=all>a<b</Style >Hi<script src=x>y()</script> there", "Hi there"),
            ("Hi<script>if (a</b) { }", "Hi"),
            ("Hi<style", "Hi"),
        ] {
            assert_eq!(from_html(html).trim(), text, "{html}");
        }
    }

    #[test]
    fn html_becomes_lines_and_cells() {
        let html = "<style>p{}</style><p>Добрый&nbsp;день</p><img src=\"http://x/p.gif\"><table><tr><td>Имя</td><td>Анна</td></tr>\
            <tr><td>Тел.</td><td>+79161234567</td></tr></table><div>конец</div>";
        let text = from_html(html);
        let fields = form_fields(&text).unwrap();
        assert!(fields.contains(&("Имя".into(), "Анна".into())), "{text:?}");
        assert!(fields.contains(&("Тел.".into(), "+79161234567".into())), "{text:?}");
        assert!(!text.contains("p.gif") && !text.contains("p{}"));
    }
}
