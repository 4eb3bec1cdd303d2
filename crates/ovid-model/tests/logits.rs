//! Logits against transformers (fixtures of `tools/reference/logits.py`), every checkpoint layout, cached and uncached.

mod common;

use common::{Fixture, fixtures, greatest_difference, logits_in_pieces as logits};
use ovid_io::Silent;
use ovid_model::{Cpu, Gpt2, Output, Segment, Unit, Want};

#[test]
fn logits_are_those_of_transformers() {
    let mut n_fixtures = 0;
    for folder in fixtures("logits") {
        n_fixtures += 1;
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let model = Gpt2::load(&folder, Cpu::new(2), &Silent).unwrap();
        let expected = Fixture::open(&folder.join("expected.safetensors"));
        for i in 0.. {
            let Some(ids) = expected.u32s(&format!("ids.{i}")) else { break };
            let want = expected.f32s(&format!("logits_bf16x.{i}")).or_else(|| expected.f32s(&format!("logits64.{i}"))).unwrap();
            let whole = logits(&model, &ids, ids.len());
            let difference = greatest_difference(&whole, &want);
            // Rounding x to bf16 is a step: a value on the edge falls on the other side, which is one part in 256 of that value.
            let tolerance = if name == "bf16" { 0.05 } else { 2e-4 };
            assert!(difference < tolerance, "{name}, sequence {i} of {}: {difference}", ids.len());
            for piece in [1, 7] {
                assert!(
                    logits(&model, &ids, piece).iter().zip(&whole).all(|(a, b)| a.to_bits() == b.to_bits()),
                    "{name} in pieces of {piece}"
                );
            }
        }
    }
    assert!(n_fixtures >= 6);
}

#[test]
fn bits_are_the_same_on_every_unit_and_thread_count_and_in_every_batch() {
    for folder in fixtures("logits") {
        let expected = Fixture::open(&folder.join("expected.safetensors"));
        let sequences: Vec<Vec<u32>> = (0..).map_while(|i| expected.u32s(&format!("ids.{i}"))).collect();
        let reference = Gpt2::load(&folder, Cpu::with_unit(1, Unit::Scalar).unwrap(), &Silent).unwrap();
        let want: Vec<Vec<f32>> = sequences.iter().map(|ids| logits(&reference, ids, ids.len())).collect();
        for unit in [Unit::Avx512, Unit::Avx2, Unit::Scalar].into_iter().filter(|u| u.is_available()) {
            for n_threads in [1, 2, 3, 7] {
                let model = Gpt2::load(&folder, Cpu::with_unit(n_threads, unit).unwrap(), &Silent).unwrap();
                let mut kv = model.kv_pool(sequences.iter().map(|s| s.len() + 16).sum()).unwrap();
                let batch: Vec<Segment<'_>> = sequences.iter().map(|tokens| Segment { sequence: kv.sequence(), tokens }).collect();
                let Output::Logits { values, .. } = model.forward(&batch, &mut kv, Want::AllLogits).unwrap() else { panic!() };
                let want = want.concat();
                assert!(
                    values.iter().zip(&want).all(|(a, b)| a.to_bits() == b.to_bits()),
                    "{} on {unit}, {n_threads} threads",
                    folder.display()
                );
            }
        }
    }
}
