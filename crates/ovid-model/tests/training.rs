//! Training beyond the fixtures: dropout by finite differences and by how a step is cut, products in bf16, and what is refused.

mod common;

use common::{Fixture, fixtures, random_params, same_bits};
use ovid_io::Dtype;
use ovid_kernels::Backend;
use ovid_model::{Config, Cpu, DropoutKey, TrainModel, Unit};

fn model(config: &Config, cpu: Cpu, dtype: Dtype, params: &[f32]) -> TrainModel {
    let mut model = TrainModel::new(config.clone(), cpu, dtype).unwrap();
    set(&mut model, params);
    model
}

fn set(model: &mut TrainModel, params: &[f32]) {
    let mut buf = model.device().zeros(params.len(), "parameters").unwrap();
    buf.copy_from_slice(params);
    model.set_params(&buf).unwrap();
}

/// Loss and gradients of one call.
fn step(model: &mut TrainModel, batch: &Batch, key: Option<DropoutKey>, grads: &[f32]) -> (f64, Vec<f32>) {
    let mut buf = model.device().zeros(grads.len(), "gradients").unwrap();
    buf.copy_from_slice(grads);
    let loss = model.step(&batch.tokens, &batch.targets, batch.n, key, 1.0, &mut buf).unwrap();
    (loss, buf.to_vec())
}

struct Batch {
    tokens: Vec<u32>,
    targets: Vec<u32>,
    n: usize,
}

impl Batch {
    fn new(config: &Config, n: usize, t: usize) -> Self {
        let tokens: Vec<u32> = (0..n * t).map(|i| ((i * i + 3 * i) % config.vocab_size) as u32).collect();
        let targets = (0..n * t).map(|i| if i % 7 == 2 { u32::MAX } else { (i * 5 % config.vocab_size) as u32 }).collect();
        Self { tokens, targets, n }
    }

    fn part(&self, sequences: std::ops::Range<usize>) -> Self {
        let t = self.tokens.len() / self.n;
        let rows = sequences.start * t..sequences.end * t;
        Self { tokens: self.tokens[rows.clone()].to_vec(), targets: self.targets[rows].to_vec(), n: sequences.len() }
    }
}

fn config(p: [f32; 3]) -> Config {
    Config { embd_pdrop: p[0], attn_pdrop: p[1], resid_pdrop: p[2], n_inner: 20, ..Config::new(23, 18, 12, 2, 2) }
}

/// Gentle weights: the loss must be smooth on the scale of the differences.
fn gentle(config: &Config) -> Vec<f32> {
    let mut params = random_params(config, 12).values;
    let layout = ovid_model::Layout::new(config);
    for p in layout.parameters() {
        if !(p.name.contains("ln_") && p.name.ends_with(".weight")) {
            params[p.range.clone()].iter_mut().for_each(|x| *x *= 0.6);
        }
    }
    params
}

#[test]
fn gradients_with_dropout_are_those_of_finite_differences() {
    for p in [[0.2, 0.3, 0.25], [0.4, 0.0, 0.0], [0.0, 0.4, 0.0], [0.0, 0.0, 0.4]] {
        let config = config(p);
        let params = gentle(&config);
        let batch = Batch::new(&config, 3, 17);
        let key = Some(DropoutKey { seed: 77, step: 5, first_sequence: 9 });
        let mut model = model(&config, Cpu::new(2), Dtype::F32, &params);
        let n = model.layout().n_params();
        let (_, grads) = step(&mut model, &batch, key, &vec![0.0; n]);
        let parameters = model.layout().parameters().to_vec();
        for parameter in &parameters {
            // Along the gradient itself the difference is greatest against the rounding of f32, and no element of the tensor is left out; a second direction of signs
            // sees what that one could hide.
            let own = &grads[parameter.range.clone()];
            let norm = own.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
            let signs: Vec<f64> = (0..own.len()).map(|i| if (i * i / 3 + i) % 2 == 0 { 1.0 } else { -1.0 }).collect();
            let along: Vec<f64> = own.iter().map(|g| f64::from(*g) / norm).collect();
            let across: Vec<f64> = signs.iter().map(|s| s / (own.len() as f64).sqrt()).collect();
            for direction in [along, across] {
                let slope: f64 = own.iter().zip(&direction).map(|(g, d)| f64::from(*g) * d).sum();
                let mut at = |h: f64| {
                    let mut moved = params.clone();
                    for (x, d) in moved[parameter.range.clone()].iter_mut().zip(&direction) {
                        *x = (f64::from(*x) + h * d) as f32;
                    }
                    set(&mut model, &moved);
                    step(&mut model, &batch, key, &vec![0.0; n]).0
                };
                // Two central differences together have an error of h^4.
                let h = 0.02;
                let coarse = (at(h) - at(-h)) / (2.0 * h);
                let fine = (at(h / 2.0) - at(-h / 2.0)) / h;
                let measured = (4.0 * fine - coarse) / 3.0;
                let tolerance = 4e-3 * norm + 2e-3;
                assert!(
                    (measured - slope).abs() < tolerance,
                    "{} with dropout {p:?}: differences give {measured}, the gradient {slope}",
                    parameter.name
                );
            }
        }
        set(&mut model, &params);
        let (dropped, _) = step(&mut model, &batch, key, &vec![0.0; n]);
        assert!((dropped - model.loss(&batch.tokens, &batch.targets, batch.n).unwrap()).abs() > 1e-3, "dropout changes the loss");
    }
}

#[test]
fn masks_do_not_depend_on_how_sequences_are_spread() {
    // Sequences shorter than the context too: the place of a mask is the sequence's number in the step, not the row of a call.
    // Every sum over tokens goes on where the last call left it, so the bits are the same too; a tied embedding has two such sums in one place, so this one is not tied.
    let config = Config { tie_word_embeddings: false, ..config([0.2, 0.3, 0.25]) };
    let params = gentle(&config);
    for t in [18, 11] {
        let batch = Batch::new(&config, 6, t);
        let key = |first_sequence| Some(DropoutKey { seed: 1, step: 2, first_sequence });
        let mut all: Option<Vec<f32>> = None;
        for (unit, n_threads) in [(Unit::detect(), 1), (Unit::detect(), 3), (Unit::Scalar, 2)] {
            let mut model = model(&config, Cpu::with_unit(n_threads, unit).unwrap(), Dtype::F32, &params);
            let zeros = vec![0.0; model.layout().n_params()];
            let (loss, whole) = step(&mut model, &batch, key(4), &zeros);
            assert!(same_bits(all.get_or_insert_with(|| whole.clone()), &whole), "{unit} with {n_threads} threads");
            let (first, grads) = step(&mut model, &batch.part(0..2), key(4), &zeros);
            let (second, grads) = step(&mut model, &batch.part(2..6), key(6), &grads);
            assert!((loss - first - second).abs() < 1e-9 * loss.abs(), "t = {t}: {loss} is not {first} + {second}");
            assert!(same_bits(&whole, &grads), "t = {t}");
            // Another seed, step or place has other masks.
            for other in [
                DropoutKey { seed: 2, step: 2, first_sequence: 4 },
                DropoutKey { seed: 1, step: 3, first_sequence: 4 },
                DropoutKey { seed: 1, step: 2, first_sequence: 5 },
            ] {
                let (other, _) = step(&mut model, &batch, Some(other), &zeros);
                assert!((other - loss).abs() > 1e-6 * loss, "{other} and {loss}");
            }
        }
    }
}

/// The greatest share of a tensor's norm by which products in bf16 move its gradient; the same bits on every unit with every number of threads.
fn moved_by_bf16(name: &str, config: &Config, params: &[f32], batch: &Batch) -> (f64, String) {
    let layout = ovid_model::Layout::new(config);
    let zeros = vec![0.0; layout.n_params()];
    let (exact_loss, exact) = step(&mut model(config, Cpu::new(2), Dtype::F32, params), batch, None, &zeros);
    let mut first: Option<Vec<f32>> = None;
    for (unit, n_threads) in [Unit::Avx512, Unit::Avx2, Unit::Scalar].into_iter().filter(|u| u.is_available()).zip([1, 2, 3]) {
        for n_threads in [n_threads, n_threads + 3] {
            let cpu = Cpu::with_unit(n_threads, unit).unwrap();
            let (loss, grads) = step(&mut model(config, cpu, Dtype::BF16, params), batch, None, &zeros);
            assert!((loss - exact_loss).abs() < 0.01 * exact_loss.abs(), "{name}: loss {loss}, in f32 {exact_loss}");
            assert!(same_bits(first.get_or_insert_with(|| grads.clone()), &grads), "{name} on {unit} with {n_threads} threads");
        }
    }
    let grads = first.unwrap();
    let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|x| x * x).sum::<f64>().sqrt();
    let share = |p: &ovid_model::Parameter| {
        let pairs = || exact[p.range.clone()].iter().zip(&grads[p.range.clone()]).map(|(a, b)| (f64::from(*a), f64::from(*b)));
        let size = norm(&mut pairs().map(|(a, _)| a));
        (norm(&mut pairs().map(|(a, b)| a - b)) / size.max(1e-9), format!("{name} {}", p.name))
    };
    let worst = layout.parameters().iter().map(share).fold((0.0, String::new()), |a, b| if b.0 > a.0 { b } else { a });
    println!("{:.4} of the norm of {}", worst.0, worst.1);
    worst
}

/// bf16 keeps 8 bits, so every input of a product is off by up to 2^-9 of itself. That is what is left of it after a few layers at the weights that training begins from.
const BF16_AT_THE_BEGINNING: f64 = 0.03;
/// The fixtures' weights are chosen to show errors: attention peaked, gains far from 1. They enlarge roundings as they enlarge errors.
const BF16_ON_FIXTURES: f64 = 0.15;

#[test]
fn gradients_in_bf16_are_near_those_in_f32_and_the_same_bits_everywhere() {
    for folder in fixtures("gradients") {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let config = Config::from_hf(&folder.join("config.json")).unwrap();
        let file = Fixture::open(&folder.join("step.safetensors"));
        let layout = ovid_model::Layout::new(&config);
        let params: Vec<f32> = layout.parameters().iter().flat_map(|p| file.f32s(&format!("param.{}", p.name)).unwrap()).collect();
        let batch = Batch { tokens: file.u32s("tokens").unwrap(), targets: file.u32s("targets").unwrap(), n: file.shape("tokens")[0] };
        let worst = moved_by_bf16(&name, &config, &params, &batch);
        assert!(worst.0 < BF16_ON_FIXTURES, "{worst:?}");
    }
    let config = Config::new(101, 33, 60, 3, 3);
    let fresh = TrainModel::new(config.clone(), Cpu::new(1), Dtype::BF16).unwrap();
    let worst = moved_by_bf16("initial", &config, &fresh.init(3).unwrap(), &Batch::new(&config, 5, 33));
    assert!(worst.0 < BF16_AT_THE_BEGINNING, "{worst:?}");
}

#[test]
fn what_does_not_fit_the_model_is_refused() {
    let config = config([0.0; 3]);
    let mut fresh = TrainModel::new(config.clone(), Cpu::new(1), Dtype::F32).unwrap();
    assert!(fresh.loss(&[1], &[1], 1).unwrap_err().to_string().contains("no parameters"));
    let mut model = model(&config, Cpu::new(1), Dtype::F32, &gentle(&config));
    let mut refuse = |tokens: &[u32], targets: &[u32], batch, words: &str| {
        let text = model.loss(tokens, targets, batch).unwrap_err().to_string();
        assert!(text.contains(words), "{text}");
    };
    refuse(&[1, 2, 3], &[1, 2, 3], 2, "no 2 equal sequences");
    refuse(&[1, 2], &[1, 2], 0, "no 0 equal sequences");
    refuse(&[], &[], 1, "equal sequences");
    refuse(&[1, 2], &[1], 1, "equal sequences");
    refuse(&[1; 19], &[1; 19], 1, "context has 18");
    refuse(&[23], &[0], 1, "token 23");
    assert!(model.loss(&[1; 18], &[u32::MAX; 18], 1).is_ok_and(|loss| loss == 0.0));
    assert!(TrainModel::new(Config { n_head: 5, ..config }, Cpu::new(1), Dtype::F32).is_err_and(|e| e.to_string().contains("n_head")));
}
