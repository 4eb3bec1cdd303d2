//! One text continued as it comes: what `generate` and `write` share.

use ovid_generate::{Completion, Engine, Event, FinishReason, Options, Recorder as _, Request};
use ovid_samples::ledger::LedgerRecorder;

use crate::failure::Failure;
use crate::interrupt;
use crate::models::Loaded;

/// Samples that are drawn side by side.
const SIDE_BY_SIDE: u32 = 8;

/// What comes of one sample.
pub enum Piece {
    /// The next text of the sample whose turn it is.
    Text(String),
    /// The sample is whole.
    End(Box<Completion>),
}

/// Draws all samples of a request side by side and gives them in order, each piece as soon as its turn comes. Ctrl-C ends all of them with what they have.
/// With a ledger every sample is taken down before its first token is drawn, and when it ends, however it ends; gives their numbers there.
pub fn samples(
    loaded: &Loaded,
    prompt: &str,
    mut request: Request,
    ledger: Option<&mut LedgerRecorder>,
    show: impl FnMut(Piece) -> Result<(), Failure>,
) -> Result<Vec<u64>, Failure> {
    let Some(ledger) = ledger else { return draw(loaded, request, |_, _| Ok(()), show).map(|()| Vec::new()) };
    if request.prompt.is_empty() {
        // As the engine does, so that the ledger says what the model was given.
        request.prompt.extend(loaded.tokenizer.end_of_text());
    }
    let tries = ledger.begin(prompt, &request, &loaded.origin()?)?;
    let mut open = vec![true; tries.len()];
    let ended = |i: usize, completion: &Completion| {
        open[i] = false;
        match completion.finish_reason {
            FinishReason::Cancelled => ledger.abort(tries[i], Some(completion))?,
            _ => ledger.complete(tries[i], completion)?,
        }
        Ok(())
    };
    let drawn = draw(loaded, request, ended, show);
    for (&sample, _) in tries.iter().zip(&open).filter(|(_, open)| **open) {
        // The failure that left it open is what is reported.
        let marked = ledger.abort(sample, None);
        if drawn.is_ok() {
            marked?;
        }
    }
    drawn.map(|()| tries)
}

fn draw(
    loaded: &Loaded,
    request: Request,
    mut ended: impl FnMut(usize, &Completion) -> Result<(), Failure>,
    mut show: impl FnMut(Piece) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let n_samples = request.n_samples.get();
    let context = loaded.model.config().n_ctx;
    let longest = request.prompt.len().saturating_add(request.settings.max_tokens).clamp(1, context).next_multiple_of(16);
    let n_lanes = request.settings.beams.map_or(n_samples.min(SIDE_BY_SIDE) as usize, |b| b.n_beams.get());
    let options = Options { n_positions: longest.saturating_mul(n_lanes), ..Options::default() };
    let mut engine = Engine::new(loaded.model.clone(), loaded.tokenizer.clone(), options)?;
    let id = engine.submit(request)?;
    // What came of samples whose turn is still to come.
    let mut texts = vec![String::new(); n_samples as usize];
    let mut whole: Vec<Option<Box<Completion>>> = texts.iter().map(|_| None).collect();
    let mut turn = 0;
    while !engine.is_idle() {
        if interrupt::requested() {
            engine.cancel(id);
        }
        for event in engine.step() {
            match event {
                Event::Token { sample, text, .. } => texts[sample as usize].push_str(&text),
                Event::Finished { sample, completion, .. } => {
                    ended(sample as usize, &completion)?;
                    whole[sample as usize] = Some(completion);
                }
                Event::Failed { error, .. } => return Err(error.into()),
            }
        }
        while turn < texts.len() {
            show(Piece::Text(std::mem::take(&mut texts[turn])))?;
            let Some(completion) = whole[turn].take() else { break };
            show(Piece::End(completion))?;
            turn += 1;
        }
    }
    Ok(())
}
