//! Many requests continued side by side, given back in their order.
//!
//! Each gets what it gets alone, to the bit, so that the number side by side is a matter of speed and memory only.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::sync::Arc;

use ovid_bpe::Tokenizer;
use ovid_generate::{Completion, Engine, Event, Options, Request};
use ovid_io::{Observer, Progress};
use ovid_model::Gpt2;

use crate::Error;

/// A model at work on many requests.
pub struct Batch<'a> {
    /// The model.
    pub model: &'a Arc<Gpt2>,
    /// Its tokenizer.
    pub tokenizer: &'a Arc<Tokenizer>,
    /// How many requests run at once.
    pub n_side_by_side: NonZeroUsize,
    /// Hears of the tokens drawn, and may cancel.
    pub observer: &'a dyn Observer,
}

/// What happens to a request, by its index.
pub(crate) enum Step {
    /// It is about to be begun.
    Begins(usize),
    /// All its samples are whole. Requests end in order.
    Ended(usize, Vec<Completion>),
    /// It was begun and will not be whole: the observer cancelled, or another request failed. The samples that had got somewhere.
    Cut(usize, Vec<Completion>),
}

impl Batch<'_> {
    /// Continues all requests; `stage` is what progress calls it.
    pub(crate) fn run(&self, requests: &[Request], stage: &str, mut hear: impl FnMut(Step) -> Result<(), Error>) -> Result<(), Error> {
        let context = self.model.config().n_ctx;
        let positions = |r: &Request| {
            let n_lanes = r.settings.beams.map_or(r.n_samples.get() as usize, |b| b.n_beams.get());
            r.prompt.len().saturating_add(r.settings.max_tokens).clamp(1, context).next_multiple_of(16) * n_lanes
        };
        let widest = requests.iter().map(positions).max().unwrap_or(0);
        let together = self.n_side_by_side.get().min(requests.len());
        let options = Options { n_positions: widest.saturating_mul(together), ..Options::default() };
        let mut engine = Engine::new(Arc::clone(self.model), Arc::clone(self.tokenizer), options)?;

        let total = requests.iter().map(|r| u64::from(r.n_samples.get())).sum();
        let (mut n_done, mut n_begun, mut n_ended) = (0, 0, 0);
        let mut indices = HashMap::new();
        let mut running: BTreeMap<usize, Running> = BTreeMap::new();
        let mut failed = None;
        while n_ended < requests.len() && failed.is_none() {
            // Requests that wait for their turn to be given back do not keep others from running.
            while n_begun < requests.len() && running.values().filter(|r| !r.is_whole()).count() < together {
                hear(Step::Begins(n_begun))?;
                let request = &requests[n_begun];
                let running_now = Running { ended: vec![None; request.n_samples.get() as usize] };
                match engine.submit(request.clone()) {
                    Ok(id) => {
                        indices.insert(id, n_begun);
                    }
                    Err(error) => failed = Some(error.into()),
                }
                running.insert(n_begun, running_now);
                n_begun += 1;
                if failed.is_some() {
                    break;
                }
            }
            if self.observer.cancelled() {
                failed = Some(Error::Cancelled);
            }
            if failed.is_some() {
                break;
            }
            for event in engine.step() {
                match event {
                    Event::Token { .. } => {}
                    Event::Finished { request, sample, completion } => {
                        n_done += 1;
                        running.entry(indices[&request]).and_modify(|r| r.ended[sample as usize] = Some(*completion));
                    }
                    Event::Failed { error, .. } => failed = Some(error.into()),
                }
            }
            self.observer.progress(Progress { stage, done: n_done, total: Some(total), unit: "samples" });
            while let Some(first) = running.first_entry().filter(|first| *first.key() == n_ended && first.get().is_whole()) {
                hear(Step::Ended(n_ended, first.remove().ended.into_iter().flatten().collect()))?;
                n_ended += 1;
            }
        }
        let Some(failed) = failed else { return Ok(()) };
        for &id in indices.keys() {
            engine.cancel(id);
        }
        while !engine.is_idle() {
            for event in engine.step() {
                if let Event::Finished { request, sample, completion } = event {
                    running.entry(indices[&request]).and_modify(|r| r.ended[sample as usize] = Some(*completion));
                }
            }
        }
        for (index, cut) in running {
            hear(Step::Cut(index, cut.ended.into_iter().flatten().collect()))?;
        }
        Err(failed)
    }
}

/// A request on its way.
struct Running {
    ended: Vec<Option<Completion>>,
}

impl Running {
    fn is_whole(&self) -> bool {
        self.ended.iter().all(Option::is_some)
    }
}
