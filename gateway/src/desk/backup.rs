//! How is everything copied while it runs? Into a new folder on the machine of the desk, one copy at a time.

use super::ask::{self, Told};
use super::auth::{Managing, Office};
use super::error::{Failure, Kind, Result};
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use std::path::{Component, Path, PathBuf};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Target {
    folder: PathBuf,
}

/// `POST /v1/backup`
pub(super) async fn backup(office: Office<Managing>, Told(target): Told<Target>) -> Result<Response> {
    let desk = office.whole()?.desk;
    let place = desk.bounds.backups.try_acquire();
    let _place = place.map_err(|_| Failure::new(Kind::Conflict, "a backup is being made"))?;
    let folder = checked(target.folder)?;
    if is_taken(&folder).await {
        return Err(Failure::invalid("`folder`: expected a folder that does not exist yet, or an empty one"));
    }
    // For its owner's eyes only, like the data folder itself.
    let made = tokio::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).await;
    made.map_err(|_| Failure::invalid("`folder` cannot be made"))?;
    desk.ledger.backup(&folder).await?;
    desk.journal.backup(&folder).await?;
    ask::json(StatusCode::OK, &serde_json::json!({ "folder": folder }))
}

fn checked(folder: PathBuf) -> Result<PathBuf> {
    let plain = folder.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    let fits = folder.is_absolute() && plain && !folder.as_os_str().as_encoded_bytes().contains(&0);
    fits.then_some(folder).ok_or_else(|| Failure::invalid("`folder`: expected an absolute path without `..`"))
}

async fn is_taken(folder: &Path) -> bool {
    match tokio::fs::read_dir(folder).await {
        Ok(mut entries) => !matches!(entries.next_entry().await, Ok(None)),
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    }
}
