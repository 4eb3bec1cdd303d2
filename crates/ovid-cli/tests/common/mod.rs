//! Runs `ovid` as a person would, and makes a model small enough to be trained in a test.

#![allow(dead_code)] // Each test file uses a part of this.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// `ovid` with arguments, in an environment that says nothing.
pub fn ovid(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ovid"));
    command.args(args).stdin(Stdio::null());
    for name in ["HF_HOME", "HF_HUB_CACHE", "HF_ENDPOINT", "HF_TOKEN", "OVID_SIMD", "RUST_BACKTRACE"] {
        command.env_remove(name);
    }
    command.env("HF_HOME", model().join("no-cache")).env("NO_COLOR", "1");
    command
}

/// Runs it; what it said.
pub fn run(args: &[&str]) -> Output {
    ovid(args).output().unwrap()
}

/// stdout of a run that must succeed.
pub fn ok(args: &[&str]) -> String {
    let out = run(args);
    assert!(out.status.success(), "ovid {args:?}: {:?}\n{}", out.status, stderr(&out));
    String::from_utf8(out.stdout).unwrap()
}

/// stderr as text.
pub fn stderr(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

/// stdout as JSON Lines.
pub fn json(text: &str) -> Vec<serde_json::Value> {
    text.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}"))).collect()
}

/// A folder with `text.txt`, `tokenizer/`, and a GPT-2 of one layer trained for some steps in `model/`. It is made once a test binary.
pub fn model() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    FOLDER
        .get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            make_model(folder.path());
            folder
        })
        .path()
}

/// The trained model's folder as an argument.
pub fn model_arg() -> String {
    model().join("model").to_string_lossy().into_owned()
}

fn make_model(folder: &Path) {
    let text = folder.join("text.txt");
    let verse = "The sun was warm, the grass was green, and so it goes. \"Who was it?\" she said. It was the old man of the sea.\n";
    std::fs::write(&text, verse.repeat(40)).unwrap();
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let quietly = |args: &[&str]| {
        let out = Command::new(env!("CARGO_BIN_EXE_ovid")).args(args).stdin(Stdio::null()).output().unwrap();
        assert!(out.status.success(), "ovid {args:?}: {}", stderr(&out));
    };
    quietly(&["tokenize", "train", &path("text.txt"), "--vocab-size", "320", "-o", &path("tokenizer")]);
    quietly(
        &[&["train", "--text", &path("text.txt"), "--tokenizer", &path("tokenizer"), "--out", &path("run"), "--steps", "30"], SHAPE]
            .concat(),
    );
    std::fs::rename(folder.join("run/model"), folder.join("model")).unwrap();
}

/// Flags of the smallest model that learns anything.
pub const SHAPE: &[&str] = &[
    "--n-layer",
    "1",
    "--n-head",
    "2",
    "--n-embd",
    "32",
    "--n-ctx",
    "32",
    "--batch-size",
    "4",
    "--learning-rate",
    "3e-3",
    "--min-learning-rate",
    "3e-4",
    "--warmup-steps",
    "2",
    "--validate-every",
    "0",
];
