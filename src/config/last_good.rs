//! What worked last? A copy of each workspace file that was right, and every channel id there ever was.
//!
//! A file that is broken at a start runs with its copy. A channel that is in no file any more answers "not now" instead
//! of "never heard of it", so that a provider tries again instead of giving up.

use lead::ids::{ChannelId, WorkspaceId, is_name};
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The folder `<data>/rules`.
#[derive(Clone, Debug)]
pub(crate) struct LastGood {
    folder: PathBuf,
}

const CHANNELS: &str = "channels.txt";

impl LastGood {
    pub(crate) fn under(data: &Path) -> Self {
        Self { folder: data.join("rules") }
    }

    pub(crate) fn text(&self, id: &WorkspaceId) -> Option<String> {
        fs::read_to_string(self.path(id)).ok()
    }

    fn path(&self, id: &WorkspaceId) -> PathBuf {
        self.folder.join(format!("{id}.toml"))
    }

    /// Keeps a text that is right. It may hold secrets, so nobody else may read it.
    pub(crate) fn keep(&self, id: &WorkspaceId, text: &str) -> io::Result<()> {
        if self.text(id).as_deref() == Some(text) {
            return Ok(());
        }
        self.replace(&self.path(id), text.as_bytes())
    }

    pub(crate) fn channels(&self) -> BTreeSet<ChannelId> {
        let text = fs::read_to_string(self.folder.join(CHANNELS)).unwrap_or_default();
        text.lines().filter(|line| is_name(line)).map(ChannelId::new).collect()
    }

    pub(crate) fn keep_channels(&self, all: &BTreeSet<ChannelId>) -> io::Result<()> {
        if self.channels() == *all {
            return Ok(());
        }
        let lines: String = all.iter().map(|id| format!("{id}\n")).collect();
        self.replace(&self.folder.join(CHANNELS), lines.as_bytes())
    }

    /// Whole or not at all, whenever the power goes.
    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let draft = path.with_extension(format!("{}.new", std::process::id()));
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        fs::File::open(&self.folder)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_copy_is_kept_for_nobody_else_and_replaced_whole() {
        let data = tempfile::tempdir().unwrap();
        let (good, id) = (LastGood::under(data.path()), WorkspaceId::new("demo"));
        assert_eq!(good.text(&id), None);
        for text in ["first", "second"] {
            good.keep(&id, text).unwrap();
            assert_eq!(good.text(&id).as_deref(), Some(text));
        }
        let mode = fs::metadata(data.path().join("rules/demo.toml")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(data.path().join("rules")).unwrap().count(), 1, "no draft stays behind");
    }

    #[test]
    fn channels_are_remembered() {
        let data = tempfile::tempdir().unwrap();
        let good = LastGood::under(data.path());
        let all = BTreeSet::from([ChannelId::new("line-1"), ChannelId::new("form")]);
        assert!(good.channels().is_empty());
        good.keep_channels(&all).unwrap();
        assert_eq!(good.channels(), all);
    }
}
