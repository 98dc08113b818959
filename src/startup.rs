//! How does leadgate come up, and how does it go down?
//!
//! Up: configuration, folder, journal, ledger, listeners, engines, and only then ready. Down, with a deadline: not
//! ready, accept no more, finish requests, send on what they left, finish batches, close the journal, exit. What is
//! composed here knows nothing of each other beyond the ledger: [`front`] is the entrance, [`back`] the engines, and a
//! process is one of them or both.

mod back;
mod engines;
mod front;
mod hints;
mod house;
mod settings;
pub(crate) mod store;
mod views;

use crate::config::machine::{Config, Store};
use crate::config::problem::Problem;
use crate::config::{self, Env, Place};
use anyhow::Context as _;
use house::House;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use tokio::net::TcpListener;
use tokio::time::timeout;

/// Configuration wrong, or at odds with what was asked.
const WRONG: u8 = 64;

/// Which half of the product this process is.
#[derive(Copy, Clone, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Role {
    /// Everything in one process.
    All,
    /// The entrances only; needs a Redis store.
    Gateway,
    /// The engines only; needs a Redis store.
    Workers,
}

impl Role {
    const fn word(self) -> &'static str {
        match self {
            Role::All => "all",
            Role::Gateway => "gateway",
            Role::Workers => "workers",
        }
    }
}

/// Runs until told to stop. Every problem of the configuration is printed, with what was expected.
pub(crate) fn run(config: Option<&Path>, role: Role) -> ExitCode {
    let env = crate::cli::environment();
    let place = Place::find(config, &env);
    let (machine, problems) = config::machine(&place, &env);
    if !problems.is_empty() {
        return refuse(&problems);
    }
    if role != Role::All && matches!(machine.store, Store::Embedded) {
        say(
            "the embedded store belongs to one process, so there are no halves to run: start `leadgate` without --role, or set store.url to a Redis",
        );
        return ExitCode::from(WRONG);
    }
    crate::log::start(&machine.log);
    match serve(place, env, machine, role) {
        Ok(code) => code,
        Err(error) => {
            say(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "the process ends with this sentence; there may be no log yet")]
fn say(sentence: &str) {
    eprintln!("leadgate: {sentence}");
}

#[expect(clippy::print_stderr, reason = "the process ends with these sentences; there is no log yet")]
fn refuse(problems: &[Problem]) -> ExitCode {
    for problem in problems {
        eprintln!("{problem}");
    }
    ExitCode::from(WRONG)
}

#[tokio::main]
async fn serve(place: Place, env: Env, machine: Config, role: Role) -> anyhow::Result<ExitCode> {
    let grace = machine.grace;
    let house = match House::open(place, env, machine, role).await? {
        Ok(house) => house,
        Err(problems) => return Ok(refuse(&problems)),
    };
    let (ended, stopping) = house.serve().await?;
    if timeout(grace, stopping).await.is_err() {
        tracing::error!(grace_s = grace.as_secs(), "stop.overran: what was accepted is in the journal");
        return Ok(ExitCode::FAILURE);
    }
    Ok(match ended {
        house::Ended::Told => ExitCode::SUCCESS,
        house::Ended::Broken => ExitCode::FAILURE,
    })
}

fn listen(address: SocketAddr, key: &str) -> anyhow::Result<TcpListener> {
    gateway::server::bind(address).with_context(|| format!("failed to listen on {key} = \"{address}\""))
}
