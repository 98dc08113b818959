//! What do we know? The records of a workspace, as deciding reads and writes them.
//!
//! Stored as MessagePack arrays: compact, and open at the end. A new field goes last and carries `#[serde(default)]`,
//! so that an older record still reads.

use crate::entry::{AnsweredBy, Attributes, CloseAs, Consent, Direction, Kind, Outcome, Stage, Synthetic};
use crate::geo::Geo;
use crate::identity::{Identity, IdentityKey, Pepper};
use crate::ids::{CallKey, ChannelId, ContactId, LeadId, PersonId, Uid};
use crate::time::At;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The person behind a set of linked identities.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contact {
    pub id: ContactId,
    pub name: Option<String>,
    pub identities: Vec<Linked>,
    pub first_seen: At,
    /// Leads ever born of this contact.
    pub leads: u32,
    pub open: Option<LeadId>,
    pub last: Option<LastLead>,
    /// Who had the last lead.
    pub owner: Option<PersonId>,
    /// This contact turned out to be that one.
    pub merged_into: Option<ContactId>,
    /// Made by a test of ours: nobody real is ever behind it.
    #[serde(default)]
    pub synthetic: bool,
}

/// An identity and the entry that proved it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Linked {
    pub identity: Identity,
    pub proof: Uid,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastLead {
    pub id: LeadId,
    pub closed_at: At,
}

impl Contact {
    /// A contact does not grow past this many keys: beyond it somebody is being confused with somebody.
    pub const MOST_KEYS: usize = 10;

    /// The keys that lead to it.
    pub fn keys(&self, pepper: &Pepper) -> impl Iterator<Item = IdentityKey> {
        self.identities.iter().map(|linked| linked.identity.key(pepper))
    }

    pub fn new(id: ContactId, first_seen: At) -> Self {
        Self {
            id,
            name: None,
            identities: Vec::new(),
            first_seen,
            leads: 0,
            open: None,
            last: None,
            owner: None,
            merged_into: None,
            synthetic: false,
        }
    }

    pub fn has(&self, identity: &Identity) -> bool {
        self.identities.iter().any(|linked| linked.identity == *identity)
    }
}

/// One person's open request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lead {
    pub id: LeadId,
    pub version: u32,
    pub channel: ChannelId,
    pub kind: Kind,
    pub source: String,
    pub received_at: At,
    pub occurred_at: Option<At>,
    pub touches: u32,
    pub contact: ContactId,
    pub text: Option<String>,
    pub attributes: Attributes,
    pub campaign: BTreeMap<String, String>,
    pub consent: Option<Consent>,
    pub geo: Geo,
    pub repeat: Option<Repeat>,
    pub stage: Stage,
    pub outcome: Option<CloseAs>,
    pub reason: Option<String>,
    pub value: Option<f64>,
    pub owner: Option<PersonId>,
    pub owner_at_arrival: Option<PersonId>,
    pub tags: Vec<String>,
    pub score: i32,
    pub priority: i32,
    /// What people and rules should know before they believe it. Of its addresses: `no_contact`, `invalid_phone`,
    /// `costly_phone`, `invalid_email`, `confusable_email`, `too_many_keys`. Of what did not fit: `cut`, `text_cut`,
    /// `attributes_cut`. Of its call: `odd_times`. A source adds words of its own, such as `unverified`.
    pub flags: BTreeSet<String>,
    pub synthetic: Option<Synthetic>,
    pub sla: Option<Sla>,
    pub attempted_at: Option<At>,
    pub contacted_at: Option<At>,
    pub contacted_by: Option<String>,
    pub call: Option<CallSeen>,
    pub closed_at: Option<At>,
    pub merged_into: Option<LeadId>,
    pub last_activity: At,
    /// When it entered the queue; none when it is not there.
    pub queued_at: Option<At>,
    /// A call that becomes a contact at this moment unless it ends before.
    pub proof: Option<(At, CallKey)>,
    /// The one timer this lead has.
    pub wake_at: Option<At>,
    /// Contacted and quiet for a while: no longer anybody's load.
    pub resting: bool,
    pub trail: Vec<Step>,
    /// Its time to first contact is counted; a contact that is taken back and comes again counts no second time.
    #[serde(default)]
    pub measured: bool,
}

/// A provider's clock further from ours than this is not believed.
const PLAUSIBLE: Duration = Duration::from_hours(48);

/// The provider's clock where it can be right: not in the future, not days ago.
pub fn plausible(occurred: Option<At>, received: At) -> Option<At> {
    occurred.filter(|at| *at <= received && received.since(*at) <= PLAUSIBLE)
}

impl Lead {
    /// The trail is bounded; the first steps stay, the middle goes.
    pub const MOST_STEPS: usize = 48;
    /// Bytes of names and values of the campaign: anybody may send a form with ever other ones.
    pub const MOST_CAMPAIGN: usize = 16 * 1024;

    /// Adds what paid for it and was not known yet, as far as there is room.
    pub fn credit(&mut self, campaign: &BTreeMap<String, String>) {
        let mut taken: usize = self.campaign.iter().map(|(name, value)| name.len() + value.len()).sum();
        for (name, value) in campaign {
            let size = name.len() + value.len();
            if taken + size <= Self::MOST_CAMPAIGN && !self.campaign.contains_key(name) {
                taken += size;
                self.campaign.insert(name.clone(), value.clone());
            }
        }
    }

    pub fn is_open(&self) -> bool {
        self.closed_at.is_none()
    }

    /// The earlier of our clock and a plausible one of the provider: the start of every count.
    pub fn start(&self) -> At {
        plausible(self.occurred_at, self.received_at).unwrap_or(self.received_at)
    }

    /// Whose load this lead is.
    pub fn burdens(&self) -> Option<&PersonId> {
        let counts = self.is_open() && !self.resting && self.synthetic.is_none() && self.stage != Stage::Nurture;
        self.owner.as_ref().filter(|_| counts)
    }

    pub fn is_waiting(&self) -> bool {
        self.is_open() && self.contacted_at.is_none() && self.synthetic.is_none()
    }

    pub fn step(&mut self, step: Step) {
        if self.trail.len() >= Self::MOST_STEPS {
            self.trail.remove(Self::MOST_STEPS / 2);
        }
        self.trail.push(step);
    }
}

/// A new lead of somebody we know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Repeat {
    pub of: LeadId,
    pub prior_leads: u32,
    pub days_since_last: u32,
}

/// The clock of a lead, fixed at arrival.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sla {
    pub half_at: At,
    pub most_at: At,
    pub due_at: At,
    /// 0, 50 or 80: the last warning given.
    pub warned: u8,
    pub breached_at: Option<At>,
}

/// The call that a lead is about, as events show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallSeen {
    pub id: String,
    pub from: Option<String>,
    pub to: Option<String>,
    pub answered_by: Option<AnsweredBy>,
    pub talk_s: u32,
    pub recording_url: Option<String>,
}

/// One decision and its reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub at: At,
    /// The version of the rules that decided.
    pub rules: String,
    pub what: Why,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    Born {
        channel: ChannelId,
        contact: Known,
        prior_leads: u32,
    },
    Clock {
        start: At,
        due_at: At,
    },
    Assigned {
        to: Option<PersonId>,
        from: Option<PersonId>,
        rule: AssignRule,
        skipped: Vec<(PersonId, Skip)>,
        more: u32,
    },
    Touched {
        channel: ChannelId,
        kind: Kind,
        across: bool,
        after_close: bool,
        uid: Uid,
    },
    Attempted {
        by: Option<String>,
    },
    Contacted {
        by: Option<String>,
        via: Via,
        at: At,
    },
    Corrected {
        what: String,
    },
    Warned {
        percent: u8,
    },
    Breached,
    Stage {
        to: Stage,
        by: Option<String>,
        reason: Option<String>,
    },
    Closed {
        outcome: Option<CloseAs>,
        by: Option<String>,
        reason: Option<String>,
    },
    MergedInto {
        lead: LeadId,
    },
    Merged {
        lead: LeadId,
    },
    Linked {
        contact: ContactId,
        by: String,
    },
    TooManyKeys,
}

/// How a new lead's contact was found.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    New,
    Returning,
    Anonymous,
}

/// The rule that gave a lead its owner.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssignRule {
    WhoSpoke,
    Sticky,
    Geography,
    Skill,
    LeastLoad,
    Manual,
    Queue,
}

impl AssignRule {
    pub const fn word(self) -> &'static str {
        match self {
            AssignRule::WhoSpoke => "who_spoke",
            AssignRule::Sticky => "sticky",
            AssignRule::Geography => "geography",
            AssignRule::Skill => "skill",
            AssignRule::LeastLoad => "least_load",
            AssignRule::Manual => "manual",
            AssignRule::Queue => "queue",
        }
    }
}

/// Why somebody did not get a lead.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Skip {
    Absent,
    Full,
    OtherRegion,
    OtherSpecialist,
    LacksSkill,
    LacksLanguage,
    MoreLoaded,
    /// Another rule had answered before.
    NotAsked,
}

/// By what a person was reached.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    InboundCall,
    OutboundCall,
    Reply,
    Feedback,
}

/// A signal's uid, remembered so that its redelivery is recognised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    pub at: At,
    /// Of the content: the same id with another body is a conflict worth counting.
    pub digest: u32,
}

/// The content of a post without an id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Same {
    pub at: At,
    pub uid: Uid,
}

/// Everything known of one call, joined field by field in any order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    pub id: String,
    pub direction: Direction,
    pub lead: Option<LeadId>,
    /// The lead was born of this call.
    pub birth: bool,
    pub from: Option<String>,
    pub to: Option<String>,
    pub agent: Option<String>,
    pub answered: Option<(AnsweredBy, At)>,
    pub ended: Option<At>,
    pub talk_s: Option<u32>,
    pub recording_url: Option<String>,
    pub first_seen: At,
    /// Nothing of it counts: the caller was excluded, or we called ourselves.
    pub set_aside: bool,
    #[serde(default)]
    pub told: CallTimes,
}

/// When a call began and ended by the provider's clock; ours tells only in which order its events arrived.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallTimes {
    /// An event before its end was heard, whenever that was.
    pub began: bool,
    pub start: Option<At>,
    pub end: Option<At>,
}

/// A fact that found no lead, waiting for one to be born.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    pub at: At,
    pub channel: ChannelId,
    pub what: PendingFact,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum PendingFact {
    Call(CallKey),
    Reply { at: At, by: Option<String> },
    Feedback { at: At, by: Option<String>, what: Outcome },
}

/// A line of the exclusion list that was added at run time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exclusion {
    pub matcher: String,
    pub reason: String,
    pub by: String,
    pub at: At,
    pub expires_at: Option<At>,
}

/// Who is at work and how much each has to do: one small record a workspace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Floor {
    pub loads: BTreeMap<PersonId, u32>,
    /// When each person last got a lead: the tie-breaker.
    pub last_given: BTreeMap<PersonId, At>,
    pub absent: BTreeSet<PersonId>,
    pub queue_length: u64,
    /// When the queue is looked at again.
    pub drain_at: Option<At>,
    /// Excluded phone prefixes: few, and needed for every touch.
    pub prefixes: BTreeSet<String>,
    /// Exclusions added at run time; while there are none nobody looks for them.
    pub exclusions: u64,
    /// When a fact last found no lead; long after that nobody looks for one.
    pub unmatched_at: Option<At>,
}

impl Floor {
    pub fn load(&self, person: &PersonId) -> u32 {
        self.loads.get(person).copied().unwrap_or(0)
    }
}
