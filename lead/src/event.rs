//! What does the clean stream say? CloudEvents 1.0, each with the lead as it is after the whole entry.

use crate::entry::{AnsweredBy, Attributes, CloseAs, Consent, Kind, Stage, Synthetic};
use crate::geo::Geo;
use crate::identity::Identity;
use crate::ids::{ChannelId, ContactId, EventId, LeadId, PersonId, WorkspaceId};
use crate::state::{Contact, Lead, Repeat};
use crate::time::At;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The version of the shape of `data`.
pub const SCHEMA: u32 = 1;

/// One event, ready to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub id: EventId,
    pub kind: EventType,
    pub subject: String,
    pub time: At,
    /// The CloudEvent, whole.
    pub json: String,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventType {
    Created,
    Touched,
    Assigned,
    Queued,
    Attempted,
    Contacted,
    SlaWarning,
    SlaBreached,
    StageChanged,
    Closed,
    Corrected,
    Restored,
    ContactLinked,
    ContactUnlinked,
    ChannelStateChanged,
}

impl EventType {
    pub const ALL: [EventType; 15] = [
        EventType::Created,
        EventType::Touched,
        EventType::Assigned,
        EventType::Queued,
        EventType::Attempted,
        EventType::Contacted,
        EventType::SlaWarning,
        EventType::SlaBreached,
        EventType::StageChanged,
        EventType::Closed,
        EventType::Corrected,
        EventType::Restored,
        EventType::ContactLinked,
        EventType::ContactUnlinked,
        EventType::ChannelStateChanged,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            EventType::Created => "lead.created",
            EventType::Touched => "lead.touched",
            EventType::Assigned => "lead.assigned",
            EventType::Queued => "lead.queued",
            EventType::Attempted => "lead.attempted",
            EventType::Contacted => "lead.contacted",
            EventType::SlaWarning => "lead.sla_warning",
            EventType::SlaBreached => "lead.sla_breached",
            EventType::StageChanged => "lead.stage_changed",
            EventType::Closed => "lead.closed",
            EventType::Corrected => "lead.corrected",
            EventType::Restored => "lead.restored",
            EventType::ContactLinked => "contact.linked",
            EventType::ContactUnlinked => "contact.unlinked",
            EventType::ChannelStateChanged => "channel.state_changed",
        }
    }
}

/// Whom an event is about.
#[derive(Debug)]
pub enum Subject<'a> {
    Lead(&'a Lead, Option<&'a Contact>),
    Contact(&'a Contact, &'a ChannelId),
}

/// Writes the CloudEvent. `cause` is what makes its id: the uid of an entry or a timer's name and due time.
pub fn publish(
    workspace: &WorkspaceId,
    kind: EventType,
    subject: &Subject<'_>,
    change: &Value,
    time: At,
    cause: &[u8],
) -> Event {
    let (name, channel, lead, contact) = match subject {
        Subject::Lead(lead, contact) => {
            (lead.id.to_string(), &lead.channel, Some(LeadView::new(workspace, lead, *contact)), None)
        }
        Subject::Contact(contact, channel) => (contact.id.to_string(), *channel, None, Some(ContactView::new(contact))),
    };
    let id = EventId::derived(&name, kind.word(), cause);
    let cloud = CloudEvent {
        specversion: "1.0",
        id,
        source: format_args!("/leadgate/{workspace}/{channel}"),
        kind: kind.word(),
        subject: &name,
        time,
        datacontenttype: "application/json",
        data: Data { schema: SCHEMA, lead, contact, change },
    };
    let json = serde_json::to_string(&cloud).expect("an event holds nothing that JSON cannot say");
    Event { id, kind, subject: name, time, json }
}

#[derive(Serialize)]
struct CloudEvent<'a> {
    specversion: &'static str,
    id: EventId,
    source: std::fmt::Arguments<'a>,
    #[serde(rename = "type")]
    kind: &'static str,
    subject: &'a str,
    time: At,
    datacontenttype: &'static str,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    schema: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    lead: Option<LeadView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact: Option<ContactView<'a>>,
    change: &'a Value,
}

/// A lead as readers see it: every key always there.
#[derive(Debug, Serialize)]
pub struct LeadView<'a> {
    id: LeadId,
    version: u32,
    workspace: &'a WorkspaceId,
    channel: &'a ChannelId,
    kind: Kind,
    source: &'a str,
    received_at: At,
    occurred_at: Option<At>,
    touches: u32,
    contact: ContactView<'a>,
    text: Option<&'a str>,
    attributes: &'a Attributes,
    campaign: &'a BTreeMap<String, String>,
    consent: Option<&'a Consent>,
    geo: &'a Geo,
    repeat: Option<&'a Repeat>,
    stage: Stage,
    outcome: Option<CloseAs>,
    reason: Option<&'a str>,
    value: Option<f64>,
    owner: Option<&'a PersonId>,
    team: Option<&'a str>,
    tags: &'a [String],
    score: i32,
    priority: i32,
    flags: &'a BTreeSet<String>,
    synthetic: Option<Synthetic>,
    sla: SlaView,
    attempted_at: Option<At>,
    contacted_at: Option<At>,
    contacted_by: Option<&'a str>,
    closed_at: Option<At>,
    merged_into: Option<LeadId>,
    call: Option<CallView<'a>>,
}

#[derive(Debug, Serialize)]
struct SlaView {
    due_at: Option<At>,
    breached_at: Option<At>,
}

#[derive(Debug, Serialize)]
struct CallView<'a> {
    id: &'a str,
    from: Option<&'a str>,
    to: Option<&'a str>,
    answered_by: Option<AnsweredBy>,
    talk_s: u32,
    recording_url: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct ContactView<'a> {
    id: ContactId,
    name: Option<&'a str>,
    phones: Vec<&'a str>,
    emails: Vec<&'a str>,
    handles: Vec<HandleView<'a>>,
}

#[derive(Debug, Serialize)]
struct HandleView<'a> {
    kind: &'a str,
    id: &'a str,
}

impl<'a> ContactView<'a> {
    fn new(contact: &'a Contact) -> Self {
        let mut view = Self::bare(contact.id);
        view.name = contact.name.as_deref();
        for linked in &contact.identities {
            match &linked.identity {
                Identity::Phone(number) => view.phones.push(number),
                Identity::Email(address) => view.emails.push(address),
                Identity::Handle(kind, id) => view.handles.push(HandleView { kind, id }),
            }
        }
        view
    }

    fn bare(id: ContactId) -> Self {
        Self { id, name: None, phones: Vec::new(), emails: Vec::new(), handles: Vec::new() }
    }
}

impl<'a> LeadView<'a> {
    pub fn new(workspace: &'a WorkspaceId, lead: &'a Lead, contact: Option<&'a Contact>) -> Self {
        let call = lead.call.as_ref().map(|call| CallView {
            id: &call.id,
            from: call.from.as_deref(),
            to: call.to.as_deref(),
            answered_by: call.answered_by,
            talk_s: call.talk_s,
            recording_url: call.recording_url.as_deref(),
        });
        Self {
            id: lead.id,
            version: lead.version,
            workspace,
            channel: &lead.channel,
            kind: lead.kind,
            source: &lead.source,
            received_at: lead.received_at,
            occurred_at: lead.occurred_at,
            touches: lead.touches,
            contact: contact.map_or_else(|| ContactView::bare(lead.contact), ContactView::new),
            text: lead.text.as_deref(),
            attributes: &lead.attributes,
            campaign: &lead.campaign,
            consent: lead.consent.as_ref(),
            geo: &lead.geo,
            repeat: lead.repeat.as_ref(),
            stage: lead.stage,
            outcome: lead.outcome,
            reason: lead.reason.as_deref(),
            value: lead.value,
            owner: lead.owner.as_ref(),
            team: None,
            tags: &lead.tags,
            score: lead.score,
            priority: lead.priority,
            flags: &lead.flags,
            synthetic: lead.synthetic,
            sla: SlaView {
                due_at: lead.sla.as_ref().map(|sla| sla.due_at),
                breached_at: lead.sla.as_ref().and_then(|sla| sla.breached_at),
            },
            attempted_at: lead.attempted_at,
            contacted_at: lead.contacted_at,
            contacted_by: lead.contacted_by.as_deref(),
            closed_at: lead.closed_at,
            merged_into: lead.merged_into,
            call,
        }
    }
}
