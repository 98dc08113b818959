//! Has the whole body come, and in time? Collecting it under a size, a deadline, a minimum rate and the budget of all
//! bodies in memory.

use crate::admission::{Class, Hold};
use crate::config::Limits;
use crate::problem::Refused;
use crate::room;
use crate::wire::io_kind;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http_body::Body;
use http_body_util::BodyExt;
use std::error::Error;
use std::io::ErrorKind;
use std::time::Duration;
use tokio::time::Instant;

/// A body in memory; its bytes count against the budget until it is dropped.
#[derive(Debug)]
pub struct Collected {
    pub bytes: Bytes,
    _hold: Hold,
}

/// Time for one body: the longer it is, the longer it may take, up to the deadline.
#[derive(Copy, Clone, Debug)]
pub struct Pace {
    pub deadline: Duration,
    pub grace: Duration,
    /// Bytes a second.
    pub rate: u64,
}

impl Pace {
    pub fn of(limits: &Limits) -> Self {
        Self { deadline: limits.body_time.0, grace: limits.body_grace.0, rate: limits.body_rate.0.max(1) }
    }

    /// How long after the head a body may still be incomplete, having sent `received` bytes.
    fn allowed(self, received: usize) -> Duration {
        let earned = Duration::from_millis((received as u64).saturating_mul(1000) / self.rate);
        self.deadline.min(self.grace.saturating_add(earned))
    }
}

/// What the head alone already forbids.
pub fn check_head(headers: &HeaderMap, limit: usize) -> Result<(), Refused> {
    let encodings = headers.get_all(CONTENT_ENCODING).iter();
    if !encodings.into_iter().all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Refused::Encoding);
    }
    let declared = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limit as u64) {
        return Err(Refused::TooLarge("the body is larger than this entrance takes"));
    }
    Ok(())
}

pub async fn collect<B>(
    mut body: B,
    limit: usize,
    pace: Pace,
    mut hold: Hold,
    class: Class,
) -> Result<Collected, Refused>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Error + 'static,
{
    let start = Instant::now();
    let (mut first, mut rest) = (Bytes::new(), BytesMut::new());
    loop {
        let received = first.len() + rest.len();
        let due = start + pace.allowed(received);
        let frame = match tokio::time::timeout_at(due, body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(None) => break,
            Ok(Some(Err(error))) => return Err(broken(&error)),
            Err(_) => return Err(Refused::Slow),
        };
        let Ok(data) = frame.into_data() else { continue };
        if received + data.len() > limit {
            return Err(Refused::TooLarge("the body is larger than this entrance takes"));
        }
        if !hold.grow(data.len(), class) {
            return Err(Refused::Overloaded);
        }
        if received == 0 {
            first = data;
        } else {
            if rest.is_empty() {
                rest.extend_from_slice(&std::mem::take(&mut first));
            }
            room::extend(&mut rest, &data, limit);
        }
    }
    let bytes = if rest.is_empty() { first } else { rest.freeze() };
    Ok(Collected { bytes, _hold: hold })
}

/// A body that ended too early, or one whose chunks say nonsense.
fn broken(error: &(dyn Error + 'static)) -> Refused {
    match io_kind(error) {
        Some(ErrorKind::InvalidInput | ErrorKind::InvalidData) => Refused::Framing,
        _ => Refused::Slow,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::Budget;
    use http_body::Frame;
    use http_body_util::StreamBody;
    use std::convert::Infallible;
    use tokio_stream::{StreamExt, iter};

    const PACE: Pace = Pace { deadline: Duration::from_secs(10), grace: Duration::from_secs(3), rate: 1024 };

    /// A body of `count` frames of `size` bytes, `gap` apart.
    fn drip(count: usize, size: usize, gap: Duration) -> impl Body<Data = Bytes, Error = Infallible> + Unpin {
        let frames = iter(0..count).then(move |_| async move {
            tokio::time::sleep(gap).await;
            Ok::<_, Infallible>(Frame::data(Bytes::from(vec![b'x'; size])))
        });
        StreamBody::new(Box::pin(frames))
    }

    async fn run(count: usize, size: usize, gap_ms: u64) -> Result<usize, Refused> {
        let budget = Budget::new(10_000);
        let body = drip(count, size, Duration::from_millis(gap_ms));
        let collected = collect(body, 8_000, PACE, budget.open(), Class::Signed).await;
        collected.map(|collected| collected.bytes.len())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_comes_whole_or_not_at_all() {
        for (count, size, gap, expected) in [
            (0, 0, 0, Ok(0)),
            (1, 8_000, 0, Ok(8_000)),
            (4, 2_000, 100, Ok(8_000)),
            (8, 1_024, 1_100, Err(Refused::TooLarge("the body is larger than this entrance takes"))),
            (7, 1_024, 1_100, Ok(7_168)),
            (9, 512, 1_200, Err(Refused::Slow)),
            (100, 1, 1_000, Err(Refused::Slow)),
            (1, 10, 3_500, Err(Refused::Slow)),
        ] {
            assert_eq!(run(count, size, gap).await, expected, "{count} × {size} bytes every {gap} ms");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_drip_is_cut_soon_after_the_grace_and_a_steady_stream_at_the_deadline() {
        for (size, gap, cut) in [(1, 1_000, 3..4), (4_096, 2_500, 10..11)] {
            let start = Instant::now();
            let body = drip(1_000, size, Duration::from_millis(gap));
            let refused = collect(body, 1 << 20, PACE, Budget::new(1 << 20).open(), Class::Signed).await.unwrap_err();
            assert_eq!(refused, Refused::Slow);
            assert!(cut.contains(&start.elapsed().as_secs()), "{size} {:?}", start.elapsed());
        }
    }

    #[tokio::test]
    async fn memory_is_given_back_when_the_body_is_dropped() {
        let budget = Budget::new(1_000);
        let one = collect(drip(1, 800, Duration::ZERO), 900, PACE, budget.open(), Class::Signed).await.unwrap();
        let other = collect(drip(1, 800, Duration::ZERO), 900, PACE, budget.open(), Class::Signed).await;
        assert_eq!(other.unwrap_err(), Refused::Overloaded);
        drop(one);
        assert!(collect(drip(1, 800, Duration::ZERO), 900, PACE, budget.open(), Class::Signed).await.is_ok());
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn the_head_alone_forbids_compression_and_size() {
        let check = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            check_head(&headers, 100)
        };
        assert_eq!(check("content-encoding", "identity"), Ok(()));
        for encoding in ["gzip", "gzip, gzip", "br", "identity, gzip", ""] {
            assert_eq!(check("content-encoding", encoding), Err(Refused::Encoding), "{encoding}");
        }
        assert_eq!(check("content-length", "100"), Ok(()));
        assert!(matches!(check("content-length", "101"), Err(Refused::TooLarge(_))));
    }
}
