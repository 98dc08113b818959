//! Whose words are these? From what a sender wrote to the identities that count.
//!
//! The rule: strangers never become one contact. Our own addresses, staff phones, no-reply senders are nobody's
//! identity. A phone found in running text counts only when it is the only one, and never joins two known contacts.

use crate::email;
use crate::entry::{Call, Direction, Handle, Reply, Signal, Touch};
use crate::identity::{Identity, IdentityKey};
use crate::phone;
use crate::rules::Rules;
use crate::state::Contact;
use std::collections::BTreeSet;

/// Everything a signal says about who it is from (or, for a reply, to).
#[derive(Debug, Default)]
pub struct Who {
    pub identities: Vec<Claim>,
    pub flags: BTreeSet<String>,
    /// What the lead keeps beside the identities: texts that were meant as phone or mail and are neither, extensions.
    pub remarks: Vec<(&'static str, String)>,
    /// Several phones in a text: any of them may be the sender's.
    pub hints: Vec<String>,
    /// All that was said is ours: staff talking to themselves.
    pub own: bool,
    /// E.164, best first.
    pub phones: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct Claim {
    pub identity: Identity,
    pub key: IdentityKey,
    /// Named as the sender's own, rather than found in a text.
    pub stated: bool,
}

pub fn who(rules: &Rules, signal: &Signal) -> Who {
    match signal {
        Signal::Touch(touch) => of_touch(rules, touch),
        Signal::Call(call) => of_call(rules, call),
        Signal::Reply(reply) => of_reply(rules, reply),
        Signal::Feedback(_) | Signal::Command(_) | Signal::Unreadable(_) => Who::default(),
    }
}

fn of_touch(rules: &Rules, touch: &Touch) -> Who {
    let mut who = Who::default();
    for text in touch.phones.iter().take(Contact::MOST_KEYS) {
        who.phone(rules, text);
    }
    for text in touch.emails.iter().take(Contact::MOST_KEYS) {
        who.email(rules, text);
    }
    for handle in touch.handles.iter().take(Contact::MOST_KEYS) {
        who.handle(rules, handle);
    }
    who.text_phones(rules, &touch.text_phones);
    who.conclude()
}

/// The customer's number: the caller's, or the called one's when we call.
fn of_call(rules: &Rules, call: &Call) -> Who {
    let customer = match call.direction {
        Direction::Inbound => call.from.as_deref(),
        Direction::Outbound => call.to.as_deref(),
    };
    let mut who = Who::default();
    if let Some(number) = customer.filter(|number| !withheld(number)) {
        who.phone(rules, number);
    }
    who.conclude()
}

fn of_reply(rules: &Rules, reply: &Reply) -> Who {
    let mut who = Who::default();
    for text in &reply.to_phones {
        who.phone(rules, text);
    }
    for text in &reply.to_emails {
        who.email(rules, text);
    }
    for handle in &reply.to_handles {
        who.handle(rules, handle);
    }
    who.conclude()
}

/// What networks send in place of a number.
fn withheld(number: &str) -> bool {
    const WORDS: [&str; 10] = [
        "anonymous",
        "unavailable",
        "restricted",
        "private",
        "unknown",
        "<unknown>",
        "blocked",
        "withheld",
        "+266696687",
        "",
    ];
    let word = number.trim().to_ascii_lowercase();
    WORDS.contains(&word.as_str())
}

impl Who {
    fn phone(&mut self, rules: &Rules, text: &str) {
        for found in phone::parse(text, rules.region) {
            if !found.valid {
                self.flags.insert("invalid_phone".to_owned());
                self.remarks.push(("phone_text", found.number));
                continue;
            }
            if found.costly {
                self.flags.insert("costly_phone".to_owned());
            }
            self.remarks.extend(found.extension.map(|extension| ("phone_extension", extension)));
            self.phones.push(found.number.clone());
            self.claim(rules, Identity::Phone(found.number), true);
        }
    }

    fn email(&mut self, rules: &Rules, text: &str) {
        let Some(address) = email::normalise(text) else {
            self.flags.insert("invalid_email".to_owned());
            self.remarks.push(("email_text", crate::text::cut(text, 254).to_owned()));
            return;
        };
        if email::confusable(text) {
            self.flags.insert("confusable_email".to_owned());
        }
        if !email::is_machine(&address) {
            self.claim(rules, Identity::Email(address), true);
        }
    }

    fn handle(&mut self, rules: &Rules, handle: &Handle) {
        let id = crate::text::cut(handle.id.trim(), 128);
        if !id.is_empty() {
            self.claim(rules, Identity::Handle(handle.kind.to_lowercase(), id.to_owned()), true);
        }
    }

    fn text_phones(&mut self, rules: &Rules, texts: &[String]) {
        let mut numbers: Vec<String> = Vec::new();
        for found in texts.iter().flat_map(|text| phone::parse(text, rules.region)).filter(|found| found.valid) {
            let known = numbers.contains(&found.number) || self.phones.contains(&found.number);
            if !known && !rules.is_own(&Identity::Phone(found.number.clone())) {
                numbers.push(found.number);
            }
        }
        match numbers.as_slice() {
            [] => {}
            [one] => {
                self.phones.push(one.clone());
                self.claim(rules, Identity::Phone(one.clone()), false);
            }
            _ => self.hints = numbers,
        }
    }

    fn claim(&mut self, rules: &Rules, identity: Identity, stated: bool) {
        if rules.is_own(&identity) {
            self.own = true;
            return;
        }
        let known = self.identities.iter().any(|claim| claim.identity == identity);
        if !known && self.identities.len() < Contact::MOST_KEYS {
            let key = identity.key(&rules.pepper);
            self.identities.push(Claim { identity, key, stated });
        }
    }

    fn conclude(mut self) -> Self {
        if self.identities.is_empty() {
            self.flags.insert("no_contact".to_owned());
        } else {
            self.own = false;
        }
        self
    }
}
