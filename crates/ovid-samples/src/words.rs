//! Texts as words: what near-copies and look-ups compare, so that white space, case and punctuation do not matter.

use foldhash::HashSet;
use xxhash_rust::xxh3::xxh3_64;

/// The words of a text: runs of letters and digits, in lower case.
pub(crate) fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_lowercase).collect()
}

/// A number for each word, the same on every machine.
pub(crate) fn word_hashes(text: &str) -> Vec<u64> {
    words(text).iter().map(|w| xxh3_64(w.as_bytes())).collect()
}

/// A number for words in a row.
pub(crate) fn gram(hashes: &[u64]) -> u64 {
    xxh3_64(bytemuck::cast_slice(hashes))
}

/// How alike prompts must be to count as one: the Jaccard index of their runs of 4 characters. A word changed in a prompt of ten leaves about 0.75.
pub const NEAR: f64 = 0.6;
const RUN: usize = 4;

/// A prompt as near-copies see it.
pub(crate) struct Likeness {
    /// Words in a row, one blank between two; where there are none, the prompt as it is.
    plain: String,
    runs: HashSet<u64>,
}

impl Likeness {
    pub(crate) fn new(prompt: &str) -> Self {
        let words = words(prompt);
        let plain = if words.is_empty() { prompt.trim().to_owned() } else { words.join(" ") };
        let characters: Vec<char> = plain.chars().collect();
        let runs = characters.windows(RUN).map(|run| xxh3_64(run.iter().collect::<String>().as_bytes())).collect();
        Self { plain, runs }
    }

    /// Whether two prompts are the same but for small changes.
    pub(crate) fn is_near(&self, other: &Self) -> bool {
        if self.plain == other.plain {
            return true;
        }
        let (a, b) = (self.runs.len() as f64, other.runs.len() as f64);
        if a.min(b) < NEAR * a.max(b) || a.min(b) == 0.0 {
            return false;
        }
        let common = self.runs.intersection(&other.runs).count() as f64;
        common >= NEAR * (a + b - common)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_changes_leave_a_prompt_what_it_is() {
        let near = |a: &str, b: &str| Likeness::new(a).is_near(&Likeness::new(b));
        let unicorns = "In a shocking finding, scientists discovered a herd of unicorns living in a remote valley";
        assert!(near(unicorns, &unicorns.to_uppercase()));
        assert!(near(unicorns, &unicorns.replace("shocking", "surprising")));
        assert!(near(unicorns, &format!("{unicorns}.\n")));
        assert!(!near(unicorns, "In a shocking finding, Congress was discovered to have no herd at all"));
        assert!(!near("The cat", "The dog"));
        assert!(near("", "") && near("", " \n") && !near("", "a") && !near("?", "!") && near("?", "?"));
        assert!(!near(unicorns, &unicorns[..20]));
    }

    #[test]
    fn words_know_no_case_and_no_punctuation() {
        assert_eq!(words("“So it goes.”\n\nÉTÉ 1984!"), ["so", "it", "goes", "été", "1984"]);
    }
}
