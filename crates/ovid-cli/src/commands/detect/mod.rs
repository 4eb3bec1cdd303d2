//! `ovid detect`: machine or human, one text or a campaign.

mod attack;
mod calibrate;
mod campaign;
mod common;
mod judge;
mod matrix;
mod pairs;
mod train;

use clap::{Args, Subcommand};

use crate::failure::Failure;
use crate::output::Voice;

/// Tell machine text from human text: evidence with its error, or "too short to tell"
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  ovid detect essay.txt\n  ovid detect --json --fpr 0.005 answers.jsonl\n  ovid detect --html essay.html essay.txt\n  ovid detect calibrate --human human.jsonl --machine-texts machine.jsonl --out mine.json --model gpt2"
)]
pub struct Detect {
    #[command(flatten)]
    judge: judge::Judge,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    Attack(Box<attack::AttackSuite>),
    Calibrate(Box<calibrate::Calibrate>),
    Campaign(Box<campaign::Campaign>),
    Matrix(matrix::TransferTable),
    Pairs(Box<pairs::MakePairs>),
    Train(train::Train),
}

impl Detect {
    /// Does what was asked.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        match self.what {
            None => self.judge.run(voice),
            Some(What::Attack(command)) => command.run(voice),
            Some(What::Calibrate(command)) => command.run(voice),
            Some(What::Campaign(command)) => command.run(voice),
            Some(What::Matrix(command)) => command.run(voice),
            Some(What::Pairs(command)) => command.run(voice),
            Some(What::Train(command)) => command.run(voice),
        }
    }
}
