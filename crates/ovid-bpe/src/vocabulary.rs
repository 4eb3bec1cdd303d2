//! What a vocabulary consists of, and the checks that make a tokenizer of it.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::Tokenizer;
use crate::alphabet::{Reader, characters};
use crate::merge::Merges;
use crate::special::{Added, AddedToken};

/// More tokens or merges than this are refused before anything is allocated for them.
pub(crate) const MAX_TOKENS: usize = 1 << 22;
/// Each added token is looked for on its own, so that a text costs as many readings as there are.
const MAX_ADDED: usize = 4096;
/// GPT-2's one special token.
pub(crate) const END_OF_TEXT: &str = "<|endoftext|>";
const NONE: u32 = u32::MAX;

/// A hash map for spellings from files: seeded, so that no file can be made to collide.
pub(crate) type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;
pub(crate) type Set<K> = HashSet<K, foldhash::fast::RandomState>;

/// A token as a file has it.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) spelling: Cow<'a, str>,
    pub(crate) id: u32,
    /// The spelling is the token's text itself and no word merges into it; other tokens are spelled in GPT-2's alphabet.
    pub(crate) literal: bool,
}

/// A vocabulary as a reader found it: nothing in it is checked.
#[derive(Debug, Default)]
pub(crate) struct Parts<'a> {
    pub(crate) entries: Vec<Entry<'a>>,
    /// Spellings of the left and right token of each merge.
    pub(crate) merges: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// Tokens that are found in the text as they are written, before it is split into words. Each is a literal entry too.
    pub(crate) added: Vec<AddedToken>,
    /// The id that ends a text.
    pub(crate) end_of_text: Option<u32>,
}

/// What is wrong with [`Parts`], in terms that a reader can turn into a place of its file.
#[derive(Debug)]
pub(crate) enum Defect {
    /// Of the vocabulary as a whole or of one of its tokens.
    Tokens(String),
    /// Of the merge with this rank.
    Merge(usize, String),
}

/// A spelling for people, cut where it is long.
pub(crate) fn shown(text: &str) -> String {
    if text.chars().nth(60).is_some() { format!("{:?}…", text.chars().take(60).collect::<String>()) } else { format!("{text:?}") }
}

impl Parts<'_> {
    pub(crate) fn build(self) -> Result<Tokenizer, Defect> {
        if self.added.len() > MAX_ADDED {
            return Err(Defect::Tokens(format!("{} added tokens, more than the {MAX_ADDED} that are read", self.added.len())));
        }
        let order = self.order().map_err(Defect::Tokens)?;
        let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(order.len()));
        let mut ids: Map<&str, u32> = Map::with_capacity_and_hasher(order.len(), foldhash::fast::RandomState::default());
        let reader = Reader::new();
        for (id, &at) in (0..).zip(&order) {
            let Entry { spelling, literal, .. } = &self.entries[at as usize];
            if spelling.is_empty() {
                return Err(Defect::Tokens(format!("token {id} is empty")));
            }
            if *literal {
                bytes.extend_from_slice(spelling.as_bytes());
            } else {
                let strange = |c| Defect::Tokens(format!("token {} (id {id}) has {c:?}, which stands for no byte", shown(spelling)));
                reader.read(spelling, &mut bytes).map_err(strange)?;
                if let Some(earlier) = ids.insert(spelling, id) {
                    return Err(Defect::Tokens(format!("token {} has two ids, {earlier} and {id}", shown(spelling))));
                }
            }
            ends.push(bytes.len());
        }
        let byte_ids = byte_ids(&ids).map_err(Defect::Tokens)?;
        let list = self.list(&ids)?;
        let merges = Merges::new(list, &byte_ids).map_err(|(earlier, later)| {
            let (left, right) = &self.merges[later];
            Defect::Merge(later, format!("the merge of {} and {} comes twice, first as number {}", shown(left), shown(right), earlier + 1))
        })?;
        Ok(Tokenizer::new(bytes, ends, merges, Added::new(self.added), self.end_of_text))
    }

    /// The place in `entries` of each id.
    fn order(&self) -> Result<Vec<u32>, String> {
        let n = self.entries.len();
        if n > MAX_TOKENS || self.merges.len() > MAX_TOKENS {
            return Err(format!("{n} tokens and {} merges, more than the {MAX_TOKENS} that are read", self.merges.len()));
        }
        // As many ids as tokens and none twice: then none is missing.
        let mut order = vec![NONE; n];
        for (at, entry) in (0..).zip(&self.entries) {
            let Some(place) = order.get_mut(entry.id as usize) else {
                return Err(format!("token {} has id {}, but {n} tokens have ids below {n}", shown(&entry.spelling), entry.id));
            };
            if *place != NONE {
                let earlier = &self.entries[*place as usize].spelling;
                return Err(format!("tokens {} and {} have the same id {}", shown(earlier), shown(&entry.spelling), entry.id));
            }
            *place = at;
        }
        Ok(order)
    }

    fn list(&self, ids: &Map<&str, u32>) -> Result<Vec<(u32, u32, u32)>, Defect> {
        let mut joined = String::new();
        let mut list = Vec::with_capacity(self.merges.len());
        for (rank, (left, right)) in self.merges.iter().enumerate() {
            joined.clear();
            joined.push_str(left);
            joined.push_str(right);
            let id = |token: &str| {
                ids.get(token).copied().ok_or_else(|| Defect::Merge(rank, format!("token {} is not in the vocabulary", shown(token))))
            };
            list.push((id(left)?, id(right)?, id(&joined)?));
        }
        Ok(list)
    }
}

/// The token of each byte.
fn byte_ids(ids: &Map<&str, u32>) -> Result<[u32; 256], String> {
    let mut byte_ids = [0; 256];
    for (byte, c) in characters().into_iter().enumerate() {
        let missing = || format!("no token stands for byte {byte:#04x} alone (spelled {c:?})");
        byte_ids[byte] = *ids.get(c.encode_utf8(&mut [0; 4]) as &str).ok_or_else(missing)?;
    }
    Ok(byte_ids)
}
