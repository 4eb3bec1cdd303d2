//! The house: which crate may import which, how long a file may be, what may stand in it.

use anyhow::{Context, Result};

use crate::tree::Tree;

/// The floors of ARCHITECTURE.md. A crate imports only lower ones.
const FLOORS: &[(&str, u8)] = &[
    ("ovid-io", 0),
    ("ovid-stats", 0),
    ("ovid-mini", 0),
    ("ovid-kernels", 1),
    ("ovid-bpe", 1),
    ("ovid-figures", 1),
    ("ovid-model", 2),
    ("ovid-watermark", 2),
    ("ovid-corpus", 2),
    ("ovid-overlap", 2),
    ("ovid-generate", 3),
    ("ovid-train", 4),
    ("ovid-eval", 4),
    ("ovid-detect", 5),
    ("ovid-samples", 5),
    ("ovid-release", 6),
    ("ovid-bench", 6),
    ("ovid-cli", 7),
    ("xtask", 8),
    // Fuzz targets of all parsers; nothing imports it.
    ("ovid-fuzz", 8),
    // Tests of ovid-bpe against other tokenizers; nothing imports it.
    ("ovid-bpe-reference", 8),
];

/// A source file longer than this is split by concept.
const MAX_LINES: usize = 600;

/// Files that are longer, each with the reason.
const LONGER: [(&str, &str); 0] = [];

/// Faults in layers, lengths, `unwrap`, and the tests that ARCHITECTURE.md names.
pub fn check(tree: &Tree) -> Result<Vec<String>> {
    let mut faults = layers(tree)?;
    let mut tests = Vec::new();
    for file in tree.with_extension("rs").chain(tree.with_extension("py")) {
        let n_lines = tree.read(file)?.lines().count();
        if n_lines > MAX_LINES && !LONGER.iter().any(|(f, _)| *f == file) {
            faults.push(format!("{file}: {n_lines} lines; split it by concept, or list it in xtask/src/layout.rs with the reason"));
        }
    }
    for file in tree.with_extension("rs") {
        let text = tree.read(file)?;
        for line in unwraps(file, &text) {
            faults.push(format!("{file}:{line}: unwrap() outside tests; return an error or say why with expect()"));
        }
        tests.extend(text.lines().filter_map(|l| l.trim_start().strip_prefix("fn ")?.split('(').next()).map(String::from));
    }
    faults.extend(invariants(&tree.read("ARCHITECTURE.md")?, &tests));
    Ok(faults)
}

fn layers(tree: &Tree) -> Result<Vec<String>> {
    let metadata = tree.metadata()?;
    let floor = |name: &str| FLOORS.iter().find(|(n, _)| *n == name).map(|(_, f)| *f);
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    let mut faults = Vec::new();
    for package in packages.iter().filter(|p| p["source"].is_null()) {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(own) = floor(name) else {
            faults.push(format!("{name}: lies on no floor; give it one in xtask/src/layout.rs and ARCHITECTURE.md"));
            continue;
        };
        let dependencies = package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
        for dependency in dependencies.iter().filter(|d| d["kind"] != "dev") {
            let other = dependency["name"].as_str().unwrap_or_default();
            if floor(other).is_some_and(|f| f >= own) {
                faults.push(format!("{name} (floor {own}) imports {other}, which does not lie lower"));
            }
        }
    }
    Ok(faults)
}

/// The lines, from 1, that call `unwrap()` in code that is not a test. Tests stand last in a file, or in a file of their own.
fn unwraps(file: &str, text: &str) -> Vec<usize> {
    let is_test = |part: &str| matches!(part, "tests" | "benches" | "examples" | "tests.rs" | "build.rs");
    if file.split('/').any(is_test) {
        return Vec::new();
    }
    let code = text.lines().enumerate().take_while(|(_, l)| !l.trim_start().starts_with("#[cfg(test)]"));
    // The pattern is written in two parts so that this file does not find itself.
    code.filter(|(_, l)| l.split("//").next().is_some_and(|c| c.contains(concat!(".unw", "rap()")))).map(|(n, _)| n + 1).collect()
}

/// Each numbered invariant says which tests hold it (`Held by`), and each of those is there.
fn invariants(page: &str, tests: &[String]) -> Vec<String> {
    let section = page.split("\n## Invariants").nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let mut faults = Vec::new();
    let mut n_invariants = 0;
    for line in section.lines().filter(|l| l.starts_with(|c: char| c.is_ascii_digit())) {
        n_invariants += 1;
        let number = line.split('.').next().unwrap_or_default();
        let Some((_, held)) = line.rsplit_once("Held by") else {
            faults.push(format!("ARCHITECTURE.md: invariant {number} names no test"));
            continue;
        };
        // Between backquotes: a test's name, or `cargo xtask check`.
        for name in held.split('`').skip(1).step_by(2).filter(|n| !n.starts_with("cargo ")) {
            let function = name.rsplit("::").next().unwrap_or(name);
            if !tests.iter().any(|t| t == function) {
                faults.push(format!("ARCHITECTURE.md: invariant {number} is held by `{name}`, which is not there"));
            }
        }
    }
    if n_invariants == 0 {
        faults.push("ARCHITECTURE.md: no section '## Invariants' with numbered lines".into());
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unwrap_is_found_in_code_alone() {
        let source = format!("let a = b{0};\n// b{0}\n#[cfg(test)]\nlet c = d{0};\n", concat!(".unw", "rap()"));
        assert_eq!(unwraps("crates/a/src/lib.rs", &source), [1]);
        assert!(unwraps("crates/a/tests/b.rs", &source).is_empty());
    }

    #[test]
    fn an_invariant_without_its_test_is_found() {
        let page = "# A\n## Invariants\n1. So. Held by `a::there`.\n2. So. Held by `gone`.\n3. So.\n## Next\n4. Not one.\n";
        let faults = invariants(page, &["there".into()]);
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults[0].contains("gone") && faults[1].contains("invariant 3"), "{faults:?}");
    }
}
