//! Which rules are in force right now? The workspace files are read every second and on SIGHUP; what is right takes
//! effect at once, what is broken leaves the rules before it in force and is reported.

use super::last_good::LastGood;
use super::machine::Config;
use super::problem::Problem;
use super::set::{self, Held, Set};
use super::workspace::{Context, Workspace};
use super::{Env, File, Place, workspace_files};
use lead::identity::Pepper;
use lead::ids::{ChannelId, WorkspaceId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_secs(1);

/// Everything in force at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) workspaces: BTreeMap<WorkspaceId, Arc<Workspace>>,
    /// Workspaces whose file is broken: older rules are in force, or none.
    pub(crate) stale: BTreeSet<WorkspaceId>,
    /// Channels that once were configured and are not now: 503, not 404.
    pub(crate) unconfigured: BTreeSet<ChannelId>,
    /// What is wrong with the files; empty when everything in force is what they say.
    pub(crate) problems: Vec<Problem>,
}

/// Keeps a [`Snapshot`] current.
#[derive(Debug)]
pub(crate) struct Watcher {
    place: Place,
    env: Env,
    machine: Config,
    pepper: Pepper,
    good: LastGood,
    held: BTreeMap<WorkspaceId, Held>,
    seen: Result<Vec<File>, Problem>,
    /// The last look missed a file.
    missing: bool,
    current: watch::Sender<Arc<Snapshot>>,
}

impl Watcher {
    /// Reads every workspace. A broken file runs with its last good copy. One that was never right refuses the very first
    /// start; later it keeps nobody else from being served, as it would not have while the others ran.
    pub(crate) fn start(
        place: Place,
        env: Env,
        machine: Config,
        pepper: Pepper,
    ) -> Result<(Self, watch::Receiver<Arc<Snapshot>>), Vec<Problem>> {
        let (current, receiver) = watch::channel(Arc::default());
        let good = LastGood::under(&machine.data);
        let seen = workspace_files(&place);
        let mut watcher =
            Self { place, env, machine, pepper, good, held: BTreeMap::new(), seen, missing: false, current };
        let files = watcher.seen.as_ref().map_err(|problem| vec![problem.clone()])?;
        let ran_before = files.iter().any(|file| watcher.good.text(&WorkspaceId::new(&file.id)).is_some());
        let set = watcher.read(files);
        if set.lost.is_empty() || (ran_before && !set.held.is_empty()) {
            watcher.apply(set);
            Ok((watcher, receiver))
        } else {
            Err(set.problems)
        }
    }

    /// Looks at the files; true when they changed since the last look and were read.
    pub(crate) fn poll(&mut self) -> bool {
        let now = workspace_files(&self.place);
        if now == self.seen && !self.missing {
            return false;
        }
        // Editors replace a file by taking it away for a moment: what vanished must still be gone at the next look.
        let missed_before = std::mem::replace(&mut self.missing, self.held.keys().any(|id| !is_among(id, &now)));
        self.seen = now;
        if self.missing && !missed_before {
            return false;
        }
        self.missing = false;
        self.reload();
        true
    }

    /// Reads the files as last seen, changed or not: a secret behind `file:` may be new.
    pub(crate) fn reload(&mut self) {
        match &self.seen {
            Ok(files) => self.apply(self.read(files)),
            Err(problem) => {
                let problems = vec![problem.clone()];
                self.current.send_modify(|snapshot| Arc::make_mut(snapshot).problems = problems);
            }
        }
    }

    /// Watches until told to stop.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut asked = signal(SignalKind::hangup())?;
        let mut ticks = tokio::time::interval(EVERY);
        loop {
            let forced = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = asked.recv() => true,
                _ = ticks.tick() => false,
            };
            self = tokio::task::spawn_blocking(move || {
                if !self.poll() && forced {
                    self.reload();
                }
                self
            })
            .await?;
        }
    }

    fn read(&self, files: &[File]) -> Set {
        let Self { place, env, machine, pepper, .. } = self;
        let context = Context { env, place, machine, pepper };
        let copy = |id: &WorkspaceId| {
            let text = self.good.text(id).filter(|_| !place.is_built_in())?;
            let file = File { name: Arc::from("the last good copy"), id: id.to_string(), text: Ok(text) };
            set::assemble(&[file], &context, &|_| None).held.remove(id)
        };
        set::assemble(files, &context, &|id| self.held.get(id).cloned().or_else(|| copy(id)))
    }

    fn apply(&mut self, set: Set) {
        report(&set, &self.held);
        self.held = set.held;
        let configured: BTreeSet<ChannelId> = self
            .held
            .values()
            .flat_map(|held| held.parsed.workspace.channels.iter().map(|channel| channel.id.clone()))
            .collect();
        let known = self.remember(&configured);
        let broken = self.held.iter().filter(|(_, held)| held.stale).map(|(id, _)| id.clone());
        let snapshot = Snapshot {
            workspaces: self.held.iter().map(|(id, held)| (id.clone(), held.parsed.workspace.clone())).collect(),
            stale: broken.chain(set.lost).collect(),
            unconfigured: known.difference(&configured).cloned().collect(),
            problems: set.problems,
        };
        self.current.send_replace(Arc::new(snapshot));
    }

    /// Keeps what is right for the next start, and tells every channel there ever was.
    fn remember(&self, configured: &BTreeSet<ChannelId>) -> BTreeSet<ChannelId> {
        if self.place.is_built_in() {
            return configured.clone();
        }
        let known: BTreeSet<ChannelId> = self.good.channels().union(configured).cloned().collect();
        let right = self.held.iter().filter(|(_, held)| !held.stale);
        let kept: std::io::Result<()> = right.into_iter().try_for_each(|(id, held)| self.good.keep(id, &held.text));
        if let Err(error) = kept.and_then(|()| self.good.keep_channels(&known)) {
            tracing::warn!(error = %error.kind(), "rules.copy_failed: a broken workspace file could not be replaced by its last good copy");
        }
        known
    }
}

fn is_among(id: &WorkspaceId, files: &Result<Vec<File>, Problem>) -> bool {
    files.as_ref().map_or(true, |files| files.iter().any(|file| file.id == id.as_str()))
}

/// What is wrong, and which rules are new.
fn report(set: &Set, before: &BTreeMap<WorkspaceId, Held>) {
    for problem in &set.problems {
        let problem = problem.for_log();
        tracing::warn!(problem, "rules.refused: a workspace file is wrong; what was right before stays in force");
    }
    for id in before.keys().filter(|id| !set.held.contains_key(*id)) {
        tracing::warn!(workspace = %id, "rules.gone: the file of a workspace is away; its entrances answer 503");
    }
    let unchanged = |id: &WorkspaceId, held: &Held| before.get(id).is_some_and(|old| old.text == held.text);
    for (id, held) in set.held.iter().filter(|(id, held)| !unchanged(id, held)) {
        tracing::info!(workspace = %id, rules = held.parsed.workspace.rules.version, "rules.in_force: a workspace is served with these");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    const FINE: &str = include_str!("../../config/bad/workspaces/fine.toml");

    struct House {
        folder: tempfile::TempDir,
    }

    impl House {
        fn with(files: &[(&str, &str)]) -> Self {
            let house = Self { folder: tempfile::tempdir().unwrap() };
            fs::write(house.folder.path().join("leadgate.toml"), "").unwrap();
            fs::create_dir(house.folder.path().join("workspaces")).unwrap();
            for (name, text) in files {
                house.write(name, text);
            }
            house
        }

        fn path(&self, name: &str) -> std::path::PathBuf {
            self.folder.path().join("workspaces").join(name)
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.path(name), text).unwrap();
        }

        fn start(&self) -> Result<(Watcher, watch::Receiver<Arc<Snapshot>>), Vec<Problem>> {
            let place = Place::file(self.folder.path().join("leadgate.toml"));
            let (machine, problems) = super::super::machine(&place, &Env::new());
            assert!(problems.is_empty(), "{problems:?}");
            Watcher::start(place, Env::new(), machine, Pepper::new(b"test"))
        }
    }

    fn fine(channel: &str) -> String {
        FINE.replace("id = \"form\"", &format!("id = {channel:?}"))
    }

    /// The channels in force, those that answer 503, and the workspaces with older rules.
    fn state(receiver: &watch::Receiver<Arc<Snapshot>>) -> (Vec<String>, Vec<String>, Vec<String>) {
        let now = receiver.borrow();
        let served = now.workspaces.values().flat_map(|one| &one.channels).map(|channel| channel.id.to_string());
        let gone = now.unconfigured.iter().map(ToString::to_string);
        (served.collect(), gone.collect(), now.stale.iter().map(ToString::to_string).collect())
    }

    fn names(served: &[&str], gone: &[&str], stale: &[&str]) -> (Vec<String>, Vec<String>, Vec<String>) {
        let owned = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        (owned(served), owned(gone), owned(stale))
    }

    #[test]
    fn a_change_takes_effect_at_the_next_look_and_names_its_rules() {
        let house = House::with(&[("a.toml", &fine("one"))]);
        let (mut watcher, receiver) = house.start().unwrap();
        assert!(!watcher.poll());
        let before = receiver.borrow().workspaces["a"].rules.version.clone();
        house.write("a.toml", &fine("two"));
        assert!(watcher.poll());
        assert_eq!(state(&receiver), names(&["two"], &["one"], &[]));
        assert_ne!(receiver.borrow().workspaces["a"].rules.version, before);
    }

    #[test]
    fn a_broken_file_keeps_the_rules_before_it_and_says_so() {
        let house = House::with(&[("a.toml", &fine("one")), ("b.toml", &fine("two"))]);
        let (mut watcher, receiver) = house.start().unwrap();
        house.write("a.toml", "region = ");
        house.write("b.toml", &fine("three"));
        assert!(watcher.poll());
        assert_eq!(state(&receiver), names(&["one", "three"], &["two"], &["a"]));
        assert_eq!(receiver.borrow().problems.len(), 1);
        house.write("a.toml", &fine("one"));
        assert!(watcher.poll());
        assert_eq!(state(&receiver), names(&["one", "three"], &["two"], &[]));
        assert!(receiver.borrow().problems.is_empty());
    }

    #[test]
    fn a_file_broken_before_a_start_runs_with_its_last_good_copy() {
        let house = House::with(&[("a.toml", &fine("one"))]);
        drop(house.start().unwrap());
        house.write("a.toml", "region = ");
        let (mut watcher, receiver) = house.start().unwrap();
        assert_eq!(state(&receiver), names(&["one"], &[], &["a"]));
        assert_eq!(receiver.borrow().problems.len(), 1);
        house.write("a.toml", "region = \"still broken\"");
        assert!(watcher.poll());
        assert_eq!(state(&receiver), names(&["one"], &[], &["a"]));
        let copy = fs::read_to_string(house.folder.path().join("data/rules/a.toml")).unwrap();
        assert_eq!(copy, fine("one"), "a broken file never replaces the copy");
    }

    #[test]
    fn a_file_that_was_never_right_refuses_only_the_first_start() {
        let house = House::with(&[("a.toml", &fine("one")), ("b.toml", "region = ")]);
        let problems = house.start().unwrap_err();
        assert_eq!(problems.len(), 1);
        assert!(problems[0].file.ends_with("b.toml"), "{problems:?}");
        house.write("b.toml", &fine("two"));
        drop(house.start().unwrap());
        house.write("c.toml", "region = ");
        let (_watcher, receiver) = house.start().unwrap();
        assert_eq!(state(&receiver), names(&["one", "two"], &[], &["c"]), "the others are served as before");
        fs::remove_dir_all(house.folder.path().join("workspaces")).unwrap();
        assert_eq!(house.start().unwrap_err().len(), 1);
    }

    #[test]
    fn a_new_file_that_is_broken_does_not_disturb_the_others() {
        let house = House::with(&[("a.toml", &fine("one"))]);
        let (mut watcher, receiver) = house.start().unwrap();
        house.write("b.toml", "region = ");
        assert!(watcher.poll());
        assert_eq!(state(&receiver), names(&["one"], &[], &["b"]));
        assert_eq!(receiver.borrow().problems.len(), 1);
    }

    #[test]
    fn a_vanished_file_leaves_its_channels_known_also_after_a_start() {
        let house = House::with(&[("a.toml", &fine("one")), ("b.toml", &fine("two"))]);
        let (mut watcher, receiver) = house.start().unwrap();
        fs::remove_file(house.path("b.toml")).unwrap();
        assert!(!watcher.poll(), "an editor may be replacing it");
        assert!(watcher.poll());
        assert_eq!(state(&receiver), names(&["one"], &["two"], &[]));
        let (_, receiver) = house.start().unwrap();
        assert_eq!(state(&receiver), names(&["one"], &["two"], &[]));
    }

    #[test]
    fn a_file_that_is_replaced_between_two_looks_never_vanishes() {
        let house = House::with(&[("a.toml", &fine("one")), ("b.toml", &fine("two"))]);
        let (mut watcher, receiver) = house.start().unwrap();
        fs::remove_file(house.path("b.toml")).unwrap();
        assert!(!watcher.poll());
        house.write("b.toml", &fine("three"));
        assert!(watcher.poll());
        assert_eq!(state(&receiver), names(&["one", "three"], &["two"], &[]));
    }

    #[test]
    fn a_folder_that_cannot_be_read_changes_nothing() {
        let house = House::with(&[("a.toml", &fine("one"))]);
        let (mut watcher, receiver) = house.start().unwrap();
        fs::rename(house.folder.path().join("workspaces"), house.folder.path().join("elsewhere")).unwrap();
        watcher.poll();
        watcher.poll();
        assert_eq!(state(&receiver), names(&["one"], &[], &[]));
        assert_eq!(receiver.borrow().problems.len(), 1);
    }

    #[test]
    fn whoever_claims_a_channel_in_use_has_to_give_way() {
        let house = House::with(&[("a.toml", &fine("one")), ("b.toml", &fine("two"))]);
        let (mut watcher, receiver) = house.start().unwrap();
        house.write("a.toml", &fine("two"));
        assert!(watcher.poll());
        assert_eq!(state(&receiver), names(&["one", "two"], &[], &["a"]));
        house.write("b.toml", &fine("three"));
        assert!(watcher.poll());
        assert_eq!(state(&receiver), names(&["two", "three"], &["one"], &[]));
    }

    #[test]
    fn two_files_may_swap_a_channel_unless_one_of_them_is_broken() {
        let house = House::with(&[("a.toml", &fine("one")), ("b.toml", &fine("two"))]);
        let (mut watcher, receiver) = house.start().unwrap();
        house.write("a.toml", &fine("two"));
        house.write("b.toml", &fine("one"));
        assert!(watcher.poll());
        assert_eq!(state(&receiver), names(&["two", "one"], &[], &[]));
        house.write("a.toml", &fine("one"));
        house.write("b.toml", "region = ");
        assert!(watcher.poll());
        assert_eq!(state(&receiver), names(&["two", "one"], &[], &["a", "b"]));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn it_watches_until_it_is_told_to_stop() {
        let house = House::with(&[("a.toml", &fine("one"))]);
        let (watcher, mut receiver) = house.start().unwrap();
        receiver.borrow_and_update();
        let stop = CancellationToken::new();
        let running = tokio::spawn(watcher.run(stop.clone()));
        house.write("a.toml", &fine("two"));
        tokio::time::timeout(Duration::from_secs(20), receiver.changed()).await.unwrap().unwrap();
        assert_eq!(state(&receiver).0, ["two"]);
        stop.cancel();
        tokio::time::timeout(Duration::from_secs(20), running).await.unwrap().unwrap().unwrap();
    }

    #[test]
    fn the_demo_leaves_no_trace_in_the_data_folder() {
        let data = tempfile::tempdir().unwrap();
        let (mut machine, _) = super::super::machine(&Place::built_in(), &Env::new());
        machine.data = data.path().to_owned();
        let (_, receiver) = Watcher::start(Place::built_in(), Env::new(), machine, Pepper::new(b"test")).unwrap();
        assert_eq!(state(&receiver).0, ["demo-form", "demo-line", "demo-mail", "demo-bot"]);
        assert!(!Path::new(data.path()).join("rules").exists());
    }
}
