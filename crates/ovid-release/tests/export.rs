//! The export: whole or absent, verified by a stranger, any changed byte found.

mod common;

use std::fs;
use std::path::Path;

use common::{DATE, Made, copy_folder, files, make, options};
use ovid_io::Silent;
use ovid_release::Stage;
use ovid_release::export::{Ask, Outcome, export};
use ovid_release::fingerprint::{self, FingerprintKey};
use ovid_release::keys::{Kind, SecretKey};
use ovid_release::manifest::Manifest;
use ovid_release::verify::{VerifyReport, verify};

fn ask<'a>(made: &'a Made, stage: Stage, out: &'a Path, gguf: bool) -> Ask<'a> {
    Ask { check: options(stage), out, key: &made.key, date: DATE, gguf, to: None }
}

fn verified(folder: &Path) -> VerifyReport {
    verify(folder, None, 2, 3, 1, None, &Silent).unwrap()
}

fn faults(folder: &Path) -> String {
    let report = verified(folder);
    assert!(!report.verified);
    report.faults.iter().map(|f| format!("{}: {}\n", f.path, f.what)).collect()
}

#[test]
fn a_stranger_verifies_it_and_finds_any_changed_byte() {
    let made = make(Stage::Small, Kind::Person);
    let out = made.path("out");
    let Outcome::Written(manifest) = export(&made.release(), &ask(&made, Stage::Small, &out, true), &Silent).unwrap() else {
        panic!("it passes")
    };
    let report = verified(&out);
    assert!(report.verified, "{report:#?}");
    assert_eq!((report.not_checked, report.key_known), (Vec::<String>::new(), false));
    assert!(report.evidence.unwrap().passed);
    assert!(verify(&out, Some(&made.key.public_key()), 0, 0, 1, None, &Silent).unwrap().key_known);
    let other = SecretKey::create(&made.path("other.key"), "x").unwrap();
    let report = verify(&out, Some(&other.public_key()), 0, 0, 1, None, &Silent).unwrap();
    assert!(!report.verified && report.faults[0].what.contains("another key"), "{report:?}");

    // Every file: a bit changed at its beginning, in its middle and at its end; and gone.
    let all = files(&out);
    assert_eq!(all.len(), manifest.files.len() + 2);
    for file in &all {
        let path = out.join(file);
        let bytes = fs::read(&path).unwrap();
        for at in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            fs::write(&path, changed).unwrap();
            assert!(!verified(&out).verified, "{file} changed at byte {at}");
        }
        fs::remove_file(&path).unwrap();
        let said = faults(&out);
        assert!(said.contains(file.as_str()) && said.contains("missing"), "{file}: {said}");
        fs::write(&path, bytes).unwrap();
    }
    fs::write(out.join("model/extra"), "").unwrap();
    assert!(faults(&out).contains("model/extra: it is there, but nobody vouches for it"));
    fs::remove_file(out.join("model/extra")).unwrap();
    assert!(verified(&out).verified);
}

/// Even a list that somebody signed may not lead out of the folder.
#[test]
#[cfg(unix)]
fn paths_that_leave_the_folder_and_links_are_refused() {
    let made = make(Stage::Small, Kind::Person);
    let out = made.path("out");
    export(&made.release(), &ask(&made, Stage::Small, &out, false), &Silent).unwrap();
    fs::write(made.path("secret"), "secret").unwrap();
    let path = out.join("manifest.json");
    let good: Manifest = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let sign = |manifest: &Manifest| {
        let bytes = serde_json::to_vec_pretty(manifest).unwrap();
        fs::write(&path, &bytes).unwrap();
        fs::write(out.join("manifest.json.minisig"), made.key.sign(&bytes, "x").unwrap()).unwrap();
    };
    for evil in ["../secret", "model/../../secret", "/etc/passwd"] {
        let mut manifest = good.clone();
        manifest.files.push(ovid_release::FileEntry { path: evil.to_owned(), n_bytes: 6, sha256: ovid_io::digest::sha256(b"secret") });
        sign(&manifest);
        assert!(faults(&out).contains(&format!("{evil}: the list names a path that leaves the folder")), "{evil}");
    }
    sign(&good);
    assert!(verified(&out).verified);
    let card = fs::read(out.join("card.html")).unwrap();
    fs::write(made.path("elsewhere"), card).unwrap();
    fs::remove_file(out.join("card.html")).unwrap();
    std::os::unix::fs::symlink("../elsewhere", out.join("card.html")).unwrap();
    assert!(faults(&out).contains("card.html: 'card.html' is a link"));
}

#[test]
fn it_is_refused_until_the_check_passes_and_nothing_is_left() {
    let made = make(Stage::Demo, Kind::Automatic);
    fs::remove_file(made.release_folder().join("evidence/probes.json")).unwrap();
    let out = made.path("out");
    let outcome = export(&made.release(), &ask(&made, Stage::Demo, &out, false), &Silent).unwrap();
    let Outcome::Refused(report) = outcome else { panic!("probes are missing") };
    assert!(common::failed(&report).iter().any(|(id, _)| *id == "probes") && !out.exists());
    let names = fs::read_dir(made.folder.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|n| n.contains(".partial")).count(), 0);
}

#[test]
fn of_two_writers_one_wins_and_what_is_there_is_whole() {
    let made = make(Stage::Demo, Kind::Automatic);
    let out = made.path("out");
    let outcomes: Vec<bool> = std::thread::scope(|scope| {
        let write = || export(&made.release(), &ask(&made, Stage::Demo, &out, false), &Silent).is_ok();
        let writers = [scope.spawn(write), scope.spawn(write)];
        writers.into_iter().map(|w| w.join().unwrap()).collect()
    });
    assert_eq!(outcomes.iter().filter(|won| **won).count(), 1, "{outcomes:?}");
    assert!(verified(&out).verified);
    let again = export(&made.release(), &ask(&made, Stage::Demo, &out, false), &Silent).unwrap_err().to_string();
    assert!(again.contains("there already"), "{again}");
}

#[test]
fn a_model_that_is_no_folder_goes_out_as_one_and_its_own_file_beside_it() {
    let made = make(Stage::Demo, Kind::Automatic);
    let out = made.path("out");
    export(&made.release(), &ask(&made, Stage::Demo, &out, true), &Silent).unwrap();
    assert!(out.join("gguf/tiny.gguf").is_file() && out.join("model/model.safetensors").is_file());
    let training: ovid_release::export::Training = serde_json::from_slice(&fs::read(out.join("training.json")).unwrap()).unwrap();
    assert_eq!(training.sha256, ovid_io::digest::sha256_file(&out.join("training.index"), &Silent).unwrap());
    let index = ovid_overlap::Index::open(&out.join("training.index")).unwrap();
    assert_eq!((index.n_documents(), training.index.index.n_documents), (20, 20));
}

#[test]
fn a_copy_for_a_person_is_traced_to_them_and_costs_nothing_that_can_be_felt() {
    let made = make(Stage::Researchers, Kind::Person);
    let key = FingerprintKey::create(&made.path("copies.key")).unwrap();
    let release = made.release();
    let refused = export(&release, &ask(&made, Stage::Researchers, &made.path("none"), false), &Silent).unwrap_err().to_string();
    assert!(refused.contains("--to NAME"), "{refused}");
    for name in ["test recipient A", "test recipient B", "test recipient A"] {
        let out = made.path(&format!("{} {}", name, fs::read_dir(made.folder.path()).unwrap().count()));
        let ask = Ask { to: Some((name, &key)), ..ask(&made, Stage::Researchers, &out, false) };
        assert!(matches!(export(&release, &ask, &Silent).unwrap(), Outcome::Written(_)));
        let report = verified(&out);
        assert!(report.verified && report.not_checked.iter().any(|what| what.contains(name)), "{report:#?}");
        assert!(fs::read_to_string(out.join("TERMS.md")).unwrap().starts_with(&format!("This copy of tiny 1 was made for {name} on")));
        let cost: ovid_release::export::MarkCost = serde_json::from_slice(&fs::read(out.join("fingerprint.json")).unwrap()).unwrap();
        assert!(cost.change_percent.abs() < 0.1 && cost.n_marked > 500, "{cost:?}");
        let names = ovid_release::export::copies(&made.release_folder().join("copies.jsonl")).unwrap();
        let params = ovid_model::load_params(&out.join("model"), &Silent).unwrap();
        assert_eq!(fingerprint::trace(&params, &key, &names).found.as_deref(), Some(name));
        // The list of names stays at home.
        assert!(!files(&out).iter().any(|f| f.contains("copies")));
    }
    assert_eq!(
        ovid_release::export::copies(&made.release_folder().join("copies.jsonl")).unwrap(),
        ["test recipient A", "test recipient B"]
    );
}

#[test]
fn a_part_of_a_release_does_not_look_whole() {
    let made = make(Stage::Demo, Kind::Automatic);
    let out = made.path("out");
    export(&made.release(), &ask(&made, Stage::Demo, &out, false), &Silent).unwrap();
    // As many files as a writer may have written when it was killed, in any order.
    let all = files(&out);
    for n in 0..all.len() {
        let part = made.path(&format!("part-{n}"));
        fs::create_dir(&part).unwrap();
        for file in &all[..n] {
            fs::create_dir_all(part.join(file).parent().unwrap()).unwrap();
            fs::copy(out.join(file), part.join(file)).unwrap();
        }
        assert!(!verified(&part).verified, "{n} files");
    }
    let whole = made.path("copied");
    copy_folder(&out, &whole);
    assert!(verified(&whole).verified);
}
