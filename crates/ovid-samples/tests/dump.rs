//! Dumps go on, end in the same bytes, and verify on any machine; what was changed is found and named.

mod common;

use std::fs;
use std::num::NonZeroU32;
use std::path::Path;

use common::{Model, origin};
use ovid_generate::Origin;
use ovid_io::{Observer, Progress};
use ovid_model::Unit;
use ovid_samples::dump::{Manifest, Plan, Setting, dump};
use ovid_samples::ledger::LedgerRecorder;
use ovid_samples::verify::{Part, VerifyReport, verify};
use ovid_samples::{Batch, Error};

const PROMPTS: [&str; 2] = ["It was a dark and stormy night", "CHAPTER I"];

fn settings(names: &str) -> Vec<Setting> {
    names.split(',').map(|s| s.parse().unwrap()).collect()
}

fn make(folder: &Path, batch: &Batch<'_>, n: u32, names: &str, unconditional: bool, prompts: &[String]) -> Result<Manifest, Error> {
    let given = (!prompts.is_empty()).then_some(prompts);
    let plan = Plan::new(batch, &origin(), NonZeroU32::new(n).unwrap(), 20, settings(names), unconditional, given)?;
    dump(folder, &plan, prompts, batch, None::<LedgerRecorder>)
}

fn prompts() -> Vec<String> {
    PROMPTS.map(String::from).to_vec()
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .map(|p| (p.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&p).unwrap()))
        .collect();
    files.sort();
    files
}

fn all(folder: &Path, model: &Model, n: usize) -> VerifyReport {
    verify(folder, &model.batch(n), &origin(), Part::All, None).unwrap()
}

/// An observer that cancels once so many samples are done.
struct CancelAfter(u64);

impl Observer for CancelAfter {
    fn progress(&self, progress: Progress<'_>) {
        STOPPED.with(|s| s.set(s.get() || progress.unit == "samples" && progress.done >= self.0));
    }
    fn cancelled(&self) -> bool {
        STOPPED.with(std::cell::Cell::get)
    }
}

thread_local! {
    static STOPPED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

#[test]
fn a_dump_stopped_again_and_again_ends_in_the_same_bytes_and_verifies_on_other_units() {
    let folder = tempfile::tempdir().unwrap();
    let (straight, stopped) = (folder.path().join("straight"), folder.path().join("stopped"));
    let fast = Model::new(2, None);
    let slow = Model::new(1, Some(Unit::Scalar));
    make(&straight, &fast.batch(4), 5, "t1,k40", true, &prompts()).unwrap();

    let mut n_stops = 0;
    loop {
        STOPPED.with(|s| s.set(false));
        match make(&stopped, &Batch { observer: &CancelAfter(2), ..slow.batch(3) }, 5, "t1,k40", true, &prompts()) {
            Err(e) => assert!(e.is_cancelled(), "{e}"),
            Ok(_) => break,
        }
        n_stops += 1;
        // A line that was being written when the power went away.
        for (name, bytes) in files(&stopped).into_iter().filter(|f| f.0.ends_with(".partial")) {
            fs::write(stopped.join(name), [&bytes[..], b"{\"prompt\":\"\",\"pro"].concat()).unwrap();
        }
        assert!(!stopped.join("manifest.json").exists());
    }
    assert!(n_stops > 3, "{n_stops}");
    assert_eq!(files(&straight), files(&stopped));

    let names: Vec<_> = files(&straight).into_iter().map(|f| f.0).collect();
    let parts = ["conditional-k40", "conditional-t1", "unconditional-k40", "unconditional-t1"];
    let expected: Vec<_> = parts[..2].iter().chain(&parts[2..]).flat_map(|p| [format!("{p}.jsonl"), format!("{p}.txt")]).collect();
    let expected: Vec<_> = [&expected[..4], &["manifest.json".to_owned()], &expected[4..]].concat();
    assert_eq!(names, expected);

    for (model, n) in [(&slow, 1), (&fast, 7)] {
        let report = all(&straight, model, n);
        assert!(report.verified, "{report:?}");
        assert_eq!((report.n_samples, report.n_checked, report.n_same), (20, 20, 20));
    }
    let part = verify(&straight, &fast.batch(2), &origin(), Part::Random { n_samples: 6, seed: 1 }, None).unwrap();
    assert_eq!((part.verified, part.n_checked, part.n_samples), (true, 6, 20));
    // Done already: nothing is made again.
    make(&straight, &fast.batch(4), 5, "t1,k40", true, &prompts()).unwrap();
    assert!(make(&straight, &fast.batch(4), 6, "t1,k40", true, &prompts()).is_err());
}

#[test]
fn the_text_is_laid_out_as_in_2019_and_seeds_begin_at_0() {
    let folder = tempfile::tempdir().unwrap();
    let model = Model::new(2, None);
    let out = folder.path().join("dump");
    let manifest = make(&out, &model.batch(4), 3, "t0.7", false, &prompts()).unwrap();
    let text = fs::read_to_string(out.join(&manifest.files[0].text.name)).unwrap();
    let lines: Vec<ovid_generate::Generation> = fs::read_to_string(out.join(&manifest.files[0].json_lines.name))
        .unwrap()
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let line = "=".repeat(40);
    let expected: String = lines.iter().enumerate().map(|(i, g)| format!("{line} SAMPLE {} {line}\n{}\n", i + 1, g.text)).collect();
    assert_eq!(text, expected);
    assert_eq!(lines.iter().map(|g| g.seed).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(lines.iter().map(|g| g.prompt.as_str()).collect::<Vec<_>>(), [PROMPTS[0], PROMPTS[1], PROMPTS[0]]);
    assert!(lines.iter().all(|g| g.ids.len() == 20));
}

/// Changes a file of a dump, and the manifest with it, as a forger would.
fn forge(folder: &Path, name: &str, change: impl Fn(String) -> String) {
    let path = folder.join(name);
    let text = change(fs::read_to_string(&path).unwrap());
    fs::write(&path, &text).unwrap();
    let manifest = folder.join("manifest.json");
    let mut json: serde_json::Value = serde_json::from_str(&fs::read_to_string(&manifest).unwrap()).unwrap();
    for file in json["files"].as_array_mut().unwrap() {
        for kind in ["json_lines", "text"] {
            if file[kind]["name"] == name {
                file[kind]["sha256"] = ovid_io::digest::sha256(text.as_bytes()).into();
                file[kind]["n_bytes"] = text.len().into();
            }
        }
    }
    fs::write(manifest, json.to_string()).unwrap();
}

#[test]
fn what_was_changed_is_found_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let model = Model::new(2, None);
    let good = folder.path().join("good");
    make(&good, &model.batch(4), 4, "t1", true, &[]).unwrap();
    let copy = |name: &str| {
        let to = folder.path().join(name);
        fs::create_dir(&to).unwrap();
        files(&good).into_iter().for_each(|(name, bytes)| fs::write(to.join(name), bytes).unwrap());
        to
    };
    let second: ovid_generate::Generation =
        serde_json::from_str(fs::read_to_string(good.join("unconditional-t1.jsonl")).unwrap().lines().nth(1).unwrap()).unwrap();

    // One token of the second sample, digests made to fit.
    let bad = copy("token");
    let (old, new) = (format!("{:?}", second.ids).replace(' ', ""), {
        let mut ids = second.ids.clone();
        ids[7] ^= 1;
        format!("{ids:?}").replace(' ', "")
    });
    forge(&bad, "unconditional-t1.jsonl", |t| t.replace(&old, &new));
    let report = all(&bad, &model, 3);
    assert!(!report.verified && report.n_same == 3);
    let d = &report.differences[0];
    assert_eq!((d.sample, d.seed, d.field.as_str(), d.at), (2, 1, "ids", Some(7)));

    // A word of its text alone.
    let bad = copy("text");
    let at = second.text.char_indices().nth(5).unwrap().0;
    let mut changed = second.text.clone();
    changed.insert(at, '¤');
    let json = |t: &str| serde_json::to_string(t).unwrap();
    forge(&bad, "unconditional-t1.jsonl", |t| t.replace(&json(&second.text), &json(&changed)));
    let report = all(&bad, &model, 3);
    let d = &report.differences[0];
    assert_eq!((d.sample, d.field.as_str(), d.at), (2, "text", Some(at)));
    assert!(report.faults.iter().any(|f| f.contains("unconditional-t1.txt")), "{:?}", report.faults);

    // The text file alone.
    let bad = copy("txt");
    forge(&bad, "unconditional-t1.txt", |t| t.replacen('e', "é", 1));
    let report = all(&bad, &model, 3);
    assert!(!report.verified && report.n_same == 4 && report.faults.len() == 1, "{report:?}");

    // Bytes changed without the manifest; a seed that was chosen; a sample left out; another device.
    let bad = copy("bytes");
    fs::write(bad.join("unconditional-t1.txt"), "").unwrap();
    assert!(all(&bad, &model, 3).faults.iter().any(|f| f.contains("not those of the manifest")));
    let bad = copy("seed");
    forge(&bad, "unconditional-t1.jsonl", |t| t.replace("\"seed\":2", "\"seed\":99"));
    let report = all(&bad, &model, 3);
    assert!(report.faults.iter().any(|f| f.contains("sample 3")) && report.differences[0].sample == 3, "{report:?}");
    let bad = copy("fewer");
    forge(&bad, "unconditional-t1.jsonl", |t| t.lines().take(3).map(|l| format!("{l}\n")).collect());
    assert!(all(&bad, &model, 3).faults.iter().any(|f| f.contains("3 samples, but the plan has 4")));
    let bad = copy("device");
    forge(&bad, "unconditional-t1.jsonl", |t| t.replacen("\"device\":\"cpu\"", "\"device\":\"cuda:0\"", 1));
    let report = all(&bad, &model, 3);
    assert!(!report.verified && report.refused.len() == 1 && report.refused[0].why.contains("cuda:0"), "{report:?}");
    // Another model's digest is no answer but a mistake of who asks.
    let other = Origin { model: ovid_generate::ModelId { name: "x".into(), sha256: "11".into() }, ..origin() };
    assert!(verify(&good, &model.batch(1), &other, Part::All, None).unwrap_err().is_bad_input());
}

#[test]
fn the_published_text_has_no_place_where_samples_are_made_from() {
    // Without texts and tokens the samples are made all the same; only the comparison then fails for want of them.
    let folder = tempfile::tempdir().unwrap();
    let model = Model::new(2, None);
    let good = folder.path().join("good");
    make(&good, &model.batch(4), 2, "t1", true, &[]).unwrap();
    let path = folder.path().join("recipes.jsonl");
    let stripped: String = fs::read_to_string(good.join("unconditional-t1.jsonl"))
        .unwrap()
        .lines()
        .map(|line| {
            let mut json: serde_json::Value = serde_json::from_str(line).unwrap();
            json.as_object_mut().unwrap().retain(|key, _| !matches!(key.as_str(), "text" | "ids"));
            format!("{json}\n")
        })
        .collect();
    fs::write(&path, stripped).unwrap();
    thread_local!(static MADE: std::cell::Cell<u64> = const { std::cell::Cell::new(0) });
    struct Counter;
    impl Observer for Counter {
        fn progress(&self, progress: Progress<'_>) {
            MADE.with(|m| m.set(m.get().max(progress.done)));
        }
    }
    let error = verify(&path, &Batch { observer: &Counter, ..model.batch(1) }, &origin(), Part::All, None).unwrap_err();
    assert!(error.to_string().contains("missing field"), "{error}");
    assert_eq!(MADE.with(std::cell::Cell::get), 2);
}

#[test]
fn a_manifest_that_leads_out_of_its_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let model = Model::new(2, None);
    let out = folder.path().join("dump");
    make(&out, &model.batch(4), 2, "t1", true, &[]).unwrap();
    let manifest = fs::read_to_string(out.join("manifest.json")).unwrap();
    fs::copy(out.join("unconditional-t1.jsonl"), folder.path().join("unconditional-t1.jsonl")).unwrap();
    let refused = |what: &str| {
        let error = verify(&out, &model.batch(2), &origin(), Part::All, None).unwrap_err();
        assert!(error.is_bad_input(), "{what}: {error}");
        error.to_string()
    };
    for name in ["../unconditional-t1.jsonl", "/etc/passwd", "..", "", ".", "a/b", "a\\\\b", ".hidden", "other.jsonl"] {
        fs::write(out.join("manifest.json"), manifest.replace("\"unconditional-t1.jsonl\"", &format!("\"{name}\""))).unwrap();
        refused(name);
    }
    for broken in [
        "",
        "{}",
        "[]",
        &manifest[..manifest.len() / 2],
        &manifest.replace("dump-1", "dump-9"),
        &manifest.replace("\"n_samples\": 2", "\"n_samples\": -2"),
    ] {
        fs::write(out.join("manifest.json"), broken).unwrap();
        refused(broken);
    }
    fs::write(out.join("manifest.json"), &manifest).unwrap();
    #[cfg(unix)]
    for name in ["unconditional-t1.jsonl", "unconditional-t1.txt", "manifest.json"] {
        let (path, aside) = (out.join(name), folder.path().join("aside"));
        fs::rename(&path, &aside).unwrap();
        std::os::unix::fs::symlink(&aside, &path).unwrap();
        assert!(refused(name).contains("link"));
        fs::remove_file(&path).unwrap();
        fs::rename(&aside, &path).unwrap();
    }
    assert!(all(&out, &model, 2).verified);
}

#[test]
fn two_dumps_do_not_work_in_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let model = Model::new(1, None);
    let out = folder.path().join("dump");
    fs::create_dir(&out).unwrap();
    let lock = fs::File::create(out.join(".lock")).unwrap();
    lock.lock().unwrap();
    assert!(make(&out, &model.batch(1), 1, "t1", true, &[]).unwrap_err().to_string().contains("another run"));
    drop(lock);
    fs::write(out.join("notes.txt"), "mine").unwrap();
    assert!(make(&out, &model.batch(1), 1, "t1", true, &[]).unwrap_err().is_bad_input());
    assert_eq!(fs::read_to_string(out.join("notes.txt")).unwrap(), "mine");
}
