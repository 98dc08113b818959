//! Which ids exist, and what is each one made from?
//!
//! An id that a retry could make twice is derived, never drawn: the same cause gives the same id, so a redelivered
//! request, a re-sent journal row or a re-run batch changes nothing.

use data_encoding::{BASE32HEX_NOPAD, HEXLOWER};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::sync::Arc;

/// Hashes parts so that no two lists of parts can collide by sliding text over a boundary.
pub fn digest(domain: &str, parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(domain.as_bytes());
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut short = [0; 16];
    short.copy_from_slice(&hash.finalize()[..16]);
    short
}

macro_rules! id128 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }
            pub const fn bytes(&self) -> &[u8; 16] {
                &self.0
            }
            /// Reads the text form: 26 characters of base32hex, either case.
            pub fn parse(text: &str) -> Option<Self> {
                let bytes = BASE32HEX_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).ok()?;
                Some(Self(bytes.try_into().ok()?))
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&BASE32HEX_NOPAD.encode(&self.0).to_ascii_lowercase())
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    serializer.serialize_bytes(&self.0)
                }
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl serde::de::Visitor<'_> for Visitor {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("an id")
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        $name::parse(text).ok_or_else(|| E::custom("not an id"))
                    }
                    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<$name, E> {
                        bytes.try_into().map($name).map_err(|_| E::custom("an id has 16 bytes"))
                    }
                }
                if deserializer.is_human_readable() {
                    deserializer.deserialize_str(Visitor)
                } else {
                    deserializer.deserialize_bytes(Visitor)
                }
            }
        }
    };
}

id128!(
    /// One entry of the journal: hash of channel, provider's event id and phase; random where the provider has no id.
    Uid
);
id128!(
    /// One lead, derived from the uid that made it.
    LeadId
);
id128!(
    /// One contact, derived from the uid that made it.
    ContactId
);
id128!(
    /// One event of the clean stream, derived from lead, type and cause.
    EventId
);
id128!(
    /// The content of a post, for providers without ids.
    Digest
);
id128!(
    /// One call of one channel.
    CallKey
);

impl Uid {
    /// From what the provider calls this event; `phase` tells the states of one call or chat apart.
    pub fn derived(channel: &str, provider_id: &str, phase: &str) -> Self {
        Self(digest("uid", &[channel.as_bytes(), provider_id.as_bytes(), phase.as_bytes()]))
    }

    /// The `index`-th signal of a request that is itself `self`.
    #[must_use]
    pub fn nth(self, index: usize) -> Self {
        if index == 0 { self } else { Self(digest("nth", &[&self.0, &index.to_be_bytes()])) }
    }

    /// A new id of the same cause that keeps the first six bytes: where those are a time, neighbours in time stay
    /// neighbours in the store.
    fn child(self, domain: &str) -> [u8; 16] {
        let mut bytes = digest(domain, &[&self.0]);
        bytes[..6].copy_from_slice(&self.0[..6]);
        bytes
    }

    pub fn lead(self) -> LeadId {
        LeadId(self.child("lead"))
    }

    pub fn contact(self) -> ContactId {
        ContactId(self.child("contact"))
    }
}

impl EventId {
    /// `cause` is the uid of an entry or the name and due time of a timer.
    pub fn derived(subject: &str, kind: &str, cause: &[u8]) -> Self {
        Self(digest("event", &[subject.as_bytes(), kind.as_bytes(), cause]))
    }
}

impl CallKey {
    pub fn derived(channel: &str, call_id: &str) -> Self {
        Self(digest("call", &[channel.as_bytes(), call_id.as_bytes()]))
    }
}

/// The first eight hex digits of a hash: enough to tell versions of rules apart in a log line.
pub fn short_hash(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes)[..8])
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn new(text: &str) -> Self {
                Self(Arc::from(text))
            }
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// One company whose leads are kept apart.
    WorkspaceId
);
name!(
    /// One entrance.
    ChannelId
);
name!(
    /// One person of the staff.
    PersonId
);

/// A configured id: what fits into a path, a key and a metric label alike.
pub fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    let first = chars.next().is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    first && text.len() <= 64 && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_cause_gives_the_same_id_and_another_cause_another() {
        let uid = Uid::derived("line-1", "CA1", "ringing");
        assert_eq!(uid, Uid::derived("line-1", "CA1", "ringing"));
        assert_ne!(uid, Uid::derived("line-1", "CA1ringing", ""));
        assert_ne!(uid.nth(1), uid);
        assert_eq!(uid.nth(0), uid);
        assert_ne!(uid.lead().bytes(), uid.contact().bytes());
    }

    #[test]
    fn ids_survive_text_json_and_state() {
        let lead = Uid::derived("a", "b", "c").lead();
        assert_eq!(LeadId::parse(&lead.to_string()), Some(lead));
        assert_eq!(LeadId::parse(&lead.to_string().to_uppercase()), Some(lead));
        assert_eq!(LeadId::parse("nonsense"), None);
        let json = serde_json::to_string(&lead).unwrap();
        assert_eq!(serde_json::from_str::<LeadId>(&json).unwrap(), lead);
        let state = rmp_serde::to_vec(&lead).unwrap();
        assert_eq!(state.len(), 18);
        assert_eq!(rmp_serde::from_slice::<LeadId>(&state).unwrap(), lead);
    }

    #[test]
    fn names_fit_paths_keys_and_labels() {
        for good in ["line-1", "spring_landing", "7cottages"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "-a", "Line", "a b", "a/b", "a.b", "ключ", "a\n"] {
            assert!(!is_name(bad), "{bad:?}");
        }
        assert!(!is_name(&"a".repeat(65)));
    }
}
