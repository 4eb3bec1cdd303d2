//! What is wrong is said in one line, with the right status, and never by a panic.

mod common;

use common::{model, model_arg, run, stderr};

#[test]
fn wrong_usage_and_bad_input_end_with_2() {
    let model = model_arg();
    let there = model_path("text.txt");
    let bad_toml = model_path("bad.toml");
    std::fs::write(&bad_toml, "top-k = \n").unwrap();
    let unknown = model_path("unknown.toml");
    std::fs::write(&unknown, "topk = 3\n").unwrap();
    let broken = model_path("broken.gguf");
    std::fs::write(&broken, b"GGUF\x03\0\0\0").unwrap();
    let cases: &[(&[&str], &str)] = &[
        (&["--bogus"], "unexpected argument '--bogus'"),
        (&["dance"], "unrecognized subcommand 'dance'"),
        (&["generate", "--model", "gpt2", "x"], "hint: fetch it with: ovid pull gpt2"),
        (&["generate", "--model", "./nowhere", "x"], "no file or folder './nowhere'"),
        (&["generate", "--model", &there, "x"], "text.txt"),
        (&["generate", "--model", &broken, "x"], "broken.gguf"),
        (&["generate", "--model", &model, "--temperature", "-1", "x"], "--temperature"),
        (&["generate", "--model", &model, "--top-p", "2", "x"], "between 0 and 1"),
        (
            &["generate", "--model", &model, "--min-tokens", "9", "--max-tokens", "3", "x"],
            "min-tokens is 9, but must be at most max-tokens",
        ),
        (&["generate", "--model", &model, "--logit-bias", "x", "y"], "--logit-bias 'x'"),
        (&["generate", "--model", &model, "--device", "cuda", "x"], "this build of ovid has no CUDA yet"),
        (&["generate", "--model", &model, "--threads", "0", "x"], "--threads"),
        (&["generate", "--model", &model, "--config", &bad_toml, "x"], "bad.toml' line 1"),
        (&["generate", "--model", &model, "--config", &unknown, "x"], "unknown key 'topk'"),
        (&["generate", "--model", &model, "--config", "nowhere.toml", "x"], "cannot read 'nowhere.toml': no such file or directory"),
        (&["generate", "--model", &model, "--tokenizer", &there, "x"], "text.txt"),
        (&["score", "--model", &model, "nowhere.txt"], "cannot read 'nowhere.txt': no such file or directory"),
        (&["score", "--model", &model, "--stride", "0", "--text", "x"], "stride is 0"),
        (&["tokenize", "decode", "--model", &model, "99999"], "token 99999 is outside the vocabulary"),
        (&["tokenize", "encode", "--model", &model, "--special", "refuse", "<|endoftext|>"], "special token '<|endoftext|>' at byte 0"),
        (&["tokenize", "train", "nowhere", "-o", "x"], "cannot read 'nowhere'"),
        (&["train", "--out", "/tmp/never"], "nothing to learn from"),
        (&["train", "--n-head", "7", "--data", "x", "--out", "/tmp/never"], "7 heads do not divide"),
        (&["train", "--from", "gpt2", "--text", &there, "--out", "/tmp/never"], "hint: fetch it with: ovid pull gpt2"),
        (&["convert", &model, "-o", "x", "--dtype", "q8_0"], "hint: write a GGUF file"),
        (&["info", &broken], "broken.gguf"),
        (&["pull", "../etc"], "../etc"),
    ];
    for (args, expected) in cases {
        let out = run(args);
        let said = stderr(&out);
        assert_eq!(out.status.code(), Some(2), "ovid {args:?}: {said}");
        assert!(said.lines().any(|l| l.starts_with("error: ")) && said.contains(expected), "ovid {args:?}: {said}");
        assert!(!said.contains("panicked") && !said.contains("os error") && out.stdout.is_empty(), "ovid {args:?}: {said}");
    }
}

#[test]
fn what_cannot_be_done_ends_with_3() {
    let out = run(&["convert", &model_arg(), "-o", "/proc/nowhere/x.gguf"]);
    assert!([Some(2), Some(3)].contains(&out.status.code()), "{:?}: {}", out.status, stderr(&out));
    let full = common::ovid(&["tokenize", "encode", "--model", &model_arg(), "The sun"]).stdout(full_device()).output().unwrap();
    assert_eq!(full.status.code(), Some(3), "{}", stderr(&full));
    assert!(stderr(&full).contains("cannot write to stdout: no space left on device"), "{}", stderr(&full));
}

#[test]
fn a_wrong_vector_unit_is_named() {
    let out = common::ovid(&["generate", "--model", &model_arg(), "x"]).env("OVID_SIMD", "mmx").output().unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(stderr(&out).contains("OVID_SIMD is 'mmx'"), "{}", stderr(&out));
}

fn model_path(name: &str) -> String {
    model().join(name).to_string_lossy().into_owned()
}

/// A file that is always full.
fn full_device() -> std::fs::File {
    std::fs::File::options().write(true).open("/dev/full").unwrap()
}
