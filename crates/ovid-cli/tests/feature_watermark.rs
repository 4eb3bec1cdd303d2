//! `ovid watermark` and `ovid generate --watermark`, with the built-in model: what is marked is found, by its key alone, and what cannot be is refused.

mod common;

use std::path::{Path, PathBuf};

use common::{json, ok, run, stderr};

/// A key that everyone knows, so that the test is the same every time.
fn key(folder: &Path, name: &str, secret: u8) -> String {
    let path = folder.join(name);
    ovid_watermark::Key::new([secret; 32], Some(name.to_owned())).write(&path).unwrap();
    path.to_string_lossy().into_owned()
}

fn text(path: PathBuf, bytes: &[u8]) -> String {
    std::fs::write(&path, bytes).unwrap();
    path.to_string_lossy().into_owned()
}

#[test]
fn marked_text_is_found_by_its_key_whole_mixed_and_as_json() {
    let folder = tempfile::tempdir().unwrap();
    let (spring, autumn) = (key(folder.path(), "spring", 1), key(folder.path(), "autumn", 2));
    let play = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/play.txt").to_string_lossy().into_owned();
    for scheme in ["green-list", "gumbel", "tournament"] {
        let made = ok(&[
            "generate",
            "--json",
            "--seed",
            "4",
            "-k",
            "0",
            "-l",
            "200",
            "--ignore-end",
            "--watermark",
            &spring,
            "--scheme",
            scheme,
            "It was a dark night",
        ]);
        let record = &json(&made)[0];
        assert_eq!(record["watermark"]["scheme"].as_str().unwrap().replace('_', "-"), scheme);
        let samples = text(folder.path().join("samples.jsonl"), made.as_bytes());
        let found = json(&ok(&["watermark", "detect", "--json", "--key", &autumn, "--key", &spring, &samples, &play]));
        assert_eq!((found[0]["verdict"].as_str(), found[1]["verdict"].as_str()), (Some("marked"), Some("not_found")), "{scheme} {found:?}");
        let best = &found[0]["trials"][0];
        assert_eq!(
            (&best["key"], &best["scheme"], &best["key_name"]),
            (&record["watermark"]["key"], &record["watermark"]["scheme"], &"spring".into())
        );
        assert_eq!(found[0]["trials"].as_array().unwrap().len(), 6);

        let words = record["text"].as_str().unwrap();
        let human = std::fs::read_to_string(&play).unwrap();
        let mixed = text(folder.path().join("mixed.txt"), format!("{}{words}{}", &human[..3000], &human[3000..6000]).as_bytes());
        let said = ok(&["watermark", "detect", "--key", &spring, "--scheme", scheme, "--window", "100", &mixed]);
        assert!(said.contains("marked by key") && said.contains("passages"), "{said}");
        // The same prompt given to the detector is not judged.
        let whole = text(folder.path().join("whole.txt"), format!("It was a dark night{words}").as_bytes());
        let judged = &json(&ok(&["watermark", "detect", "--json", "--key", &spring, "--prompt", "It was a dark night", &whole]))[0];
        assert_eq!(
            (judged["verdict"].as_str(), judged["trials"][0]["scheme"].as_str()),
            (Some("marked"), record["watermark"]["scheme"].as_str())
        );
    }
}

#[test]
fn keygen_makes_a_private_key_and_never_takes_the_place_of_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.key").to_string_lossy().into_owned();
    let made = &json(&ok(&["watermark", "keygen", "--json", &path]))[0];
    assert_eq!(ovid_watermark::Key::read(Path::new(&path)).unwrap().id().to_string(), made["id"].as_str().unwrap());
    let again = run(&["watermark", "keygen", &path]);
    assert_eq!(again.status.code(), Some(2));
    assert!(stderr(&again).contains("new.key' is there already"), "{}", stderr(&again));
    assert_eq!(ovid_watermark::Key::read(Path::new(&path)).unwrap().id().to_string(), made["id"].as_str().unwrap());
}

#[test]
fn what_cannot_be_judged_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let key = key(folder.path(), "spring", 1);
    let binary = text(folder.path().join("binary.txt"), &[0xff, 0xfe, 0, 1, 2]);
    let empty = text(folder.path().join("empty.txt"), b"");
    let no_key = text(folder.path().join("no.key"), b"{}");
    let cases: &[(&[&str], &str)] = &[
        (&["watermark", "detect", "--key", &key, &binary], "binary.txt"),
        (&["watermark", "detect", "--key", "nowhere.key", &empty], "cannot read 'nowhere.key': no such file"),
        (&["watermark", "detect", "--key", &no_key, &empty], "no.key' is no watermark key"),
        (&["watermark", "detect", "--key", &key, "--key", &key, &empty], "is given twice"),
        (&["watermark", "detect", "--key", &key, "--fpr", "0", &empty], "--fpr is 0"),
        (&["watermark", "detect", "--key", &key, "--prompt", "x", &empty], "does not begin with the prompt"),
        (&["watermark", "detect", "--key", &key, "--scheme", "red-list", &empty], "the schemes are green-list, gumbel and tournament"),
        (
            &["watermark", "detect", "--key", &key, "--scheme", "gumbel", "--gamma", "0.5", &empty],
            "--gamma is a setting of --scheme green-list",
        ),
        (&["watermark", "detect", "--key", &key, "--gamma", "1.5", &empty], "gamma is 1.5, but must be above 0 and below 1"),
        (&["generate", "--scheme", "gumbel", "x"], "hint: pass --watermark KEYFILE"),
        (
            &["generate", "--watermark", &key, "--scheme", "tournament", "-t", "0", "x"],
            "the watermark's scheme is tournament, but must be green-list",
        ),
        (&["generate", "--watermark", &key, "--layers", "40", "--scheme", "tournament", "x"], "layers is 40, but must be between 1 and 32"),
    ];
    for (args, expected) in cases {
        let out = run(args);
        let said = stderr(&out);
        assert_eq!(out.status.code(), Some(2), "ovid {args:?}: {said}");
        assert!(
            said.lines().any(|l| l.starts_with("error: ")) && said.contains(expected) && out.stdout.is_empty(),
            "ovid {args:?}: {said}"
        );
    }
    let short = ok(&["watermark", "detect", "--key", &key, &empty]);
    assert!(short.contains("too short to tell: 0 tokens"), "{short}");
    let judged = &json(&ok(&["watermark", "detect", "--json", "--key", &key, "--text", "A word."]))[0];
    assert_eq!(judged["verdict"], "too_short");
}

#[cfg(unix)]
#[test]
fn a_key_that_others_may_read_is_not_used() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let key = key(folder.path(), "spring", 1);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    for args in [&["watermark", "detect", "--key", &key, "--text", "x"][..], &["generate", "--watermark", &key, "x"]] {
        let out = run(args);
        assert_eq!(out.status.code(), Some(2));
        assert!(stderr(&out).contains("may be read by others (mode 644)") && stderr(&out).contains("chmod 600"), "{}", stderr(&out));
    }
}
