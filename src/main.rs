//! leadgate: from a customer's knock to the answer.

mod cli;
mod config;
mod log;
mod startup;

fn main() -> std::process::ExitCode {
    startup::run(None, startup::Role::All)
}
