//! Runs the tests and counts them, so that a run that tested nothing cannot pass for a green one.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result};

use crate::tree::cargo;

/// How many tests passed, failed and were left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
    pub ignored: u64,
}

/// Runs every test of the workspace, doc tests too; true where all passed and at least one ran.
pub fn run(root: &Path, counts: &mut Counts) -> Result<bool> {
    let mut command = cargo(root);
    command.args(["test", "--workspace", "--no-fail-fast"]).stdout(Stdio::piped());
    let mut child = command.spawn().context("cannot start cargo")?;
    let stdout = child.stdout.take().context("cargo has no stdout")?;
    for line in BufReader::new(stdout).lines() {
        let line = line.context("cannot read what cargo test prints")?;
        println!("{line}");
        counts.add(&line);
    }
    let status = child.wait().context("cargo test went away")?;
    Ok(status.success() && counts.failed == 0 && counts.passed > 0)
}

/// Writes the output in the manual's pages anew.
pub fn update_docs(root: &Path) -> Result<bool> {
    let mut command = cargo(root);
    command.args(["test", "--quiet", "--package", "ovid-cli", "--test", "docs"]).env("OVID_UPDATE_DOCS", "1");
    Ok(command.status().context("cannot start cargo")?.success())
}

impl Counts {
    /// Adds a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; …`; other lines count nothing.
    fn add(&mut self, line: &str) {
        let Some(rest) = line.trim_start().strip_prefix("test result:") else { return };
        let mut words = rest.split_whitespace().peekable();
        while let Some(word) = words.next() {
            let (Ok(n), Some(what)) = (word.parse::<u64>(), words.peek()) else { continue };
            match what.trim_end_matches(';') {
                "passed" => self.passed += n,
                "failed" => self.failed += n,
                "ignored" => self.ignored += n,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_lines_of_libtest() {
        let mut counts = Counts::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        ] {
            counts.add(line);
        }
        assert_eq!(counts, Counts { passed: 4, failed: 2, ignored: 1 });
    }
}
