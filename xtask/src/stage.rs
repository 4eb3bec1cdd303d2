//! Stages: each is announced, timed, and summed up at the end; one that fails does not keep the others from running.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::suite::{self, Counts};
use crate::tree::{Tree, cargo};

/// The stages of one run and how each went.
pub struct Stages<'a> {
    tree: &'a Tree,
    done: Vec<(&'static str, bool, Duration)>,
}

impl<'a> Stages<'a> {
    /// No stage has run yet.
    pub fn new(tree: &'a Tree) -> Self {
        Self { tree, done: Vec::new() }
    }

    /// A check of our own: it returns what is wrong, one line each.
    pub fn check(&mut self, name: &'static str, check: fn(&Tree) -> Result<Vec<String>>) {
        let tree = self.tree;
        self.stage(name, || match check(tree) {
            Ok(faults) => {
                for fault in &faults {
                    println!("  {fault}");
                }
                faults.is_empty()
            }
            Err(e) => {
                println!("  {e:#}");
                false
            }
        });
    }

    /// A cargo command that must succeed.
    pub fn cargo(&mut self, name: &'static str, args: &[&str]) {
        self.cargo_with(name, args, &[]);
    }

    /// A cargo command that must succeed, with environment variables.
    pub fn cargo_with(&mut self, name: &'static str, args: &[&str], env: &[(&str, &str)]) {
        let root = &self.tree.root;
        self.stage(name, || match cargo(root).args(args).envs(env.iter().copied()).status() {
            Ok(status) => status.success(),
            Err(e) => {
                println!("  cannot start cargo: {e}");
                false
            }
        });
    }

    /// All tests of the workspace, counted.
    pub fn tests(&mut self, name: &'static str) -> Counts {
        let mut counts = Counts::default();
        let root = &self.tree.root;
        self.stage(name, || match suite::run(root, &mut counts) {
            Ok(passed) => passed,
            Err(e) => {
                println!("  {e:#}");
                false
            }
        });
        counts
    }

    /// Prints the summary; true where every stage passed.
    pub fn finish(self, counts: Option<Counts>) -> bool {
        println!("\n== summary");
        for (name, passed, took) in &self.done {
            println!("  {} {name:<10} {:>7.1} s", if *passed { "ok    " } else { "FAILED" }, took.as_secs_f64());
        }
        let all = self.done.iter().all(|(_, passed, _)| *passed);
        println!("  {} in {:.1} s", if all { "all passed" } else { "FAILED" }, self.done.iter().map(|d| d.2.as_secs_f64()).sum::<f64>());
        // The line that a CI reads, last.
        if let Some(c) = counts {
            println!("{} passed, {} failed, {} skipped", c.passed, c.failed, c.ignored);
        }
        all
    }

    fn stage(&mut self, name: &'static str, run: impl FnOnce() -> bool) {
        println!("== {name}");
        let start = Instant::now();
        let passed = run();
        let took = start.elapsed();
        println!("   {} {name}, {:.1} s", if passed { "ok" } else { "FAILED" }, took.as_secs_f64());
        self.done.push((name, passed, took));
    }
}
