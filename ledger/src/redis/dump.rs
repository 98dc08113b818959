//! How is the store copied while it runs, and how does it come back into an empty Redis?
//!
//! A workspace is copied in one transaction, so that its copy is one moment between two batches: deciding waits for as
//! long as Redis needs to write it out. Rules are copied last, so that every version a lead names is among them.
//!
//! What comes back is an older state. So every workspace is born anew: gateways see it and send again what that state
//! does not hold, and what it holds already is not decided twice. Owners of before own nothing, and the next one goes
//! one entry at a time, because nobody can say that the last one had finished. Until everything is there the store says
//! that it is not ([`RESTORING`]), and nobody begins with half of it.

mod file;

use super::Redis;
use super::greet;
use super::keys::{Keys, RULES, STORE, TYPES, WORKERS, WORKSPACES};
use super::link;
use super::words::{Answers, read};
use crate::error::{Error, Result};
use ::redis::aio::MultiplexedConnection;
use ::redis::{Pipeline, Value};
use file::{Dumped, Header, Reader, Writer};
use lead::changes::AsideKind;
use lead::ids::{ChannelId, WorkspaceId};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufWriter;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A field of [`STORE`]: a restore is under way, or was cut short.
pub(super) const RESTORING: &str = "restoring";
/// How long Redis may take to write out a workspace, or to take back a key.
const LONG: Duration = Duration::from_secs(600);
/// Redis takes nothing longer in one piece, unless it was told to.
const LONGEST: usize = 512 << 20;
/// Bytes of one pipeline of a restore.
const PIPED: usize = 4 << 20;
/// Keys of a workspace beside those whose types are made sure at every claim.
const MORE: [&str; 2] = ["consumers", "exclusions"];

/// Who decides now, and who is bringing back what was lost: after a restore others do.
const PASSING: [&str; 2] = ["lease", "refill"];

/// A backup that was read from end to end and is whole.
#[derive(Debug)]
pub struct Dump {
    path: PathBuf,
    header: Header,
    length: u64,
}

/// What came back.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    pub workspaces: usize,
    pub keys: usize,
}

/// Hears how many bytes of how many are done.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Send + Sync);

impl Dump {
    /// Its name in the folder of a backup.
    pub const FILE: &str = "store.dump";

    /// Does this folder hold a backup of a store in Redis?
    pub fn is_in(folder: &Path) -> bool {
        folder.join(Dump::FILE).is_file()
    }

    /// Reads all of it.
    pub fn open(folder: &Path, progress: Progress<'_>) -> Result<Self> {
        let path = folder.join(Dump::FILE);
        let failed = |why| Error::File { path: path.display().to_string(), why };
        let file = File::open(&path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let header = file::check(file, length, |done| progress(done, length))?;
        Ok(Self { path, header, length })
    }

    fn keys(&self) -> Result<Reader<File>> {
        let failed = |why| Error::File { path: self.path.display().to_string(), why };
        Reader::begin(File::open(&self.path).map_err(failed)?)
    }
}

impl Redis {
    pub(super) async fn dump(&self, folder: &Path) -> Result<()> {
        let mut connection = self.dial.dial(LONG).await?;
        greet::greet(&mut connection, &self.fingerprint).await?;
        let header =
            Header { fingerprint: self.fingerprint.clone(), redis: greet::check_server(&mut connection).await? };
        let mut copy = Copying::begin(folder, header).await?;
        let mut question = Pipeline::new();
        question.cmd("SMEMBERS").arg(WORKSPACES);
        let workspaces: BTreeSet<String> = Answers::of(link::ask(&mut connection, &question).await?).next()?;
        let general = at_once(&mut connection, STORE, vec![STORE.to_owned(), WORKSPACES.to_owned()]).await?;
        copy = copy.add(general.1).await?;
        for name in workspaces {
            copy = copy.add(workspace(&mut connection, &Keys::of(&WorkspaceId::new(&name))).await?).await?;
        }
        copy = copy.add(at_once(&mut connection, STORE, vec![RULES.to_owned()]).await?.1).await?;
        copy.end().await
    }

    /// Fails with a plain sentence when a backup must not come into this Redis. Changes nothing.
    pub async fn restorable(&self, dump: &Dump) -> Result<()> {
        let mut connection = self.dial.dial(LONG).await?;
        self.check(&mut connection, dump).await
    }

    async fn check(&self, connection: &mut MultiplexedConnection, dump: &Dump) -> Result<()> {
        greet::check_server(connection).await?;
        if dump.header.fingerprint != self.fingerprint {
            return Err(Error::Setup(
                "store.pepper is not the one of this backup, so nobody in it would be recognised: set the pepper it was made with".to_owned(),
            ));
        }
        match occupants(connection).await? {
            None => Ok(()),
            Some(what) => Err(Error::Setup(format!(
                "this Redis is not empty (it has {what}): stop every gateway and every worker, empty it or name another one, then restore again"
            ))),
        }
    }

    /// Brings a backup back into a Redis without any key of ours, while nobody works on it.
    pub async fn restore(&self, dump: &Dump, progress: Progress<'_>) -> Result<Restored> {
        let mut connection = self.dial.dial(LONG).await?;
        self.check(&mut connection, dump).await?;
        let mut keys = dump.keys()?;
        let (mut restored, mut heads) = (0, Vec::new());
        let (mut order, mut piped, mut done) = (Pipeline::new(), 0, 0);
        while let Some((name, value)) = keys.next()? {
            restored += 1;
            piped += value.len();
            heads.extend(is_head(&name).then(|| name.clone()));
            order.cmd("RESTORE").arg(&name).arg(0).arg(value);
            if name == STORE {
                order.cmd("HSET").arg(STORE).arg(RESTORING).arg(1);
            }
            if piped >= PIPED {
                taken(link::ask(&mut connection, &order).await, &dump.header)?;
                order.clear();
                done += std::mem::take(&mut piped) as u64;
                progress(done, dump.length);
            }
        }
        if !order.is_empty() {
            taken(link::ask(&mut connection, &order).await, &dump.header)?;
        }
        link::ask(&mut connection, &begin_anew(&heads)).await?;
        progress(dump.length, dump.length);
        Ok(Restored { workspaces: heads.len(), keys: restored })
    }
}

/// A file that gets its name once it is whole and on the disk.
struct Copying {
    path: PathBuf,
    writer: Writer<BufWriter<File>>,
}

impl Copying {
    async fn begin(folder: &Path, header: Header) -> Result<Self> {
        let path = folder.join(Dump::FILE);
        writing(path, move |path| {
            let partial = path.with_extension("partial");
            let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(partial)?;
            let writer = Writer::begin(BufWriter::with_capacity(1 << 18, file), &header)?;
            Ok(Self { path: path.to_owned(), writer })
        })
        .await
    }

    async fn add(mut self, keys: Vec<Dumped>) -> Result<Self> {
        writing(self.path.clone(), move |_| {
            keys.iter().try_for_each(|key| self.writer.put(key))?;
            Ok(self)
        })
        .await
    }

    async fn end(self) -> Result<()> {
        writing(self.path, move |path| {
            let file = self.writer.end()?.into_inner().map_err(std::io::IntoInnerError::into_error)?;
            file.sync_all()?;
            std::fs::rename(path.with_extension("partial"), path)?;
            path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
        })
        .await
    }
}

/// Where waiting for the disk holds nobody up.
async fn writing<T, F>(path: PathBuf, work: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce(&Path) -> std::io::Result<T> + Send + 'static,
{
    let failed = |path: &Path, why| Error::File { path: path.display().to_string(), why };
    let working = move || work(&path).map_err(|source| failed(&path, source));
    tokio::task::spawn_blocking(working).await.unwrap_or(Err(Error::Closed))
}

/// All keys of a workspace, of one moment. Which channels have leads that wait is known from the books, which stand in
/// the same transaction as every lead.
async fn workspace(connection: &mut MultiplexedConnection, keys: &Keys) -> Result<Vec<Dumped>> {
    let mut question = Pipeline::new();
    question.cmd("HGETALL").arg(keys.at("books"));
    let mut booked = channels(Answers::of(link::ask(connection, &question).await?).next()?)?;
    loop {
        let names = names(keys, &booked);
        let (found, dumped) = at_once(connection, &keys.at("books"), names).await?;
        let found = channels(found)?;
        if found.is_subset(&booked) {
            return Ok(dumped);
        }
        booked = found;
    }
}

fn channels(books: Fields) -> Result<BTreeSet<ChannelId>> {
    let channel = |(line, _): (String, Vec<u8>)| line.rsplit_once(' ').map(|(channel, _)| ChannelId::new(channel));
    books.into_iter().map(|line| channel(line).ok_or(Error::Corrupt("line of the books"))).collect()
}

type Fields = Vec<(String, Vec<u8>)>;

/// Every key there can be, but for what is of its moment: who decides, and what gateways are bringing back.
fn names(keys: &Keys, channels: &BTreeSet<ChannelId>) -> Vec<String> {
    let fixed = TYPES.iter().map(|(name, _)| *name).chain(MORE).filter(|name| !PASSING.contains(name));
    let asides = AsideKind::ALL.into_iter().map(|kind| keys.aside(kind.word()));
    let waiting = channels.iter().map(|channel| keys.waiting(channel));
    fixed.map(|name| keys.at(name)).chain(asides).chain(waiting).collect()
}

/// One hash as it is, and a dump of those keys that are there.
async fn at_once(
    connection: &mut MultiplexedConnection,
    hash: &str,
    names: Vec<String>,
) -> Result<(Fields, Vec<Dumped>)> {
    let mut question = Pipeline::new();
    question.cmd("MULTI");
    question.cmd("HGETALL").arg(hash);
    for name in &names {
        question.cmd("DUMP").arg(name);
    }
    question.cmd("EXEC");
    let told = link::ask(connection, &question).await?.pop().unwrap_or_default();
    let mut told = Answers::of(read(told)?);
    let fields = told.next()?;
    let mut dumped = Vec::new();
    for name in names {
        let Some(value) = told.next::<Option<Vec<u8>>>()? else { continue };
        if value.len() > LONGEST {
            return Err(Error::Setup(format!(
                "{name} is longer than {} MiB, which Redis would not take back: back up Redis's own files instead",
                LONGEST >> 20
            )));
        }
        dumped.push((name, value));
    }
    Ok((fields, dumped))
}

/// What stands in the way. Looked for by name: whoever may list all keys sees what others keep there.
async fn occupants(connection: &mut MultiplexedConnection) -> Result<Option<String>> {
    let general = [STORE, RULES, WORKSPACES, WORKERS];
    let mut question = Pipeline::new();
    question.cmd("SMEMBERS").arg(WORKSPACES);
    for key in general {
        question.cmd("EXISTS").arg(key);
    }
    let mut told = Answers::of(link::ask(connection, &question).await?);
    let workspaces: BTreeSet<String> = told.next()?;
    for key in general {
        if told.next()? {
            let names: Vec<String> = workspaces.into_iter().collect();
            let held = names.first().map(|_| format!(" and the workspaces {}", names.join(", ")));
            return Ok(Some(format!("{key}{}", held.unwrap_or_default())));
        }
    }
    Ok(None)
}

fn is_head(name: &str) -> bool {
    name.starts_with("lg:{") && name.ends_with("}:head")
}

fn begin_anew(heads: &[String]) -> Pipeline {
    let mut order = Pipeline::new();
    order.cmd("MULTI");
    for head in heads {
        order.cmd("HSET").arg(head).arg("born").arg(&rand::random::<[u8; 16]>()).arg("resting").arg(0);
        order.cmd("HINCRBY").arg(head).arg("epoch").arg(1);
    }
    order.cmd("HDEL").arg(STORE).arg(RESTORING);
    order.cmd("EXEC");
    order
}

/// What a refusal means while keys come back.
fn taken(answers: Result<Vec<Value>>, header: &Header) -> Result<()> {
    let sentence = match answers {
        Err(Error::Refused(code)) if code == "BUSYKEY" => {
            "somebody works on this Redis while it is restored: stop every gateway and every worker, empty it, and restore again".to_owned()
        }
        Err(Error::Refused(code)) if code == "ERR" => format!(
            "this Redis does not take what Redis {} wrote: restore into that version or a newer one, after emptying it",
            header.redis
        ),
        other => return other.map(drop),
    };
    Err(Error::Setup(sentence))
}
