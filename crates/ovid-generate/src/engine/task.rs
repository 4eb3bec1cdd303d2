//! A sample, or a beam search, from its place in the queue to its last event.

use std::sync::Arc;

use ovid_bpe::Tokenizer;

use super::beam::BeamSearch;
use super::draw::Draw;
use super::lane::{Lane, Window};
use super::output::Output;
use super::request::{Completion, Event, FinishReason, RequestId};
use crate::Error;
use crate::sampling::{Sampler, Settings};
use ovid_model::KvPool;
use ovid_watermark::{Mark, Watermark};

/// One unit of admission: everything in it runs at once.
pub(super) struct Task {
    pub(super) request: RequestId,
    /// Positions of cache reserved while it runs.
    pub(super) needed: usize,
    sample: u32,
    prompt: Vec<u32>,
    context: usize,
    lanes: Vec<Lane>,
    method: Method,
    state: State,
}

enum Method {
    Draw(Box<Draw>),
    Beams(Box<BeamSearch>),
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Waiting,
    Running,
    Ended,
}

/// What the tasks of one request have in common.
pub(super) struct New {
    pub(super) request: RequestId,
    pub(super) prompt: Vec<u32>,
    pub(super) settings: Settings,
    pub(super) end_of_text: Option<u32>,
    pub(super) n_vocab: usize,
    pub(super) context: usize,
    pub(super) needed: usize,
    pub(super) logprobs: Option<usize>,
    pub(super) watermark: Option<Watermark>,
}

impl New {
    /// One task per sample, or one for all beams.
    pub(super) fn tasks(self, seed: u64, n_samples: u32, tokenizer: &Arc<Tokenizer>) -> Result<Vec<Task>, Error> {
        let sampler = Sampler::new(self.settings.clone(), self.n_vocab, self.end_of_text)?.with_watermark(self.watermark.clone())?;
        let output = || Output::new(Arc::clone(tokenizer), self.settings.stop.clone());
        if let Some(beams) = self.settings.beams {
            let search = BeamSearch::new(beams, sampler, self.prompt.len(), self.end_of_text, n_samples as usize, seed, output());
            return Ok(vec![self.task(0, Method::Beams(Box::new(search)))]);
        }
        let draw = |sample| Draw {
            sampler: sampler.clone(),
            seed: seed.wrapping_add(u64::from(sample)),
            n_prompt: self.prompt.len(),
            end_of_text: self.end_of_text,
            logprobs: self.logprobs,
            output: output(),
        };
        Ok((0..n_samples).map(|sample| self.task(sample, Method::Draw(Box::new(draw(sample))))).collect())
    }

    fn task(&self, sample: u32, method: Method) -> Task {
        let Self { request, needed, context, .. } = *self;
        Task { request, needed, sample, prompt: self.prompt.clone(), context, lanes: Vec::new(), method, state: State::Waiting }
    }
}

impl Task {
    pub(super) fn lanes(&self) -> &[Lane] {
        if self.state == State::Running { &self.lanes } else { &[] }
    }

    /// Takes from the cache what other texts of the same beginning have computed.
    pub(super) fn adopt(&mut self, kv: &mut KvPool) {
        if self.state == State::Running {
            self.lanes.iter_mut().for_each(|lane| lane.adopt(kv));
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// Takes its place in the cache.
    pub(super) fn start(&mut self, kv: &mut KvPool, events: &mut Vec<Event>) {
        self.state = State::Running;
        self.lanes.push(Lane::new(self.prompt.clone(), self.context, kv));
        if self.max_tokens() == 0 {
            self.end(FinishReason::Length, events);
        }
    }

    /// Gives its place in the cache back.
    pub(super) fn release(&mut self, kv: &mut KvPool) {
        self.lanes.drain(..).for_each(|lane| kv.release(lane.sequence()));
    }

    /// Says that the model has seen `n_tokens` more of a lane, and what it scored the token after them.
    pub(super) fn fed(&mut self, lane: usize, n_tokens: usize, scores: &[f32], kv: &mut KvPool, events: &mut Vec<Event>) {
        let state = &mut self.lanes[lane];
        state.advance(n_tokens);
        if !state.pending().is_empty() {
            return;
        }
        let draw = match &mut self.method {
            Method::Draw(draw) => draw,
            Method::Beams(search) => return search.hear(lane, scores),
        };
        let (request, sample) = (self.request, self.sample);
        match draw.next(state, scores, kv) {
            Ok(drawn) => {
                events.push(Event::Token { request, sample, id: drawn.id, text: drawn.text, logprob: drawn.logprob });
                if let Some(reason) = drawn.finished {
                    self.end(reason, events);
                }
            }
            Err(error) => self.fail(&error, events),
        }
    }

    /// Takes a step of beam search once every beam is scored.
    pub(super) fn advance(&mut self, kv: &mut KvPool, events: &mut Vec<Event>) {
        let Method::Beams(search) = &mut self.method else { return };
        if self.state != State::Running || self.lanes.iter().any(|lane| !lane.pending().is_empty()) {
            return;
        }
        match search.step(&mut self.lanes, self.context, kv) {
            Ok(false) => {}
            Ok(true) => {
                self.state = State::Ended;
                search.give(self.request, &self.prompt, self.context, events);
            }
            Err(error) => self.fail(&error, events),
        }
    }

    /// Ends with an error.
    pub(super) fn fail(&mut self, error: &Error, events: &mut Vec<Event>) {
        if self.state != State::Ended {
            self.state = State::Ended;
            let n_samples = if let Method::Beams(search) = &self.method { search.n_return as u32 } else { 1 };
            let failed = |i| Event::Failed { request: self.request, sample: self.sample + i, error: error.clone() };
            events.extend((0..n_samples).map(failed));
        }
    }

    /// Ends with what there is; a beam search that is cut short has nothing.
    pub(super) fn end(&mut self, reason: FinishReason, events: &mut Vec<Event>) {
        self.state = State::Ended;
        let (context, n_prompt, watermark) = (self.context, self.prompt.len(), self.mark());
        let ids = self.lanes.first().map_or_else(Vec::new, |lane| lane.ids[n_prompt..].to_vec());
        let empty = |seed| Completion {
            prompt_ids: self.prompt.clone(),
            ids: Vec::new(),
            text: String::new(),
            seed,
            finish_reason: reason,
            window: window(context, n_prompt, 0),
            logprobs: None,
            score: None,
            watermark,
        };
        match &mut self.method {
            Method::Draw(draw) => {
                let window = window(context, n_prompt, ids.len());
                let mut held = String::new();
                draw.output.finish(&mut held);
                let text = std::mem::take(&mut draw.output.text);
                let logprobs = draw.logprobs.map(|_| std::mem::take(&mut draw.output.logprobs));
                let completion = Completion { ids, text, window, logprobs, ..empty(draw.seed) };
                events.push(Event::Finished { request: self.request, sample: self.sample, completion: Box::new(completion) });
            }
            Method::Beams(search) => {
                for sample in 0..search.n_return as u32 {
                    let completion = Box::new(empty(search.seed.wrapping_add(u64::from(sample))));
                    events.push(Event::Finished { request: self.request, sample, completion });
                }
            }
        }
    }

    fn mark(&self) -> Option<Mark> {
        match &self.method {
            Method::Draw(draw) => draw.sampler.mark(),
            Method::Beams(search) => search.mark(),
        }
    }

    fn max_tokens(&self) -> usize {
        match &self.method {
            Method::Draw(draw) => draw.sampler.settings().max_tokens,
            Method::Beams(search) => search.max_tokens(),
        }
    }
}

/// The window at the draw of the last of `n_new` tokens.
pub(super) fn window(context: usize, n_prompt: usize, n_new: usize) -> Window {
    Window::after(context, n_prompt + n_new.saturating_sub(1))
}
