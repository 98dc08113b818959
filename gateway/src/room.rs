//! Where does a large body lie while it is in memory? In room of its own, which goes back to the system with it.
//!
//! glibc keeps what a freed block of up to 32 MiB took, and takes more for the next one: in each arena, and there are
//! up to eight of them for each core (mallopt(3), `M_MMAP_THRESHOLD` and its dynamic adjustment). A larger block is a
//! mapping of its own and gone when it is freed. So a large body gets one; what is not written of it costs nothing.

use bytes::BytesMut;

/// What is shorter grows like anything else.
pub(crate) const LARGE: usize = 1 << 20;

/// Just more than glibc ever keeps.
const OWN: usize = (32 << 20) + (64 << 10);

/// Room for `size` bytes.
pub(crate) fn of(size: usize) -> Vec<u8> {
    Vec::with_capacity(if size > LARGE { size.max(OWN) } else { size })
}

/// Adds to a body of at most `most` bytes. It moves once, when it becomes large: growing by doubling would need three
/// times its size at the last step.
pub(crate) fn extend(body: &mut BytesMut, part: &[u8], most: usize) {
    let whole = body.len() + part.len();
    if whole > LARGE && whole > body.capacity() {
        let mut large = BytesMut::with_capacity(most.max(whole).max(OWN));
        large.extend_from_slice(body);
        *body = large;
    }
    body.extend_from_slice(part);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_becomes_large_moves_once() {
        let (mut body, mut moves, mut place) = (BytesMut::new(), 0, std::ptr::null());
        for _ in 0..25 * 16 {
            extend(&mut body, &[b'x'; 64 << 10], 25 << 20);
            if body.len() > LARGE && body.as_ptr() != place {
                (moves, place) = (moves + 1, body.as_ptr());
            }
        }
        assert_eq!((body.len(), moves), (25 << 20, 1));
        assert!(body.capacity() > 32 << 20 && body.iter().all(|byte| *byte == b'x'));
    }

    #[test]
    fn only_what_is_large_gets_room_of_its_own() {
        for (size, room) in [(0, 0), (1_000, 1_000), (LARGE, LARGE), (LARGE + 1, OWN), (64 << 20, 64 << 20)] {
            assert_eq!(of(size).capacity(), room, "{size}");
        }
    }

    #[test]
    fn a_body_that_stays_small_asks_for_little() {
        let mut body = BytesMut::new();
        extend(&mut body, &[b'x'; 1_000], 25 << 20);
        assert!(body.capacity() < 4_000, "{}", body.capacity());
    }
}
