//! The manual shows what the program prints: every `console` block of `docs/` and the README is run, and its output compared.
//!
//! Each page has a folder of its own with `play.txt` in it. `$ command` lines go to `sh`; the lines behind them are its stdout and stderr; `[..]` stands for what differs from run to run.
//! `OVID_UPDATE_DOCS=1 cargo test -p ovid-cli --test docs` (or `cargo xtask docs`) writes the pages anew.

#![cfg(unix)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[test]
fn pages_show_what_is_printed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut pages: Vec<PathBuf> = std::fs::read_dir(root.join("docs")).unwrap().map(|e| e.unwrap().path()).collect();
    pages.push(root.join("README.md"));
    pages.retain(|p| p.extension().is_some_and(|e| e == "md"));
    pages.sort();
    let mut stale = String::new();
    for page in pages {
        let old = std::fs::read_to_string(&page).unwrap();
        let new = rerun(&old);
        if old == new {
            continue;
        }
        if std::env::var_os("OVID_UPDATE_DOCS").is_some() {
            std::fs::write(&page, new).unwrap();
        } else {
            let differing = old.lines().zip(new.lines()).find(|(a, b)| a != b);
            let _ = writeln!(stale, "{}: {differing:?}", page.display());
        }
    }
    assert!(stale.is_empty(), "pages that no longer say what is printed; `cargo xtask docs` writes them anew:\n{stale}");
}

/// The page with the output of its commands as it is now.
fn rerun(page: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/play.txt"), folder.path().join("play.txt")).unwrap();
    let mut new = String::new();
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        new.push_str(line);
        new.push('\n');
        if line != "```console" {
            continue;
        }
        while let Some(line) = lines.next_if(|l| *l != "```") {
            let Some(command) = line.strip_prefix("$ ") else { continue };
            let _ = writeln!(new, "{line}");
            let mut command = command.to_string();
            while command.ends_with('\\')
                && let Some(more) = lines.next()
            {
                let _ = writeln!(new, "{more}");
                command = format!("{}{more}", command.trim_end_matches('\\'));
            }
            let mut old = Vec::new();
            while let Some(line) = lines.next_if(|l| *l != "```" && !l.starts_with("$ ")) {
                old.push(format!("{line}\n"));
            }
            let printed = output(&command, folder.path());
            let same = printed.lines().count() == old.len() && printed.lines().zip(&old).all(|(a, b)| matches(a, b.trim_end_matches('\n')));
            new.push_str(&if same { old.concat() } else { printed });
        }
    }
    new
}

fn output(command: &str, folder: &Path) -> String {
    let programs = Path::new(env!("CARGO_BIN_EXE_ovid")).parent().unwrap();
    let path =
        std::env::join_paths(std::iter::once(programs.to_path_buf()).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())))
            .unwrap();
    let out = Command::new("sh")
        .args(["-c", &format!("{{ {command}\n}} 2>&1")])
        .current_dir(folder)
        .env("PATH", path)
        .env("NO_COLOR", "1")
        .env("HF_HOME", folder.join("cache"))
        .env_remove("OVID_SIMD")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let mut text = String::from_utf8_lossy(&out.stdout).into_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    if let Some(status) = out.status.code().filter(|s| *s != 0) {
        let _ = writeln!(text, "[exit status {status}]");
    }
    text
}

/// Whether a line is what the page says, `[..]` being anything.
fn matches(printed: &str, shown: &str) -> bool {
    let mut pieces = shown.split("[..]");
    let Some(mut rest) = printed.strip_prefix(pieces.next().unwrap_or_default()) else { return false };
    let pieces: Vec<&str> = pieces.collect();
    for (i, piece) in pieces.iter().enumerate() {
        if i + 1 == pieces.len() && piece.is_empty() {
            return true;
        }
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.is_empty()
}

#[test]
fn what_differs_may_differ() {
    for (printed, shown, expected) in [
        ("a 3 b", "a [..] b", true),
        ("a 3 b", "a [..]", true),
        ("a 3 b", "a [..] c", false),
        ("a", "a", true),
        ("a", "b", false),
        ("x y z", "[..]y[..]", true),
    ] {
        assert_eq!(matches(printed, shown), expected, "{printed} {shown}");
    }
}
