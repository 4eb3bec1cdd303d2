//! `ovid release` as people and accidents use it: the whole way from a model to a verified export, killed at any moment, and on a full disk.

#![cfg(unix)]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use common::{json, model_arg, ok, ovid, run, stderr};

/// A release folder that passes at the stage demo, made by the commands of the manual.
struct Made {
    folder: tempfile::TempDir,
}

impl Made {
    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }

    fn export(&self, out: &str) -> Command {
        let [release, key, out] = ["release", "auto.key", out].map(|name| self.path(name));
        ovid(&["release", "export", &release, "--stage", "demo", "--key", &key, "--samples", "1", "--seed", "1", "-o", &out])
    }

    fn verifies(&self, out: &str) -> bool {
        run(&["release", "verify", &self.path(out), "--samples", "1", "--seed", "1", "--json"]).status.success()
    }

    /// What writers left beside the export.
    fn leftovers(&self) -> Vec<PathBuf> {
        let all = std::fs::read_dir(self.folder.path()).unwrap().map(|e| e.unwrap().path());
        all.filter(|p| p.to_string_lossy().contains(".partial")).collect()
    }
}

fn make() -> Made {
    let made = Made { folder: tempfile::tempdir().unwrap() };
    let [release, key, text] = ["release", "auto.key", "held-out.jsonl"].map(|name| made.path(name));
    let line = |i: usize| {
        format!(
            "{{\"style\": \"verse\", \"text\": \"The sun was warm on day {i}, the grass was green, and so it goes, she said to the old man of the sea.\"}}\n"
        )
    };
    std::fs::write(&text, (0..120).map(line).collect::<String>()).unwrap();
    let public = ok(&["release", "key", "-o", &key, "--comment", "test, not a person"]);
    let init = ["release", "init", &release, "--model", &model_arg(), "--name", "verse", "--stage", "demo"];
    ok(&[&init[..], &["--signer", "test, not a person", "--kind", "automatic", "--public-key", public.trim()]].concat());

    // What a person would write.
    let edit = |name: &str, edits: &[(&str, &str)]| {
        let path = Path::new(&release).join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, edits.iter().fold(text, |t, (from, to)| t.replace(from, to))).unwrap();
    };
    edit(
        "release.toml",
        &[
            ("TO BE WRITTEN: ", "In a test: "),
            ("training = []", "training = [\"../held-out.jsonl\"]"),
            ("held_out = []", "held_out = [\"../held-out.jsonl\"]"),
        ],
    );
    // A list for a model that is trained in a second: without the two reports that take hundreds of long samples.
    let list = std::fs::read_to_string(Path::new(&release).join("checklist.toml")).unwrap();
    let mut list: toml::Table = toml::from_str(&list).unwrap();
    list["item"].as_array_mut().unwrap().retain(|item| !["overlap", "detection"].contains(&item["id"].as_str().unwrap()));
    let list = toml::to_string_pretty(&list)
        .unwrap()
        .replace("max = 3.0", "max = 20.0")
        .replace("min_samples = 50", "min_samples = 6")
        .replace("min = 10000", "min = 1000");
    std::fs::write(Path::new(&release).join("checklist.toml"), list).unwrap();

    let ledger = made.path("tries.db");
    let dump = made.path("release/evidence/samples");
    ok(&[
        "samples",
        "dump",
        "--model",
        &model_arg(),
        "-n",
        "6",
        "--settings",
        "k40",
        "--max-tokens",
        "8",
        "--unconditional",
        "--ledger",
        &ledger,
        "-o",
        &dump,
    ]);
    let measured = json(&ok(&["release", "measure", &release, "--ledger", &ledger, "--json"]));
    let model = measured[0]["evaluation"]["model"]["sha256"].as_str().unwrap();
    let source = "{\"name\": \"verse\", \"licence\": \"CC0-1.0\", \"attribution\": \"written for this test\"}";
    let provenance = format!("{{\"model\": {{\"sha256\": \"{model}\"}}, \"n_documents\": 1, \"n_bytes\": 1, \"sources\": [{source}]}}\n");
    let takedowns =
        format!("{{\"model\": {{\"sha256\": \"{model}\"}}, \"contacts\": [{{\"how\": \"nobody: a test\"}}], \"entries\": []}}\n");
    std::fs::write(made.path("release/evidence/provenance.json"), provenance).unwrap();
    std::fs::write(made.path("release/evidence/takedowns.json"), takedowns).unwrap();
    for item in ["training", "limits", "misuse", "private-data"] {
        ok(&[
            "release",
            "state",
            item,
            &release,
            "--key",
            &key,
            "--text",
            &"This is said in a test of a model that knows nothing at all. ".repeat(4),
        ]);
    }
    ok(&["release", "seal", &release, "--key", &key]);
    ok(&["release", "card", &release]);
    made
}

#[test]
fn the_way_from_a_model_to_a_verified_release_through_every_fault() {
    let made = make();
    let release = made.path("release");
    let checked = run(&["release", "check", &release, "--samples", "2", "--seed", "1"]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    let out = made.export("whole").output().unwrap();
    assert!(out.status.success(), "{}", stderr(&out));
    assert!(made.verifies("whole"));

    // Killed at any moment: the name is absent, or the folder is whole.
    let (mut n_absent, mut delay) = (0, 0);
    for i in 0.. {
        let name = format!("killed-{i}");
        let mut child = made.export(&name).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(delay));
        let ended = child.try_wait().unwrap().is_some();
        let _ = child.kill();
        child.wait().unwrap();
        if Path::new(&made.path(&name)).exists() {
            assert!(made.verifies(&name), "killed after {delay} ms");
        } else {
            n_absent += 1;
        }
        for left in made.leftovers() {
            // Killed between its last byte and its name, it is whole under a temporary name; else a stranger must not take it for whole.
            let whole = run(&["release", "verify", &left.to_string_lossy(), "--samples", "1", "--seed", "1"]).status.success();
            assert!(
                !whole || ended || left.join("manifest.json").is_file(),
                "what was left after {delay} ms looks whole: {}",
                left.display()
            );
            std::fs::remove_dir_all(left).unwrap();
        }
        if ended {
            break;
        }
        delay += 1 + delay / 4;
    }
    assert!(n_absent > 3, "{n_absent}");

    // A file may not grow beyond 64 kB, which is how a full disk looks to a writer: an error, and nothing left.
    let arguments: Vec<String> = made.export("full").get_args().map(|a| format!("'{}'", a.to_string_lossy())).collect();
    let script = format!("trap '' XFSZ; ulimit -f 64; exec '{}' {}", env!("CARGO_BIN_EXE_ovid"), arguments.join(" "));
    let full = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert_eq!(full.status.code(), Some(3), "{}", stderr(&full));
    assert!(
        stderr(&full).starts_with("error: cannot write '") && !Path::new(&made.path("full")).exists() && made.leftovers().is_empty(),
        "{}",
        stderr(&full)
    );

    // Two at once.
    let mut both = [made.export("both").spawn().unwrap(), made.export("both").spawn().unwrap()];
    let codes: Vec<Option<i32>> = both.iter_mut().map(|c| c.wait().unwrap().code()).collect();
    assert!(codes.contains(&Some(0)) && codes.iter().any(|c| *c != Some(0)) && made.verifies("both"), "{codes:?}");

    // Evidence that goes makes the answer no, with the list of what is missing.
    std::fs::remove_file(made.path("release/evidence/probes.json")).unwrap();
    let refused = made.export("refused").output().unwrap();
    let said = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert_eq!(refused.status.code(), Some(1));
    assert!(said.contains("evidence/probes.json is missing") && said.contains("does not pass: 3 items are missing"), "{said}");
    assert!(!Path::new(&made.path("refused")).exists());
}
