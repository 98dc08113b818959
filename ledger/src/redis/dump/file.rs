//! What does a backup of the store look like on disk? A line that says what it is, keys with what Redis dumped of them,
//! and a checksum of everything before it.
//!
//! The line is `leadgate store dump <version> <fingerprint of the pepper> <version of Redis>`. A key follows as the
//! length of its name (2 bytes), the length of its value (8 bytes, big-endian both), name and value; a name of length 0
//! ends the list.

use crate::error::{Error, Result};
use sha2::{Digest as _, Sha256};
use std::io::{self, BufRead, BufReader, Read, Write};

const TITLE: &str = "leadgate store dump";
const VERSION: i64 = 1;
const CHECKSUM: u64 = 32;
/// The first line is short; a file without a line end is none of ours.
const LINE: u64 = 256;

/// What the first line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) fingerprint: String,
    pub(super) redis: String,
}

/// A key and what `DUMP` said of it.
pub(super) type Dumped = (String, Vec<u8>);

/// Adds up what goes through.
#[derive(Debug)]
pub(super) struct Writer<W> {
    to: W,
    sum: Sha256,
}

impl<W: Write> Writer<W> {
    pub(super) fn begin(to: W, header: &Header) -> io::Result<Self> {
        let mut writer = Self { to, sum: Sha256::new() };
        let line = format!("{TITLE} {VERSION} {} {}\n", header.fingerprint, header.redis);
        writer.write(line.as_bytes())?;
        Ok(writer)
    }

    pub(super) fn put(&mut self, (name, value): &Dumped) -> io::Result<()> {
        let long = |_| io::Error::other("the name of a key is too long");
        self.write(&u16::try_from(name.len()).map_err(long)?.to_be_bytes())?;
        self.write(&(value.len() as u64).to_be_bytes())?;
        self.write(name.as_bytes())?;
        self.write(value)
    }

    pub(super) fn end(mut self) -> io::Result<W> {
        self.write(&[0; 10])?;
        let sum = self.sum.finalize();
        self.to.write_all(&sum)?;
        Ok(self.to)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sum.update(bytes);
        self.to.write_all(bytes)
    }
}

/// Reads all of a file of `length` bytes and compares the checksum. `at` hears how far it is.
pub(super) fn check(file: impl Read, length: u64, at: impl Fn(u64)) -> Result<Header> {
    let mut file = BufReader::with_capacity(1 << 16, file);
    let mut line = Vec::new();
    file.by_ref().take(LINE).read_until(b'\n', &mut line).map_err(|_| damaged())?;
    let header = header(&line)?;
    let mut sum = Sha256::new();
    sum.update(&line);
    let read = line.len() as u64;
    let mut left = length.checked_sub(read + CHECKSUM).ok_or_else(damaged)?;
    let mut some = vec![0; 1 << 16];
    while left > 0 {
        let next = usize::try_from(left).unwrap_or(some.len()).min(some.len());
        file.read_exact(&mut some[..next]).map_err(|_| damaged())?;
        sum.update(&some[..next]);
        left -= next as u64;
        at(length - left);
    }
    let mut expected = [0; CHECKSUM as usize];
    file.read_exact(&mut expected).map_err(|_| damaged())?;
    if sum.finalize()[..] == expected { Ok(header) } else { Err(damaged()) }
}

fn damaged() -> Error {
    Error::Setup("store.dump is damaged: what it holds and its checksum differ; take another backup".to_owned())
}

fn header(line: &[u8]) -> Result<Header> {
    let wrong = || Error::Setup("store.dump is not a backup of a store".to_owned());
    let line = std::str::from_utf8(line).ok().and_then(|line| line.strip_suffix('\n')).ok_or_else(wrong)?;
    let rest = line.strip_prefix(TITLE).and_then(|rest| rest.strip_prefix(' ')).ok_or_else(wrong)?;
    let mut words = rest.split(' ');
    let mut word = || words.next().map(str::to_owned).ok_or_else(wrong);
    let found = word()?.parse().map_err(|_| wrong())?;
    if found > VERSION {
        return Err(Error::Newer { file: "store.dump".to_owned(), found, known: VERSION });
    }
    Ok(Header { fingerprint: word()?, redis: word()? })
}

/// The keys of a file that was checked.
#[derive(Debug)]
pub(super) struct Reader<R> {
    from: BufReader<R>,
}

impl<R: Read> Reader<R> {
    pub(super) fn begin(from: R) -> Result<Self> {
        let mut from = BufReader::with_capacity(1 << 16, from);
        from.by_ref().take(LINE).skip_until(b'\n').map_err(|_| damaged())?;
        Ok(Self { from })
    }

    pub(super) fn next(&mut self) -> Result<Option<Dumped>> {
        self.read().map_err(|_| damaged())
    }

    fn read(&mut self) -> io::Result<Option<Dumped>> {
        let (mut name, mut value) = ([0; 2], [0; 8]);
        self.from.read_exact(&mut name)?;
        self.from.read_exact(&mut value)?;
        let mut name = vec![0; usize::from(u16::from_be_bytes(name))];
        if name.is_empty() {
            return Ok(None);
        }
        self.from.read_exact(&mut name)?;
        let name = String::from_utf8(name).map_err(io::Error::other)?;
        let length = u64::from_be_bytes(value);
        let mut value = Vec::new();
        let read = self.from.by_ref().take(length).read_to_end(&mut value)?;
        if read as u64 == length { Ok(Some((name, value))) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Header {
        Header { fingerprint: "f00d".to_owned(), redis: "7.0.15".to_owned() }
    }

    fn keys() -> [Dumped; 3] {
        [("lg:store", vec![1, 2, 3]), ("lg:{a}:head", vec![]), ("lg:{a}:lead", vec![7; 100_000])]
            .map(|(name, value)| (name.to_owned(), value))
    }

    fn written() -> Vec<u8> {
        let mut writer = Writer::begin(Vec::new(), &head()).unwrap();
        keys().iter().for_each(|key| writer.put(key).unwrap());
        writer.end().unwrap()
    }

    fn checked(bytes: &[u8]) -> std::result::Result<Header, String> {
        check(bytes, bytes.len() as u64, |_| {}).map_err(|error| error.to_string())
    }

    #[test]
    fn what_was_written_is_read_back() {
        let bytes = written();
        assert_eq!(checked(&bytes), Ok(head()));
        let mut reader = Reader::begin(&bytes[..]).unwrap();
        for key in keys() {
            assert_eq!(reader.next().unwrap(), Some(key));
        }
        assert_eq!(reader.next().unwrap(), None);
    }

    #[test]
    fn a_file_that_lost_or_changed_a_byte_anywhere_is_refused() {
        let whole = written();
        for place in (0..whole.len()).step_by(997).chain([0, 25, 40, 60, whole.len() - 33, whole.len() - 1]) {
            let mut changed = whole.clone();
            changed[place] ^= 1;
            assert!(checked(&changed).is_err(), "changed at {place}");
            assert!(checked(&whole[..place]).is_err(), "cut at {place}");
        }
        assert!(checked(&[&whole[..], b"more"].concat()).is_err());
    }

    #[test]
    fn another_file_and_a_newer_one_say_what_they_are() {
        for (bytes, expected) in [
            (&b""[..], "store.dump is not a backup of a store"),
            (b"SQLite format 3\0\n", "store.dump is not a backup of a store"),
            (b"leadgate store dump one\n", "store.dump is not a backup of a store"),
            (
                b"leadgate store dump 9 f00d 8.0.0\n",
                "store.dump has schema version 9, this leadgate knows up to 1; start the newer version again",
            ),
        ] {
            assert_eq!(checked(bytes), Err(expected.to_owned()));
        }
    }
}
