//! Runs fuzz targets for a given time: `cargo run --profile test -p ovid-fuzz -- [--seconds N] [--seed N] [TARGET...]`.

use std::process::ExitCode;
use std::time::Duration;

use ovid_fuzz::{Budget, run, targets};

fn main() -> ExitCode {
    let (mut n_seconds, mut seed, mut names) = (600, 0, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse().ok());
        let taken = match argument.as_str() {
            "--seconds" => number().map(|n| n_seconds = n),
            "--seed" => number().map(|n| seed = n),
            name if targets::all().iter().any(|target| target.name == name) => {
                names.push(argument);
                Some(())
            }
            _ => None,
        };
        if taken.is_none() {
            let names: Vec<_> = targets::all().iter().map(|target| target.name).collect();
            eprintln!("usage: ovid-fuzz [--seconds N] [--seed N] [TARGET...], where TARGET is one of {}", names.join(", "));
            return ExitCode::from(2);
        }
    }
    for target in targets::all() {
        if !names.is_empty() && !names.iter().any(|name| name == target.name) {
            continue;
        }
        match run(&target, Budget::Time(Duration::from_secs(n_seconds)), seed) {
            Ok(found) => println!(
                "{}: {} files in {n_seconds} s (seed {seed}), {} of them accepted, none of which is trouble; the slowest took {:.1} ms, the greatest {} KiB",
                target.name,
                found.n_files,
                found.n_accepted,
                found.slowest.as_secs_f64() * 1e3,
                found.most_bytes >> 10
            ),
            Err(failure) => {
                let path = format!("fuzz-failure-{}", target.name);
                let kept = std::fs::write(&path, &failure.file).is_ok();
                eprintln!("{failure}{}", if kept { format!(", kept in {path}") } else { String::new() });
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
