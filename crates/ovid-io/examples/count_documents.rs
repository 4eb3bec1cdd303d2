//! Counts documents, bytes and held-out documents: `cargo run --release -p ovid-io --example count_documents -- FILES_OR_FOLDERS`.

use ovid_io::documents::{Documents, Limits};

fn main() -> Result<(), ovid_io::Error> {
    let paths: Vec<_> = std::env::args_os().skip(1).map(std::path::PathBuf::from).collect();
    let (mut n_documents, mut n_bytes, mut n_held_out) = (0_u64, 0_u64, 0_u64);
    for document in Documents::open(&paths, Limits::default())? {
        let document = document?;
        n_documents += 1;
        n_bytes += document.text.len() as u64;
        n_held_out += u64::from(document.is_validation());
    }
    println!("{n_documents} documents, {n_bytes} bytes of text, {n_held_out} documents held out");
    Ok(())
}
