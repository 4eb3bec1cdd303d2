//! Beam search, as transformers 5.23 does it (`_beam_search` without sampling).
//!
//! Each step takes the 2 n best continuations of all n beams, by summed log-probability after the rules that change scores one by one. Those of the best n that
//! end here join the finished texts, of which the n best by score / length^penalty are kept; the best n that do not end run on. Of equal scores the earlier beam's
//! and then the lower id comes first. Sums are single precision, as there.

use super::lane::Lane;
use super::output::Output;
use super::request::{Completion, Event, FinishReason, RequestId};
use super::task::window;
use crate::sampling::{AtEndOfText, Beams, EarlyStopping, Sampler, Text};
use crate::{Error, math};
use ovid_model::KvPool;
use ovid_watermark::Mark;

/// The state of a search beside its lanes; lane i runs beam i.
pub(super) struct BeamSearch {
    beams: Beams,
    sampler: Sampler,
    n_prompt: usize,
    /// Where it ends the text.
    end_of_text: Option<u32>,
    pub(super) n_return: usize,
    pub(super) seed: u64,
    /// No text yet: copied to turn a beam into text.
    output: Output,
    /// Summed log-probabilities of the running beams, best first.
    sums: Vec<f32>,
    /// The model's scores for each lane's next token.
    scores: Vec<Vec<f32>>,
    /// The best finished texts, best first.
    finished: Vec<Finished>,
    /// Whether running beams may still improve the finished ones.
    hopeful: bool,
}

struct Finished {
    ids: Vec<u32>,
    score: f32,
    reason: FinishReason,
}

/// A beam with one more token.
struct Candidate {
    sum: f32,
    beam: usize,
    id: u32,
}

impl BeamSearch {
    pub(super) fn new(
        beams: Beams,
        sampler: Sampler,
        n_prompt: usize,
        end_of_text: Option<u32>,
        n_return: usize,
        seed: u64,
        output: Output,
    ) -> Self {
        let end_of_text = end_of_text.filter(|_| sampler.settings().at_end_of_text == AtEndOfText::Stop);
        let (sums, scores, finished) = (vec![0.0], Vec::new(), Vec::new());
        Self { beams, sampler, n_prompt, end_of_text, n_return, seed, output, sums, scores, finished, hopeful: true }
    }

    pub(super) fn max_tokens(&self) -> usize {
        self.sampler.settings().max_tokens
    }

    pub(super) fn mark(&self) -> Option<Mark> {
        self.sampler.mark()
    }

    /// Takes the scores of a lane's next token.
    pub(super) fn hear(&mut self, lane: usize, scores: &[f32]) {
        self.scores.resize(self.scores.len().max(lane + 1), Vec::new());
        scores.clone_into(&mut self.scores[lane]);
    }

    /// Moves every beam one token on; true where the search is over.
    pub(super) fn step(&mut self, lanes: &mut Vec<Lane>, context: usize, kv: &mut KvPool) -> Result<bool, Error> {
        let n = self.beams.n_beams.get();
        let candidates = self.candidates(lanes, 2 * n)?;
        let n_new = lanes[0].ids.len() + 1 - self.n_prompt;
        let ends: Vec<_> = candidates.iter().map(|c| self.ends(&lanes[c.beam].ids, c.id)).collect::<Result<_, _>>()?;

        let full = self.finished.len() == n;
        if self.hopeful && !(full && self.beams.early_stopping == EarlyStopping::AtOnce) {
            for (candidate, reason) in candidates.iter().zip(&ends).take(n) {
                if let Some(reason) = *reason {
                    let ids = lanes[candidate.beam].ids[self.n_prompt..].iter().copied().chain([candidate.id]).collect();
                    self.finished.push(Finished { ids, score: candidate.sum / self.length_factor(n_new), reason });
                }
            }
            self.finished.sort_by(|a, b| math::order(b.score, a.score));
            self.finished.truncate(n);
        }

        let running: Vec<&Candidate> =
            candidates.iter().zip(&ends).filter(|(_, reason)| reason.is_none()).map(|(c, _)| c).take(n).collect();
        self.sums = running.iter().map(|c| c.sum).collect();
        let Some(&best) = self.sums.first() else { return Ok(true) };
        let full = self.finished.len() == n;
        if full {
            let optimist = self.beams.early_stopping == EarlyStopping::Never && self.beams.length_penalty.get() > 0.0;
            let possible = best / self.length_factor(if optimist { self.max_tokens() } else { n_new });
            self.hopeful &= possible > self.finished[n - 1].score;
        }
        if !self.hopeful || full && self.beams.early_stopping == EarlyStopping::AtOnce {
            return Ok(true);
        }
        let texts = running.iter().map(|c| lanes[c.beam].ids.iter().copied().chain([c.id]).collect()).collect();
        reassign(lanes, texts, context, kv);
        Ok(false)
    }

    /// The `wanted` best continuations, best first.
    fn candidates(&mut self, lanes: &[Lane], wanted: usize) -> Result<Vec<Candidate>, Error> {
        let mut candidates = Vec::new();
        for (beam, (lane, sum)) in lanes.iter().zip(&self.sums).enumerate() {
            let n_vocab = self.sampler.n_vocab();
            let scores = &mut self.scores[beam];
            let position = lane.ids.len();
            let (greatest, log_sum) = math::log_sum_exp(self.sampler.unit(), scores);
            if !(greatest + log_sum).is_finite() {
                return Err(Error::Scores { position, found: "a value that is no number" });
            }
            scores.truncate(n_vocab);
            for score in scores.iter_mut() {
                *score = *score - greatest - log_sum;
            }
            self.sampler.process(scores, Text { ids: &lane.ids, n_prompt: self.n_prompt });
            for score in scores.iter_mut() {
                *score += sum;
            }
            candidates.extend(math::best(scores, wanted).into_iter().map(|(id, sum)| Candidate { sum, beam, id }));
        }
        if candidates.is_empty() && self.finished.is_empty() {
            return Err(Error::NothingLeft { position: lanes[0].ids.len() });
        }
        candidates.sort_by(|a, b| math::order(b.sum, a.sum));
        candidates.truncate(wanted);
        Ok(candidates)
    }

    /// Why a beam ends with `id`, if it does.
    fn ends(&self, ids: &[u32], id: u32) -> Result<Option<FinishReason>, Error> {
        if Some(id) == self.end_of_text {
            return Ok(Some(FinishReason::EndOfText));
        }
        let new = &ids[self.n_prompt..];
        if !self.sampler.settings().stop.is_empty() {
            let mut output = self.output.clone();
            for &id in new.iter().chain([&id]) {
                if output.push(id, &mut String::new())? {
                    return Ok(Some(FinishReason::Stop));
                }
            }
        }
        Ok((new.len() + 1 >= self.max_tokens()).then_some(FinishReason::Length))
    }

    fn length_factor(&self, n_new: usize) -> f32 {
        math::pow(n_new as f64, self.beams.length_penalty.get()) as f32
    }

    /// Gives the best finished texts out as events.
    pub(super) fn give(&mut self, request: RequestId, prompt: &[u32], context: usize, events: &mut Vec<Event>) {
        let n_found = self.finished.len().min(self.n_return);
        for (sample, Finished { ids, score, reason }) in (0u32..).zip(self.finished.drain(..n_found)) {
            let mut output = self.output.clone();
            let last = ids.len() - 1;
            for (i, &id) in ids.iter().enumerate() {
                let mut text = String::new();
                // Every token but end-of-text was turned into text when the beam was judged, or is in the vocabulary that candidates come from.
                if !(i == last && reason == FinishReason::EndOfText)
                    && let Err(error) = output.push(id, &mut text)
                {
                    events.push(Event::Failed { request, sample, error });
                    break;
                }
                if i == last {
                    output.finish(&mut text);
                }
                events.push(Event::Token { request, sample, id, text, logprob: None });
            }
            let completion = Completion {
                prompt_ids: prompt.to_vec(),
                window: window(context, prompt.len(), ids.len()),
                ids,
                text: output.text,
                seed: self.seed.wrapping_add(u64::from(sample)),
                finish_reason: reason,
                logprobs: None,
                score: Some(score),
                watermark: self.sampler.mark(),
            };
            events.push(Event::Finished { request, sample, completion: Box::new(completion) });
        }
        for sample in n_found..self.n_return {
            events.push(Event::Failed { request, sample: sample as u32, error: Error::FewBeams { found: n_found } });
        }
    }
}

/// Gives each text to the lane that has most of it in the cache.
fn reassign(lanes: &mut Vec<Lane>, texts: Vec<Vec<u32>>, context: usize, kv: &mut KvPool) {
    let mut free = std::mem::take(lanes);
    for ids in texts {
        let nearest = (0..free.len()).max_by_key(|&i| (free[i].in_common(&ids), std::cmp::Reverse(i)));
        lanes.push(match nearest {
            Some(i) => {
                let mut lane = free.remove(i);
                lane.become_text(ids, kv);
                lane
            }
            None => Lane::new(ids, context, kv),
        });
    }
    free.drain(..).for_each(|lane| kv.release(lane.sequence()));
}
