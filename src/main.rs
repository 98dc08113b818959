//! leadgate: from a customer's knock to the answer.

mod cli;
mod config;

fn main() {}
