//! The worked example: ovid-mini's own release folder passes, and removing or changing any one file of it does not.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{copy_folder, failed, files};
use ovid_io::Silent;
use ovid_release::check::{self, Subject};
use ovid_release::{CheckReport, Options, Release, Stage};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A copy of the folder that finds the model where it is; `None` where nobody has made the evidence for it.
fn copied() -> Option<(tempfile::TempDir, Release, Subject)> {
    if !root().join("models/ovid-mini/release/record.json").exists() {
        eprintln!("skipped: no evidence in models/ovid-mini/release; `cargo xtask remake-mini release` makes it");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&root().join("models/ovid-mini/release"), folder.path());
    let release = Release::open(&root().join("models/ovid-mini/release")).unwrap();
    let subject = Subject::of(&release, &Silent).unwrap();
    Some((folder, release, subject))
}

fn checked(folder: &Path, subject: &Subject, n_samples: u32) -> Result<CheckReport, ovid_release::Error> {
    let release = Release::open(folder)?;
    let options = Options { stage: Stage::Demo, n_samples, seed: 1, n_threads: 2, unit: None };
    check::check(&release, subject, &options, &Silent)
}

#[test]
fn ovid_minis_own_release_passes() {
    let Some((folder, release, subject)) = copied() else { return };
    let report = checked(folder.path(), &subject, 4).unwrap();
    assert_eq!(failed(&report), [], "made again with: cargo xtask remake-mini release");
    assert!(report.passed && release.signers.iter().all(|s| s.name.contains("automatic")));
    let higher = Options { stage: Stage::Small, n_samples: 1, seed: 1, n_threads: 2, unit: None };
    let refused = check::check(&Release::open(folder.path()).unwrap(), &subject, &higher, &Silent).unwrap();
    assert!(failed(&refused).iter().any(|(_, cause)| cause.contains("asks for a person")));
}

#[test]
fn any_file_that_goes_or_changes_is_missed_by_its_name() {
    let Some((folder, _, subject)) = copied() else { return };
    // The weights need not be run for each: what is changed in the samples is seen by their digests.
    let subject = Subject { files: None, ..subject };
    let all = files(folder.path());
    assert!(all.len() > 25, "{all:?}");
    for file in all {
        let path = folder.path().join(&file);
        let bytes = fs::read(&path).unwrap();
        let mut flipped = bytes.clone();
        flipped[bytes.len() / 2] ^= 1;
        for change in [None, Some(flipped), Some([bytes.as_slice(), b"\n"].concat())] {
            match &change {
                None => fs::remove_file(&path).unwrap(),
                Some(changed) => fs::write(&path, changed).unwrap(),
            }
            let name = file.rsplit('/').next().unwrap();
            match checked(folder.path(), &subject, 0) {
                Ok(report) => {
                    let said = failed(&report);
                    assert!(!report.passed && said.iter().any(|(_, cause)| cause.contains(name)), "{file}: {said:?}");
                }
                Err(e) => assert!(e.is_bad_input() && e.to_string().contains(name), "{file}: {e}"),
            }
            fs::write(&path, &bytes).unwrap();
        }
    }
    let report = checked(folder.path(), &subject, 0).unwrap();
    assert_eq!(failed(&report), []);
}
