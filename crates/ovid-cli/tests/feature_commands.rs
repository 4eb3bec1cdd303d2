//! Every command, on a model that the test has trained through the commands themselves.

mod common;

use std::io::Write as _;
use std::process::Stdio;

use common::{json, model, model_arg, ok, ovid, run, stderr};

#[test]
fn same_seed_same_text_whatever_runs_beside() {
    let model = model_arg();
    let one = |seed: &str| ok(&["generate", "--model", &model, "--seed", seed, "-l", "20", "The sun"]);
    assert_eq!(one("7"), one("7"));
    assert!(one("7").starts_with("The sun"));
    let three = json(&ok(&["generate", "--model", &model, "--seed", "7", "-n", "3", "-l", "20", "--json", "The sun"]));
    for (i, sample) in three.iter().enumerate() {
        assert_eq!(format!("The sun{}\n", sample["text"].as_str().unwrap()), one(&(7 + i).to_string()));
        assert_eq!(sample["seed"], 7 + i);
    }
    for unit in ["avx512", "avx2", "scalar"] {
        let out = ovid(&["generate", "--model", &model, "--seed", "7", "-l", "20", "The sun"]).env("OVID_SIMD", unit).output().unwrap();
        // A processor without the unit says so.
        if out.status.success() {
            assert_eq!(String::from_utf8(out.stdout).unwrap(), one("7"), "{unit}");
        } else {
            assert!(stderr(&out).contains("this processor has no"), "{}", stderr(&out));
        }
    }
}

#[test]
fn generate_json_has_every_field() {
    let out = ok(&["generate", "--model", &model_arg(), "--seed", "1", "-l", "5", "--logprobs", "2", "--json", "So it"]);
    let [sample] = &json(&out)[..] else { panic!("{out}") };
    for key in [
        "prompt",
        "prompt_ids",
        "text",
        "ids",
        "seed",
        "finish_reason",
        "window",
        "sampler",
        "logprobs",
        "model",
        "arithmetic",
        "device",
        "version",
    ] {
        assert!(!sample[key].is_null(), "{key} in {out}");
    }
    assert_eq!(sample["arithmetic"], "exact-1");
    assert_eq!(sample["model"]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(sample["logprobs"].as_array().unwrap().len(), 5);
    let greedy = ok(&["generate", "--model", &model_arg(), "--temperature", "0", "--no-prompt", "-l", "8", "--seed", "0", "So it"]);
    assert_eq!(greedy, ok(&["generate", "--model", &model_arg(), "--top-k", "1", "--no-prompt", "-l", "8", "--seed", "5", "So it"]));
}

#[test]
fn a_drawn_seed_is_said_and_draws_the_same_again() {
    let out = run(&["generate", "--model", &model_arg(), "-l", "10", "The"]);
    let said = stderr(&out);
    let seed = said.lines().find_map(|l| l.strip_prefix("seed: ")).unwrap_or_else(|| panic!("{said}"));
    assert_eq!(out.stdout, ok(&["generate", "--model", &model_arg(), "-l", "10", "--seed", seed, "The"]).into_bytes());
    let quiet = run(&["generate", "--quiet", "--model", &model_arg(), "-l", "3", "The"]);
    assert_eq!(stderr(&quiet), "");
}

#[test]
fn prompts_come_from_stdin_and_files() {
    let mut child = ovid(&["generate", "--model", &model_arg(), "--seed", "2", "-l", "4"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"The old\n").unwrap();
    let piped = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(piped, ok(&["generate", "--model", &model_arg(), "--seed", "2", "-l", "4", "The old"]));
    let file = model().join("prompts.jsonl");
    std::fs::write(&file, "{\"text\":\"The old\"}\n{\"text\":\"She said\"}\n").unwrap();
    let both = json(&ok(&["generate", "--model", &model_arg(), "--seed", "2", "-l", "4", "--json", "--file", &file.to_string_lossy()]));
    assert_eq!(both.iter().map(|s| s["prompt"].as_str().unwrap()).collect::<Vec<_>>(), ["The old", "She said"]);
}

#[test]
fn score_agrees_with_generate() {
    let model = model_arg();
    let sample = &json(&ok(&["generate", "--model", &model, "--seed", "3", "-l", "6", "--logprobs", "0", "--json", "The sun"]))[0];
    let text = format!("The sun{}", sample["text"].as_str().unwrap());
    let score = &json(&ok(&["score", "--model", &model, "--json", "--top", "2", "--text", &text]))[0];
    let tokens = score["tokens"].as_array().unwrap();
    assert_eq!(score["n_scored"], tokens.len());
    assert!(tokens.iter().all(|t| t["top"].as_array().unwrap().len() == 2 && t["rank"].as_u64().unwrap() > 0));
    let without = &json(&ok(&["score", "--model", &model, "--json", "--no-bos", "--text", &text]))[0];
    assert!(without["tokens"][0]["logprob"].is_null());
    let people = ok(&["score", "--model", &model, "--tokens", "--text", "So it goes."]);
    assert!(people.contains("perplexity") && people.contains("\"So\"") || people.contains("\"S\""), "{people}");
    let file = crate::model().join("text.txt").to_string_lossy().into_owned();
    assert_eq!(ok(&["score", "--model", &model, "--text", ""]), "nothing to score\n");
    let place = &json(&ok(&["score", "--model", &model, "--json", &file]))[0];
    assert_eq!((place["file"].as_str().unwrap(), &place["line"]), (&file[..], &serde_json::json!(1)));
}

/// What a command prints that is given `input` on standard input.
fn piped(args: &[&str], input: &[u8]) -> String {
    let mut child = ovid(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success(), "ovid {args:?}: {}", stderr(&out));
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn a_dash_is_standard_input_wherever_texts_are_named() {
    let (model, tokenizer) = (model_arg(), model().join("tokenizer").to_string_lossy().into_owned());
    let text = b"The sun rose.\nThe sea was still.\n";
    let lines = b"{\"text\":\"The sun rose.\"}\n{\"text\":\"The sea was still.\"}\n";
    let scores = |args: &[&str], input: &[u8]| -> Vec<serde_json::Value> {
        json(&piped(&[&["score", "--json", "--model", &model][..], args].concat(), input))
            .into_iter()
            .map(|s| s["sum_logprob"].clone())
            .collect()
    };
    assert_eq!(scores(&["-"], text), scores(&[], text));
    assert_eq!(scores(&["-"], text).len(), 1);
    let two = scores(&["-"], lines);
    assert_eq!(two, [&b"The sun rose."[..], b"The sea was still."].map(|text| scores(&["-"], text).remove(0)));
    let ids = |args: &[&str], input: &[u8]| piped(&[&["tokenize", "encode", "--tokenizer", &tokenizer][..], args].concat(), input);
    assert_eq!(ids(&["--file", "-"], text), ids(&[], text));

    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let long = std::fs::read(crate::model().join("text.txt")).unwrap();
    piped(&["tokenize", "train", "-", "--vocab-size", "300", "-o", &path("a")], &long);
    std::fs::write(path("text.txt"), &long).unwrap();
    ok(&["tokenize", "train", &path("text.txt"), "--vocab-size", "300", "-o", &path("b")]);
    assert_eq!(std::fs::read(path("a/tokenizer.json")).unwrap(), std::fs::read(path("b/tokenizer.json")).unwrap());
    // Read twice, so that it has to be kept.
    let piped_manifest = &json(&piped(&["tokenize", "shard", "-", "--tokenizer", &tokenizer, "-o", &path("s"), "--json"], &long))[0];
    let manifest = &json(&ok(&["tokenize", "shard", &path("text.txt"), "--tokenizer", &tokenizer, "-o", &path("t"), "--json"]))[0];
    assert_eq!(piped_manifest["shards"], manifest["shards"]);
    let args = ["train", "--text", "-", "--tokenizer", &tokenizer, "--out", &path("run"), "--steps", "2", "--log-every", "1", "--json"];
    let rows = json(&piped(&[&args[..], common::SHAPE].concat(), &long));
    assert!(rows.iter().any(|r| r["kind"] == "step" && r["step"] == 2), "{rows:?}");
    ok(&["train", "--config", &path("run/config.toml")]);
    assert_eq!(
        piped(&["generate", "--model", &model, "--config", "-", "The"], b"seed = 4\nmax_tokens = 3\n"),
        ok(&["generate", "--model", &model, "--seed", "4", "-l", "3", "The"])
    );
}

#[test]
fn tokens_come_back() {
    let tokenizer = model().join("tokenizer").to_string_lossy().into_owned();
    let text = "Naïve café 🙂 <|endoftext|>\n\ttab";
    let encoded = &json(&ok(&["tokenize", "encode", "--tokenizer", &tokenizer, "--json", text]))[0];
    let ids: Vec<String> = encoded["ids"].as_array().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(encoded["offsets"].as_array().unwrap().len(), ids.len());
    let mut args = vec!["tokenize", "decode", "--tokenizer", &tokenizer];
    args.extend(ids.iter().map(String::as_str));
    assert_eq!(ok(&args), text);
    let allowed = ok(&["tokenize", "encode", "--tokenizer", &tokenizer, "--special", "allow", "<|endoftext|>"]);
    assert_eq!(allowed.split_whitespace().count(), 1);
}

#[test]
fn shards_are_written_and_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (text, tokenizer) =
        (model().join("text.txt").to_string_lossy().into_owned(), model().join("tokenizer").to_string_lossy().into_owned());
    let manifest = &json(&ok(&["tokenize", "shard", &text, "--tokenizer", &tokenizer, "-o", &path("shards"), "--json"]))[0];
    assert_eq!(manifest["format"], "ovid-token-shards");
    let again = run(&["tokenize", "shard", &text, "--tokenizer", &tokenizer, "-o", &path("shards")]);
    assert!(stderr(&again).contains("hint: replace it with --force"), "{}", stderr(&again));
    let args = ["train", "--data", &path("shards"), "--out", &path("run"), "--steps", "2", "--log-every", "1", "--json"];
    let rows = json(&ok(&[&args[..], common::SHAPE].concat()));
    assert!(rows.iter().any(|r| r["kind"] == "step" && r["step"] == 2), "{rows:?}");
}

#[test]
fn a_model_keeps_its_voice_through_conversion() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let said = |model: &str| ok(&["generate", "--model", model, "--seed", "4", "-l", "16", "The sea"]);
    let expected = said(&model_arg());
    ok(&["convert", &model_arg(), "-o", &path("a.gguf")]);
    assert_eq!(said(&path("a.gguf")), expected);
    ok(&["convert", &path("a.gguf"), "-o", &path("back")]);
    assert_eq!(said(&path("back")), expected);
    ok(&["convert", &model_arg(), "-o", &path("q.gguf"), "--dtype", "q8_0"]);
    said(&path("q.gguf"));
    let facts = &json(&ok(&["info", "--json", &path("q.gguf")]))[0];
    assert_eq!((facts["n_layer"].as_u64(), facts["n_embd"].as_u64()), (Some(1), Some(32)));
    assert!(facts["sha256"].is_null() && facts["dtype"] == "Q8_0");
    let digest = &json(&ok(&["info", "--json", "--sha256", &path("q.gguf")]))[0]["sha256"];
    let sample = &json(&ok(&["generate", "--model", &path("q.gguf"), "--seed", "1", "-l", "1", "--json", "The"]))[0];
    assert_eq!(digest, &sample["model"]["sha256"]);
    assert!(ok(&["info", &model_arg()]).contains("parameters"));
}

#[test]
fn write_takes_lines_and_commands() {
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("saved.txt");
    let mut child = ovid(&["write", "--model", &model_arg(), "--seed", "5", "-l", "6"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let script =
        format!("The sun\n/retry\n/undo\n/set temperature 0\nThe sea\n\n/dance\n/set colour red\n/save {}\n/quit\n", saved.display());
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success(), "{}", stderr(&out));
    let said = stderr(&out);
    assert!(said.contains("no command is called '/dance'") && said.contains("--colour"), "{said}");
    let greedy = ok(&["generate", "--model", &model_arg(), "--temperature", "0", "-l", "12", "--seed", "0", "The sea"]);
    assert_eq!(std::fs::read_to_string(&saved).unwrap(), greedy.trim_end_matches('\n'));
}

#[test]
fn keys_of_a_file_are_flags_and_what_is_typed_wins() {
    let file = model().join("settings.toml");
    std::fs::write(&file, "top_k = 1\n[generate]\nmax-tokens = 3\nseed = 9\n[score]\ntop = 2\n").unwrap();
    let file = file.to_string_lossy().into_owned();
    let sample = &json(&ok(&["generate", "--config", &file, "--model", &model_arg(), "--json", "The"]))[0];
    assert_eq!(
        (sample["ids"].as_array().unwrap().len(), sample["seed"].as_u64(), &sample["sampler"]["top_k"]),
        (3, Some(9), &serde_json::json!(1))
    );
    let sample = &json(&ok(&["generate", "--config", &file, "--model", &model_arg(), "--json", "--max-tokens", "5", "The"]))[0];
    assert_eq!(sample["ids"].as_array().unwrap().len(), 5);
}

#[test]
fn completions_and_manual_pages_name_every_command() {
    let commands = ["generate", "write", "score", "tokenize", "train", "convert", "info", "pull"];
    for shell in ["bash", "zsh", "fish"] {
        let script = ok(&["completions", shell]);
        assert!(commands.iter().all(|c| script.contains(c)), "{shell}");
    }
    let folder = tempfile::tempdir().unwrap();
    ok(&["man", &folder.path().to_string_lossy()]);
    for command in commands {
        assert!(folder.path().join(format!("ovid-{command}.1")).is_file(), "{command}");
        let help = ok(&[command, "--help"]);
        assert!(help.contains("Example"), "ovid {command} --help has no example");
    }
}
