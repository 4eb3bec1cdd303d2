//! Writes the rows that a run sees, for another program to train on: `cargo run --release -p ovid-train --example rows -- RUN/config.toml N_STEPS ROWS.npy`.
//!
//! The file is a two-dimensional `uint32` array in `NumPy`'s format: one row a line, in the order of the run, context and the token after it.

use std::io::Write as _;
use std::path::Path;

use ovid_train::TrainConfig;
use ovid_train::data::{Corpus, Loader};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, config, n_steps, out] = arguments.as_slice() else { return Err("usage: rows CONFIG.toml N_STEPS ROWS.npy".into()) };
    let config = TrainConfig::resolve(Some(Path::new(config)), toml::Table::new())?;
    let corpus = Corpus::open(&config.data, &config.weights)?;
    let context = config.context();
    let mut loader = Loader::new(&corpus, config.order, context, config.piece_contexts * context, config.seed)?;
    let n_rows = n_steps.parse::<u64>()? * (config.batch_size * config.accumulation) as u64;
    let mut row = vec![0; context + 1];
    let header = format!("{{'descr': '<u4', 'fortran_order': False, 'shape': ({n_rows}, {}), }}", context + 1);
    let mut file = ovid_io::atomic::AtomicFile::create(Path::new(out))?;
    file.write_all(b"\x93NUMPY\x01\x00\x76\x00")?;
    writeln!(file, "{header:<117}")?;
    for number in 0..n_rows {
        loader.row(number, &mut row)?;
        for id in &row {
            file.write_all(&id.to_le_bytes())?;
        }
    }
    Ok(file.commit()?)
}
