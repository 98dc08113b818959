//! The tables of `ledger.db`.
//!
//! Records are small blobs under `(ws, kind, id)`; leads lie apart because they are large, listed and filtered.
//! Positions of events are `ws << 40 | n`: each workspace's stream lies together and grows at its end.

use crate::sqlite::Schema;

pub(crate) const SCHEMA: Schema = Schema {
    file: "ledger.db",
    steps: &[
        "
        CREATE TABLE workspace (
            ws INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            epoch INTEGER NOT NULL DEFAULT 0,
            cursor INTEGER NOT NULL DEFAULT 0,
            resting INTEGER NOT NULL DEFAULT 1
        );
        CREATE TABLE record (
            ws INTEGER NOT NULL,
            kind INTEGER NOT NULL,
            id BLOB NOT NULL,
            ages_from INTEGER,
            value BLOB NOT NULL,
            PRIMARY KEY (ws, kind, id)
        ) WITHOUT ROWID;
        CREATE INDEX record_age ON record (kind, ages_from) WHERE ages_from IS NOT NULL;
        CREATE TABLE lead (
            pos INTEGER PRIMARY KEY,
            ws INTEGER NOT NULL,
            id BLOB NOT NULL,
            born INTEGER NOT NULL,
            channel TEXT NOT NULL,
            owner TEXT,
            stage TEXT NOT NULL,
            closed_at INTEGER,
            waiting INTEGER NOT NULL,
            value BLOB NOT NULL
        );
        CREATE UNIQUE INDEX lead_id ON lead (ws, id);
        CREATE INDEX lead_born ON lead (ws, born);
        CREATE INDEX lead_waiting ON lead (ws, channel, born) WHERE waiting = 1;
        CREATE INDEX lead_closed ON lead (ws, closed_at) WHERE closed_at IS NOT NULL;
        CREATE TABLE event (
            pos INTEGER PRIMARY KEY,
            at INTEGER NOT NULL,
            id TEXT NOT NULL,
            type TEXT NOT NULL,
            subject TEXT NOT NULL,
            json TEXT NOT NULL
        );
        CREATE TABLE timer (
            ws INTEGER NOT NULL,
            due INTEGER NOT NULL,
            what BLOB NOT NULL,
            PRIMARY KEY (ws, due, what)
        ) WITHOUT ROWID;
        CREATE TABLE queue (
            ws INTEGER NOT NULL,
            at INTEGER NOT NULL,
            lead BLOB NOT NULL,
            PRIMARY KEY (ws, at, lead)
        ) WITHOUT ROWID;
        CREATE TABLE books (
            ws INTEGER NOT NULL,
            channel TEXT NOT NULL,
            verdict TEXT NOT NULL,
            n INTEGER NOT NULL,
            PRIMARY KEY (ws, channel, verdict)
        ) WITHOUT ROWID;
        CREATE TABLE aside (
            pos INTEGER PRIMARY KEY AUTOINCREMENT,
            ws INTEGER NOT NULL,
            kind TEXT NOT NULL,
            uid BLOB NOT NULL,
            reason TEXT NOT NULL,
            attempts INTEGER NOT NULL,
            at INTEGER NOT NULL,
            entry BLOB NOT NULL,
            raw BLOB
        );
        CREATE INDEX aside_kind ON aside (ws, kind);
        CREATE INDEX aside_uid ON aside (ws, uid);
        CREATE TABLE attempt (
            ws INTEGER NOT NULL,
            uid BLOB NOT NULL,
            n INTEGER NOT NULL,
            PRIMARY KEY (ws, uid)
        ) WITHOUT ROWID;
        CREATE TABLE consumer (
            ws INTEGER NOT NULL,
            name TEXT NOT NULL,
            pos INTEGER NOT NULL,
            PRIMARY KEY (ws, name)
        ) WITHOUT ROWID;
        CREATE TABLE rules (
            version TEXT PRIMARY KEY,
            text TEXT NOT NULL
        ) WITHOUT ROWID;
    ",
        "
        CREATE TABLE note (
            ws INTEGER NOT NULL,
            name TEXT NOT NULL,
            text TEXT NOT NULL,
            PRIMARY KEY (ws, name)
        ) WITHOUT ROWID;
    ",
        "CREATE INDEX aside_age ON aside (kind, at);",
    ],
};

/// Bits of an event's position that count within its workspace.
const STREAM_BITS: u32 = 40;

/// The positions a workspace's events can have.
pub(super) fn stream(ws: i64) -> std::ops::RangeInclusive<i64> {
    (ws << STREAM_BITS)..=((ws << STREAM_BITS) | ((1 << STREAM_BITS) - 1))
}
