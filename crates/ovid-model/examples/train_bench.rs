//! Times one training step.
use ovid_kernels::{Backend, backend::AdamW};
use ovid_model::*;
use std::time::Instant;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let g = |i: usize, d: usize| a.get(i).and_then(|s| s.parse().ok()).unwrap_or(d);
    let (l, c, h, v, t, b, th) = (g(1, 4), g(2, 256), g(3, 4), g(4, 8192), g(5, 512), g(6, 8), g(7, 2));
    let dt = if g(8, 0) == 1 { ovid_io::Dtype::BF16 } else { ovid_io::Dtype::F32 };
    let cfg = Config { embd_pdrop: 0., attn_pdrop: 0., resid_pdrop: 0., ..Config::new(v, t, c, l, h) };
    let mut m = TrainModel::new(cfg, Cpu::new(th), dt).unwrap();
    let n = m.layout().n_params();
    println!("params {n}");
    let mut p = m.init(1).unwrap();
    let mut gr = m.device().zeros(n, "").unwrap();
    let mut m1 = m.device().zeros(n, "").unwrap();
    let mut v1 = m.device().zeros(n, "").unwrap();
    let toks: Vec<u32> = (0..b * t).map(|i| ((i * 7919) % v) as u32).collect();
    let tg: Vec<u32> = (0..b * t).map(|i| ((i * 104729 + 3) % v) as u32).collect();
    for s in 0..5 {
        let t0 = Instant::now();
        m.set_params(&p).unwrap();
        let t1 = Instant::now();
        gr.fill(0.0);
        let loss = m.step(&toks, &tg, b, None, 1.0 / (b * t) as f32, &mut gr).unwrap();
        let t2 = Instant::now();
        m.device().adamw(
            &mut p,
            &gr,
            &mut m1,
            &mut v1,
            0..n,
            &AdamW {
                lr: 1e-3,
                beta1: 0.9,
                beta2: 0.95,
                eps: 1e-8,
                weight_decay: 0.1,
                correction1: 0.1,
                correction2: 0.05,
                grad_scale: 1.0,
            },
        );
        let t3 = Instant::now();
        let d = (t3 - t0).as_secs_f64();
        let fl = (6.0 * n as f64 + 12.0 * (l * c * t) as f64) * (b * t) as f64;
        println!(
            "step {s} loss {:.4} pack {:?} step {:?} adamw {:?} tok/s {:.0} GFLOP/s {:.0}",
            loss / (b * t) as f64,
            t1 - t0,
            t2 - t1,
            t3 - t2,
            (b * t) as f64 / d,
            fl / d / 1e9
        );
    }
}
