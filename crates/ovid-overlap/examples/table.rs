//! Indexes a corpus and prints how much of each test set stands in it, with the time that both took.
//!
//! `cargo run --release -p ovid-overlap --example table -- TRAIN INDEX THREADS SET...`

use std::path::PathBuf;
use std::time::Instant;

use ovid_io::Silent;
use ovid_overlap::{Ask, Build, Index, Read, Set, Split, TableRow, measure};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [train, out, threads, sets @ ..] = &arguments[..] else { return Err("give TRAIN, INDEX, THREADS and sets".into()) };
    let threads = threads.to_string_lossy().parse()?;
    let began = Instant::now();
    let built = Build { threads, ..Build::default() }.write(std::slice::from_ref(train), Split::Train, out, &Silent)?;
    let megabytes = built.text_bytes as f64 / 1e6;
    println!("{}", serde_json::to_string(&built)?);
    println!("indexed {megabytes:.1} MB in {:.2} s: {:.1} MB/s", began.elapsed().as_secs_f64(), megabytes / began.elapsed().as_secs_f64());
    let index = Index::open(out)?;
    for path in sets {
        let set = Set::new(path.display().to_string(), vec![path.clone()], Read::default());
        let began = Instant::now();
        let measured = measure(&index, &set, Ask { distinct: true, threads, ..Ask::default() }, &Silent)?;
        let row = TableRow::new(&index, &set.name, &measured);
        println!("{} ({:.3} s)", serde_json::to_string(&row)?, began.elapsed().as_secs_f64());
    }
    Ok(())
}
