//! `ovid samples` and `--ledger` as a person uses them, killed and on a full disk too.

#![cfg(unix)]

mod common;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{json, model_arg, ok, ovid, run, stderr};
use serde_json::Value;

fn arg(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn check(ledger: &str) -> Value {
    json(&ok(&["samples", "check", ledger, "--json"])).remove(0)
}

/// Kills `ovid` after so long; whether it had ended before.
fn killed_after(args: &[&str], after: Duration) -> bool {
    let mut child = ovid(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(after);
    let ended = child.try_wait().unwrap().is_some();
    let _ = child.kill();
    child.wait().unwrap();
    ended
}

/// Kills `ovid` once it has shown so many lines; how many whole lines it had shown by then.
fn killed_behind(args: &[&str], n_lines: usize) -> u64 {
    let mut child = ovid(args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut shown = String::new();
    for _ in 0..n_lines {
        lines.read_line(&mut shown).unwrap();
    }
    let _ = child.kill();
    lines.read_to_string(&mut shown).unwrap();
    child.wait().unwrap();
    shown.matches('\n').count() as u64
}

#[test]
fn what_was_shown_is_in_the_ledger_whenever_the_program_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = arg(&folder.path().join("tries.db"));
    let model = model_arg();
    let mut n_shown = 0;
    for i in 0..10u64 {
        let seed = (1000 * i).to_string();
        let args = ["generate", "--model", &model, "--ledger", &ledger, "-n", "30", "-l", "60", "--seed", &seed, "--json", "-q", "The sun"];
        // At any time, and in the middle of showing.
        killed_after(&args, Duration::from_millis(10 + 40 * i));
        n_shown += killed_behind(&args, 1 + 2 * i as usize);
        let found = check(&ledger);
        assert!(found["faults"].as_array().unwrap().is_empty(), "{found}");
        assert!(found["n_completed"].as_u64().unwrap() >= n_shown, "{n_shown} shown, but {found}");
    }
    assert!(n_shown >= 100, "{n_shown}");
    // The ledger is as good as new.
    ok(&["generate", "--model", &model, "--ledger", &ledger, "-l", "5", "--seed", "1", "The sun"]);
    assert!(check(&ledger)["faults"].as_array().unwrap().is_empty());
}

#[test]
fn a_killed_dump_goes_on_and_verifies() {
    let folder = tempfile::tempdir().unwrap();
    let (killed, straight) = (arg(&folder.path().join("killed")), arg(&folder.path().join("straight")));
    let model = model_arg();
    let dump = |out: &str| {
        ["samples", "dump", "--model", &model, "-n", "300", "--settings", "t1,k5", "-l", "40", "--unconditional", "-o", out]
            .map(String::from)
    };
    let args = |out: &str| dump(out).to_vec();
    let mut n_kills = 0;
    for i in 0..40u64 {
        let args = args(&killed);
        let ended = killed_after(&args.iter().map(String::as_str).collect::<Vec<_>>(), Duration::from_millis(15 + 9 * i));
        if ended {
            break;
        }
        n_kills += 1;
    }
    assert!(n_kills > 1);
    for out in [&killed, &straight] {
        ok(&args(out).iter().map(String::as_str).collect::<Vec<_>>());
    }
    let mut names: Vec<_> = fs::read_dir(&straight).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names.len(), 5);
    for name in names {
        assert!(fs::read(Path::new(&straight).join(&name)).unwrap() == fs::read(Path::new(&killed).join(&name)).unwrap(), "{name:?}");
    }
    for (unit, threads, batch) in [("scalar", "1", "1"), ("", "2", "7")] {
        let out = ovid(&["samples", "verify", &killed, "--model", &model, "--threads", threads, "--batch", batch])
            .env("OVID_SIMD", unit)
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", stderr(&out));
        assert!(String::from_utf8_lossy(&out.stdout).starts_with("verified: 600 of 600 "));
    }
    let lines = Path::new(&killed).join("unconditional-k5.jsonl");
    let text = fs::read_to_string(&lines).unwrap();
    fs::write(&lines, text.replacen("\"seed\":3,", "\"seed\":4,", 1)).unwrap();
    let out = run(&["samples", "verify", &killed, "--model", &model]);
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert!(said.contains("unconditional-k5.jsonl, sample 4 (seed 4)"), "{said}");
}

#[test]
fn a_full_disk_is_said_and_nothing_is_shown_that_is_not_taken_down() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = arg(&folder.path().join("tries.db"));
    let model = model_arg();
    ok(&["generate", "--model", &model, "--ledger", &ledger, "-n", "40", "-l", "40", "--seed", "1", "-q", "The sun"]);
    let before = check(&ledger);
    // Files may not grow beyond what the ledger has: to the program that is a full disk.
    let blocks = fs::metadata(&ledger).unwrap().len() / 512;
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let mut status = None;
    for _ in 0..60 {
        let out = Command::new("sh")
            .args(["-c", &script, env!("CARGO_BIN_EXE_ovid")])
            .args(["generate", "--model", &model, "--ledger", &ledger, "-n", "40", "-l", "40", "--seed", "2", "--json", "-q", "The sun"])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        status = out.status.code();
        if status != Some(0) {
            assert!(stderr(&out).contains("tries.db"), "{}", stderr(&out));
            break;
        }
    }
    assert_eq!(status, Some(3));
    let after = check(&ledger);
    assert!(after["faults"].as_array().unwrap().is_empty() && after["n_completed"].as_u64() >= before["n_completed"].as_u64(), "{after}");
    let dump = arg(&folder.path().join("dump"));
    let out = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_ovid")])
        .args(["samples", "dump", "--model", &model, "-n", "40", "--settings", "t1", "-l", "40", "--unconditional", "-o", &dump])
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(3), "{}", stderr(&out));
    assert!(!Path::new(&dump).join("manifest.json").exists());
    ok(&["samples", "dump", "--model", &model, "-n", "40", "--settings", "t1", "-l", "40", "--unconditional", "-o", &dump]);
    ok(&["samples", "verify", &dump, "--model", &model]);
}

#[test]
fn two_programs_write_one_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = arg(&folder.path().join("tries.db"));
    let model = model_arg();
    let start = |seed: &str| {
        ovid(&["generate", "--model", &model, "--ledger", &ledger, "-n", "30", "-l", "20", "--seed", seed, "-q", "The sun"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    for mut child in [start("1"), start("1000"), start("2000")] {
        assert!(child.wait().unwrap().success());
    }
    let found = check(&ledger);
    assert_eq!((found["n_samples"].as_u64(), found["n_completed"].as_u64()), (Some(90), Some(90)));
    assert!(found["faults"].as_array().unwrap().is_empty());
}

#[test]
fn from_a_try_to_a_shown_sample_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| arg(&folder.path().join(name));
    let (ledger, model) = (path("tries.db"), model_arg());
    let out = run(&["generate", "--model", &model, "--ledger", &ledger, "-n", "3", "-l", "30", "--seed", "5", "The sun was warm"]);
    assert!(stderr(&out).contains("sample 1 to 3"), "{}", stderr(&out));
    let script = "printf 'The sun was warm,\\n/retry\\n/quit\\n' | \"$0\" write --model \"$1\" --ledger \"$2\" --seed 9 -l 10";
    assert!(Command::new("sh").args(["-c", script, env!("CARGO_BIN_EXE_ovid"), &model, &ledger]).output().unwrap().status.success());
    let published = json(&ok(&["samples", "publish", "--ledger", &ledger, "--id", "2", "-o", &path("shown"), "--json"])).remove(0);
    assert_eq!((published["tries"]["n_tries"].as_u64(), published["tries"]["number"].as_u64()), (Some(5), Some(2)));
    assert!(ok(&["samples", "verify", &path("shown.json"), "--model", &model]).starts_with("verified: 1 of 1"));
    let text = published["text"].as_str().unwrap();
    let found = json(&ok(&["samples", "trace", "--ledger", &ledger, text, "--json"])).remove(0);
    assert_eq!(found["matches"][0]["exact"], Value::Bool(true));
    let out = run(&["samples", "trace", "--ledger", &ledger, "no words of this can be in the ledger at all"]);
    assert_eq!(out.status.code(), Some(1));

    fs::write(
        path("human.jsonl"),
        (0..9).map(|i| format!("{{\"text\":\"a person wrote text number {i} of nine\"}}\n")).collect::<String>(),
    )
    .unwrap();
    ok(&[
        "samples",
        "quiz",
        "--machine",
        &ledger,
        "--human",
        &path("human.jsonl"),
        "-n",
        "4",
        "--words",
        "6",
        "--seed",
        "1",
        "-o",
        &path("quiz.html"),
    ]);
    assert!(fs::read_to_string(path("quiz.html")).unwrap().contains("a person wrote text number"));
    ok(&["samples", "stats", &ledger, "--model", &model, "--human", &path("human.jsonl"), "--figure", &path("figure"), "-q"]);
    assert!(fs::read_to_string(path("figure-perplexity.svg")).unwrap().starts_with("<svg"));

    let db = fs::read(&ledger).unwrap();
    for (args, status) in [
        (vec!["samples", "publish", "--ledger", &ledger, "--id", "99"], 2),
        (vec!["samples", "publish", "--ledger", "absent.db", "--id", "1"], 2),
        (vec!["samples", "check", &model], 2),
        (vec!["samples", "check", &ledger, "--head", "1:00"], 1),
        (vec!["samples", "dump", "-n", "1", "-o", "nowhere"], 2),
        (vec!["samples", "dump", "-n", "1", "--settings", "t1,x", "--unconditional", "-o", "nowhere"], 2),
        (vec!["samples", "verify", &ledger, "--model", &model], 2),
        (vec!["samples", "trace", "--ledger", &ledger, "too few"], 2),
    ] {
        let out = run(&args);
        assert_eq!(out.status.code(), Some(status), "{args:?}: {}", stderr(&out));
        assert!(status == 1 || stderr(&out).starts_with("error: "), "{args:?}: {}", stderr(&out));
    }
    assert_eq!(db, fs::read(&ledger).unwrap());
}
