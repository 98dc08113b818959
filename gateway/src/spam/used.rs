//! What did a captcha's service say of this answer, and for which post? Remembered until the answer would have expired,
//! and no more than a fixed number: who pushes one out has made as many others.
//!
//! A service takes an answer once by itself; this is for a post that is sent again.

use lead::ids::Digest;
use lead::time::At;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

const MOST: usize = 65_536;

/// A proof, the post that shows it, and until when it could be shown.
#[derive(Copy, Clone, Debug)]
pub(super) struct Claim {
    pub proof: Digest,
    pub post: Digest,
    pub until: At,
}

#[derive(Debug, Default)]
pub(super) struct Used(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    posts: HashMap<Digest, Digest>,
    /// In the order of their coming.
    order: VecDeque<(Digest, At)>,
}

impl Used {
    /// Whether the proof is this post's now; it is not when another post has shown it.
    pub(super) fn claim(&self, claim: Claim, now: At) -> bool {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        memory.forget(now);
        if let Some(owner) = memory.posts.get(&claim.proof) {
            return *owner == claim.post;
        }
        memory.posts.insert(claim.proof, claim.post);
        memory.order.push_back((claim.proof, claim.until));
        true
    }

    /// The post that has shown the proof.
    pub(super) fn owner(&self, proof: &Digest, now: At) -> Option<Digest> {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        memory.forget(now);
        memory.posts.get(proof).copied()
    }
}

impl Memory {
    fn forget(&mut self, now: At) {
        while self.order.front().is_some_and(|(_, until)| *until <= now || self.order.len() >= MOST) {
            if let Some((proof, _)) = self.order.pop_front() {
                self.posts.remove(&proof);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lead::ids::digest;

    fn claim(proof: u32, post: u32, until: i64) -> Claim {
        let id = |number: u32| Digest::from_bytes(digest("test", &[&number.to_be_bytes()]));
        Claim { proof: id(proof), post: id(post), until: At::from_secs(until) }
    }

    #[test]
    fn a_proof_belongs_to_the_first_post_until_it_expires() {
        let (used, now, late) = (Used::default(), At::from_secs(0), At::from_secs(100));
        assert!(used.claim(claim(1, 1, 100), now));
        assert!(used.claim(claim(1, 1, 100), now), "the same post repeats itself");
        assert!(!used.claim(claim(1, 2, 100), now));
        assert_eq!(used.owner(&claim(1, 1, 0).proof, now), Some(claim(1, 1, 0).post));
        assert_eq!(used.owner(&claim(1, 1, 0).proof, late), None);
        assert!(used.0.lock().unwrap().posts.is_empty());
    }

    #[test]
    fn the_memory_has_a_bound_and_forgets_the_oldest_first() {
        let (used, now) = (Used::default(), At::from_secs(0));
        let most = u32::try_from(MOST).unwrap();
        for proof in 0..most + 10 {
            assert!(used.claim(claim(proof, 1, 100), now));
        }
        let memory = used.0.lock().unwrap();
        assert!(memory.posts.len() <= MOST && memory.order.len() == memory.posts.len());
        assert!(!memory.posts.contains_key(&claim(0, 0, 0).proof));
        assert!(memory.posts.contains_key(&claim(most + 9, 0, 0).proof));
    }
}
