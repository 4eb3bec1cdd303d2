//! What someone does to a machine's text so that it is not found.

use ovid_stats::Draws;
use serde::{Deserialize, Serialize};

use crate::clean::LOOK_ALIKES;

/// A change of a text that a reader hardly minds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attack {
    /// Nothing is changed.
    None,
    /// The first half of the words.
    Truncate,
    /// One letter in ten becomes its look-alike of another script.
    Homoglyphs,
    /// A zero-width space in one word of five.
    ZeroWidth,
    /// One letter in twenty changes its case.
    Case,
    /// Blanks doubled, and line breaks, at one place in ten.
    Whitespace,
    /// One common word in two becomes a synonym.
    Synonyms,
    /// Two letters swapped in one word of twenty.
    Typos,
    /// Every second sentence is a human's.
    MixHuman,
}

impl Attack {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::None,
        Self::Truncate,
        Self::Homoglyphs,
        Self::ZeroWidth,
        Self::Case,
        Self::Whitespace,
        Self::Synonyms,
        Self::Typos,
        Self::MixHuman,
    ];

    /// What tables call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Truncate => "first half",
            Self::Homoglyphs => "homoglyphs, 10% of letters",
            Self::ZeroWidth => "zero-width spaces, 20% of words",
            Self::Case => "case, 5% of letters",
            Self::Whitespace => "white space, 10% of gaps",
            Self::Synonyms => "synonyms, half of common words",
            Self::Typos => "swapped letters, 5% of words",
            Self::MixHuman => "every second sentence human",
        }
    }

    /// Whether [`crate::clean`] can undo it.
    pub fn can_be_undone(self) -> bool {
        matches!(self, Self::Homoglyphs | Self::ZeroWidth | Self::Whitespace)
    }

    /// The text after the attack; `human` is where human sentences are taken from.
    pub fn apply(self, text: &str, human: &str, seed: u64) -> String {
        let draws = Draws::new(seed, 21);
        let words =
            |change: &dyn Fn(usize, &str) -> String| text.split(' ').enumerate().map(|(i, w)| change(i, w)).collect::<Vec<_>>().join(" ");
        let letters = |change: &dyn Fn(char) -> Option<char>, share: f64| {
            text.chars().zip(0..).map(|(c, i)| change(c).filter(|_| draws.unit_at(i) < share).unwrap_or(c)).collect()
        };
        match self {
            Self::None => text.to_owned(),
            Self::Truncate => {
                let all: Vec<&str> = text.split(' ').collect();
                all[..all.len().div_ceil(2)].join(" ")
            }
            Self::Homoglyphs => letters(&|c| LOOK_ALIKES.iter().find(|(_, latin)| *latin == c).map(|(other, _)| *other), 0.1),
            Self::ZeroWidth => words(&|i, word| {
                let middle = word.floor_char_boundary(word.len() / 2);
                if draws.unit_at(i as u64) < 0.2 { format!("{}\u{200b}{}", &word[..middle], &word[middle..]) } else { word.to_owned() }
            }),
            Self::Case => letters(&|c| if c.is_lowercase() { c.to_uppercase().next() } else { c.to_lowercase().next() }, 0.05),
            Self::Whitespace => words(&|i, word| match draws.unit_at(i as u64) {
                x if x < 0.05 => format!(" {word}"),
                x if x < 0.1 => format!("\n{word}"),
                _ => word.to_owned(),
            }),
            Self::Synonyms => words(&|i, word| {
                let bare = word.trim_end_matches(|c: char| !c.is_alphanumeric());
                let other = SYNONYMS.iter().find(|(a, _)| *a == bare).map(|(_, b)| *b).filter(|_| draws.unit_at(i as u64) < 0.5);
                other.map_or_else(|| word.to_owned(), |other| format!("{other}{}", &word[bare.len()..]))
            }),
            Self::Typos => words(&|i, word| {
                let mut letters: Vec<char> = word.chars().collect();
                if letters.len() > 3 && draws.unit_at(2 * i as u64) < 0.05 {
                    let at = 1 + draws.below_at(2 * i as u64 + 1, letters.len() as u64 - 2) as usize;
                    let other = if at + 1 == letters.len() { at - 1 } else { at + 1 };
                    letters.swap(at, other);
                }
                letters.into_iter().collect()
            }),
            Self::MixHuman => {
                let (mut machine, mut human) = (sentences(text), sentences(human));
                let mut mixed = Vec::new();
                while !machine.is_empty() {
                    mixed.push(machine.remove(0));
                    if !human.is_empty() && !machine.is_empty() {
                        machine.remove(0);
                        mixed.push(human.remove(0));
                    }
                }
                mixed.join(" ")
            }
        }
    }
}

/// Sentences by their marks.
fn sentences(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices(['.', '!', '?']) {
        if text[at + 1..].starts_with([' ', '\n']) {
            out.push(text[start..=at].trim());
            start = at + 1;
        }
    }
    out.push(text[start..].trim());
    out.retain(|s| !s.is_empty());
    out
}

/// Common words with another that mostly fits.
const SYNONYMS: [(&str, &str); 48] = [
    ("also", "too"),
    ("because", "since"),
    ("began", "started"),
    ("big", "large"),
    ("but", "yet"),
    ("called", "named"),
    ("can", "may"),
    ("children", "kids"),
    ("city", "town"),
    ("different", "other"),
    ("during", "in"),
    ("each", "every"),
    ("first", "earliest"),
    ("found", "discovered"),
    ("good", "fine"),
    ("great", "grand"),
    ("help", "aid"),
    ("house", "home"),
    ("however", "still"),
    ("important", "key"),
    ("large", "big"),
    ("later", "afterwards"),
    ("like", "as"),
    ("little", "small"),
    ("made", "built"),
    ("make", "build"),
    ("many", "several"),
    ("most", "nearly all"),
    ("much", "a lot"),
    ("near", "close to"),
    ("new", "recent"),
    ("now", "today"),
    ("often", "frequently"),
    ("old", "aged"),
    ("only", "just"),
    ("over", "above"),
    ("people", "persons"),
    ("place", "spot"),
    ("said", "stated"),
    ("several", "some"),
    ("small", "little"),
    ("some", "certain"),
    ("such", "like"),
    ("that", "which"),
    ("then", "next"),
    ("used", "employed"),
    ("very", "quite"),
    ("when", "as"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clean;

    #[test]
    fn what_can_be_undone_is_undone_and_the_rest_is_not() {
        let text = "The old man said that many people came to the city. Some of them were very small, but most were not. It was a great day for each house.".repeat(4);
        for attack in Attack::ALL {
            let attacked = attack.apply(&text, "A human wrote this. And this as well.", 3);
            assert_eq!(attacked == text, attack == Attack::None, "{}", attack.name());
            assert_eq!(
                clean(&attacked) == clean(&text),
                attack.can_be_undone() || attack == Attack::None,
                "{}: {}",
                attack.name(),
                clean(&attacked)
            );
        }
    }
}
