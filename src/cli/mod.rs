//! What can be typed? The definition of the command line, and who answers each command.
//!
//! `run`, `check`, `restore` and `journal` work on this machine; everything else asks the desk of the running product ([`desk_client`]),
//! found by [`desk_place`]. A command fails with one sentence ([`failure`]) and answers through [`output`].

mod aside;
mod backup;
mod books;
pub(crate) mod check;
mod check_store;
mod desk_client;
mod desk_place;
mod exclude;
mod exclude_file;
mod failure;
mod http;
mod journal;
mod map;
mod output;
mod presence;
mod restore;
mod send;
mod sse;
mod tail;
mod tail_line;
mod why;
mod why_words;
mod wire;
mod wire_watch;

#[cfg(test)]
mod stage;
#[cfg(test)]
mod tests;

use crate::config::Env;
use crate::startup::Role;
use clap::{Args, Parser, Subcommand};
use desk_place::Typed;
use failure::{Failure, Result};
use lead::units::Span;
use output::Output;
use secrecy::SecretString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  leadgate                                everything in one process; without a leadgate.toml, a demo
  leadgate check                          every problem of the configuration
  leadgate send demo-form --name Vera     a test lead through the whole way, each hop with its time
  leadgate tail                           what is happening now
  leadgate why a7b8c9d0                   who got a lead, and why

Exit codes: 0 fine, 1 failed or the answer is \"no\", 2 typed wrongly, 64 the configuration is wrong.";

/// From a customer's knock to the answer: calls, forms, mails and chats become leads on a clean stream.
#[derive(Debug, Parser)]
#[command(name = "leadgate", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What every command takes.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// The configuration [default: LEADGATE_CONFIG, else leadgate.toml here, else what is built in]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Answer in JSON, for machines
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// The desk of the running product [default: LEADGATE_DESK, else from the configuration]
    #[arg(long, global = true, value_name = "URL")]
    desk: Option<String>,
    /// A token of that desk [default: LEADGATE_TOKEN, else from the configuration]
    #[arg(long, global = true, value_name = "TOKEN", value_parser = secret)]
    token: Option<SecretString>,
}

#[expect(clippy::unnecessary_wraps, reason = "a value parser of clap may fail")]
fn secret(text: &str) -> std::result::Result<SecretString, String> {
    Ok(SecretString::from(text))
}

/// Which company is meant.
#[derive(Debug, Args)]
pub(crate) struct Within {
    /// The workspace [default: the only one there is]
    #[arg(long, short, value_name = "ID")]
    workspace: Option<String>,
}

impl Within {
    fn asked(&self) -> Option<&str> {
        self.workspace.as_deref()
    }
}

/// How long, with its unit.
fn span(text: &str) -> std::result::Result<Duration, String> {
    let span = Span::parse(text).map(|span| span.0).filter(|span| !span.is_zero());
    span.ok_or_else(|| "write it like 90s, 15m or 1h".to_owned())
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the product: both halves in one process, or one of them
    #[command(
        after_help = "Examples:\n  leadgate run\n  leadgate run --role gateway --config /etc/leadgate/leadgate.toml"
    )]
    Run {
        /// Which half; the halves meet in Redis
        #[arg(long, value_enum, default_value_t = Role::All)]
        role: Role,
    },
    /// Read the whole configuration and list every problem
    #[command(
        after_help = "Examples:\n  leadgate check\n  leadgate check --connect         # and whether the Redis of it will do\n  leadgate check new-client.toml   # a workspace that is not in place yet"
    )]
    Check {
        /// Ask the store, too: may we use it, and is it set so that nothing is lost? Writes nothing to it
        #[arg(long)]
        connect: bool,
        /// Workspace files to check instead of those in place
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Send a test lead through the production path and time each hop
    Send(send::Send),
    /// Say what to paste where so that a channel works, and wait for the first lead
    Wire(wire::Wire),
    /// Show what a payload becomes, field by field
    Map(map::Map),
    /// Follow the clean stream, a line for each event
    Tail(tail::Tail),
    /// Explain every decision about a lead
    Why(why::Asked),
    /// Keep somebody out of the leads, or let him in again
    #[command(
        subcommand,
        after_help = "Examples:\n  leadgate exclude add domain:supplier.example --reason \"supplier of timber\"\n  \
        leadgate exclude list\n  leadgate exclude remove domain:supplier.example\n  leadgate exclude import suppliers.csv"
    )]
    Exclude(exclude::Exclude),
    /// Entries that could not be decided
    #[command(
        subcommand,
        after_help = "Examples:\n  leadgate dead list\n  leadgate dead show 06c8d0u1v2g3h4i5j6a7b8c9d0\n  \
        leadgate dead retry --all"
    )]
    Dead(aside::Dead),
    /// Genuine requests that could not be read
    #[command(
        subcommand,
        after_help = "Examples:\n  leadgate quarantine list\n  \
        leadgate quarantine show 06c8d0u1v2g3h4i5j6a7b8c9d0\n  leadgate quarantine release --all"
    )]
    Quarantine(aside::Quarantine),
    /// Show per channel that nothing was lost
    Books(books::Books),
    /// Say who is at work
    Presence(presence::Presence),
    /// Copy everything into a folder while the product runs
    Backup(backup::Backup),
    /// Bring a backup back, while the product is stopped
    Restore(restore::Restore),
    /// What gateways have accepted
    #[command(
        subcommand,
        after_help = "Example:\n  leadgate journal forward /mnt/gateway-2/data --config /etc/leadgate/leadgate.toml"
    )]
    Journal(journal::Journal),
}

/// The environment; what is not text configures nothing.
pub(crate) fn environment() -> Env {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}

/// Answers one command that is not about running.
pub(crate) fn answer(common: Common, command: Command, env: &Env) -> ExitCode {
    let mut stdout = std::io::stdout().lock();
    let mut out = Output::terminal(common.json, &mut stdout);
    match answered(common, command, env, &mut out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}

fn answered(common: Common, command: Command, env: &Env, out: &mut Output<'_>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::no(format!("failed to start: {}", error.kind())))?;
    let config = common.config.as_deref();
    match command {
        Command::Restore(restore) => runtime.block_on(restore::run(&restore, &desk_place::in_force(config, env)?, out)),
        Command::Journal(journal) => runtime.block_on(journal::run(&journal, &desk_place::in_force(config, env)?, out)),
        command => {
            let desk = desk_place::find(Typed { desk: common.desk.as_deref(), token: common.token, config }, env)?;
            runtime.block_on(asked(&desk, command, out))
        }
    }
}

async fn asked(desk: &desk_client::Desk, command: Command, out: &mut Output<'_>) -> Result<()> {
    match command {
        Command::Send(send) => send::run(desk, &send, out).await,
        Command::Wire(wire) => wire::run(desk, &wire, out).await,
        Command::Map(map) => map::run(desk, &map, out).await,
        Command::Tail(tail) => tail::run(desk, &tail, out).await,
        Command::Why(asked) => why::run(desk, &asked, out).await,
        Command::Exclude(exclude) => exclude::run(desk, exclude, out).await,
        Command::Dead(dead) => aside::dead(desk, dead, out).await,
        Command::Quarantine(quarantine) => aside::quarantine(desk, quarantine, out).await,
        Command::Books(books) => books::run(desk, &books, out).await,
        Command::Presence(presence) => presence::run(desk, &presence, out).await,
        Command::Backup(backup) => backup::run(desk, &backup, out).await,
        Command::Run { .. } | Command::Check { .. } | Command::Restore(_) | Command::Journal(_) => {
            unreachable!("answered before anything is asked")
        }
    }
}
