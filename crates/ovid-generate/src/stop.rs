//! Stop strings in text that comes in pieces.

/// Looks for stop strings across the borders of pieces, and holds text back while it could be the beginning of one.
///
/// The text ends before the stop string that is complete first; of several complete at the same character, before the longest. So it does not matter how the
/// text was cut into tokens.
#[derive(Clone, Debug)]
pub(crate) struct Stops {
    stops: Vec<String>,
    held: String,
}

impl Stops {
    pub(crate) fn new(stops: Vec<String>) -> Self {
        Self { stops, held: String::new() }
    }

    /// Takes the next piece; gives text that is surely before any stop string, and whether one is complete.
    pub(crate) fn push(&mut self, piece: &str) -> (String, bool) {
        self.held.push_str(piece);
        let found = self.stops.iter().filter_map(|stop| self.held.find(stop).map(|at| (at + stop.len(), at))).min();
        if let Some((_, at)) = found {
            self.held.truncate(at);
            return (std::mem::take(&mut self.held), true);
        }
        let sure = self.held.len() - self.stops.iter().map(|stop| self.beginning(stop)).max().unwrap_or(0);
        let rest = self.held.split_off(sure);
        (std::mem::replace(&mut self.held, rest), false)
    }

    /// What is held back, once no more text comes.
    pub(crate) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Length of the longest end of the held text that is a beginning of `stop`.
    fn beginning(&self, stop: &str) -> usize {
        let longest = stop.len().saturating_sub(1).min(self.held.len());
        (1..=longest).rev().find(|&n| self.held.as_bytes().ends_with(&stop.as_bytes()[..n])).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All text given out, and whether a stop string ended it.
    fn run(stops: &[&str], pieces: &[&str]) -> (String, bool) {
        let mut scanner = Stops::new(stops.iter().map(|&s| s.to_owned()).collect());
        let mut text = String::new();
        for piece in pieces {
            let (sure, stopped) = scanner.push(piece);
            text += &sure;
            if stopped {
                return (text, true);
            }
        }
        (text + &scanner.finish(), false)
    }

    #[test]
    fn stop_strings_are_found_across_pieces() {
        let check = |stops: &[&str], pieces: &[&str], text: &str, stopped| assert_eq!(run(stops, pieces), (text.to_owned(), stopped));
        check(&["\n\n"], &["a\n", "\nb"], "a", true);
        check(&["\n\n"], &["a\n", "b\n"], "a\nb\n", false);
        check(&["END"], &["xE", "N", "END"], "xEN", true);
        check(&["aab"], &["aa", "ab"], "a", true);
        check(&["abc", "b"], &["abc"], "a", true);
        check(&["bc", "abc"], &["abc"], "", true);
        check(&["é!"], &["aé", "é!"], "aé", true);
        check(&[], &["a", "b"], "ab", false);
    }

    proptest! {
        #[test]
        fn cutting_the_text_changes_nothing(text in "[abé]{0,30}", stops in prop::collection::vec("[abé]{1,4}", 0..4), cuts in prop::collection::vec(0usize..30, 0..8)) {
            let stops: Vec<&str> = stops.iter().map(String::as_str).collect();
            let mut places: Vec<usize> = cuts.into_iter().filter(|&c| text.is_char_boundary(c)).chain([0, text.len()]).collect();
            places.sort_unstable();
            let pieces: Vec<&str> = places.windows(2).map(|w| &text[w[0]..w[1]]).collect();
            prop_assert_eq!(run(&stops, &pieces), run(&stops, &[&text]));
        }
    }
}
