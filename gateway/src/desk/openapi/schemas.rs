//! What do bodies look like? The JSON Schemas that the operations name.

use lead::books::Verdict;
use lead::event::EventType;
use serde_json::{Map, Value, json};

pub(super) fn all() -> Value {
    let mut all = Map::new();
    for group in [common(), events(), leads(), reports(), exclusions(), entrances(), aside()] {
        let Value::Object(group) = group else { continue };
        all.extend(group);
    }
    Value::Object(all)
}

fn one(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn nullable(schema: &str) -> Value {
    json!({ "oneOf": [one(schema), { "type": "null" }] })
}

fn list(schema: &Value) -> Value {
    json!({ "type": "array", "items": schema })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn maybe_text() -> Value {
    json!({ "type": ["string", "null"] })
}

fn moment() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

fn maybe_moment() -> Value {
    json!({ "type": ["string", "null"], "format": "date-time" })
}

fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

fn words(words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words })
}

/// Every key is always there.
fn object(properties: &Value) -> Value {
    let required: Vec<&String> = properties.as_object().into_iter().flat_map(Map::keys).collect();
    json!({ "type": "object", "required": required, "properties": properties })
}

/// What callers send: unknown keys are errors.
fn request(required: &[&str], properties: &Value) -> Value {
    json!({ "type": "object", "required": required, "additionalProperties": false, "properties": properties })
}

fn page(name: &str, of: &str) -> Value {
    object(&json!({ name: list(&one(of)), "next": maybe_text() }))
}

fn common() -> Value {
    let part = object(&json!({ "up": { "type": "boolean" }, "needed": { "type": "boolean" } }));
    let workspace = object(&json!({ "id": text(), "name": text(), "rules": text(), "channels": count() }));
    json!({
        "Any": { "type": "object" },
        "Problem": {
            "type": "object",
            "description": "RFC 9457",
            "required": ["type", "title", "status"],
            "properties": {
                "type": text(),
                "title": text(),
                "status": { "type": "integer" },
                "detail": text(),
                "errors": list(&object(&json!({ "line": { "type": "integer", "minimum": 1 }, "error": text() }))),
            },
        },
        "Health": object(&json!({
            "ready": { "type": "boolean" },
            "parts": { "type": "object", "additionalProperties": part },
        })),
        "Accepted": object(&json!({ "id": text() })),
        "Workspaces": object(&json!({ "workspaces": list(&workspace) })),
        "BackupTarget": request(&["folder"], &json!({ "folder": { "type": "string", "description": "An absolute path." } })),
        "Backup": object(&json!({ "folder": text() })),
    })
}

fn events() -> Value {
    let kinds: Vec<&str> = EventType::ALL.into_iter().map(EventType::word).collect();
    let data = json!({
        "type": "object",
        "required": ["schema", "change"],
        "properties": {
            "schema": { "const": lead::event::SCHEMA },
            "lead": one("Lead"),
            "contact": one("Contact"),
            "channel": { "type": "object" },
            "change": { "description": "What this event changed, and why." },
        },
    });
    json!({
        "Event": object(&json!({
            "specversion": { "const": "1.0" },
            "id": text(),
            "source": text(),
            "type": words(&kinds),
            "subject": text(),
            "time": moment(),
            "datacontenttype": { "const": "application/json" },
            "data": data,
        })),
        "Events": object(&json!({ "events": list(&one("Event")), "next": text() })),
        "Ack": request(&["cursor"], &json!({
            "cursor": text(),
            "rewind": { "type": "boolean", "default": false, "description": "Allows to move back." },
        })),
        "Acknowledged": object(&json!({ "next": text() })),
    })
}

const STAGES: [&str; 8] =
    ["new", "attempting", "no_answer", "contacted", "qualified", "nurture", "converted", "rejected"];

fn leads() -> Value {
    let step = object(&json!({
        "at": moment(),
        "rules": { "type": "string", "description": "The version of the rules that decided." },
        "what": { "type": ["object", "string"], "description": "The decision by its name, with its reasons." },
    }));
    json!({
        "Stage": words(&STAGES),
        "Outcome": words(&["converted", "rejected", "expired"]),
        "Contact": object(&json!({
            "id": text(),
            "name": maybe_text(),
            "phones": list(&text()),
            "emails": list(&text()),
            "handles": list(&object(&json!({ "kind": text(), "id": text() }))),
        })),
        "Lead": lead(),
        "OneLead": object(&json!({ "lead": one("Lead") })),
        "Why": object(&json!({ "lead": one("Lead"), "trail": list(&step) })),
        "Leads": page("leads", "Lead"),
    })
}

fn lead() -> Value {
    let mut lead = object(&json!({
        "id": text(), "version": count(), "workspace": text(), "channel": text(),
        "kind": words(&["call", "form", "mail", "chat", "list"]), "source": text(),
        "received_at": moment(), "occurred_at": maybe_moment(), "touches": count(),
        "contact": one("Contact"), "text": maybe_text(), "attributes": { "type": "object" },
        "campaign": { "type": "object", "additionalProperties": text() },
        "consent": { "type": ["object", "null"] },
        "geo": { "type": "object" },
        "repeat": { "type": ["object", "null"] },
        "stage": one("Stage"), "outcome": nullable("Outcome"), "reason": maybe_text(),
        "value": { "type": ["number", "null"] },
        "owner": maybe_text(), "team": maybe_text(), "tags": list(&text()),
        "score": { "type": "integer" }, "priority": { "type": "integer" }, "flags": list(&text()),
        "synthetic": { "enum": ["technical", "shopper", null] },
        "sla": object(&json!({ "due_at": maybe_moment(), "breached_at": maybe_moment() })),
        "attempted_at": maybe_moment(), "contacted_at": maybe_moment(), "contacted_by": maybe_text(),
        "closed_at": maybe_moment(), "merged_into": maybe_text(),
        "call": { "oneOf": [one("Call"), { "type": "null" }] },
    }));
    lead["description"] = "As it is after the whole entry; every key is always there.".into();
    lead
}

fn reports() -> Value {
    json!({
        "Call": object(&json!({
            "id": text(), "from": maybe_text(), "to": maybe_text(),
            "answered_by": { "enum": ["human", "machine", "unknown", null] },
            "talk_s": count(), "recording_url": maybe_text(),
        })),
        "Feedback": request(&["type"], &json!({
            "type": words(&["attempt", "contact", "stage", "outcome"]),
            "at": { "type": ["string", "null"], "format": "date-time", "description": "Now, where it is left out." },
            "by": { "type": ["string", "null"], "minLength": 1, "maxLength": 200 },
            "stage": nullable("Stage"),
            "reason": { "type": ["string", "null"], "minLength": 1, "maxLength": 2000 },
            "value": { "type": ["number", "null"] },
            "outcome": {
                "enum": ["converted", "rejected", null],
                "description": "Another name for the `stage` of an outcome.",
            },
        })),
        "Presence": request(&["present"], &json!({ "present": { "type": "boolean" } })),
        "Owner": request(&["person", "reason"], &json!({
            "person": text(),
            "reason": { "type": "string", "minLength": 1, "maxLength": 2000 },
        })),
    })
}

fn exclusions() -> Value {
    json!({
        "NewExclusion": request(&["match", "reason"], &json!({
            "match": { "type": "string", "description": "`phone:`, `email:`, `domain:`, `prefix:` or `handle:` and a value." },
            "reason": { "type": "string", "minLength": 1, "maxLength": 500 },
            "expires_at": maybe_moment(),
            "expires": {
                "type": ["string", "null"], "format": "date",
                "description": "The last day it holds, to midnight where the company is; instead of expires_at.",
            },
        })),
        "Exclusion": object(&json!({
            "match": text(), "reason": text(), "origin": words(&["file", "desk"]),
            "by": maybe_text(), "at": maybe_moment(), "expires_at": maybe_moment(),
        })),
        "Exclusions": page("exclusions", "Exclusion"),
        "Import": request(&["entries"], &json!({ "entries": { "type": "array", "minItems": 1, "items": one("NewExclusion") } })),
        "Imported": object(&json!({ "accepted": count() })),
    })
}

fn entrances() -> Value {
    let waiting = object(&json!({ "leads": count(), "oldest_at": maybe_moment() }));
    let channel = object(&json!({
        "id": text(), "source": text(), "kind": { "enum": ["call", "form", "mail", "chat", "list", null] },
        "address": maybe_text(), "responsible": maybe_text(), "skill": maybe_text(), "language": maybe_text(),
        "campaign": maybe_text(),
        "url": { "type": ["string", "null"], "description": "Where the provider sends; null where it holds a key and the caller may not manage." },
        "secret": { "type": "boolean" },
        "proven": { "type": "boolean", "description": "Something came through it, not counting our own tests." },
        "waiting": waiting,
    }));
    let verdicts: Map<String, Value> =
        Verdict::ALL.into_iter().map(|verdict| (verdict.word().to_owned(), json!({ "type": "integer" }))).collect();
    let line = object(&json!({
        "channel": text(), "accepted": count(), "verdicts": object(&Value::Object(verdicts)),
        "in_flight": count(), "difference": { "type": "integer" },
    }));
    json!({
        "Channels": object(&json!({ "channels": list(&channel) })),
        "SampleOf": request(&[], &json!({
            "name": maybe_text(), "phone": maybe_text(), "email": maybe_text(), "text": maybe_text(),
            "synthetic": { "type": "string", "enum": ["technical", "shopper"], "default": "technical" },
        })),
        "Sample": object(&json!({
            "method": text(), "url": text(),
            "headers": list(&json!({ "type": "array", "items": text(), "minItems": 2, "maxItems": 2 })),
            "body_base64": text(), "expect": { "type": "integer" },
        })),
        "Wiring": object(&json!({
            "channel": text(), "source": text(), "url": text(),
            "help": { "type": "string", "description": "Markdown." },
            "keys": list(&object(&json!({
                "name": text(), "required": { "type": "boolean" }, "configured": { "type": "boolean" },
                "default": maybe_text(), "expected": text(),
            }))),
            "proven": { "type": "boolean", "description": "Something came through this entrance, not counting our own tests." },
            "seen": object(&json!({
                "accepted": count(), "ignored": count(),
                "refused": { "type": "object", "additionalProperties": count() },
            })),
        })),
        "Payload": request(&[], &json!({
            "method": { "type": "string", "default": "POST" },
            "path": { "type": "string", "default": "", "description": "What follows the channel's address." },
            "headers": list(&json!({ "type": "array", "items": text(), "minItems": 2, "maxItems": 2 })),
            "body_base64": { "type": "string", "default": "" },
        })),
        "Mapped": object(&json!({
            "signals": list(&object(&json!({
                "what": text(), "provider_id": { "type": "boolean" }, "fields": { "type": "object" },
            }))),
            "ignored": list(&text()), "refused": maybe_text(),
            "fields": list(&object(&json!({ "path": text(), "value": text(), "becomes": maybe_text() }))),
            "failed": list(&object(&json!({
                "field": text(), "why": { "type": "string", "description": "Why its expression computed nothing." },
            }))),
        })),
        "Books": object(&json!({ "balanced": { "type": "boolean" }, "channels": list(&line) })),
    })
}

fn aside() -> Value {
    let summary = json!({
        "uid": text(), "kind": words(&["dead", "quarantined"]), "channel": text(), "source": text(),
        "received_at": moment(), "set_aside_at": moment(), "reason": text(), "attempts": count(),
        "content_type": maybe_text(), "bytes": { "type": ["integer", "null"] },
    });
    let mut whole = summary.clone();
    whole["entry"] = json!({ "type": ["object", "null"], "description": "What was read of it." });
    whole["raw_base64"] = json!({ "type": ["string", "null"], "description": "The bytes, for those who manage." });
    json!({
        "AsideSummary": object(&summary),
        "AsideList": page("entries", "AsideSummary"),
        "Aside": object(&whole),
        "BroughtBack": object(&json!({ "id": text(), "ids": list(&text()) })),
    })
}
