//! Fuzz targets of every parser of untrusted files, and the loop that presses on them.
//!
//! In: valid files as seeds. The loop changes them at random (a function of the seed alone) and hands them to a parser, which may refuse them but must not
//! panic, and must not take memory beyond a small multiple of the file. The targets are listed in one place, [`targets::all`]; a bounded run of each is part
//! of `cargo test`, and `cargo run --profile test -p ovid-fuzz -- --seconds 600` runs each for ten minutes.
//!
//! A new target: a [`Target`] in a file of `targets/`, and its name in [`targets::all`].

mod mutate;
mod run;
pub mod targets;

pub use mutate::{Rng, mutate};
pub use run::{Budget, Failure, Summary, run};

/// Counts memory, so that a parser that takes too much of it is found.
#[global_allocator]
static ALLOCATED: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

/// Mends nothing.
pub fn leave(_: &mut Vec<u8>) {}

/// A parser and what it is fed.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name on the command line and in messages.
    pub name: &'static str,
    /// Valid files, small and of different kinds.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Parses a file and uses what comes out of it; says whether the parser took it. It panics only where the parser is wrong.
    pub parse: fn(&[u8]) -> bool,
    /// Mends what every change breaks (a length that stands before what it counts), so that parsers are pressed on behind it too. Half of the files are
    /// mended. [`leave`] where the format has no such thing.
    pub mend: fn(&mut Vec<u8>),
    /// Words of the format, which are put in at random places.
    pub words: &'static [&'static str],
}
