//! leadgate: from a customer's knock to the answer.

mod cli;
mod config;
mod log;
mod startup;

use clap::Parser;
use std::path::PathBuf;

#[derive(Parser)]
struct Cli {
    command: Option<String>,
    #[arg(long)]
    config: Option<PathBuf>,
}

fn main() -> std::process::ExitCode {
    let cli = Cli::parse();
    startup::run(cli.config.as_deref(), startup::Role::All)
}
