//! What does one `workspaces/<id>.toml` say? One company: its hours, entrances, people, exclusions and readers.
//!
//! Read once into a [`Workspace`]: the domain's rules, the gateway's channels, the consumers. A file with a problem
//! makes no workspace at all; whoever asked keeps the one before it.

use super::channel::{self, ChannelParts, Entrance};
use super::consumer::{self, Consumer};
use super::machine::Config;
use super::problem::Problem;
use super::read::{Report, Section, Spot, too_large};
use super::tree::{self, Node};
use super::{Env, Place, people};
use lead::calendar::{Calendar, Wrong};
use lead::identity::{Identity, Pepper};
use lead::ids::{ChannelId, WorkspaceId, short_hash};
use lead::phone::{self, Region};
use lead::rules::{Person, Rules};
use lead::units::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// A reply, call or feedback that fits no lead yet is looked up for this long when one is born.
const UNMATCHED_FOR: Duration = Duration::from_hours(48);

/// One company, resolved.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    pub(crate) rules: Arc<Rules>,
    pub(crate) channels: Vec<gateway::channel::Channel>,
    pub(crate) consumers: Vec<Consumer>,
    /// The file as it was read, kept under the version of its rules.
    pub(crate) text: Arc<str>,
}

/// What a workspace file is read with.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) env: &'a Env,
    pub(crate) place: &'a Place,
    pub(crate) machine: &'a Config,
    pub(crate) pepper: &'a Pepper,
}

/// A workspace that is right in itself, and where it names its channels.
#[derive(Clone, Debug)]
pub(crate) struct Parsed {
    pub(crate) workspace: Arc<Workspace>,
    pub(crate) channel_spots: Vec<(ChannelId, Spot)>,
}

/// Reads one file. `file` is its name in problems.
pub(crate) fn read(file: &Arc<str>, id: &str, text: &str, context: &Context<'_>) -> Result<Parsed, Vec<Problem>> {
    if !lead::ids::is_name(id) {
        return Err(vec![Problem::of_file(file, None, format!("{} before .toml", super::A_NAME))]);
    }
    let tree = tree::merge(defaults(), tree::parse(file, text)?);
    let report = Report::default();
    let parsed = resolve(&Section::root(&tree, &report), &WorkspaceId::new(id), text, context);
    let problems = report.take();
    if problems.is_empty() {
        return Ok(parsed.expect("what is missing is a problem"));
    }
    Err(problems)
}

fn defaults() -> Node {
    let parsed = tree::parse(&Arc::from(super::BUILT_IN), include_str!("../../config/workspace.toml"));
    parsed.unwrap_or_else(|problems| unreachable!("the built-in defaults are valid TOML: {problems:?}"))
}

fn resolve(root: &Section<'_>, id: &WorkspaceId, text: &str, context: &Context<'_>) -> Option<Parsed> {
    let region =
        root.need("region", "a country of two letters like \"RU\"", |value| value.text().and_then(phone::region));
    // With an unknown country nobody's phone can be judged; one problem is enough.
    let numbers = region.unwrap_or(Region::RU);
    let calendar = calendar(root);
    let people = people::read(root, region);
    let abilities = people::abilities(&people);
    let entrance = Entrance { workspace: id, region: numbers, people: &people, abilities: &abilities, context };
    let ChannelParts { mut technical, domain, spots } = channel::read(root, &entrance);
    let exclusions = people::exclusions(root, numbers, calendar.as_ref().map(|(zone, _)| zone.as_str()));
    let consumers = consumer::read(root, context);
    let sla = root.section("sla");
    let own = own(&domain, &people, numbers);
    for channel in &mut technical {
        channel.own_emails = own.iter().filter_map(mail).collect();
    }
    let rules = Rules {
        workspace: id.clone(),
        version: short_hash(text.as_bytes()),
        name: root.text("name").unwrap_or_else(|| id.to_string()),
        region: numbers,
        calendar: calendar.as_ref().map_or_else(Calendar::always, |(_, calendar)| calendar.clone()),
        duplicate_window: root.span("duplicate_window"),
        same_post_window: root.span("same_post_window"),
        close_after: root.span("close_after"),
        active_for: root.span("active_for"),
        unmatched_for: UNMATCHED_FOR,
        first_contact: sla.span("first_contact"),
        min_talk: sla.span("min_talk"),
        repeats: root.flag("repeats"),
        channels: domain,
        people,
        exclusions,
        own,
        pepper: context.pepper.clone(),
    };
    contradictions(root, &rules, context.machine);
    sla.end();
    root.end();
    let whole = region.is_some() && calendar.is_some();
    let workspace = Workspace { rules: Arc::new(rules), channels: technical, consumers, text: Arc::from(text) };
    whole.then(|| Parsed { workspace: Arc::new(workspace), channel_spots: spots })
}

/// The zone and the hours. Each line is judged by itself, so that all wrong ones are named.
fn calendar(root: &Section<'_>) -> Option<(String, Calendar)> {
    let known = |zone: &str| Calendar::parse(zone, &[], &[]).ok().map(|_| zone.to_owned());
    let expected = "a time zone of the IANA list like \"Europe/Moscow\"";
    let zone = root.need("time_zone", expected, |value| value.text().and_then(known));
    let hours = root.section("hours");
    let judge = |week: &[String], holidays: &[String]| Calendar::parse("UTC", week, holidays);
    let line = |text: &str| match judge(&[text.to_owned()], &[]) {
        Err(Wrong::Week(_)) => None,
        _ => Some(text.to_owned()),
    };
    let expected = "days and intervals like \"mon-fri 09:00-13:00 14:00-19:00\"";
    let week: Vec<String> = hours.all("week", expected, line).into_iter().map(|(_, text)| text).collect();
    let day = |text: &str| judge(&[], &[text.to_owned()]).ok().map(|_| text.to_owned());
    let expected = "a day or days like \"2027-01-01\" or \"2027-01-01..2027-01-08\"";
    let holidays: Vec<String> = hours.all("holidays", expected, day).into_iter().map(|(_, text)| text).collect();
    if judge(&week, &[]).is_err() {
        hours.wrong(hours.spot("week").wrong("intervals of one day that do not overlap"));
    }
    hours.end();
    let zone = zone?;
    let calendar = Calendar::parse(&zone, &week, &holidays).ok()?;
    Some((zone, calendar))
}

/// Our own numbers and addresses, and those of the staff.
fn own(channels: &BTreeMap<ChannelId, lead::rules::Channel>, people: &[Person], region: Region) -> BTreeSet<Identity> {
    let addresses = channels.values().filter_map(|channel| channel.address.as_deref());
    let ours = addresses.filter_map(|address| mail_or_phone(address, region));
    let staff = people.iter().flat_map(|person| person.phones.iter().chain(&person.emails).cloned());
    ours.chain(staff).collect()
}

fn mail_or_phone(text: &str, region: Region) -> Option<Identity> {
    lead::email::normalise(text).map(Identity::Email).or_else(|| one_phone(text, region))
}

/// A text that is exactly one valid number.
pub(crate) fn one_phone(text: &str, region: Region) -> Option<Identity> {
    match phone::parse(text, region).as_slice() {
        [one] if one.valid => Some(Identity::Phone(one.number.clone())),
        _ => None,
    }
}

fn mail(identity: &Identity) -> Option<String> {
    match identity {
        Identity::Email(address) => Some(address.clone()),
        Identity::Phone(_) | Identity::Handle(..) => None,
    }
}

/// Pairs of which one makes the other pointless, also across the two kinds of files.
fn contradictions(root: &Section<'_>, rules: &Rules, machine: &Config) {
    if rules.active_for > rules.close_after {
        root.wrong(too_large(&root.spot("active_for"), &root.spot("close_after")));
    }
    let keep = &machine.keep;
    let pairs = [
        ("same_post_window", rules.same_post_window, "keep.seen", keep.seen),
        ("duplicate_window", rules.duplicate_window, "keep.closed", keep.closed),
    ];
    for (key, small, name, large) in pairs {
        if small > large {
            root.wrong(root.spot(key).wrong(format!("at most {name} of the machine ({})", Span(large))));
        }
    }
}
