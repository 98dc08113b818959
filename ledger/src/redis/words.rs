//! How do Redis's words become ours? Stream ids, numbers, and the nested lists it answers with.

use crate::commit::Position;
use crate::error::{Error, Result};
use ::redis::{FromRedisValue, Value};

/// `time-number`, as Redis writes the id of a stream's entry.
pub(crate) fn stream_id(position: Position) -> String {
    format!("{}-{}", position.0 >> 64, position.0 as u64)
}

pub(crate) fn position(id: &str) -> Result<Position> {
    let wrong = || Error::Corrupt("stream id");
    let (time, number) = id.split_once('-').ok_or_else(wrong)?;
    let (time, number): (u64, u64) = (time.parse().map_err(|_| wrong())?, number.parse().map_err(|_| wrong())?);
    Ok(Position((u128::from(time) << 64) | u128::from(number)))
}

/// The first position that is not before a moment.
pub(super) fn moment(at: lead::time::At) -> Position {
    Position(u128::from(at.millis().unsigned_abs()) << 64)
}

/// When an entry came to stand at its position.
pub(super) fn arrived_at(position: Position) -> lead::time::At {
    lead::time::At::from_millis(i64::try_from(position.0 >> 64).unwrap_or(i64::MAX))
}

/// An answer as what it must be.
pub(crate) fn read<T: FromRedisValue>(value: Value) -> Result<T> {
    T::from_redis_value(value).map_err(|_| Error::Corrupt("answer of Redis"))
}

/// The answers of a pipeline, taken one after the other.
#[derive(Debug)]
pub(super) struct Answers(std::vec::IntoIter<Value>);

impl Answers {
    pub(super) fn of(values: Vec<Value>) -> Self {
        Self(values.into_iter())
    }

    pub(super) fn next<T: FromRedisValue>(&mut self) -> Result<T> {
        read(self.0.next().ok_or(Error::Corrupt("answer of Redis"))?)
    }
}

/// One entry of a stream: its id and its fields.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) position: Position,
    fields: Vec<(String, Vec<u8>)>,
}

impl Item {
    /// The entries of an answer of XRANGE, or of one stream of XREAD.
    pub(super) fn list(value: Value) -> Result<Vec<Self>> {
        let items: Vec<(String, Vec<(String, Vec<u8>)>)> = read(value)?;
        items.into_iter().map(|(id, fields)| Ok(Self { position: position(&id)?, fields })).collect()
    }

    /// The entries of an answer of XREAD on one stream.
    pub(super) fn read(value: Value) -> Result<Vec<Self>> {
        let mut streams: Vec<(String, Value)> = match value {
            Value::Nil => return Ok(Vec::new()),
            streams => read(streams)?,
        };
        streams.pop().map_or_else(|| Ok(Vec::new()), |(_, items)| Self::list(items))
    }

    #[cfg(test)]
    pub(super) fn at(position: Position) -> Self {
        Self { position, fields: Vec::new() }
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Vec<u8>> {
        let place = self.fields.iter().position(|(field, _)| field == name)?;
        Some(self.fields.swap_remove(place).1)
    }

    pub(super) fn text(&mut self, name: &str) -> Result<String> {
        let bytes = self.take(name).ok_or(Error::Corrupt("entry of a stream"))?;
        String::from_utf8(bytes).map_err(|_| Error::Corrupt("entry of a stream"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_ids_and_positions_say_the_same_in_the_same_order() {
        let ids = ["0-0", "0-7", "1700000000000-0", "1700000000000-18446744073709551615", "1700000000001-0"];
        let positions = ids.map(|id| position(id).unwrap());
        assert!(positions.is_sorted());
        assert_eq!(positions.map(stream_id), ids);
        assert!(position("7").is_err() && position("a-b").is_err());
    }
}
