//! A blind reading: can a person tell human from machine text?
//!
//! In: human and machine texts. Out: one HTML page that works from a file, without a network: it shows the texts one after the other, takes the reader's word, tells the truth, and
//! keeps the score in the reader's browser, with a 95% interval (Wilson 1927). What gives a text away without being read is evened out: both sides are cut to the same number of
//! words and brought to the same white space.

use std::path::Path;

use ovid_generate::Generation;
use ovid_io::digest;
use ovid_io::documents::{Limits, Lines};
use ovid_stats::Draws;
use serde::{Deserialize, Serialize};

use crate::dump::Manifest;
use crate::ledger::State;
use crate::{Error, Ledger, dump};

const PAGE: &str = include_str!("quiz/page.html");
/// What the draws are for.
const PURPOSE: u64 = 0x7175_697a;

/// One text of a quiz.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The text as it is shown.
    pub text: String,
    /// Whether a machine wrote it.
    pub machine: bool,
    /// Where it comes from, told after the reader's word.
    pub source: String,
}

/// A quiz: texts in the order in which they are shown, as many of either kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quiz {
    /// Names the quiz in the reader's browser: SHA-256 of its texts.
    pub id: String,
    /// Words a text.
    pub n_words: usize,
    /// The texts.
    pub items: Vec<Item>,
}

/// A text with where it comes from.
pub type Sourced = (String, String);

/// The machine texts of a ledger (whole samples) or a dump's folder, without their prompts.
///
/// # Errors
/// Where something cannot be read.
pub fn machine_texts(source: &Path) -> Result<Vec<Sourced>, Error> {
    let mut texts = Vec::new();
    if source.is_dir() {
        for file in &Manifest::read(source)?.0.files {
            let mut lines = Lines::open(&dump::plain_file(source, &file.json_lines.name)?, Limits::default())?;
            while let Some(sample) = lines.next_json::<Generation>()? {
                // The raw text of several documents would show its seams.
                let text = sample.text.split("<|endoftext|>").next().unwrap_or_default().to_owned();
                texts.push((text, format!("{}, {}, seed {}", sample.model.name, file.setting, sample.seed)));
            }
        }
        return Ok(texts);
    }
    Ledger::open_to_read(source)?.for_each(|sample| {
        if let Some(g) = sample.generation().filter(|_| sample.state == State::Completed) {
            texts.push((g.text, format!("{}, sample {}, seed {}", g.model.name, sample.id, g.seed)));
        }
        Ok(())
    })?;
    Ok(texts)
}

impl Quiz {
    /// Draws `n_items / 2` texts of either kind and mixes them, all by the seed.
    ///
    /// # Errors
    /// Where there are too few texts of `n_words` words.
    pub fn new(human: &[Sourced], machine: &[Sourced], n_items: usize, n_words: usize, seed: u64) -> Result<Self, Error> {
        let n_each = n_items / 2;
        if n_each == 0 || n_words == 0 {
            return Err(Error::Asked("a quiz takes two texts of one word at least".into()));
        }
        let draw = |texts: &[Sourced], machine: bool| {
            let long: Vec<Item> = texts
                .iter()
                .filter_map(|(text, source)| Some(Item { text: cut(text, n_words)?, machine, source: source.clone() }))
                .collect();
            if long.len() < n_each {
                let kind = if machine { "machine" } else { "human" };
                return Err(Error::Asked(format!("{} {kind} texts have {n_words} words, but the quiz takes {n_each}", long.len())));
            }
            let order = Draws::new(seed, PURPOSE + u64::from(machine)).permutation(long.len());
            Ok(order.into_iter().take(n_each).map(|i| long[i].clone()).collect::<Vec<_>>())
        };
        let both = [draw(human, false)?, draw(machine, true)?].concat();
        let items: Vec<Item> = Draws::new(seed, PURPOSE + 2).permutation(both.len()).into_iter().map(|i| both[i].clone()).collect();
        let id = digest::sha256(items.iter().map(|i| i.text.as_str()).collect::<Vec<_>>().join("\n").as_bytes());
        Ok(Self { id, n_words, items })
    }

    /// The page.
    ///
    /// # Errors
    /// Where the texts cannot be written as JSON.
    pub fn html(&self) -> Result<String, Error> {
        let json = serde_json::to_string(self).map_err(|e| Error::Asked(format!("the quiz cannot be written as JSON: {e}")))?;
        // Inside a script nothing may look like markup.
        Ok(PAGE.replace("QUIZ_DATA", &json.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")))
    }
}

/// The first words of a text in one line, where it has so many.
fn cut(text: &str, n_words: usize) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().take(n_words).collect();
    (words.len() == n_words).then(|| words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiz_is_even_cut_and_a_function_of_its_seed() {
        let texts = |name: &str| {
            (0..30).map(|i| (format!("{name} text\n\nnumber {i} </script><b>  and more"), format!("{name} {i}"))).collect::<Vec<_>>()
        };
        let (human, machine) = (texts("human"), texts("machine"));
        let quiz = Quiz::new(&human, &machine, 20, 4, 1).unwrap();
        assert_eq!((quiz.items.len(), quiz.items.iter().filter(|i| i.machine).count()), (20, 10));
        assert!(quiz.items.iter().all(|i| i.text.split(' ').count() == 4 && !i.text.contains('\n')));
        assert!(quiz.items.windows(2).filter(|w| w[0].machine != w[1].machine).count() > 3, "not mixed");
        assert_eq!(quiz, Quiz::new(&human, &machine, 20, 4, 1).unwrap());
        assert_ne!(quiz, Quiz::new(&human, &machine, 20, 4, 2).unwrap());
        let html = Quiz::new(&human, &machine, 4, 5, 1).unwrap().html().unwrap();
        assert_eq!(html.matches("</script>").count(), 1);
        assert!(Quiz::new(&human, &machine, 20, 40, 1).is_err() && Quiz::new(&human, &machine, 0, 4, 1).is_err());
    }
}
