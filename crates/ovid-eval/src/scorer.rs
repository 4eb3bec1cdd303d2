//! Documents in, scores out, many documents in one run of the model.

use std::collections::VecDeque;
use std::sync::Arc;

use ovid_bpe::Tokenizer;
use ovid_io::{Observer, Progress};
use ovid_model::{Gpt2, KvPool, Output, Segment, Want};

use crate::windows::{Window, windows};
use crate::{Alternative, DocumentScore, Error, TokenScore};

/// How documents are scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The token put before the first one, end-of-text as a rule; without it the first token is not scored.
    pub begin: Option<u32>,
    /// How far the window moves over a document longer than the model's context: from 1 (every token has all the context there is; dear) to the context (windows
    /// side by side; cheap, and harder on the tokens at their beginnings).
    ///
    /// The protocol: over the document, `begin` before it, window k sees the tokens from k * stride on, as many as the context holds, and scores those that no
    /// window before it has scored. So each token is scored once, after all that stands before it or more than context - stride tokens of it.
    pub stride: usize,
    /// How many alternatives to list for each token.
    pub n_top: usize,
}

impl Options {
    /// End-of-text first, where the tokenizer has one; a stride of half the context; no alternatives.
    pub fn new(model: &Gpt2, tokenizer: &Tokenizer) -> Self {
        Self { begin: tokenizer.end_of_text(), stride: (model.config().n_ctx / 2).max(1), n_top: 0 }
    }
}

/// Where a document came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: Option<String>,
    /// The line in it, from 1.
    pub line: Option<u64>,
}

impl Place {
    fn words(&self) -> String {
        let file = self.file.as_deref().unwrap_or("text");
        self.line.map_or_else(|| file.to_owned(), |line| format!("{file}:{line}"))
    }
}

/// Scores documents in the order in which they come.
///
/// Short documents wait until there are enough of them for a full run of the model; what waits is scored by [`Scorer::finish`]. What a document gets
/// does not depend on its neighbours.
pub struct Scorer<'a> {
    model: &'a Gpt2,
    tokenizer: &'a Tokenizer,
    observer: &'a dyn Observer,
    options: Options,
    kv: KvPool,
    /// Documents that have not been given out, oldest first, and the number of the oldest.
    documents: VecDeque<Pending>,
    first: usize,
    /// Windows that wait for a run of the model, and the cache they will take.
    jobs: Vec<Job>,
    waiting: usize,
    n_scored: u64,
}

/// A document on its way.
struct Pending {
    /// What the model sees: the document's tokens, `begin` before them.
    sequence: Arc<[u32]>,
    tokens: Vec<TokenScore>,
    place: Place,
    n_windows_left: usize,
}

struct Job {
    document: usize,
    sequence: Arc<[u32]>,
    window: Window,
}

/// Tokens in one run of the model.
const ROWS: usize = 1024;
/// The cache gives positions out in blocks of this many.
const BLOCK: usize = 16;

impl<'a> Scorer<'a> {
    /// A scorer with a model.
    ///
    /// # Errors
    /// [`Error::Stride`] where the stride is 0 or longer than the context, [`Error::Token`] where `begin` is outside the vocabulary, [`Error::Model`] where there is no memory.
    pub fn new(model: &'a Gpt2, tokenizer: &'a Tokenizer, options: Options, observer: &'a dyn Observer) -> Result<Self, Error> {
        let (context, n_vocab) = (model.config().n_ctx, model.config().vocab_size);
        if !(1..=context).contains(&options.stride) {
            return Err(Error::Stride { stride: options.stride, context });
        }
        if let Some(id) = options.begin.filter(|&id| id as usize >= n_vocab) {
            return Err(Error::Token { place: "the token put first".to_owned(), id, position: 0, n_vocab });
        }
        let kv = model.kv_pool(context.max(ROWS).next_multiple_of(BLOCK))?;
        let (documents, jobs) = (VecDeque::new(), Vec::new());
        Ok(Self { model, tokenizer, observer, options, kv, documents, first: 0, jobs, waiting: 0, n_scored: 0 })
    }

    /// Takes a text, special tokens in it as text; gives the documents that are done.
    ///
    /// # Errors
    /// As [`Scorer::push_ids`].
    pub fn push(&mut self, text: &[u8], place: Place) -> Result<Vec<DocumentScore>, Error> {
        self.push_ids(&self.tokenizer.encode(text), place)
    }

    /// Takes a document as tokens; gives the documents that are done.
    ///
    /// # Errors
    /// [`Error::Token`] and [`Error::NoText`] where a token is unknown, [`Error::Model`] and [`Error::Scores`] where the model fails, [`Error::Cancelled`] where the observer asked to stop.
    pub fn push_ids(&mut self, ids: &[u32], place: Place) -> Result<Vec<DocumentScore>, Error> {
        let n_vocab = self.model.config().vocab_size;
        let mut tokens = Vec::with_capacity(ids.len());
        for (position, &id) in ids.iter().enumerate() {
            if id as usize >= n_vocab {
                return Err(Error::Token { place: place.words(), id, position, n_vocab });
            }
            let Some(bytes) = self.tokenizer.token_bytes(id) else { return Err(Error::NoText { place: place.words(), id, position }) };
            let text = String::from_utf8_lossy(bytes).into_owned();
            tokens.push(TokenScore {
                id,
                text,
                bytes: bytes.to_vec(),
                logprob: None,
                rank: None,
                entropy: None,
                variance: None,
                top: Vec::new(),
            });
        }
        let sequence: Arc<[u32]> = self.options.begin.iter().chain(ids).copied().collect();
        let context = self.model.config().n_ctx;
        let windows: Vec<Window> = windows(sequence.len(), context, self.options.stride).collect();
        let document = self.first + self.documents.len();
        self.documents.push_back(Pending { sequence: Arc::clone(&sequence), tokens, place, n_windows_left: windows.len() });
        for window in windows {
            let needed = (window.end - window.begin).next_multiple_of(BLOCK);
            if self.waiting + needed > self.kv.n_positions() {
                self.run()?;
            }
            self.waiting += needed;
            self.jobs.push(Job { document, sequence: Arc::clone(&sequence), window });
        }
        Ok(self.done())
    }

    /// Scores what still waits, and gives it.
    ///
    /// # Errors
    /// As [`Scorer::push_ids`].
    pub fn finish(&mut self) -> Result<Vec<DocumentScore>, Error> {
        self.run()?;
        Ok(self.done())
    }

    /// Runs the model over all waiting windows.
    fn run(&mut self) -> Result<(), Error> {
        if self.observer.cancelled() {
            return Err(Error::Cancelled);
        }
        self.waiting = 0;
        let jobs = std::mem::take(&mut self.jobs);
        if jobs.is_empty() {
            return Ok(());
        }
        let sequences: Vec<_> = jobs.iter().map(|_| self.kv.sequence()).collect();
        let part = |from: fn(&Window) -> usize, to: fn(&Window) -> usize| {
            let segments =
                jobs.iter().zip(&sequences).map(move |(job, &sequence)| (sequence, &job.sequence[from(&job.window)..to(&job.window)]));
            segments.filter(|(_, tokens)| !tokens.is_empty()).map(|(sequence, tokens)| Segment { sequence, tokens }).collect::<Vec<_>>()
        };
        let context = part(|window| window.begin, |window| window.score_from);
        let scored = part(|window| window.score_from, |window| window.end);
        let targets: Vec<_> = jobs
            .iter()
            .flat_map(|Job { sequence, window, .. }| sequence[window.score_from + 1..=window.end].iter().copied().map(Some))
            .collect();
        let kv = &mut self.kv;
        let outcome = if context.is_empty() { Ok(Output::Nothing) } else { self.model.forward(&context, kv, Want::Nothing) }
            .and_then(|_| self.model.forward(&scored, kv, Want::Scores { targets: &targets, top: self.options.n_top }));
        for sequence in sequences {
            kv.release(sequence);
        }
        let Output::Scores(scores) = outcome? else { unreachable!("the model was asked for scores") };

        let mut scores = scores.into_iter();
        for Job { document, window, .. } in jobs {
            let pending = &mut self.documents[document - self.first];
            pending.n_windows_left -= 1;
            let n_before = pending.sequence.len() - pending.tokens.len();
            for (row, score) in (window.score_from..window.end).zip(&mut scores) {
                let position = row + 1 - n_before;
                if !score.logprob.is_finite() {
                    return Err(Error::Scores { place: pending.place.words(), position });
                }
                let token = &mut pending.tokens[position];
                (token.logprob, token.rank) = (Some(score.logprob), Some(score.rank));
                (token.entropy, token.variance) = (Some(score.entropy), Some(score.variance));
                let text =
                    |id| self.tokenizer.token_bytes(id).map_or_else(String::new, |bytes| String::from_utf8_lossy(bytes).into_owned());
                token.top = score.top.into_iter().map(|(id, logprob)| Alternative { id, text: text(id), logprob }).collect();
            }
        }
        self.n_scored += targets.len() as u64;
        self.observer.progress(Progress { stage: "scoring", done: self.n_scored, total: None, unit: "tokens" });
        Ok(())
    }

    /// Takes finished documents off the front.
    fn done(&mut self) -> Vec<DocumentScore> {
        let mut done = Vec::new();
        while self.documents.front().is_some_and(|document| document.n_windows_left == 0)
            && let Some(Pending { tokens, place, .. }) = self.documents.pop_front()
        {
            self.first += 1;
            done.push(DocumentScore::new(tokens, self.options.stride, place.file, place.line));
        }
        done
    }
}
