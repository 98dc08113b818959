//! leadgate: from a customer's knock to the answer.

mod cli;
mod config;
mod files;
mod log;
mod startup;

use clap::Parser as _;
use cli::{Cli, Command, Common};
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Cli { common, command } = Cli::parse();
    match command {
        None => startup::run(common.config.as_deref(), startup::Role::All),
        Some(Command::Run { role }) => startup::run(common.config.as_deref(), role),
        Some(Command::Check { files, connect }) => check(&common, &files, connect),
        Some(command) => cli::answer(common, command, &cli::environment()),
    }
}

fn check(common: &Common, files: &[PathBuf], connect: bool) -> ExitCode {
    let mut stdout = std::io::stdout().lock();
    let typed = cli::check::Typed { config: common.config.as_deref(), files, connect, json: common.json };
    match cli::check::run(&typed, &cli::environment(), &mut stdout) {
        Ok(code) => ExitCode::from(code),
        Err(_) => ExitCode::FAILURE,
    }
}
