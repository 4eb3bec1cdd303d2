//! Matrix products by weight type and number of rows, on GPT-2 124M's widest layer (768 to 3,072) and two threads, in operations a second (a multiply and an add are two).
//!
//! `cargo bench -p ovid-kernels --bench product`; `OVID_BENCH_UNIT=avx2` chooses a vector unit.

use divan::Bencher;
use divan::counter::ItemsCount;
use ovid_io::Dtype;
use ovid_kernels::backend::{Backend, Heads, Layout, Matrix, Run, Then};
use ovid_kernels::{Cpu, Unit, quant};
use ovid_stats::Draws;

const THREADS: usize = 2;
const N_IN: usize = 768;
const N_OUT: usize = 3072;
const TYPES: [&str; 5] = ["F32", "F16", "BF16", "Q8_0", "Q4_0"];

fn main() {
    divan::main();
}

fn cpu() -> Cpu {
    match std::env::var("OVID_BENCH_UNIT") {
        Ok(name) => Cpu::with_unit(THREADS, name.parse::<Unit>().expect("a vector unit")).expect("this processor has the unit"),
        Err(_) => Cpu::new(THREADS),
    }
}

fn values(n: usize) -> Vec<f32> {
    let draws = Draws::new(1, 0);
    (0..n).map(|i| draws.normal_at(i as u64) as f32).collect()
}

fn dtype(name: &str) -> Dtype {
    [Dtype::F32, Dtype::F16, Dtype::BF16, Dtype::Q8_0, Dtype::Q4_0].into_iter().find(|t| t.to_string() == name).expect("a type of weights")
}

fn product(bencher: Bencher<'_, '_>, name: &str, n_rows: usize) {
    let (cpu, dtype) = (cpu(), dtype(name));
    let mut stored = Vec::new();
    quant::quantise(dtype, &values(N_IN * N_OUT), &mut stored);
    let matrix = Matrix { dtype, layout: Layout::OutIn, n_in: N_IN, n_out: N_OUT, data: &stored };
    // Copies enough that one row's weights come from memory, as in decoding.
    let n_copies = if n_rows < 8 { (100 << 20) / stored.len() } else { 1 };
    let weights: Vec<_> = (0..n_copies).map(|_| cpu.weight(&matrix, dtype).expect("memory")).collect();
    let mut x = cpu.zeros(n_rows * N_IN, "x").expect("memory");
    cpu.upload(&values(n_rows * N_IN), &mut x, 0);
    let mut y = cpu.zeros(n_rows * N_OUT, "y").expect("memory");
    let mut next = 0;
    bencher.counter(ItemsCount::new(2 * n_rows * N_IN * N_OUT)).bench_local(|| {
        next = (next + 1) % n_copies;
        cpu.linear(&x, n_rows, &weights[next], None, Then::Store, &mut y).expect("memory");
    });
}

#[divan::bench(args = TYPES)]
fn rows_1(bencher: Bencher<'_, '_>, name: &str) {
    product(bencher, name, 1);
}

#[divan::bench(args = TYPES)]
fn rows_32(bencher: Bencher<'_, '_>, name: &str) {
    product(bencher, name, 32);
}

#[divan::bench(args = TYPES)]
fn rows_512(bencher: Bencher<'_, '_>, name: &str) {
    product(bencher, name, 512);
}

/// Attention of one layer of GPT-2 124M over a whole context: 512 rows.
#[divan::bench]
fn attention_512(bencher: Bencher<'_, '_>) {
    let cpu = cpu();
    let heads = Heads { n_head: 12, head_size: 64, scale: 0.125 };
    let n = 512;
    let mut qkv = cpu.zeros(n * 3 * N_IN, "qkv").expect("memory");
    cpu.upload(&values(n * 3 * N_IN), &mut qkv, 0);
    let mut kv = cpu.kv(&heads, n / 16).expect("memory");
    let mut out = cpu.zeros(n * N_IN, "out").expect("memory");
    let blocks: Vec<u32> = (0..n as u32 / 16).collect();
    let runs = [Run { first_row: 0, n_rows: n, first_position: 0, blocks: &blocks }];
    bencher.counter(ItemsCount::new(2 * n * n * N_IN)).bench_local(|| cpu.attention(&qkv, &heads, &runs, &mut kv, None, &mut out));
}

#[divan::bench]
fn layer_norm_512(bencher: Bencher<'_, '_>) {
    let cpu = cpu();
    let n = 512;
    let mut x = cpu.zeros(n * N_IN, "x").expect("memory");
    cpu.upload(&values(n * N_IN), &mut x, 0);
    let gain = cpu.zeros(N_IN, "gain").expect("memory");
    let mut out = cpu.zeros(n * N_IN, "out").expect("memory");
    bencher.bench_local(|| cpu.layer_norm(&x, n, &gain, None, 1e-5, &mut out));
}
