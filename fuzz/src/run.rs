//! The loop: change, parse, watch for panics and for memory.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::{ALLOCATED, Rng, Target, mutate};

/// How long to press on.
#[derive(Clone, Copy, Debug)]
pub enum Budget {
    /// So many files.
    Files(u64),
    /// So long.
    Time(Duration),
}

/// What a run without a failure found.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    /// Files that were parsed.
    pub n_files: u64,
    /// Those of them that the parser took.
    pub n_accepted: u64,
    /// The longest that one took.
    pub slowest: Duration,
    /// The most memory that one took beyond its own bytes.
    pub most_bytes: usize,
}

/// A file on which a parser went wrong.
#[derive(Debug)]
pub struct Failure {
    /// The target's name.
    pub target: &'static str,
    /// What went wrong.
    pub cause: String,
    /// The file.
    pub file: Vec<u8>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file: String = self.file.iter().flat_map(|byte| std::ascii::escape_default(*byte)).map(char::from).collect();
        write!(f, "{}: {} on the {} bytes b\"{file}\"", self.target, self.cause, self.file.len())
    }
}

/// What a parser may take beyond a fixed sum, as a multiple of the file.
const MEMORY_FACTOR: usize = 64;
/// Buffers of fixed size, and what the loop's own thread takes.
const MEMORY_BYTES: usize = 4 << 20;

/// Presses on a target: first its seeds as they are, then changed ones.
///
/// # Errors
/// The first file on which the parser panics, or takes more memory than 64 times the file and 4 MiB. Memory is that of the whole process: nothing else may
/// run in it meanwhile.
pub fn run(target: &Target, budget: Budget, seed: u64) -> Result<Summary, Failure> {
    let seeds = (target.seeds)();
    let mut rng = Rng::new(seed);
    let began = Instant::now();
    let mut summary = Summary { n_files: 0, n_accepted: 0, slowest: Duration::ZERO, most_bytes: 0 };
    loop {
        let enough = match budget {
            Budget::Files(n) => summary.n_files >= n,
            Budget::Time(time) => began.elapsed() >= time,
        };
        if enough {
            return Ok(summary);
        }
        let unchanged = seeds.get(summary.n_files as usize).cloned();
        let file = unchanged.unwrap_or_else(|| {
            let mut file = mutate(&seeds, target.words, &mut rng);
            if rng.below(2) == 0 {
                (target.mend)(&mut file);
            }
            file
        });
        let (accepted, time, n_bytes) = parse(target, &file)?;
        summary.n_files += 1;
        summary.n_accepted += u64::from(accepted);
        summary.slowest = summary.slowest.max(time);
        summary.most_bytes = summary.most_bytes.max(n_bytes);
    }
}

fn parse(target: &Target, file: &[u8]) -> Result<(bool, Duration, usize), Failure> {
    let fail = |cause: String| Failure { target: target.name, cause, file: file.to_vec() };
    let before = ALLOCATED.current_usage();
    ALLOCATED.reset_peak_usage();
    let began = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.parse)(file)));
    let time = began.elapsed();
    let n_bytes = ALLOCATED.peak_usage().saturating_sub(before);
    let accepted = outcome.map_err(|panic| {
        let words = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        fail(format!("panics ({})", words.unwrap_or_default()))
    })?;
    if n_bytes > MEMORY_FACTOR * file.len() + MEMORY_BYTES {
        return Err(fail(format!("takes {n_bytes} bytes of memory")));
    }
    Ok((accepted, time, n_bytes))
}
