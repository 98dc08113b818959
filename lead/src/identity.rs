//! Who is it? The strong keys of a person, their normal forms, and the key under which the store knows them.
//!
//! A cookie, an IP address or a name never joins two people. The store sees only an HMAC of the normal form: a plain
//! hash of a phone number falls to a laptop in minutes.

use crate::email;
use crate::phone::{self, Region};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::fmt;

/// A normalised strong key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Identity {
    /// E.164, `+79161234567`.
    Phone(String),
    /// Lower case, domain in ASCII.
    Email(String),
    /// `(network, id)`.
    Handle(String, String),
}

impl Identity {
    pub const fn kind(&self) -> &'static str {
        match self {
            Identity::Phone(_) => "phone",
            Identity::Email(_) => "email",
            Identity::Handle(..) => "handle",
        }
    }

    /// The normal form, unique within its kind.
    pub fn normal(&self) -> String {
        match self {
            Identity::Phone(text) | Identity::Email(text) => text.clone(),
            Identity::Handle(network, id) => format!("{network}:{id}"),
        }
    }

    pub fn key(&self, pepper: &Pepper) -> IdentityKey {
        let mut mac = pepper.mac();
        mac.update(self.kind().as_bytes());
        mac.update(b"\0");
        match self {
            Identity::Phone(text) | Identity::Email(text) => mac.update(text.as_bytes()),
            Identity::Handle(network, id) => {
                mac.update(network.as_bytes());
                mac.update(b":");
                mac.update(id.as_bytes());
            }
        }
        let mut key = [0; 16];
        key.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        IdentityKey(key)
    }
}

/// How the store knows an identity.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityKey(pub [u8; 16]);

impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdentityKey")
    }
}

/// The secret that keys the identity index and marks our own synthetic requests.
#[derive(Clone)]
pub struct Pepper(Hmac<Sha256>);

impl Pepper {
    pub fn new(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("HMAC takes a key of any length"))
    }

    /// A keyed hasher with the key schedule already done.
    pub fn mac(&self) -> Hmac<Sha256> {
        self.0.clone()
    }

    /// Tells peppers apart without telling the pepper.
    pub fn fingerprint(&self) -> String {
        let mut mac = self.mac();
        mac.update(b"leadgate pepper fingerprint");
        data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes()[..8])
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Whom an exclusion means: `phone:+7495…`, `email:a@b.c`, `domain:b.c`, `prefix:+7800`, `handle:telegram:777`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Matcher {
    One(Identity),
    /// A mail domain and every domain below it.
    Domain(String),
    /// The first digits of a phone, with the plus.
    Prefix(String),
}

impl Matcher {
    pub fn parse(text: &str, region: Region) -> Result<Self, &'static str> {
        let (kind, value) = text.split_once(':').ok_or(FORMS)?;
        let value = value.trim();
        match kind.trim() {
            "phone" => {
                let found = phone::parse(value, region);
                let [one] = found.as_slice() else { return Err("expected one phone number after `phone:`") };
                if one.valid {
                    Ok(Self::One(Identity::Phone(one.number.clone())))
                } else {
                    Err("this is not a phone number")
                }
            }
            "email" => {
                email::normalise(value).map(|mail| Self::One(Identity::Email(mail))).ok_or("this is not a mail address")
            }
            "domain" => email::domain(value).map(Self::Domain).ok_or("this is not a domain"),
            "prefix" => prefix(value).map(Self::Prefix).ok_or("expected `prefix:+` and 1 to 14 digits"),
            "handle" => match value.split_once(':') {
                Some((network, id)) if !network.is_empty() && !id.is_empty() => {
                    Ok(Self::One(Identity::Handle(network.to_lowercase(), id.to_owned())))
                }
                _ => Err("expected `handle:network:id`"),
            },
            _ => Err(FORMS),
        }
    }
}

const FORMS: &str = "expected `phone:`, `email:`, `domain:`, `prefix:` or `handle:` and a value";

fn prefix(value: &str) -> Option<String> {
    let digits: String = value.strip_prefix('+')?.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')')).collect();
    let fits = (1..=14).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| format!("+{digits}"))
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Matcher::One(identity) => write!(f, "{}:{}", identity.kind(), identity.normal()),
            Matcher::Domain(domain) => write!(f, "domain:{domain}"),
            Matcher::Prefix(prefix) => write!(f, "prefix:{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<String, &'static str> {
        Matcher::parse(text, Region::RU).map(|matcher| matcher.to_string())
    }

    #[test]
    fn an_exclusion_reads_in_any_spelling_and_prints_in_one() {
        for (typed, normal) in [
            ("phone:8 (495) 000-00-00", "phone:+74950000000"),
            ("email: Sales@Example.COM", "email:sales@example.com"),
            ("domain:пример.рф", "domain:xn--e1afmkfd.xn--p1ai"),
            ("prefix:+7 (800)", "prefix:+7800"),
            ("handle:Telegram:777", "handle:telegram:777"),
        ] {
            assert_eq!(parse(typed), Ok(normal.to_owned()), "{typed}");
        }
    }

    #[test]
    fn a_wrong_exclusion_says_what_was_expected() {
        for wrong in [
            "+74950000000",
            "phone:abc",
            "email:nobody",
            "domain:",
            "prefix:7800",
            "prefix:+",
            "handle:777",
            "ip:1.2.3.4",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_key_of_an_identity_depends_on_the_pepper_and_the_kind() {
        let (one, other) = (Pepper::new(b"one"), Pepper::new(b"other"));
        let phone = Identity::Phone("+79161234567".into());
        assert_eq!(phone.key(&one), phone.key(&one));
        assert_ne!(phone.key(&one), phone.key(&other));
        assert_ne!(phone.key(&one), Identity::Email("+79161234567".into()).key(&one));
        assert_eq!(format!("{one:?}"), "[redacted]");
        assert_ne!(one.fingerprint(), other.fingerprint());
    }
}
