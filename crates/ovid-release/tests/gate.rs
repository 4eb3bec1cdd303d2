//! The gate: a folder with everything passes, and one in which any thing is missing, changed, stale or unwritten does not.

mod common;

use std::fs;

use common::{Made, SIGNER, failed, files, make, write_model};
use ovid_io::Silent;
use ovid_release::Stage;
use ovid_release::check::{Status, Subject};
use ovid_release::keys::Kind;
use ovid_release::statement;

#[test]
fn a_whole_folder_passes_and_every_file_is_missed_by_name_when_it_goes_or_changes() {
    let made = make(Stage::Small, Kind::Person);
    let report = made.check(Stage::Small);
    assert_eq!(failed(&report), []);
    assert!(report.passed && report.items.iter().any(|i| i.id == "ladder" && i.status == Status::NotNeeded));

    let folder = made.release_folder();
    let mut n_tried = 0;
    for file in files(&folder) {
        let path = folder.join(&file);
        let bytes = fs::read(&path).unwrap();
        // What says what the folder is ends the check with an error; everything else fails it.
        let changes: [Option<Vec<u8>>; 3] = [None, Some([bytes.as_slice(), b" "].concat()), Some(flipped(&bytes))];
        for change in changes {
            match &change {
                None => fs::remove_file(&path).unwrap(),
                Some(changed) => fs::write(&path, changed).unwrap(),
            }
            said_of(&made, &file);
            n_tried += 1;
            fs::write(&path, &bytes).unwrap();
        }
    }
    assert!(n_tried > 80, "{n_tried}");
    assert!(made.check(Stage::Small).passed, "everything is back");
    fs::write(folder.join("evidence/extra.json"), "{}").unwrap();
    assert!(
        failed(&made.check(Stage::Small)).contains(&("record", "evidence/extra.json: it is there, but nobody vouches for it".to_owned()))
    );
}

/// One bit of the middle byte changed.
fn flipped(bytes: &[u8]) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    changed[bytes.len() / 2] ^= 1;
    changed
}

/// The check fails, or ends with an error, and says the file's name.
fn said_of(made: &Made, file: &str) {
    let Ok(release) = ovid_release::Release::open(&made.release_folder()) else { return };
    let subject = Subject::of(&release, &Silent).unwrap();
    match ovid_release::check(&release, &subject, &common::options(Stage::Small), &Silent) {
        Ok(report) => {
            let said = failed(&report);
            let name = file.rsplit('/').next().unwrap();
            assert!(!report.passed && said.iter().any(|(_, cause)| cause.contains(name)), "{file}: {said:?}");
        }
        Err(e) => assert!(e.is_bad_input(), "{file}: {e}"),
    }
}

#[test]
fn evidence_for_other_weights_is_stale_everywhere() {
    let made = make(Stage::Demo, Kind::Automatic);
    assert_eq!(failed(&made.check(Stage::Demo)), []);
    fs::remove_dir_all(made.path("model")).unwrap();
    write_model(&made.path("model"), 2);
    // A new record vouches for the files as they are, but not for what they say.
    made.seal();
    let report = made.check(Stage::Demo);
    let said = failed(&report);
    for item in ["samples", "tries", "evaluation", "probes", "provenance", "takedowns", "training", "limits", "misuse", "private-data"] {
        assert!(said.iter().any(|(id, cause)| *id == item && cause.contains("stale")), "{item}: {said:?}");
    }
    assert!(report.items.iter().any(|i| i.id == "record" && i.status == Status::Passed));
}

#[test]
fn a_program_may_answer_at_the_stage_demo_alone_and_a_stage_is_the_one_decided_for() {
    let made = make(Stage::Demo, Kind::Automatic);
    let report = made.check(Stage::Full);
    let said = failed(&report);
    for item in ["limits", "review", "responsibility", "ladder", "record", "weights"] {
        assert!(said.iter().any(|(id, cause)| *id == item && cause.contains("asks for a person")), "{item}: {said:?}");
    }
    assert!(said.iter().any(|(id, cause)| *id == "stage" && cause == "release.toml decides for the stage demo, and full was asked for"));
}

#[test]
fn what_nobody_wrote_blocks_the_gate_and_is_marked_in_the_card() {
    let made = make(Stage::Demo, Kind::Automatic);
    let path = made.release_folder().join("release.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("In this test: an intended use", "TO BE WRITTEN: an intended use")).unwrap();
    fs::remove_file(made.release_folder().join("statements/limits.json")).unwrap();
    made.seal();
    let report = made.check(Stage::Demo);
    let said = failed(&report);
    assert!(said.contains(&("plan", "release.toml: uses.intended.1 is to be written".to_owned())), "{said:?}");
    assert!(said.iter().any(|(id, cause)| *id == "limits" && cause.contains("to be written and signed")), "{said:?}");
    let card = fs::read_to_string(made.release_folder().join("README.md")).unwrap();
    assert!(
        card.contains("**TO BE WRITTEN (limits): What can the model not do") && card.contains("**TO BE WRITTEN: an intended use**"),
        "{card}"
    );
}

#[test]
fn a_statement_is_the_signers_own_and_long_enough() {
    let made = make(Stage::Small, Kind::Person);
    let release = made.release();
    let short = statement::sign(&release, "limits", "None.", "00", &made.key, common::DATE).unwrap_err().to_string();
    assert!(short.contains("1 words") && short.contains("20 at least"), "{short}");
    let other = ovid_release::keys::SecretKey::create(&made.path("other.key"), SIGNER).unwrap();
    let refused = statement::sign(&release, "limits", &"word ".repeat(30), "00", &other, common::DATE).unwrap_err().to_string();
    assert!(refused.contains("no signer in signers.toml has the public key"), "{refused}");
    // Words put into the mouth of a signer.
    let path = made.release_folder().join("statements/limits.json");
    let forged = fs::read_to_string(&path).unwrap().replace("knows nothing", "knows all");
    fs::write(&path, forged).unwrap();
    made.seal();
    let report = made.check(Stage::Small);
    assert!(
        failed(&report).iter().any(|(id, cause)| *id == "limits" && cause.contains("the signature is not that of 'test, not a person'"))
    );
}

#[test]
fn bounds_hold_and_a_list_must_have_its_fields() {
    let made = make(Stage::Demo, Kind::Automatic);
    let folder = made.release_folder();
    let list = fs::read_to_string(folder.join("checklist.toml")).unwrap();
    fs::write(folder.join("checklist.toml"), list.replace("max = 20.0", "max = 0.5")).unwrap();
    let provenance = fs::read_to_string(folder.join("evidence/provenance.json")).unwrap();
    fs::write(folder.join("evidence/provenance.json"), provenance.replace("CC0-1.0", " ")).unwrap();
    made.seal();
    let report = made.check(Stage::Demo);
    let said = failed(&report);
    assert!(said.iter().any(|(id, cause)| *id == "evaluation"
        && cause.contains("bits per byte over all held-out text is")
        && cause.contains("more than 0.5")));
    assert!(said.iter().any(|(id, cause)| *id == "provenance" && cause.contains("sources number 1 has no 'licence'")), "{said:?}");
}

#[test]
fn every_number_of_the_card_is_that_of_the_file_it_names() {
    let made = make(Stage::Demo, Kind::Automatic);
    let card = fs::read_to_string(made.release_folder().join("README.md")).unwrap();
    // Rows of tables from evidence: each cell that is a number names a source, and each source is listed with its digest.
    let rows = card.lines().filter(|l| l.starts_with("| ") && l.contains("[^"));
    let mut n_numbers = 0;
    for row in rows {
        for cell in row.trim_matches(['|', ' ']).split(" | ").skip(1) {
            assert!(!cell.parse::<f64>().is_ok(), "a number without a source: {row}");
            n_numbers += usize::from(cell.contains("[^"));
        }
    }
    assert!(n_numbers > 40, "{n_numbers}\n{card}");
    let listed: Vec<(&str, &str)> =
        card.lines().filter(|l| l.starts_with("[^")).map(|l| (l.split('`').nth(1).unwrap(), l.split('`').nth(3).unwrap())).collect();
    for (file, sha256) in listed.iter().filter(|(file, _)| file.starts_with("evidence/")) {
        assert_eq!(ovid_io::digest::sha256_file(&made.release_folder().join(file), &Silent).unwrap(), *sha256, "{file}");
    }
    assert!(listed.len() >= 6, "{listed:?}");
    let evaluation: serde_json::Value =
        serde_json::from_slice(&fs::read(made.release_folder().join("evidence/evaluation.json")).unwrap()).unwrap();
    let bits = evaluation["all"]["bits_per_byte"].as_f64().unwrap();
    assert!(card.contains(&format!("| bits per byte over all held-out text | {bits:.3}[^")), "{bits}\n{card}");
}
