//! `unsafe` stands in the kernels and in the memory map alone; every other crate forbids it through the workspace's lints.

use anyhow::{Context, Result};

use crate::tree::Tree;

/// Where `unsafe` may stand.
const ALLOWED: [&str; 2] = ["crates/ovid-kernels/", "crates/ovid-io/src/mapped.rs"];

/// The crates that may relax the workspace's lint, since they hold a place of [`ALLOWED`].
const RELAXED: [&str; 2] = ["crates/ovid-kernels/Cargo.toml", "crates/ovid-io/Cargo.toml"];

/// Files with `unsafe` where none may be, and crates that do not take the workspace's lints.
pub fn check(tree: &Tree) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for file in tree.with_extension("rs").filter(|f| !ALLOWED.iter().any(|a| f.starts_with(a)) && *f != "xtask/src/unsafety.rs") {
        for (n, line) in tree.read(file)?.lines().enumerate() {
            if is_unsafe(line) {
                faults.push(format!("{file}:{}: unsafe outside {}", n + 1, ALLOWED.join(", ")));
            }
        }
    }
    for file in tree.files.iter().filter(|f| f.ends_with("/Cargo.toml") && !RELAXED.contains(&f.as_str())) {
        let manifest: toml::Table = tree.read(file)?.parse().with_context(|| format!("{file} is not TOML"))?;
        let inherits = manifest.get("lints").and_then(|l| l.get("workspace")).and_then(toml::Value::as_bool);
        if inherits != Some(true) {
            faults.push(format!("{file}: does not say [lints] workspace = true"));
        }
    }
    Ok(faults)
}

fn is_unsafe(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    ["unsafe {", "unsafe fn", "unsafe impl", "unsafe trait", "unsafe extern", "#[unsafe("].iter().any(|p| code.contains(p))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_is_told_from_talk_of_it() {
        assert!(is_unsafe("    let x = unsafe { *p };"));
        assert!(is_unsafe("pub unsafe fn f() {}"));
        assert!(!is_unsafe("// unsafe { would be wrong }"));
        assert!(!is_unsafe("#![forbid(unsafe_code)]"));
    }
}
