//! `ovid detect`: what it prints, and what it refuses.

mod common;

use common::{json, model_arg, ok, run, stderr};

/// Human and machine texts: sentences of other words in other orders, so that even the smallest model scores them differently.
fn corpus(folder: &std::path::Path, name: &str, machine: bool) -> String {
    let path = folder.join(name);
    let mut text = String::new();
    for i in 0..260u32 {
        let words = [
            "sun", "grass", "warm", "green", "sea", "man", "old", "she", "said", "goes", "xylem", "quartz", "vex", "jumbo", "fjord", "wig",
        ];
        // A small generator of our own: the words of a text need only differ.
        let mut state = i.wrapping_mul(2_654_435_761).wrapping_add(u32::from(machine) * 97);
        let mut sentence = String::new();
        for _ in 0..60 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let pick = (state >> 16) as usize % if machine { 10 } else { words.len() };
            sentence.push_str(words[pick]);
            sentence.push(' ');
        }
        text.push_str(
            &serde_json::json!({ "text": sentence, "id": format!("doc {i}"), "source": if i % 2 == 0 { "even" } else { "odd" } })
                .to_string(),
        );
        text.push('\n');
    }
    std::fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

#[test]
fn a_calibration_is_made_reported_and_used() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (human, machine) = (corpus(folder.path(), "human.jsonl", false), corpus(folder.path(), "machine.jsonl", true));
    let model = model_arg();
    let made = ok(&[
        "detect",
        "calibrate",
        "--model",
        &model,
        "--human",
        &human,
        "--machine-texts",
        &machine,
        "--resamples",
        "20",
        "--out",
        &path("c.json"),
        "--report",
        &path("report"),
        "--json",
    ]);
    let report = &json(&made)[0];
    let row = &report["by_length"][0];
    assert!(row["auroc"]["value"].as_f64().unwrap() > 0.9, "{row}");
    assert_eq!(row["tpr_at_1_percent"], serde_json::Value::Null, "fewer than 300 human texts: {row}");
    for extension in ["json", "csv", "md", "svg"] {
        assert!(std::fs::metadata(path(&format!("report.{extension}"))).unwrap().len() > 100);
    }
    let stored: ovid_detect::DetectionReport = serde_json::from_slice(&std::fs::read(path("report.json")).unwrap()).unwrap();
    assert_eq!(serde_json::to_value(&stored).unwrap(), *report);

    let judge = |extra: &[&str], files: &[&str]| {
        json(&ok(&[&["detect", "--model", &model, "--calibration", &path("c.json"), "--fpr", "0.05", "--json"], extra, files].concat()))
    };
    let count = |all: &[serde_json::Value], verdict: &str| all.iter().filter(|d| d["verdict"] == verdict).count();
    let (of_machine, of_human) = (judge(&[], &[&machine]), judge(&[], &[&human]));
    assert!(
        count(&of_machine, "machine") > 200 && count(&of_human, "machine") < 30,
        "{} {}",
        count(&of_machine, "machine"),
        count(&of_human, "machine")
    );
    let one = &of_machine[0];
    for key in
        ["statistics", "n_tokens", "probability", "interval", "verdict", "needed_tokens", "fpr", "calibration", "file", "line", "prior"]
    {
        assert!(one.get(key).is_some(), "{key} in {one}");
    }
    let (doubtful, sure) =
        (one["probability"].as_f64().unwrap(), judge(&["--prior", "0.9"], &[&machine])[0]["probability"].as_f64().unwrap());
    assert!(sure > doubtful);
    std::fs::write(path("short.txt"), "so it goes").unwrap();
    std::fs::write(path("empty.txt"), "").unwrap();
    for file in ["short.txt", "empty.txt"] {
        let short = &judge(&[], &[&path(file)])[0];
        assert_eq!((&short["verdict"], &short["probability"]), (&"too_short".into(), &serde_json::Value::Null), "{short}");
        assert!(short["needed_tokens"].as_u64().unwrap() >= 25);
    }

    let campaign = json(&ok(&[
        "detect",
        "campaign",
        "--model",
        &model,
        "--calibration",
        &path("c.json"),
        "--fpr",
        "0.05",
        "--resamples",
        "40",
        "--by",
        "source",
        "--json",
        &machine,
    ]));
    assert!(campaign[0]["fraction"].as_f64().unwrap() > 0.8, "{}", campaign[0]);
    assert!(campaign[0]["groups"].as_array().unwrap().iter().all(|g| g["found"] == true));
    let honest = json(&ok(&[
        "detect",
        "campaign",
        "--model",
        &model,
        "--calibration",
        &path("c.json"),
        "--fpr",
        "0.05",
        "--resamples",
        "40",
        "--json",
        &human,
    ]));
    assert!(honest[0]["interval"][0].as_f64().unwrap() < 0.02, "{}", honest[0]["interval"]);

    // The calibration is another model's, cannot hold the rate, or is none.
    for (args, expected) in [
        (vec!["detect", "--calibration", &*path("c.json"), &*human], "the calibration was made with the model"),
        (
            vec!["detect", "--model", &*model, "--calibration", &*path("c.json"), "--fpr", "0.001", &*human],
            "a false-positive rate of 0.001 cannot be held",
        ),
        (vec!["detect", "--model", &*model, "--calibration", &*human, &*human], "is no calibration"),
        (
            vec!["detect", "campaign", "--model", &*model, "--calibration", &*path("c.json"), "--fpr", "0.05", "--by", "nothing", &*human],
            "no document has a field 'nothing'",
        ),
    ] {
        let out = run(&args);
        assert_eq!(out.status.code(), Some(2), "{args:?}: {}", stderr(&out));
        assert!(stderr(&out).contains(expected), "{args:?}: {}", stderr(&out));
    }
}

#[test]
fn bad_files_are_named_and_great_ones_cost_what_their_beginning_costs() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    std::fs::write(path("binary.txt"), [0u8, 159, 146, 150, 255]).unwrap();
    std::fs::write(path("latin.txt"), b"caf\xe9 au lait").unwrap();
    std::fs::write(path("broken.jsonl"), "{\"text\": \"a\"}\n{\"txt\": 1}\n").unwrap();
    for (file, expected) in
        [("binary.txt", "binary.txt"), ("latin.txt", "latin.txt"), ("broken.jsonl", "line 2"), ("nowhere.txt", "no such file")]
    {
        let out = run(&["detect", &path(file)]);
        assert_eq!(out.status.code(), Some(2), "{file}: {}", stderr(&out));
        assert!(stderr(&out).contains(expected), "{file}: {}", stderr(&out));
    }
    std::fs::write(path("great.txt"), "The sun was warm and so it goes. ".repeat(100_000_000 / 33)).unwrap();
    let great = &json(&ok(&["detect", "--json", "--max-tokens", "300", &path("great.txt")]))[0];
    assert_eq!((great["n_tokens"].as_u64(), great["is_cut"].as_bool()), (Some(300), Some(true)));
    std::fs::remove_file(path("great.txt")).unwrap();
}

#[test]
fn the_page_and_the_terminal_show_ranks_without_colour() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    std::fs::write(path("a.txt"), "It was <b>dark</b> & \"stormy\", caf\u{e9}.").unwrap();
    let shown = ok(&["detect", "--tokens", "--html", &path("a.html"), &path("a.txt")]);
    assert!(shown.contains("top 10") && shown.contains("rarer") && !shown.contains('\x1b'), "{shown}");
    let page = std::fs::read_to_string(path("a.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("&lt;") && !page.contains("<b>dark"), "{page}");
}

#[test]
fn detectors_learn_and_the_same_files_give_the_same_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (human, machine) = (corpus(folder.path(), "human.jsonl", false), corpus(folder.path(), "machine.jsonl", true));
    for out in ["a.safetensors", "b.safetensors"] {
        let said = &json(&ok(&["detect", "train", "--human", &human, "--machine-texts", &machine, "--out", &path(out), "--json"]))[0];
        assert!(said["auroc"].as_f64().unwrap() > 0.99, "{said}");
    }
    assert_eq!(std::fs::read(path("a.safetensors")).unwrap(), std::fs::read(path("b.safetensors")).unwrap());
    let table = &json(&ok(&["detect", "matrix", "--human", &human, &format!("one={machine}"), "--json"]))[0];
    assert!(table["auroc"][0][0].as_f64().unwrap() > 0.95, "{table}");
}
