//! The rules that change scores one by one, before anything is cut off.
//!
//! In the order of transformers' `_get_logits_processor`: bias, repetition penalty, [presence and frequency penalty], no-repeat n-gram, banned phrases,
//! minimum length. transformers has no presence and frequency penalties; they follow vLLM: after the repetition penalty, over drawn tokens only.

use super::settings::{Phrase, Settings};

/// The ids so far: prompt, then what was drawn.
///
/// The rules look at all of them, also at those that have left the model's context.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// Prompt and drawn tokens.
    pub ids: &'a [u32],
    /// How many of them are the prompt.
    pub n_prompt: usize,
}

/// Whether any rule of this module is on, so that scores need a copy.
pub(super) fn any(settings: &Settings) -> bool {
    !settings.logit_bias.is_empty()
        || settings.repetition_penalty.is_some()
        || settings.presence_penalty.is_some()
        || settings.frequency_penalty.is_some()
        || settings.no_repeat_ngram.is_some()
        || !settings.banned.is_empty()
        || settings.min_tokens > 0
}

/// Applies the rules to `scores`. `counts` is scratch: zeros, one per token of the vocabulary, and zeros again afterwards.
pub(super) fn apply(settings: &Settings, end_of_text: Option<u32>, text: Text<'_>, scores: &mut [f32], counts: &mut [u32]) {
    for bias in &settings.logit_bias {
        if let Some(score) = completed(&bias.ids, text.ids, scores) {
            *score += bias.bias.get() as f32;
        }
    }
    if let Some(penalty) = settings.repetition_penalty {
        penalise_repetition(penalty.get() as f32, text.ids, scores, counts);
    }
    let (frequency, presence) = (settings.frequency_penalty, settings.presence_penalty);
    if frequency.is_some() || presence.is_some() {
        let amount = |bias: Option<super::Bias>| bias.map_or(0.0, |b| b.get() as f32);
        penalise_drawn(amount(frequency), amount(presence), &text.ids[text.n_prompt..], scores, counts);
    }
    if let Some(n) = settings.no_repeat_ngram {
        forbid_repeated_ngrams(n.get(), text.ids, scores);
    }
    for phrase in &settings.banned {
        if end_of_text.is_some_and(|end| phrase.ids() == [end]) {
            continue;
        }
        if let Some(score) = completed(phrase, text.ids, scores) {
            *score = f32::NEG_INFINITY;
        }
    }
    if text.ids.len() - text.n_prompt < settings.min_tokens
        && let Some(score) = end_of_text.and_then(|end| scores.get_mut(end as usize))
    {
        *score = f32::NEG_INFINITY;
    }
}

/// The score of the phrase's last token, where the tokens before it end the text.
fn completed<'a>(phrase: &Phrase, ids: &[u32], scores: &'a mut [f32]) -> Option<&'a mut f32> {
    let (last, before) = phrase.split();
    if ids.ends_with(before) { scores.get_mut(last as usize) } else { None }
}

fn penalise_repetition(penalty: f32, ids: &[u32], scores: &mut [f32], counts: &mut [u32]) {
    for &id in ids {
        let Some(count) = counts.get_mut(id as usize) else { continue };
        if *count == 0 {
            *count = 1;
            let score = &mut scores[id as usize];
            *score = if *score < 0.0 { *score * penalty } else { *score / penalty };
        }
    }
    clear(counts, ids);
}

fn penalise_drawn(frequency: f32, presence: f32, drawn: &[u32], scores: &mut [f32], counts: &mut [u32]) {
    for &id in drawn {
        if let Some(count) = counts.get_mut(id as usize) {
            *count += 1;
        }
    }
    for &id in drawn {
        let Some(count) = counts.get_mut(id as usize) else { continue };
        if *count > 0 {
            let score = &mut scores[id as usize];
            *score -= frequency * *count as f32;
            *score -= presence;
            *count = 0;
        }
    }
}

fn clear(counts: &mut [u32], ids: &[u32]) {
    for &id in ids {
        if let Some(count) = counts.get_mut(id as usize) {
            *count = 0;
        }
    }
}

fn forbid_repeated_ngrams(n: usize, ids: &[u32], scores: &mut [f32]) {
    if ids.len() < n {
        return;
    }
    let end = &ids[ids.len() + 1 - n..];
    for window in ids.windows(n) {
        let (&last, before) = window.split_last().expect("windows are at least one token long");
        if before == end
            && let Some(score) = scores.get_mut(last as usize)
        {
            *score = f32::NEG_INFINITY;
        }
    }
}
