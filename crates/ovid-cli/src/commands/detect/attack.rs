//! `ovid detect attack`: what changes of a text do to each detector.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use ovid_detect::attack::Attack;
use ovid_detect::trained::Hashed;
use ovid_detect::{Scoring, Text, texts};
use ovid_stats::threshold_at_fpr;
use serde_json::json;

use super::common::{RuleFlags, ScoringFlags};
use crate::failure::Failure;
use crate::output::{self, Voice};
use crate::progress::Bar;

/// Attack machine texts in eight ways, and say how many each detector still finds, with the clean-up and without
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ovid detect attack --human human.jsonl --machine-texts machine.jsonl --detector mine.safetensors")]
pub struct AttackSuite {
    /// Files and folders of human texts, for thresholds and for mixing in
    #[arg(long, value_name = "PATH", required = true, num_args = 1..)]
    human: Vec<PathBuf>,
    /// Files and folders of machine texts
    #[arg(long, value_name = "PATH", required = true, num_args = 1..)]
    machine_texts: Vec<PathBuf>,
    /// A detector made by `ovid detect train`, tried too
    #[arg(long, value_name = "FILE")]
    detector: Option<PathBuf>,
    /// Seed of the attacks
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    scoring: ScoringFlags,
    #[command(flatten)]
    rule: RuleFlags,
}

impl AttackSuite {
    /// Prints a row an attack.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = crate::interrupt::graceful();
        let bar = Bar::new(voice);
        let models = self.scoring.load(&bar)?;
        let scoring = models.scoring()?;
        let Some((calibration, _)) = self.rule.calibration(&scoring)? else {
            return Err(Failure::input(format!("there is no calibration for the model '{}'", scoring.name.name))
                .hint("make one with: ovid detect calibrate"));
        };
        let detector = self.detector.as_ref().map(|path| Hashed::read(path)).transpose()?;
        let human: Vec<Text> = texts::read(&self.human)?.collect::<Result<_, _>>()?;
        let machine: Vec<Text> = texts::read(&self.machine_texts)?.collect::<Result<_, _>>()?;
        if human.is_empty() || machine.is_empty() {
            return Err(Failure::input("there are no texts on one side"));
        }
        let longest = calibration.lengths.last().map_or(0, |l| l.n_tokens);
        let fpr = self.rule.fpr;
        let found = |texts: &[Text], cleaned: bool| -> Result<f64, Failure> {
            let scoring = Scoring { cleaned, name: scoring.name.clone(), second: scoring.second.clone(), ..scoring };
            let mut n = 0;
            ovid_detect::score(&scoring, texts.iter().cloned().map(Ok), longest, &bar, |scored| {
                let length = calibration.length_for(scored.tokens.len(), fpr);
                let p = length.and_then(|l| Some(l.p_human(l.score(&scored.prefix(l.n_tokens)?))));
                n += usize::from(p.is_some_and(|p| p <= fpr));
                Ok(())
            })?;
            Ok(n as f64 / texts.len() as f64)
        };
        let n_grams = |texts: &[Text], cleaned: bool| -> Option<f64> {
            let detector = detector.as_ref()?;
            let score = |t: &Text| if cleaned { detector.score(&t.text) } else { detector.score_cleaned(&t.text) };
            let threshold = threshold_at_fpr(&human.iter().map(score).collect::<Vec<_>>(), fpr)?;
            Some(texts.iter().filter(|t| score(t) > threshold).count() as f64 / texts.len() as f64)
        };
        let mut table =
            String::from("| attack | zero-shot | without clean-up | n-grams | without clean-up |\n| --- | --- | --- | --- | --- |\n");
        for attack in Attack::ALL {
            let attacked: Vec<Text> = machine
                .iter()
                .zip(human.iter().cycle())
                .zip(0..)
                .map(|((text, human), i)| Text { text: attack.apply(&text.text, &human.text, self.seed.wrapping_add(i)), ..text.clone() })
                .collect();
            let shares =
                [Some(found(&attacked, true)?), Some(found(&attacked, false)?), n_grams(&attacked, true), n_grams(&attacked, false)];
            if voice.json {
                let [zero_shot, zero_shot_raw, n_grams, n_grams_raw] = shares;
                output::object(
                    &json!({ "attack": attack, "fpr": fpr, "zero_shot": zero_shot, "zero_shot_without_clean_up": zero_shot_raw, "n_grams": n_grams, "n_grams_without_clean_up": n_grams_raw }),
                )?;
                continue;
            }
            let cells: Vec<String> = shares.iter().map(|x| x.map_or_else(|| "-".to_owned(), |x| format!("{x:.3}"))).collect();
            let _ = writeln!(table, "| {} | {} |", attack.name(), cells.join(" | "));
        }
        bar.clear();
        if voice.json {
            return Ok(());
        }
        let _ = writeln!(table, "\nshare of {} machine texts found at a false-positive rate of {}%", machine.len(), fpr * 100.0);
        output::text(&table)
    }
}
