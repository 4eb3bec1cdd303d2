//! Chores of the project, run as `cargo xtask NAME`.
//!
//! `test` is what CI runs: every check of the source, then every test. A check reads the tree and says what is wrong and where; it changes nothing.

mod audit;
mod layout;
mod licences;
mod memorisation;
mod mini;
mod stage;
mod suite;
mod text;
mod tree;
mod unsafety;
mod watermark;

use std::process::ExitCode;

use stage::Stages;
use tree::Tree;

const HELP: &str = "\
chores of the project

usage: cargo xtask NAME

  test     all checks, then all tests (what CI runs)
  check    all checks, no tests
  docs     the output in the manual's pages, written anew
  audit    security advisories and licences with cargo-deny (needs the network)
  watermark    the tables of docs/watermark.md, measured anew
  remake-mini STAGE    the built-in model again, from the corpus
  memorisation         what the built-in model recites: docs/memorisation.md again
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["test"] => check_and_test(true),
        ["check"] => check_and_test(false),
        ["docs"] => Tree::open().and_then(|tree| suite::update_docs(&tree.root)),
        ["audit"] => audit::run(),
        ["watermark"] => Tree::open().and_then(|tree| watermark::write(&tree.root)),
        ["remake-mini", ref rest @ ..] => remake_mini(rest),
        ["memorisation"] => Tree::open().and_then(|tree| memorisation::run(&tree.root)).map(|()| true),
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("error: no chore is called '{}'\n\n{HELP}", args.join(" "));
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("error: {e:#}");
            ExitCode::from(3)
        }
    }
}

/// The built-in model again, and with it what the manual shows of it.
fn remake_mini(stage: &[&str]) -> anyhow::Result<bool> {
    let tree = Tree::open()?;
    mini::remake(&tree.root, stage)?;
    if matches!(stage, ["convert" | "card" | "release" | "all"]) { suite::update_docs(&tree.root) } else { Ok(true) }
}

/// All checks, and all tests where `tests` says so. `Ok(false)` where one failed.
fn check_and_test(with_tests: bool) -> anyhow::Result<bool> {
    let tree = Tree::open()?;
    let mut stages = Stages::new(&tree);
    stages.cargo("format", &["fmt", "--all", "--check"]);
    stages.check("text", text::check);
    stages.check("links", text::links);
    stages.check("layout", layout::check);
    stages.check("unsafe", unsafety::check);
    stages.check("licences", licences::check);
    stages.cargo("lints", &["clippy", "--workspace", "--all-targets", "--keep-going", "--quiet", "--", "-D", "warnings"]);
    stages.cargo_with("docs", &["doc", "--workspace", "--no-deps", "--keep-going", "--quiet"], &[("RUSTDOCFLAGS", "-D warnings")]);
    let counts = with_tests.then(|| stages.tests("tests"));
    Ok(stages.finish(counts))
}
