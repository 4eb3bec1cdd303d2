//! 200 greedy tokens of llama.cpp on an F32 GGUF: Ovid, fed with them one by one, makes the same choice wherever llama.cpp's first two logits lie 0.05 or more apart.

mod common;

use common::fixture;
use ovid_io::Silent;
use ovid_model::{Cpu, Gpt2, Output, Segment, Want};
use serde::Deserialize;

#[derive(Deserialize)]
struct Run {
    model: String,
    prompt_ids: Vec<u32>,
    tokens: Vec<u32>,
    second: Vec<u32>,
    gap: Vec<f32>,
}

#[test]
fn greedy_choices_are_those_of_llama_cpp() {
    let runs: Vec<Run> = serde_json::from_slice(&std::fs::read(fixture("gguf/greedy.json")).unwrap()).unwrap();
    assert_eq!(runs.len(), 3);
    let (mut n_clear, mut n_close, mut n_parted) = (0, 0, 0);
    for run in &runs {
        let model = Gpt2::load(&fixture("gguf").join(&run.model), Cpu::new(2), &Silent).unwrap();
        let mut kv = model.kv_pool(model.config().n_ctx).unwrap();
        let sequence = kv.sequence();
        assert_eq!(run.tokens.len(), 200);
        let mut fed = run.prompt_ids.clone();
        for (step, token) in run.tokens.iter().enumerate() {
            let Output::Logits { values, .. } = model.forward(&[Segment { sequence, tokens: &fed }], &mut kv, Want::LastLogits).unwrap()
            else {
                panic!("logits were wanted")
            };
            let choice = (0..values.len()).max_by(|a, b| values[*a].total_cmp(&values[*b])).unwrap() as u32;
            let clear = run.gap[step] >= 0.05;
            *if clear { &mut n_clear } else { &mut n_close } += 1;
            if choice != *token {
                n_parted += 1;
                let ours = values[choice as usize] - values[*token as usize];
                println!(
                    "prompt {:?}, step {step}: llama.cpp takes {token} before {} by {}, Ovid takes {choice} by {ours}",
                    run.prompt_ids, run.second[step], run.gap[step]
                );
                assert!(!clear, "prompt {:?}, step {step}", run.prompt_ids);
            }
            fed = vec![*token];
        }
    }
    println!("{n_clear} clear choices the same; {n_close} close ones, of which {n_parted} differ");
    assert!(n_clear > 500);
}
