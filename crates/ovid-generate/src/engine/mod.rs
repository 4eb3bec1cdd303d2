//! Many texts continued at once, each as if it were alone.
//!
//! [`Engine::submit`] takes a [`Request`], [`Engine::step`] runs the model once over everything that is running and gives [`Event`]s, [`Engine::cancel`]
//! takes a request back. Requests wait until the cache has room for all they may come to need, first come, first served, and leave as soon as they end.
//! Prompts are read in pieces beside the drawing of others. The arithmetic (`exact-1`) does not depend on what else is in a batch or how a prompt was cut, and
//! each sample has its own sampler: so each gets the text it gets alone, to the bit. What one text has computed of a beginning, in whole blocks of 16 tokens, others
//! that begin so take from the cache: the samples of one prompt, and later requests while their blocks are still there.

mod beam;
mod draw;
mod lane;
mod output;
mod request;
mod task;

use std::collections::VecDeque;
use std::sync::Arc;

pub use lane::Window;
pub use request::{Completion, Event, FinishReason, Request, RequestId, TokenLogprob};

use crate::Error;
use crate::sampling::Settings;
use ovid_bpe::Tokenizer;
use ovid_model::{Gpt2, KvPool, Output, Segment, Want};
use task::Task;

/// Positions are handed out in blocks of this many.
const BLOCK: usize = 16;

/// What an engine may use.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Positions of key-value cache, over all running texts.
    pub n_positions: usize,
    /// Tokens in one run of the model, after which prompts are cut so that those who draw need not wait long.
    pub rows_per_step: usize,
    /// The token that ends a text; the tokenizer's own unless set.
    pub end_of_text: Option<u32>,
}

impl Default for Options {
    /// Room for eight texts of GPT-2's full context, and 512 tokens a step.
    fn default() -> Self {
        Self { n_positions: 8 * 1024, rows_per_step: 512, end_of_text: None }
    }
}

/// Continues texts with one model.
pub struct Engine {
    model: Arc<Gpt2>,
    tokenizer: Arc<Tokenizer>,
    kv: KvPool,
    options: Options,
    /// Tokens that the model scores and the tokenizer knows.
    n_vocab: usize,
    /// Positions that no running task has reserved.
    free: usize,
    waiting: VecDeque<Task>,
    running: Vec<Task>,
    /// Events of `submit` and `cancel`, given out by the next step.
    events: Vec<Event>,
    n_requests: u64,
    n_computed: u64,
}

impl Engine {
    /// An engine for `model`.
    ///
    /// # Errors
    /// [`Error::Model`] where the cache cannot be made.
    pub fn new(model: Arc<Gpt2>, tokenizer: Arc<Tokenizer>, options: Options) -> Result<Self, Error> {
        let n_positions = options.n_positions.next_multiple_of(BLOCK);
        let options = Options {
            n_positions,
            rows_per_step: options.rows_per_step.max(1),
            end_of_text: options.end_of_text.or(tokenizer.end_of_text()),
        };
        let kv = model.kv_pool(n_positions).map_err(|error| Error::Model(Arc::new(error)))?;
        let n_vocab = model.config().vocab_size.min(tokenizer.vocab_size());
        let (waiting, running, events) = (VecDeque::new(), Vec::new(), Vec::new());
        Ok(Self { model, tokenizer, kv, options, n_vocab, free: n_positions, waiting, running, events, n_requests: 0, n_computed: 0 })
    }

    /// Takes a request; its samples join the batch as soon as there is room.
    ///
    /// # Errors
    /// [`Error::Setting`], [`Error::Prompt`] or [`Error::NoStart`] where the request cannot be done, [`Error::TooLarge`] where the engine's cache could never hold one of its samples.
    pub fn submit(&mut self, request: Request) -> Result<RequestId, Error> {
        let Request { mut prompt, settings, seed, n_samples, logprobs, watermark } = request;
        settings.check(self.n_vocab)?;
        if prompt.is_empty() {
            prompt.push(self.options.end_of_text.ok_or(Error::NoStart)?);
        }
        let n_vocab = self.model.config().vocab_size;
        if let Some((position, &id)) = prompt.iter().enumerate().find(|&(_, &id)| id as usize >= n_vocab) {
            return Err(Error::Prompt { id, position, n_vocab });
        }
        let n_lanes = check_beams(&settings, n_samples.get() as usize, logprobs)?;
        let context = self.model.config().n_ctx;
        let longest = prompt.len().saturating_add(settings.max_tokens).min(context);
        let needed = longest.next_multiple_of(BLOCK) * n_lanes;
        if needed > self.options.n_positions {
            return Err(Error::TooLarge { needed, available: self.options.n_positions });
        }
        let id = RequestId(self.n_requests);
        self.n_requests += 1;
        let new = task::New {
            request: id,
            prompt,
            settings,
            end_of_text: self.options.end_of_text,
            n_vocab: self.n_vocab,
            context,
            needed,
            logprobs,
            watermark,
        };
        self.waiting.extend(new.tasks(seed, n_samples.get(), &self.tokenizer)?);
        Ok(id)
    }

    /// Takes a request back: its samples end with what they have, as the next step says. A request that has ended is left alone.
    pub fn cancel(&mut self, request: RequestId) {
        for task in self.waiting.iter_mut().chain(&mut self.running).filter(|task| task.request == request) {
            task.end(FinishReason::Cancelled, &mut self.events);
        }
        self.dismiss();
    }

    /// Tokens that the model was run over so far. Those that a text took from the cache are not among them.
    pub fn n_computed(&self) -> u64 {
        self.n_computed
    }

    /// Whether nothing is left to do or to say.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.running.is_empty() && self.events.is_empty()
    }

    /// Runs the model once and says what came of it. Errors are events of the samples they belong to; the others go on.
    pub fn step(&mut self) -> Vec<Event> {
        let mut events = std::mem::take(&mut self.events);
        self.admit(&mut events);
        self.running.iter_mut().for_each(|task| task.adopt(&mut self.kv));
        let plan = self.plan();
        if plan.is_empty() {
            return events;
        }
        let segments: Vec<_> = plan
            .iter()
            .map(|part| {
                let lane = &self.running[part.task].lanes()[part.lane];
                Segment { sequence: lane.sequence(), tokens: &lane.pending()[..part.n_tokens] }
            })
            .collect();
        match self.model.forward(&segments, &mut self.kv, Want::LastLogits) {
            Ok(Output::Logits { vocab, values, .. }) => {
                self.n_computed += plan.iter().map(|part| part.n_tokens as u64).sum::<u64>();
                for (part, scores) in plan.iter().zip(values.chunks_exact(vocab)) {
                    self.running[part.task].fed(part.lane, part.n_tokens, scores, &mut self.kv, &mut events);
                }
                for task in &mut self.running {
                    task.advance(&mut self.kv, &mut events);
                }
            }
            Ok(_) => unreachable!("the model was asked for logits"),
            Err(error) => {
                let error = Error::Model(Arc::new(error));
                for part in &plan {
                    self.running[part.task].fail(&error, &mut events);
                }
            }
        }
        self.dismiss();
        events
    }

    /// Lets waiting tasks in while the first of them fits.
    fn admit(&mut self, events: &mut Vec<Event>) {
        while self.waiting.front().is_some_and(|task| task.needed <= self.free)
            && let Some(mut task) = self.waiting.pop_front()
        {
            self.free -= task.needed;
            task.start(&mut self.kv, events);
            self.running.push(task);
        }
        self.dismiss();
    }

    /// Lets ended tasks go.
    fn dismiss(&mut self) {
        self.waiting.retain(|task| !task.has_ended());
        for mut task in self.running.extract_if(.., |task| task.has_ended()) {
            task.release(&mut self.kv);
            self.free += task.needed;
        }
    }

    /// Which tokens of which lanes the model sees next: first the lanes that draw, then prompts as far as the step's rows go. A prompt of which an earlier lane
    /// computes the next block waits for that.
    fn plan(&self) -> Vec<Part> {
        let mut rows = self.options.rows_per_step;
        let mut plan = Vec::new();
        for prompts in [false, true] {
            let mut earlier: Vec<&lane::Lane> = Vec::new();
            for (task, running) in self.running.iter().enumerate() {
                for (lane, state) in running.lanes().iter().enumerate() {
                    let n_tokens = state.pending().len();
                    let waits = prompts && earlier.iter().any(|other| state.can_wait_for(other));
                    earlier.push(state);
                    if n_tokens > 0 && (n_tokens > 1) == prompts && (rows > 0 || !prompts) && !waits {
                        let n_tokens = n_tokens.min(rows.max(1));
                        rows = rows.saturating_sub(n_tokens);
                        plan.push(Part { task, lane, n_tokens });
                    }
                }
            }
        }
        plan
    }
}

/// One segment of a step.
struct Part {
    task: usize,
    lane: usize,
    n_tokens: usize,
}

/// How many sequences one task of these settings runs.
fn check_beams(settings: &Settings, n_samples: usize, logprobs: Option<usize>) -> Result<usize, Error> {
    let Some(beams) = settings.beams else { return Ok(1) };
    let n_beams = beams.n_beams.get();
    if n_samples > n_beams {
        return Err(Error::Setting { name: "n", value: n_samples.to_string(), must: "at most the number of beams" });
    }
    if n_beams > 1024 {
        return Err(Error::Setting { name: "num-beams", value: n_beams.to_string(), must: "at most 1024" });
    }
    if logprobs.is_some() {
        return Err(Error::Setting { name: "logprobs", value: "on".to_owned(), must: "off with beam search" });
    }
    Ok(n_beams)
}
