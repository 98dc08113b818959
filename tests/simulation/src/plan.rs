//! What happens in a run? Everything that is decided by chance, drawn from the seed before it begins.

use crate::dice::Dice;
use crate::server::{Mishap, Weather};

/// The auditor, gateways, workers and usurpers, each a process with a network of its own.
pub(crate) const AUDITOR: u32 = 1;
pub(crate) const READER: u32 = 2;
pub(crate) const GATEWAYS: u32 = 10;
pub(crate) const WORKERS: u32 = 20;

/// What one signal is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Touch,
    /// A post without an id of its provider; of one content with every other such post of the customer.
    Post,
    /// "Somebody has spoken with them."
    Contact,
    Unreadable,
}

/// One signal. The same number is the same signal, delivered again.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Knock {
    pub(crate) number: u32,
    pub(crate) customer: u32,
    pub(crate) what: What,
    /// Not on the customer's usual channel.
    pub(crate) elsewhere: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Act {
    Accept(Vec<Knock>),
    /// Dies, and comes back so many milliseconds later.
    Crash(u64),
    /// The clock is this far off from now on.
    Step(i64),
}

/// One life of a worker's process.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) actor: u32,
    pub(crate) from: u64,
    /// None for one that lives to the end.
    pub(crate) to: Option<u64>,
    /// Does not ask for the lease.
    pub(crate) usurper: bool,
    /// Says goodbye rather than being killed.
    pub(crate) polite: bool,
    pub(crate) batch: usize,
    /// From when on its clock is how far off.
    pub(crate) clock: Vec<(u64, i64)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// For each gateway, when it does what.
    pub(crate) gateways: Vec<Vec<(u64, Act)>>,
    pub(crate) lives: Vec<Life>,
    pub(crate) weather: Weather,
    pub(crate) fsync: &'static str,
    /// The store loses what it had answered.
    pub(crate) loses: bool,
    /// Signals of one customer come in through several gateways.
    pub(crate) crossing: bool,
    /// Journals drop a row as soon as it is safe and decided.
    pub(crate) forgetful: bool,
    pub(crate) first_contact_s: u64,
}

impl Plan {
    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = Dice::of(seed, &[1]);
        let forgetful = dice.in_1000(80);
        let end = if forgetful { dice.between(65_000, 90_000) } else { dice.between(6_000, 35_000) };
        let fsync = if forgetful || dice.in_1000(300) { "everysec" } else { "always" };
        let (mishaps, loses) = mishaps(&mut dice, end, forgetful);
        let crossing = dice.in_1000(300);
        let gateways = dice.between(1, 2);
        let lives = lives(&mut dice, end);
        let mut weather = weather(&mut dice, end, &lives);
        weather.mishaps = mishaps;
        if !loses && dice.in_1000(150) {
            weather.clock = steps(&mut dice, end);
        }
        let gateways = (0..gateways).map(|which| gateway(&mut dice, end, which, gateways, crossing)).collect();
        let first_contact_s = dice.between(2, 40);
        Self { seed, gateways, lives, weather, fsync, loses, crossing, forgetful, first_contact_s }
    }
}

impl Plan {
    /// After a loss, what several gateways bring back may be decided in another order: one of them is not heard in time.
    pub(crate) fn may_reorder(&self) -> bool {
        let weather = &self.weather;
        let dies = self.gateways.iter().flatten().any(|(_, act)| matches!(act, Act::Crash(_)));
        let unheard = weather.cut_before + weather.cut_after + weather.mute > 0;
        self.loses && self.crossing && (dies || unheard || (weather.slow > 0 && weather.slow_for > 50))
    }
}

/// What befalls the server, and whether it loses anything by it.
fn mishaps(dice: &mut Dice, end: u64, forgetful: bool) -> (Vec<(u64, Mishap)>, bool) {
    let (mut all, mut loses, mut at) = (Vec::new(), false, dice.between(1_000, 8_000));
    let may_lose = dice.in_1000(500);
    while at + 6_000 < end && dice.in_1000(650) {
        let down = dice.between(1, 4_000);
        match dice.between(0, if may_lose { 3 } else { 0 }) {
            0 => all.extend([(at, Mishap::Down), (at + down, Mishap::Up)]),
            // What is a second old is on the disk.
            1 => {
                let then = at - dice.between(1, if forgetful { 1_500 } else { 6_000 }).min(at);
                let back = [(then, Mishap::Remember), (at, Mishap::Down), (at, Mishap::Recall(then))];
                all.extend(back);
                all.push((at + down, Mishap::Up));
                loses = true;
            }
            // A journal that forgets relies on a store that does not.
            2 if !forgetful => {
                all.push((at, Mishap::Wipe));
                loses = true;
            }
            3 if !forgetful => {
                all.extend([(at, Mishap::Down), (at, Mishap::Wipe), (at + down, Mishap::Up)]);
                loses = true;
            }
            _ => {}
        }
        at += down + dice.between(500, 12_000);
    }
    (all, loses)
}

fn weather(dice: &mut Dice, until: u64, lives: &[Life]) -> Weather {
    let often = dice.pick(&[0, 1, 3, 10]);
    let mut stalls = Vec::new();
    for life in lives {
        if dice.in_1000(250) {
            let from = life.from + dice.between(0, 6_000);
            stalls.push((life.actor, from, (from + dice.between(200, 15_000)).min(until)));
        }
    }
    Weather {
        until,
        slow: dice.pick(&[0, 2, 20, 100]),
        slow_for: dice.pick(&[5, 50, 800, 7_000]),
        held: dice.pick(&[0, 20, 150]),
        held_for: dice.pick(&[2_000, 12_000, 25_000]),
        cut_before: dice.pick(&[0, often]),
        cut_after: dice.pick(&[0, often]),
        mute: dice.pick(&[0, 0, often]),
        stalls,
        clock: Vec::new(),
        mishaps: Vec::new(),
    }
}

fn steps(dice: &mut Dice, end: u64) -> Vec<(u64, i64)> {
    let mut all = vec![(dice.between(0, end), dice.pick(&[-10_800_000, -300_000, -2_000, 2_000, 300_000, 7_200_000]))];
    if dice.in_1000(500) {
        all.push((dice.between(all[0].0, end), 0));
    }
    all
}

fn lives(dice: &mut Dice, end: u64) -> Vec<Life> {
    let mut all = Vec::new();
    let mut actor = WORKERS;
    let mut live = |dice: &mut Dice, from: u64, to: Option<u64>, usurper: bool| {
        actor += 1;
        let clock = if dice.in_1000(300) { steps(dice, end) } else { Vec::new() };
        let batch = usize::try_from(dice.pick(&[1, 2, 7, 256])).unwrap_or(1);
        all.push(Life { actor, from, to, usurper, polite: dice.in_1000(300), batch, clock });
    };
    for _ in 0..dice.between(1, 3) {
        let mut from = dice.between(0, 2_000);
        while from < end && dice.in_1000(800) {
            let to = from + dice.between(500, 15_000);
            live(dice, from, Some(to.min(end)), false);
            from = to + dice.between(1, 4_000);
        }
    }
    for _ in 0..dice.pick(&[0, 0, 1, 3, 6]) {
        let from = dice.between(0, end);
        let to = from + dice.between(300, 10_000);
        live(dice, from, Some(to.min(end + 1)), true);
    }
    let last = dice.between(0, end);
    live(dice, last, None, false);
    all
}

/// When a gateway accepts what, and when it dies.
fn gateway(dice: &mut Dice, end: u64, which: u64, gateways: u64, crossing: bool) -> Vec<(u64, Act)> {
    let mut acts = Vec::new();
    let mut known: Vec<Knock> = Vec::new();
    let customers = dice.between(2, 12);
    let mut at = dice.between(0, 1_500);
    let mut number = u32::try_from(which).unwrap_or(0) * 100_000;
    while at < end {
        if dice.in_1000(60) {
            acts.push((at, Act::Crash(dice.between(1, 3_000))));
        } else if dice.in_1000(30) {
            acts.push((at, Act::Step(dice.pick(&[-10_800_000, -300_000, 2_000, 300_000, 7_200_000, 0]))));
        } else {
            let many = dice.pick(&[1, 1, 2, 5, 20]);
            let knocks = (0..many).map(|_| {
                number += 1;
                let customer = dice.between(0, customers);
                // A customer is this gateway's own, unless customers go anywhere.
                let customer = if crossing { customer } else { customer * gateways + which };
                let knock = knock(dice, number, u32::try_from(customer).unwrap_or(0), &known, crossing);
                known.push(knock);
                knock
            });
            acts.push((at, Act::Accept(knocks.collect())));
        }
        let pause = dice.pick(&[100, 800, 5_000]);
        at += dice.between(1, pause);
    }
    acts
}

fn knock(dice: &mut Dice, number: u32, customer: u32, known: &[Knock], crossing: bool) -> Knock {
    if !known.is_empty() && dice.in_1000(150) {
        return dice.pick(known);
    }
    let is_lead = |knock: &&Knock| knock.customer == customer && matches!(knock.what, What::Touch | What::Post);
    let spoken = known.iter().any(|knock| knock.customer == customer && knock.what == What::Contact);
    let what = match dice.between(0, 99) {
        0..4 => What::Unreadable,
        4..25 if !crossing && !spoken && known.iter().any(|knock| is_lead(&knock)) => What::Contact,
        25..40 if !crossing => What::Post,
        _ => What::Touch,
    };
    Knock { number, customer, what, elsewhere: what == What::Touch && dice.in_1000(150) }
}
