//! A small model of random weights, a tokenizer, and an engine run to its end.
#![allow(dead_code)]

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use ovid_bpe::Tokenizer;
use ovid_generate::{Completion, Engine, Event, Options, Request, RequestId};
use ovid_io::{Dtype, Silent};
use ovid_model::{Config, Cpu, Gpt2, Layout, Params};

pub const CONTEXT: usize = 24;
pub const N_VOCAB: usize = 290;

/// 256 bytes, merges of them, and end-of-text.
pub fn tokenizer() -> Arc<Tokenizer> {
    static ONE: OnceLock<Arc<Tokenizer>> = OnceLock::new();
    let text = "the engine gives each text what it gets alone; né, 漢字 and the rest of the engine's text, again and again";
    let make = || Arc::new(ovid_bpe::train([text; 3].iter(), N_VOCAB, 1, &Silent).unwrap());
    Arc::clone(ONE.get_or_init(make))
}

/// A GPT-2 of two layers whose random weights are large enough that it has opinions.
pub fn model() -> Arc<Gpt2> {
    static ONE: OnceLock<Arc<Gpt2>> = OnceLock::new();
    let make = || {
        let config = Config::new(tokenizer().vocab_size(), CONTEXT, 36, 2, 4);
        let layout = Layout::new(&config);
        let draws = ovid_stats::Draws::new(2, 0);
        let mut values: Vec<f32> = (0..layout.n_params() as u64).map(|i| (draws.normal_at(i) * 0.25) as f32).collect();
        for parameter in layout.parameters().iter().filter(|p| p.name.contains("ln_") && p.name.ends_with(".weight")) {
            values[parameter.range.clone()].iter_mut().for_each(|gain| *gain += 1.0);
        }
        let folder = tempfile::tempdir().unwrap();
        ovid_model::save_hf(folder.path(), &Params { config, values }, Dtype::F32, &Silent).unwrap();
        Arc::new(Gpt2::load(folder.path(), Cpu::new(1), &Silent).unwrap())
    };
    Arc::clone(ONE.get_or_init(make))
}

pub fn engine(options: Options) -> Engine {
    Engine::new(model(), tokenizer(), options).unwrap()
}

/// What became of each sample.
pub type Outcomes = HashMap<(RequestId, u32), Result<Completion, String>>;

/// Takes a step's events in, and holds the tokens given one by one against the completions.
#[derive(Default)]
pub struct Listener {
    pub outcomes: Outcomes,
    streamed: HashMap<(RequestId, u32), Streamed>,
}

type Streamed = (Vec<u32>, String, Vec<ovid_generate::TokenLogprob>);

impl Listener {
    pub fn hear(&mut self, events: Vec<Event>) {
        for event in events {
            match event {
                Event::Token { request, sample, id, text, logprob } => {
                    let streamed = self.streamed.entry((request, sample)).or_default();
                    streamed.0.push(id);
                    streamed.1 += &text;
                    streamed.2.extend(logprob);
                }
                Event::Finished { request, sample, completion } => {
                    let (ids, text, logprobs) = self.streamed.remove(&(request, sample)).unwrap_or_default();
                    assert_eq!(ids, completion.ids);
                    assert!(completion.text == text || completion.finish_reason == ovid_generate::FinishReason::Cancelled);
                    assert!(completion.text.starts_with(&text));
                    assert_eq!(completion.logprobs.clone().unwrap_or_default(), logprobs);
                    assert!(self.outcomes.insert((request, sample), Ok(*completion)).is_none(), "ended twice");
                }
                Event::Failed { request, sample, error } => {
                    assert!(self.outcomes.insert((request, sample), Err(error.to_string())).is_none(), "ended twice");
                }
            }
        }
    }
}

/// All samples of one request, in an engine of its own.
pub fn alone(request: &Request, options: Options) -> Vec<Completion> {
    let mut engine = engine(options);
    let id = engine.submit(request.clone()).unwrap();
    let mut listener = Listener::default();
    while !engine.is_idle() {
        listener.hear(engine.step());
    }
    (0..request.n_samples.get()).map(|sample| listener.outcomes.remove(&(id, sample)).unwrap().unwrap()).collect()
}
