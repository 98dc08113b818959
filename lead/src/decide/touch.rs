//! What becomes of a customer's approach? Junk and exclusions are set aside, the rest finds its contact and there its
//! lead: an open one to attach to, or a new one.

use super::identify::Who;
use super::{Case, Work, birth, duplicate, exclusion, unmatched, whose};
use crate::books::Verdict;
use crate::changes::AsideKind;
use crate::entry::{Synthetic, Touch};
use crate::facts::Need;
use crate::ids::{LeadId, PersonId};
use crate::record::{Key, Record};
use crate::state::{Contact, Seen};
use crate::text;

const PROOF_REUSED: &str = "form.captcha_reused";

/// Where a touch ended up.
pub(super) struct Landed {
    pub(super) verdict: Verdict,
    pub(super) lead: Option<LeadId>,
}

impl Landed {
    fn nowhere(verdict: Verdict) -> Self {
        Self { verdict, lead: None }
    }
}

pub(super) fn decide(work: &mut Work<'_>, case: &Case<'_>, touch: &Touch, who: &Who) -> Result<Landed, Need> {
    land(work, case, touch, who, None)
}

/// `spoke` is the person who has already talked to the customer.
pub(super) fn land(
    work: &mut Work<'_>,
    case: &Case<'_>,
    touch: &Touch,
    who: &Who,
    spoke: Option<&PersonId>,
) -> Result<Landed, Need> {
    let entry = case.entry;
    if entry.synthetic == Some(Synthetic::Technical) {
        let stranger = Contact {
            name: touch.name.as_deref().and_then(text::line),
            ..Contact::new(entry.uid.contact(), entry.received_at)
        };
        let lead = birth::lead(work, entry, touch, &Who::default(), stranger, None)?;
        return Ok(Landed { verdict: Verdict::Synthetic, lead: Some(lead) });
    }
    if let Some(rule) = junk(work, case, touch)? {
        work.aside(AsideKind::Junk, rule);
        return Ok(Landed::nowhere(Verdict::Junk));
    }
    if let Some(reason) = exclusion::check(work, &who.identities)? {
        work.aside(AsideKind::Excluded, &reason);
        return Ok(Landed::nowhere(Verdict::Excluded));
    }
    let whose::Found { mut contact, too_many } = whose::find(work, entry, who)?;
    if contact.name.is_none() {
        contact.name = touch.name.as_deref().and_then(text::line);
    }
    let synthetic = entry.synthetic.is_some();
    let (lead, verdict) = match duplicate::of(work, &contact)? {
        Some((lead, after_close)) => {
            let id = lead.id;
            work.put_contact(contact.clone());
            duplicate::attach(work, lead.clone(), after_close, entry, touch)?;
            if !after_close {
                unmatched::adopt(work, &lead, &contact)?;
            }
            (id, Verdict::Duplicate)
        }
        None => (birth::lead(work, entry, touch, who, contact, spoke)?, Verdict::Lead),
    };
    if too_many {
        whose::flag_too_many(work, lead)?;
    }
    Ok(Landed { verdict: if synthetic { Verdict::Synthetic } else { verdict }, lead: Some(lead) })
}

/// The rule: what its source calls so, and a proof of being a person that was shown before. A post that is sent again with
/// its proof is a redelivery, and never comes here.
fn junk<'a>(work: &mut Work<'_>, case: &Case<'_>, touch: &'a Touch) -> Result<Option<&'a str>, Need> {
    let Some(proof) = touch.proof.filter(|_| touch.junk.is_none()) else { return Ok(touch.junk.as_deref()) };
    if work.facts().seen(proof)?.is_some() {
        return Ok(Some(PROOF_REUSED));
    }
    work.put(Key::Seen(proof), Some(Record::Seen(Seen { at: case.entry.received_at, digest: 0 })));
    Ok(None)
}
