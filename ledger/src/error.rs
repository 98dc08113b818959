//! What can go wrong with what is durable, and what should the caller do?

/// Errors of the journal and the ledger. The texts hold nothing of the content.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk or the bound is full: come back later.
    #[error("the store is full")]
    Full,
    /// Too much is waiting already: come back later.
    #[error("the journal has too much waiting")]
    Busy,
    /// The handle is closed or its thread is gone.
    #[error("the store is closed")]
    Closed,
    /// Another worker has claimed the workspace.
    #[error("another worker has taken this workspace over")]
    Fenced,
    /// Another process holds the folder.
    #[error("another leadgate uses the folder {0}")]
    Locked(String),
    /// Written by a newer version.
    #[error("{file} has schema version {found}, this leadgate knows up to {known}; start the newer version again")]
    Newer { file: String, found: i64, known: i64 },
    /// A record cannot be read back.
    #[error("a stored {0} cannot be read")]
    Corrupt(&'static str),
    /// Redis cannot be reached or does not answer: what was asked may have been done, or not.
    #[error("Redis is away: {0}")]
    Away(&'static str),
    /// Redis answers, but not with what was asked: it is loading, read-only, out of memory; come back later.
    #[error("Redis refuses for now: {0}")]
    Refused(String),
    /// Somebody has to change something; trying again does not help.
    #[error("{0}")]
    Setup(String),
    #[error("the store failed: {0}")]
    Sqlite(rusqlite::Error),
    /// The sentence holds the cause, so the cause is no source besides: whoever tells the chain would tell it twice.
    #[error("failed to use {path}: {why}")]
    File { path: String, why: std::io::Error },
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

pub type Result<T> = std::result::Result<T, Error>;
