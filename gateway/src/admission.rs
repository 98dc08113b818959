//! Who may come in right now? Rates per client and per channel, and budgets that are shed in order: anonymous forms
//! first, chats next, signed webhooks last.

use crate::client::ClientKey;
use crate::config::Limits;
use crate::problem::Refused;
use crate::sources::Source;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use lead::entry::Kind;
use lead::ids::ChannelId;
use lead::units::Rate;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How early a request is shed: the share of every budget it may fill.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// A browser asks its person to try again, and our snippet does it by itself.
    Anonymous,
    Chat,
    /// Some providers never repeat a webhook.
    Signed,
}

impl Class {
    pub fn of(source: &Source) -> Self {
        match source.kind {
            _ if source.anonymous => Self::Anonymous,
            Kind::Chat => Self::Chat,
            _ => Self::Signed,
        }
    }

    /// In quarters of the whole.
    const fn share(self, whole: usize) -> usize {
        match self {
            Self::Anonymous => whole / 2,
            Self::Chat => whole / 4 * 3,
            Self::Signed => whole,
        }
    }
}

/// A number of things that may exist at one moment: bytes of bodies, requests.
#[derive(Debug)]
pub struct Budget {
    whole: usize,
    used: AtomicUsize,
    /// What one client may have of it, and what each has.
    each: usize,
    clients: Mutex<HashMap<ClientKey, usize>>,
}

impl Budget {
    pub fn new(whole: usize) -> Arc<Self> {
        Self::shared(whole, whole)
    }

    /// One of which no client has more than `each`.
    pub fn shared(whole: usize, each: usize) -> Arc<Self> {
        Arc::new(Self { whole, used: AtomicUsize::new(0), each, clients: Mutex::default() })
    }

    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// A hold on nothing yet.
    pub fn open(self: &Arc<Self>) -> Hold {
        self.open_for(None)
    }

    /// The same for a client whose share counts.
    pub fn open_for(self: &Arc<Self>, client: Option<ClientKey>) -> Hold {
        Hold { budget: Arc::clone(self), amount: 0, client }
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<ClientKey, usize>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, amount: usize, class: Class) -> bool {
        let fits = |used: usize| used.checked_add(amount).filter(|sum| *sum <= class.share(self.whole));
        self.used.fetch_update(Ordering::AcqRel, Ordering::Relaxed, fits).is_ok()
    }
}

/// A part of a budget, given back on drop.
#[derive(Debug)]
pub struct Hold {
    budget: Arc<Budget>,
    amount: usize,
    client: Option<ClientKey>,
}

impl Hold {
    /// Takes `more`, or says that the class or the client has had its share.
    pub fn grow(&mut self, more: usize, class: Class) -> bool {
        let mut clients = self.client.map(|client| (client, self.budget.clients()));
        if let Some((client, clients)) = &clients
            && clients.get(client).copied().unwrap_or(0).saturating_add(more) > self.budget.each
        {
            return false;
        }
        let taken = self.budget.take(more, class);
        if taken {
            self.amount += more;
            if let Some((client, clients)) = &mut clients {
                *clients.entry(*client).or_default() += more;
            }
        }
        taken
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.amount, Ordering::AcqRel);
        if let Some(client) = self.client {
            let mut clients = self.budget.clients();
            let left = clients.get(&client).map_or(0, |held| held.saturating_sub(self.amount));
            if left == 0 {
                clients.remove(&client);
            } else {
                clients.insert(client, left);
            }
        }
    }
}

/// Whom the address limiter counts: a client, or, once too many are remembered, one of a fixed number of buckets that
/// newcomers share. An attacker with a whole network then limits other newcomers, never the process's memory.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
enum AddressKey {
    Client(ClientKey),
    Crowd(u16),
}

const CROWDS: u64 = 4096;

#[derive(Debug)]
pub struct Admission {
    pub requests: Arc<Budget>,
    pub bodies: Arc<Budget>,
    per_address: DefaultKeyedRateLimiter<AddressKey>,
    per_channel: DefaultKeyedRateLimiter<ChannelId>,
    unproven_fetches: DefaultKeyedRateLimiter<ChannelId>,
    most_addresses: usize,
    hasher: RandomState,
}

impl Admission {
    pub fn new(limits: &Limits) -> Self {
        Self {
            requests: Budget::new(limits.requests),
            bodies: Budget::shared(limits.bodies.bytes(), limits.bodies_per_client.bytes()),
            per_address: RateLimiter::keyed(quota(limits.per_address)),
            per_channel: RateLimiter::keyed(quota(limits.per_channel)),
            unproven_fetches: RateLimiter::keyed(quota(limits.unproven_fetches)),
            most_addresses: limits.addresses,
            hasher: RandomState::new(),
        }
    }

    /// Room for one more request.
    pub fn enter(&self, class: Class) -> Result<Hold, Refused> {
        let mut hold = self.requests.open();
        if hold.grow(1, class) { Ok(hold) } else { Err(Refused::Overloaded) }
    }

    pub fn per_address(&self, client: ClientKey) -> Result<(), Refused> {
        let key = if self.per_address.len() < self.most_addresses {
            AddressKey::Client(client)
        } else {
            let bucket = self.hasher.hash_one(client) % CROWDS;
            AddressKey::Crowd(u16::try_from(bucket).expect("a remainder of 4096 is small"))
        };
        self.per_address.check_key(&key).map_err(|_| Refused::PerAddress)
    }

    /// Only for configured channels, so the keys are bounded by the configuration.
    pub fn per_channel(&self, channel: &ChannelId) -> Result<(), Refused> {
        self.per_channel.check_key(channel).map_err(|_| Refused::PerChannel)
    }

    /// Before something is fetched for a request that anybody may have sent.
    pub fn unproven_fetch(&self, channel: &ChannelId) -> Result<(), Refused> {
        self.unproven_fetches.check_key(channel).map_err(|_| Refused::PerChannel)
    }

    pub fn addresses(&self) -> usize {
        self.per_address.len()
    }

    /// Forgets clients whose bucket is full again. Called by one task only.
    pub fn sweep(&self) {
        self.per_address.retain_recent();
        self.per_address.shrink_to_fit();
        self.per_channel.retain_recent();
        self.unproven_fetches.retain_recent();
    }
}

fn quota(rate: Rate) -> Quota {
    let whole = NonZeroU32::new(rate.count).unwrap_or(NonZeroU32::MIN);
    let each = (rate.period / whole.get()).max(Duration::from_nanos(1));
    let burst = NonZeroU32::new(rate.burst).unwrap_or(NonZeroU32::MIN);
    Quota::with_period(each).expect("the period is at least a nanosecond").allow_burst(burst)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lead::units::Size;
    use std::net::Ipv4Addr;

    fn limits(rate: &str, addresses: usize) -> Limits {
        let rate = Rate::parse(rate).unwrap();
        Limits { per_address: rate, per_channel: rate, addresses, requests: 8, bodies: Size(8), ..Limits::default() }
    }

    fn client(number: u32) -> ClientKey {
        ClientKey::of(Ipv4Addr::from(number).into())
    }

    #[test]
    fn anonymous_requests_are_shed_first_and_signed_ones_last() {
        let admission = Admission::new(&limits("1/s", 10));
        let fill = |class| {
            let mut held = Vec::new();
            while let Ok(hold) = admission.enter(class) {
                held.push(hold);
            }
            held
        };
        let anonymous = fill(Class::Anonymous);
        let chats = fill(Class::Chat);
        let signed = fill(Class::Signed);
        assert_eq!((anonymous.len(), chats.len(), signed.len()), (4, 2, 2));
        assert_eq!(admission.enter(Class::Signed).unwrap_err(), Refused::Overloaded);
        drop((anonymous, chats, signed));
        assert_eq!(admission.requests.used(), 0);
    }

    #[test]
    fn one_client_has_its_share_of_a_budget_and_gives_it_back() {
        let budget = Budget::shared(100, 10);
        let take = |who: u32, more| {
            let mut hold = budget.open_for(Some(client(who)));
            hold.grow(more, Class::Anonymous).then_some(hold)
        };
        let first = take(1, 6).unwrap();
        assert!(take(1, 5).is_none() && take(2, 5).is_some());
        let second = take(1, 4).unwrap();
        drop(first);
        assert!(take(1, 6).is_some());
        drop(second);
        assert!(budget.clients().is_empty() && budget.used() == 0);
    }

    #[test]
    fn one_client_over_its_burst_is_refused_and_another_is_not() {
        let admission = Admission::new(&limits("1/h burst 3", 10));
        let answers: Vec<bool> = (0..5).map(|_| admission.per_address(client(1)).is_ok()).collect();
        assert_eq!(answers, [true, true, true, false, false]);
        assert_eq!(admission.per_address(client(2)), Ok(()));
        let line = ChannelId::new("line-1");
        assert_eq!((0..5).filter(|_| admission.per_channel(&line).is_ok()).count(), 3);
    }

    #[test]
    fn a_flood_of_addresses_does_not_grow_memory_without_end() {
        let admission = Admission::new(&limits("1/h", 100));
        for number in 0..50_000 {
            let _ = admission.per_address(client(number));
        }
        assert!(admission.addresses() <= 100 + 4096, "{}", admission.addresses());
        assert_eq!(admission.per_address(client(60_000)), Err(Refused::PerAddress));
    }

    #[test]
    fn clients_that_went_quiet_are_forgotten() {
        let admission = Admission::new(&limits("1000/ms", 100));
        for number in 0..50 {
            admission.per_address(client(number)).unwrap();
        }
        std::thread::sleep(Duration::from_millis(5));
        admission.sweep();
        assert_eq!(admission.addresses(), 0);
    }
}
