//! Draws the samples: each prompt once, the i-th of a style with seed i.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use ovid_bpe::Tokenizer;
use ovid_generate::{Completion, Engine, Event, Options, Request, Settings};
use ovid_model::Gpt2;

use super::Sample;
use super::prompts::Prompt;

/// Texts that run side by side.
const N_SIDE_BY_SIDE: usize = 32;

/// Continues every prompt of every style.
///
/// # Errors
/// When the settings are wrong or the model fails.
pub fn draw(
    model: Arc<Gpt2>,
    tokenizer: Arc<Tokenizer>,
    settings: &Settings,
    prompts: &BTreeMap<String, Vec<Prompt>>,
) -> anyhow::Result<Vec<Sample>> {
    let options = Options { n_positions: N_SIDE_BY_SIDE * model.config().n_ctx, ..Options::default() };
    let mut engine = Engine::new(model, tokenizer, options)?;
    let mut asked = BTreeMap::new();
    for (style, prompts) in prompts {
        for (seed, prompt) in prompts.iter().enumerate() {
            let id = engine.submit(Request::new(prompt.ids.clone(), settings.clone(), seed as u64))?;
            asked.insert(id, (style, prompt, seed));
        }
    }
    let mut drawn = BTreeMap::new();
    while !engine.is_idle() {
        for event in engine.step() {
            match event {
                Event::Token { .. } => {}
                Event::Finished { request, completion, .. } => {
                    let (style, prompt, seed) = asked.get(&request).context("the engine ended a request that nobody made")?;
                    drawn.insert((*style, *seed), sample(style, prompt, *seed, *completion)?);
                }
                Event::Failed { error, .. } => return Err(error.into()),
            }
        }
    }
    Ok(drawn.into_values().collect())
}

fn sample(style: &str, prompt: &Prompt, seed: usize, completion: Completion) -> anyhow::Result<Sample> {
    let reason = serde_json::to_value(completion.finish_reason)?;
    Ok(Sample {
        style: style.to_owned(),
        document: prompt.name.clone(),
        start: prompt.start,
        seed: seed as u64,
        prompt: prompt.text.clone(),
        text: completion.text,
        finish_reason: reason.as_str().unwrap_or_default().to_owned(),
    })
}
