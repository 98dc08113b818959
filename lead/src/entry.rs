//! What came in? One [`Entry`] is one signal as the gateway read it, before anything was decided.
//!
//! Contact data stays as the sender wrote it; turning it into identities is a decision and happens later, under the
//! workspace's rules.

use crate::ids::{ChannelId, Digest, LeadId, PersonId, Uid, WorkspaceId};
use crate::time::At;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Unknown fields of a request, kept as they came.
pub type Attributes = serde_json::Map<String, serde_json::Value>;

/// One row of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub uid: Uid,
    pub workspace: WorkspaceId,
    pub channel: ChannelId,
    /// The gateway's clock, which never goes back.
    pub received_at: At,
    /// The name of the source that read it.
    pub source: String,
    pub synthetic: Option<Synthetic>,
    /// Set where the provider has no event id: posts of one content within `same_post_window` are one.
    pub same: Option<Digest>,
    pub signal: Signal,
}

/// A touch made by ourselves.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Synthetic {
    /// Stops before people.
    Technical,
    /// A mystery shopper: reaches people.
    Shopper,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Signal {
    Touch(Box<Touch>),
    Call(Box<Call>),
    Reply(Box<Reply>),
    Feedback(Box<Feedback>),
    Command(Box<Command>),
    Unreadable(Unreadable),
}

/// How the customer came.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Call,
    Form,
    Mail,
    Chat,
    List,
}

impl Kind {
    pub const ALL: [Kind; 5] = [Kind::Call, Kind::Form, Kind::Mail, Kind::Chat, Kind::List];

    pub const fn word(self) -> &'static str {
        match self {
            Kind::Call => "call",
            Kind::Form => "form",
            Kind::Mail => "mail",
            Kind::Chat => "chat",
            Kind::List => "list",
        }
    }
}

/// One inbound approach by a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Touch {
    pub kind: Kind,
    pub name: Option<String>,
    /// As written in a field that means "phone"; one text may hold several.
    pub phones: Vec<String>,
    pub emails: Vec<String>,
    pub handles: Vec<Handle>,
    /// Phones found in running text: weaker, see [`crate::identity`].
    pub text_phones: Vec<String>,
    pub text: Option<String>,
    pub attributes: Attributes,
    /// `utm_*`, click ids, analytics client ids, referrer, page.
    pub campaign: BTreeMap<String, String>,
    pub consent: Option<Consent>,
    pub geo: GeoHints,
    /// The provider's clock.
    pub occurred_at: Option<At>,
    pub flags: BTreeSet<String>,
    /// The rule by which this is not a customer (an auto-reply, a filled honeypot).
    pub junk: Option<String>,
    /// What was shown for being a person, and may be shown once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Uid>,
}

impl Touch {
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            name: None,
            phones: Vec::new(),
            emails: Vec::new(),
            handles: Vec::new(),
            text_phones: Vec::new(),
            text: None,
            attributes: Attributes::new(),
            campaign: BTreeMap::new(),
            consent: None,
            geo: GeoHints::default(),
            occurred_at: None,
            flags: BTreeSet::new(),
            junk: None,
            proof: None,
        }
    }
}

/// An id in a messenger.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Handle {
    /// The network: `telegram`, `whatsapp`, `vk`.
    pub kind: String,
    pub id: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    pub given: bool,
    /// The words the person agreed to, or their version.
    pub text: Option<String>,
    pub at: Option<At>,
}

/// What the request says of a place; deciding picks the first that answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeoHints {
    pub country: Option<String>,
    pub region: Option<String>,
    pub city: Option<String>,
    pub postcode: Option<String>,
}

/// One event of one call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The whole call, all its legs.
    pub id: String,
    pub direction: Direction,
    pub from: Option<String>,
    pub to: Option<String>,
    /// The person on our side as the provider names him: extension, phone, SIP name.
    pub agent: Option<String>,
    pub routed_to: Option<String>,
    pub phase: Phase,
    pub occurred_at: Option<At>,
    pub name: Option<String>,
    pub attributes: Attributes,
}

impl Call {
    /// A phase of a call of which only its id is known.
    pub fn new(id: String, direction: Direction, phase: Phase) -> Self {
        Self {
            id,
            direction,
            from: None,
            to: None,
            agent: None,
            routed_to: None,
            phase,
            occurred_at: None,
            name: None,
            attributes: Attributes::new(),
        }
    }
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Inbound,
    Outbound,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Phase {
    Ringing,
    Answered {
        by: AnsweredBy,
    },
    /// `talk_s` is the time with a person where the provider says so.
    Ended {
        talk_s: Option<u32>,
        cause: Option<String>,
    },
    Recorded {
        url: String,
    },
}

/// Who picked up; a later word never weakens an earlier one.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnsweredBy {
    Unknown,
    Machine,
    Human,
}

/// A human's outbound mail or chat message, accepted by the far side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    pub to_phones: Vec<String>,
    pub to_emails: Vec<String>,
    pub to_handles: Vec<Handle>,
    pub by: Option<String>,
    pub occurred_at: Option<At>,
}

/// What a consumer says happened with a lead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Feedback {
    pub lead: LeadId,
    pub at: At,
    pub by: Option<String>,
    pub what: Outcome,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    Attempt,
    Contact,
    Stage { stage: Stage, reason: Option<String> },
    Closed { outcome: CloseAs, reason: Option<String>, value: Option<f64> },
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    New,
    Attempting,
    NoAnswer,
    Contacted,
    Qualified,
    Nurture,
    Converted,
    Rejected,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseAs {
    Converted,
    Rejected,
    Expired,
}

/// A change of state that people ask for; it travels like any knock, so the log explains everything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Command {
    pub by: String,
    pub order: Order,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Order {
    Exclude { matcher: String, reason: String, expires_at: Option<At> },
    Include { matcher: String },
    Presence { person: PersonId, present: bool },
    Reassign { lead: LeadId, person: PersonId, reason: String },
}

/// A genuine request that we cannot read: quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// Why, without the content.
    pub reason: String,
    pub content_type: Option<String>,
    /// The path below the channel's, which some providers say the kind of event with.
    #[serde(default)]
    pub rest: Option<String>,
}
