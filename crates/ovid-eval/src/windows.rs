//! Which part of a long sequence the model sees for which of its tokens.

/// One run of the model over consecutive tokens of a sequence. The row of token i scores token i + 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// First token seen.
    pub(crate) begin: usize,
    /// First token whose row scores the next; those before it are context alone.
    pub(crate) score_from: usize,
    /// After the last token seen.
    pub(crate) end: usize,
}

/// The windows over a sequence of `len` tokens. Window k begins at k * stride and is `context` tokens long, or ends before the sequence's last token; each scores what
/// the ones before it have not.
pub(crate) fn windows(len: usize, context: usize, stride: usize) -> impl Iterator<Item = Window> {
    let last = len.saturating_sub(1);
    let mut next = (last > 0).then_some(Window { begin: 0, score_from: 0, end: context.min(last) });
    std::iter::from_fn(move || {
        let window = next?;
        next = (window.end < last).then(|| {
            let begin = window.begin + stride;
            Window { begin, score_from: window.end, end: (begin + context).min(last) }
        });
        Some(window)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_is_scored_once_with_enough_context() {
        for context in 1..9 {
            for stride in 1..=context {
                for len in 0..40 {
                    let mut scored = Vec::new();
                    for window in windows(len, context, stride) {
                        assert!(
                            window.end - window.begin <= context && window.score_from < window.end && window.begin <= window.score_from
                        );
                        for row in window.score_from..window.end {
                            scored.push(row + 1);
                            let n_seen = row + 1 - window.begin;
                            assert!(
                                n_seen > context - stride || n_seen == row + 1,
                                "context {context}, stride {stride}, token {}",
                                row + 1
                            );
                        }
                    }
                    assert_eq!(scored, (1..len).collect::<Vec<_>>(), "context {context}, stride {stride}");
                }
            }
        }
    }
}
