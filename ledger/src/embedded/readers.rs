//! Who reads beside the writer? A few connections, so that one long question of the desk does not hold up a stream.

use super::schema::SCHEMA;
use crate::error::{Error, Result};
use crate::sqlite;
use rusqlite::Connection;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Questions answered at one moment.
const READERS: usize = 4;

#[derive(Clone, Debug)]
pub(super) struct Readers {
    folder: Arc<Path>,
    idle: Arc<Mutex<Vec<Connection>>>,
    places: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: Arc::from(folder), idle: Arc::default(), places: Arc::new(Semaphore::new(READERS)) }
    }

    /// Asks on a connection of its own, off the async threads.
    pub(super) async fn ask<T, F>(&self, question: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| Error::Closed)?;
        let readers = self.clone();
        super::blocking(move || {
            let _place = place;
            let idle = readers.lock().pop();
            let db = idle.map_or_else(|| sqlite::open_reader(&readers.folder, &SCHEMA), Ok)?;
            let answer = question(&db);
            readers.lock().push(db);
            answer
        })
        .await
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        // A question that panicked took its connection with it; the others are whole.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
