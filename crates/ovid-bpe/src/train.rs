//! Training of a vocabulary: byte-level BPE (Sennrich et al. 2016, as GPT-2 uses it) from documents.
//!
//! Documents are split into words as for encoding; each distinct word is kept once with its count. Then, again and again, the most frequent pair of
//! neighbouring tokens becomes a token. **Ties:** of pairs with the same count the one with the lower left id joins first, then the one with the lower right id.
//! The result depends on the documents alone, not on their order nor on the number of threads.

mod count;
mod pairs;

use ovid_io::{Observer, Progress};

use crate::alphabet::{bytes_in_order, characters};
use crate::special::AddedToken;
use crate::vocabulary::{Defect, END_OF_TEXT, Entry, MAX_TOKENS, Parts};
use crate::{Error, Tokenizer};

/// Pairs that occur less often become no token: a token that one place of the text uses teaches nothing.
const MIN_COUNT: u64 = 2;
/// Tokens that every vocabulary has: 256 bytes and the end of text.
const N_FIXED: usize = 257;

/// Trains a vocabulary of `vocab_size` tokens: the 256 bytes in GPT-2's order, then merges, last `<|endoftext|>`.
///
/// Fewer come out where the documents run out of pairs that occur twice. Documents that may fail to be read are fed through an adapter that stops at the
/// first error and keeps it (`map_while`). Memory grows with the distinct words, about 16 bytes for each of their bytes, not with the text.
///
/// ```
/// let docs = ["low low low lower lowest", "newer newer wider"];
/// let tokenizer = ovid_bpe::train(docs.iter(), 262, 1, &ovid_io::Silent)?;
/// let tokens: Vec<_> = tokenizer.encode(b"lower").iter().map(|&id| tokenizer.token_bytes(id).unwrap()).collect();
/// assert_eq!(tokens, [&b"low"[..], b"er"]);
/// # Ok::<(), ovid_bpe::Error>(())
/// ```
///
/// # Errors
/// [`Error::Training`] if `vocab_size` is below 257 or above 4,194,304 or the distinct words are more than 4 GB; [`Error::Cancelled`].
pub fn train<D, I>(docs: I, vocab_size: usize, threads: usize, observer: &dyn Observer) -> Result<Tokenizer, Error>
where
    D: AsRef<[u8]> + Send,
    I: Iterator<Item = D>,
{
    if !(N_FIXED..=MAX_TOKENS).contains(&vocab_size) {
        let cause = format!("a vocabulary has {N_FIXED} to {MAX_TOKENS} tokens, not {vocab_size}");
        return Err(Error::Training { cause });
    }
    let words = count::words(docs, threads, observer)?;
    let alphabet = characters();
    let mut tokens: Vec<String> = bytes_in_order().map(|byte| alphabet[byte as usize].into()).collect();
    let mut merges = Vec::new();
    let mut pairs = pairs::Pairs::new(&words)?;
    drop(words);
    let n_merges = vocab_size - N_FIXED;
    while merges.len() < n_merges {
        if merges.len().is_multiple_of(64) {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            observer.progress(Progress { stage: "merging", done: merges.len() as u64, total: Some(n_merges as u64), unit: "tokens" });
        }
        let Some((left, right)) = pairs.merge_next(tokens.len() as u32, MIN_COUNT) else { break };
        let (left, right) = (tokens[left as usize].clone(), tokens[right as usize].clone());
        tokens.push(format!("{left}{right}"));
        merges.push((left.into(), right.into()));
    }
    observer.progress(Progress { stage: "merging", done: merges.len() as u64, total: Some(n_merges as u64), unit: "tokens" });
    let end_of_text = tokens.len() as u32;
    tokens.push(END_OF_TEXT.into());
    let entries = tokens.into_iter().zip(0..).map(|(token, id)| Entry { spelling: token.into(), id, literal: id == end_of_text });
    let parts = Parts {
        entries: entries.collect(),
        merges,
        added: vec![AddedToken { id: end_of_text, text: END_OF_TEXT.into(), special: true }],
        end_of_text: Some(end_of_text),
    };
    parts.build().map_err(|defect| {
        let (Defect::Tokens(cause) | Defect::Merge(_, cause)) = defect;
        Error::Training { cause }
    })
}
