//! How is an entry made in a test? From what happened, and when, in seconds of the test's own day.

use lead::entry::{
    AnsweredBy, Call, Command, Direction, Entry, Feedback, Handle, Kind, Order, Outcome, Phase, Reply, Signal,
    Synthetic, Touch,
};
use lead::ids::{Digest, LeadId, Uid, digest};
use lead::time::At;

/// Monday, 2026-11-23, ten o'clock in Moscow, and some seconds.
pub(crate) fn secs(seconds: i64) -> At {
    At::from_secs(1_795_417_200 + seconds)
}

pub(crate) fn uid(name: &str) -> Uid {
    Uid::derived("test", name, "")
}

/// One entry in the making.
#[derive(Clone, Debug)]
pub(crate) struct Knock(Entry);

impl From<Knock> for Entry {
    fn from(knock: Knock) -> Self {
        knock.0
    }
}

fn knock(name: &str, channel: &str, source: &str, at: At, signal: Signal) -> Knock {
    Knock(Entry {
        uid: uid(name),
        workspace: "cottages".into(),
        channel: channel.into(),
        received_at: at,
        source: source.to_owned(),
        synthetic: None,
        same: None,
        signal,
    })
}

/// A form post; `name` makes its uid.
pub(crate) fn form(name: &str, at: At) -> Knock {
    knock(name, "site", "form", at, Signal::Touch(Box::new(Touch::new(Kind::Form))))
}

impl Knock {
    pub(crate) fn lead(&self) -> LeadId {
        self.0.uid.lead()
    }

    pub(crate) fn on(mut self, channel: &str) -> Self {
        self.0.channel = channel.into();
        self
    }

    pub(crate) fn named(mut self, name: &str) -> Self {
        self.0.uid = uid(name);
        self
    }

    /// No provider id: this content is what tells posts apart.
    pub(crate) fn content(mut self, content: &str) -> Self {
        self.0.same = Some(Digest::from_bytes(digest("same", &[content.as_bytes()])));
        self
    }

    pub(crate) fn synthetic(mut self, kind: Synthetic) -> Self {
        self.0.synthetic = Some(kind);
        self
    }

    pub(crate) fn touch(mut self, change: impl FnOnce(&mut Touch)) -> Self {
        match &mut self.0.signal {
            Signal::Touch(touch) => change(touch),
            _ => panic!("only a touch has that"),
        }
        self
    }

    pub(crate) fn phone(self, phone: &str) -> Self {
        self.touch(|touch| touch.phones.push(phone.to_owned()))
    }

    pub(crate) fn email(self, email: &str) -> Self {
        self.touch(|touch| touch.emails.push(email.to_owned()))
    }

    pub(crate) fn handle(self, network: &str, id: &str) -> Self {
        self.touch(|touch| touch.handles.push(Handle { kind: network.to_owned(), id: id.to_owned() }))
    }

    pub(crate) fn text_phone(self, phone: &str) -> Self {
        self.touch(|touch| touch.text_phones.push(phone.to_owned()))
    }

    pub(crate) fn occurred(mut self, at: At) -> Self {
        match &mut self.0.signal {
            Signal::Touch(touch) => touch.occurred_at = Some(at),
            Signal::Call(call) => call.occurred_at = Some(at),
            Signal::Reply(reply) => reply.occurred_at = Some(at),
            _ => panic!("this has no time of its own"),
        }
        self
    }
}

/// One call in the making: its phases are entries.
#[derive(Clone, Debug)]
pub(crate) struct Phone {
    id: String,
    direction: Direction,
    from: Option<String>,
    to: Option<String>,
}

pub(crate) fn call(id: &str, customer: Option<&str>) -> Phone {
    let (from, to) = (customer.map(str::to_owned), Some("+74951234567".to_owned()));
    Phone { id: id.to_owned(), direction: Direction::Inbound, from, to }
}

impl Phone {
    pub(crate) fn outbound(self) -> Self {
        Self { direction: Direction::Outbound, from: self.to, to: self.from, ..self }
    }

    pub(crate) fn known_as(&self, customer: &str) -> Self {
        Self { from: Some(customer.to_owned()), ..self.clone() }
    }

    fn phase(&self, word: &str, at: At, agent: Option<&str>, phase: Phase) -> Knock {
        let call = Call {
            id: self.id.clone(),
            direction: self.direction,
            from: self.from.clone(),
            to: self.to.clone(),
            agent: agent.map(str::to_owned),
            routed_to: None,
            phase,
            occurred_at: Some(at),
            name: None,
            attributes: lead::entry::Attributes::new(),
        };
        knock(&format!("{} {word}", self.id), "line-1", "twilio", at, Signal::Call(Box::new(call)))
    }

    pub(crate) fn ringing(&self, at: At) -> Knock {
        self.phase("ringing", at, None, Phase::Ringing)
    }

    pub(crate) fn bridged(&self, at: At, agent: &str) -> Knock {
        self.phase("bridged", at, Some(agent), Phase::Answered { by: AnsweredBy::Human })
    }

    pub(crate) fn answered(&self, at: At, by: AnsweredBy) -> Knock {
        self.phase(&format!("answered {by:?}"), at, None, Phase::Answered { by })
    }

    pub(crate) fn ended(&self, at: At, talk_s: Option<u32>) -> Knock {
        self.phase("ended", at, None, Phase::Ended { talk_s, cause: None })
    }

    pub(crate) fn recorded(&self, at: At) -> Knock {
        self.phase("recorded", at, None, Phase::Recorded { url: "https://pbx.example/1.mp3".to_owned() })
    }
}

impl Knock {
    /// Heard of at `at`, with the provider's time as it was.
    pub(crate) fn heard(mut self, at: At) -> Self {
        self.0.received_at = at;
        self
    }
}

/// A human's mail to a customer.
pub(crate) fn reply(name: &str, at: At, email: &str, by: Option<&str>) -> Knock {
    let reply = Reply {
        to_phones: Vec::new(),
        to_emails: vec![email.to_owned()],
        to_handles: Vec::new(),
        by: by.map(str::to_owned),
        occurred_at: None,
    };
    knock(name, "box", "mail", at, Signal::Reply(Box::new(reply)))
}

pub(crate) fn feedback(name: &str, at: At, lead: LeadId, what: Outcome) -> Knock {
    let feedback = Feedback { lead, at, by: Some("crm".to_owned()), what };
    knock(name, "site", "desk", at, Signal::Feedback(Box::new(feedback)))
}

pub(crate) fn command(name: &str, at: At, order: Order) -> Knock {
    let command = Command { by: "boss".to_owned(), order };
    knock(name, "site", "desk", at, Signal::Command(Box::new(command)))
}
