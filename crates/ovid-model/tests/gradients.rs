//! Gradients against PyTorch's in float64 (fixtures of `tools/reference/gradients.py`).

mod common;

use common::{Fixture, fixtures};
use ovid_io::Dtype;
use ovid_kernels::Backend;
use ovid_model::{Config, Cpu, TrainModel, Unit};

#[test]
fn gradients_are_those_of_pytorch() {
    let folders = fixtures("gradients");
    assert!(folders.len() >= 3);
    for folder in folders {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let config = Config::from_hf(&folder.join("config.json")).unwrap();
        let step = Fixture::open(&folder.join("step.safetensors"));
        let batch = step.shape("tokens")[0];
        let (tokens, targets) = (step.u32s("tokens").unwrap(), step.u32s("targets").unwrap());
        let n_counted = step.u32s("n_counted").unwrap()[0];
        let mut first: Option<Vec<f32>> = None;
        for (unit, n_threads) in [(Unit::detect(), 2), (Unit::Scalar, 1), (Unit::detect(), 5)] {
            let mut model = TrainModel::new(config.clone(), Cpu::with_unit(n_threads, unit).unwrap(), Dtype::F32).unwrap();
            let layout = model.layout().clone();
            let mut params = model.device().zeros(layout.n_params(), "parameters").unwrap();
            for p in layout.parameters() {
                let values = step.f32s(&format!("param.{}", p.name)).unwrap_or_else(|| panic!("{name} has no {}", p.name));
                params[p.range.clone()].copy_from_slice(&values);
            }
            let mut grads = model.device().zeros(layout.n_params(), "gradients").unwrap();
            model.set_params(&params).unwrap();
            let loss = model.step(&tokens, &targets, batch, None, 1.0 / n_counted as f32, &mut grads).unwrap();
            let want_loss = step.f64s("loss_sum").unwrap()[0];
            assert!((loss - want_loss).abs() < 1e-5 * want_loss.abs(), "{name}: loss {loss}, not {want_loss}");
            for p in layout.parameters() {
                let want = step.f32s(&format!("grad.{}", p.name)).unwrap();
                let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|x| x * x).sum::<f64>().sqrt();
                let got = &grads[p.range.clone()];
                let error = norm(&mut got.iter().zip(&want).map(|(a, b)| f64::from(a - b)));
                let size = norm(&mut want.iter().map(|x| f64::from(*x)));
                assert!(error <= 1e-4 * size.max(1e-6), "{name} {}: {error} of {size}", p.name);
            }
            let first = first.get_or_insert_with(|| grads.to_vec());
            assert!(first.iter().zip(grads.iter()).all(|(a, b)| a.to_bits() == b.to_bits()), "{name} on {unit} with {n_threads} threads");
        }
    }
}
