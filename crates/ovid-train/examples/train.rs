//! Trains as a TOML file says: `cargo run --release -p ovid-train --example train -- config.toml [key=value]... [threads=2]`.
//!
//! `ovid train` is this with flags, a progress bar and Ctrl-C.

use ovid_io::Silent;
use ovid_model::Cpu;
use ovid_train::{Event, OneRank, TrainConfig, launch};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut flags = toml::Table::new();
    let mut file = None;
    let mut n_threads = 2;
    for argument in std::env::args().skip(1) {
        match argument.split_once('=') {
            None => file = Some(argument),
            Some(("threads", n)) => n_threads = n.parse()?,
            Some(_) => flags.extend(argument.parse::<toml::Table>()?),
        }
    }
    let config = TrainConfig::resolve(file.as_deref().map(std::path::Path::new), flags)?;
    let outcome = launch(&config, &Cpu::new(n_threads), &OneRank, None, &Silent, &mut |event| match event {
        Event::Step(row, timing) => {
            eprintln!("step {} loss {:.4} norm {:.3} {:.0} tokens/s", row.step, row.loss_nats, row.grad_norm, timing.tokens_per_s);
        }
        other => eprintln!("{other:?}"),
    })?;
    println!("{}", serde_json::to_string(&outcome.validation)?);
    Ok(())
}
