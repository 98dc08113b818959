//! Which operations are there? One row each.

use super::super::auth::Scope;
use serde_json::{Value, json};

pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) id: &'static str,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    /// None: it holds no data and asks for no token.
    pub(super) scope: Option<Scope>,
    /// Bound to this machine where no tokens are configured.
    pub(super) local: bool,
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<Body>,
    pub(super) answer: Answer,
    pub(super) conflict: bool,
}

/// A query parameter, or with `header:` before its name a header.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) schema: Value,
    pub(super) required: bool,
}

/// The schema of a body.
pub(super) struct Body(pub(super) &'static str);

pub(super) enum Answer {
    Json(u16, &'static str),
    Text(&'static str),
    Events,
}

impl Operation {
    fn new(method: &'static str, path: &'static str, id: &'static str, summary: &'static str, answer: Answer) -> Self {
        let tag = "desk";
        Self {
            method,
            path,
            id,
            tag,
            summary,
            scope: None,
            local: true,
            parameters: Vec::new(),
            body: None,
            answer,
            conflict: false,
        }
    }

    fn needs(self, scope: Scope) -> Self {
        Self { scope: Some(scope), ..self }
    }

    fn takes(self, schema: &'static str) -> Self {
        Self { body: Some(Body(schema)), ..self }
    }

    fn with(mut self, parameters: impl IntoIterator<Item = Parameter>) -> Self {
        self.parameters.extend(parameters);
        self
    }

    fn conflicts(self) -> Self {
        Self { conflict: true, ..self }
    }

    fn anywhere(self) -> Self {
        Self { local: false, ..self }
    }

    fn tagged(self, tag: &'static str) -> Self {
        Self { tag, ..self }
    }
}

pub(super) fn operations() -> Vec<Operation> {
    let groups = [
        ("process", process()),
        ("stream", stream()),
        ("leads", leads()),
        ("exclusions", exclusions()),
        ("entrances", entrances()),
        ("set aside", aside()),
    ];
    groups.into_iter().flat_map(|(tag, group)| group.into_iter().map(|one| one.tagged(tag))).collect()
}

fn get(path: &'static str, id: &'static str, summary: &'static str, schema: &'static str) -> Operation {
    Operation::new("get", path, id, summary, Answer::Json(200, schema)).needs(Scope::Read)
}

fn manage(path: &'static str, id: &'static str, summary: &'static str, answer: Answer) -> Operation {
    Operation::new("post", path, id, summary, answer).needs(Scope::Manage)
}

const ACCEPTED: Answer = Answer::Json(202, "Accepted");

fn query(name: &'static str, description: &'static str, schema: Value) -> Parameter {
    Parameter { name, description, schema, required: false }
}

fn text(name: &'static str, description: &'static str) -> Parameter {
    query(name, description, json!({ "type": "string" }))
}

fn limit() -> Parameter {
    let schema = json!({ "type": "integer", "minimum": 1, "maximum": 1000, "default": 100 });
    query("limit", "The most to answer with.", schema)
}

fn page(name: &'static str) -> [Parameter; 2] {
    [text(name, "The `next` of the page before."), limit()]
}

fn process() -> Vec<Operation> {
    let plain = |path, id, summary, kind| Operation::new("get", path, id, summary, Answer::Text(kind));
    let ready = Operation::new("get", "/ready", "ready", "Whether knocks are taken", Answer::Json(200, "Health"));
    let described = Answer::Json(200, "Any");
    let backup = Answer::Json(200, "Backup");
    vec![
        plain("/live", "live", "Whether the process lives", "text/plain; charset=utf-8").anywhere(),
        ready.anywhere(),
        plain("/metrics", "metrics", "Prometheus series, with a token for every workspace", "text/plain")
            .needs(Scope::Read),
        Operation::new("get", "/openapi.json", "openapi", "This document", described),
        plain("/", "console", "The console", "text/html; charset=utf-8"),
        plain("/console.js", "consoleScript", "The console's script", "text/javascript; charset=utf-8"),
        plain("/console.css", "consoleStyle", "The console's style", "text/css; charset=utf-8"),
        get("/v1/workspaces", "listWorkspaces", "The workspaces that the caller sees", "Workspaces"),
        manage("/v1/backup", "backup", "Copy everything into a new folder of this machine", backup)
            .takes("BackupTarget")
            .conflicts(),
    ]
}

fn stream() -> Vec<Operation> {
    let path = "/v1/workspaces/{w}/events";
    let events =
        Operation::new("get", path, "readEvents", "The clean stream, as a page or as it comes", Answer::Events);
    let after = "The `next` of the page before, or `newest` for only what is to come; without it from the oldest kept.";
    let wait = json!({ "type": "string", "pattern": "^[0-9]+(ms|s|m)$", "examples": ["30s"] });
    let ack = Answer::Json(200, "Acknowledged");
    vec![
        events.needs(Scope::Read).with([
            text("after", after),
            limit(),
            query("wait", "How long to wait for the first event, up to 60s.", wait),
            text("consumer", "Begin at the position kept for this consumer; reading does not move it."),
            text("header:Last-Event-ID", "Where an event stream goes on."),
        ]),
        Operation::new(
            "post",
            "/v1/workspaces/{w}/consumers/{name}/ack",
            "acknowledge",
            "Move the position kept for a consumer",
            ack,
        )
        .needs(Scope::Read)
        .takes("Ack")
        .conflicts(),
    ]
}

fn leads() -> Vec<Operation> {
    let stage = json!({ "$ref": "#/components/schemas/Stage" });
    let feedback = Operation::new(
        "post",
        "/v1/workspaces/{w}/leads/{id}/feedback",
        "giveFeedback",
        "Say what became of a lead",
        ACCEPTED,
    );
    let key = "The same key again for the same lead is the same report.";
    vec![
        get("/v1/workspaces/{w}/leads", "listLeads", "Leads, newest first", "Leads").with(page("before")).with([
            query("open", "Only open or only closed ones.", json!({ "type": "boolean" })),
            text("channel", "Only of this channel."),
            text("owner", "Only of this person."),
            query("stage", "Only in this stage.", stage),
        ]),
        get("/v1/workspaces/{w}/leads/{id}", "showLead", "One lead", "OneLead"),
        get("/v1/workspaces/{w}/leads/{id}/why", "explainLead", "One lead and every decision about it", "Why"),
        feedback.needs(Scope::Feedback).takes("Feedback").with([text("header:Idempotency-Key", key)]),
        manage("/v1/workspaces/{w}/leads/{id}/owner", "reassignLead", "Give a lead to somebody", ACCEPTED)
            .takes("Owner")
            .conflicts(),
        manage("/v1/workspaces/{w}/people/{id}/presence", "setPresence", "Say who is at work", ACCEPTED)
            .takes("Presence"),
    ]
}

fn exclusions() -> Vec<Operation> {
    let path = "/v1/workspaces/{w}/exclusions";
    let whom = json!({ "type": "string", "examples": ["phone:+74950000000"] });
    let of = Parameter { required: true, ..query("match", "Whom, in any spelling.", whom) };
    let remove = Operation::new("delete", path, "include", "Remove a line that was added at run time", ACCEPTED);
    vec![
        get(path, "listExclusions", "Whom we keep out, by the file and by the desk", "Exclusions").with(page("after")),
        manage(path, "exclude", "Keep somebody out", ACCEPTED).takes("NewExclusion"),
        remove.needs(Scope::Manage).with([of]).conflicts(),
        manage(
            "/v1/workspaces/{w}/exclusions/import",
            "importExclusions",
            "Add many lines, all or none",
            Answer::Json(202, "Imported"),
        )
        .takes("Import"),
    ]
}

fn entrances() -> Vec<Operation> {
    let sample = Answer::Json(200, "Sample");
    let mapped = Answer::Json(200, "Mapped");
    vec![
        get("/v1/workspaces/{w}/channels", "listChannels", "The entrances and who waits at each", "Channels"),
        manage("/v1/workspaces/{w}/channels/{c}/sample", "makeSample", "A signed request of our own", sample)
            .takes("SampleOf"),
        get("/v1/workspaces/{w}/channels/{c}/wiring", "showWiring", "What to paste where, and what came", "Wiring")
            .needs(Scope::Manage),
        manage("/v1/workspaces/{w}/channels/{c}/map", "mapPayload", "What a payload would become", mapped)
            .takes("Payload"),
        get("/v1/workspaces/{w}/books", "showBooks", "What was accepted and what became of it", "Books"),
    ]
}

fn aside() -> Vec<Operation> {
    let back = || Answer::Json(202, "BroughtBack");
    let (dead, quarantine) = ("/v1/workspaces/{w}/dead", "/v1/workspaces/{w}/quarantine");
    vec![
        get(dead, "listDead", "Entries that could not be decided", "AsideList").with(page("before")),
        get("/v1/workspaces/{w}/dead/{uid}", "showDead", "One of them", "Aside"),
        manage("/v1/workspaces/{w}/dead/{uid}/retry", "retryDead", "Decide it again", back()),
        get(quarantine, "listQuarantine", "Genuine requests that could not be read", "AsideList").with(page("before")),
        get("/v1/workspaces/{w}/quarantine/{uid}", "showQuarantined", "One of them", "Aside"),
        manage("/v1/workspaces/{w}/quarantine/{uid}/release", "releaseQuarantined", "Read it again", back()),
    ]
}
