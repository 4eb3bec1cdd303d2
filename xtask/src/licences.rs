//! Licences, banned crates and sources, from `cargo metadata` against deny.toml.
//!
//! The same three checks as cargo-deny's, without the minutes it takes to build; `cargo xtask audit` runs cargo-deny itself, advisories included.

use std::collections::HashMap;

use anyhow::{Context, Result, bail};

use crate::tree::Tree;

/// Every package whose licence, name or source deny.toml does not allow.
pub fn check(tree: &Tree) -> Result<Vec<String>> {
    let rules: toml::Table = tree.read("deny.toml")?.parse().context("deny.toml is not TOML")?;
    let allowed = strings(&rules, &["licenses", "allow"]);
    let exceptions = exceptions(&rules);
    let banned = strings(&rules, &["bans", "deny"]);
    let registries = strings(&rules, &["sources", "allow-registry"]);
    if allowed.is_empty() || registries.is_empty() {
        bail!("deny.toml lists no licence or no registry");
    }
    let metadata = tree.metadata()?;
    let mut faults = Vec::new();
    for package in metadata["packages"].as_array().context("cargo metadata lists no packages")? {
        let name = package["name"].as_str().unwrap_or("?");
        let place = format!("{name} {}", package["version"].as_str().unwrap_or("?"));
        match package["license"].as_str() {
            None => faults.push(format!("{place}: names no licence")),
            Some(expression) => match accepts(expression, &[&allowed[..], exceptions.get(name).map_or(&[], Vec::as_slice)].concat()) {
                Ok(true) => {}
                Ok(false) => faults.push(format!("{place}: licence '{expression}' is not allowed by deny.toml")),
                Err(e) => faults.push(format!("{place}: licence '{expression}': {e:#}")),
            },
        }
        if banned.iter().any(|b| b == name) {
            faults.push(format!("{place}: banned by deny.toml"));
        }
        if let Some(source) = package["source"].as_str()
            && !registries.iter().any(|r| source.strip_prefix("registry+") == Some(r.as_str()))
        {
            faults.push(format!("{place}: comes from {source}, which deny.toml does not allow"));
        }
    }
    Ok(faults)
}

/// What single crates may have besides, as deny.toml lists it.
fn exceptions(rules: &toml::Table) -> HashMap<String, Vec<String>> {
    let list = rules.get("licenses").and_then(|t| t.get("exceptions")).and_then(toml::Value::as_array);
    let entry = |v: &toml::Value| {
        let licences = v.get("allow")?.as_array()?.iter().filter_map(|l| l.as_str().map(String::from)).collect();
        Some((v.get("crate")?.as_str()?.to_string(), licences))
    };
    list.map(|l| l.iter().filter_map(entry).collect()).unwrap_or_default()
}

/// The strings of a list in a TOML table; a table in the list counts by its `name` or `crate`.
fn strings(table: &toml::Table, path: &[&str; 2]) -> Vec<String> {
    let list = table.get(path[0]).and_then(|t| t.get(path[1])).and_then(toml::Value::as_array);
    let text = |v: &toml::Value| v.as_str().or_else(|| v.get("name").or(v.get("crate")).and_then(toml::Value::as_str)).map(String::from);
    list.map(|l| l.iter().filter_map(text).collect()).unwrap_or_default()
}

/// Whether an SPDX expression can be met with the allowed licences alone. `/` is the old spelling of OR.
fn accepts(expression: &str, allowed: &[String]) -> Result<bool> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = &words[..];
    let value = either(&mut rest, allowed)?;
    if !rest.is_empty() {
        bail!("'{}' was not expected", rest[0]);
    }
    Ok(value)
}

fn either(words: &mut &[&str], allowed: &[String]) -> Result<bool> {
    let mut value = both(words, allowed)?;
    while take(words, "OR") {
        value |= both(words, allowed)?;
    }
    Ok(value)
}

fn both(words: &mut &[&str], allowed: &[String]) -> Result<bool> {
    let mut value = one(words, allowed)?;
    while take(words, "AND") {
        value &= one(words, allowed)?;
    }
    Ok(value)
}

fn one(words: &mut &[&str], allowed: &[String]) -> Result<bool> {
    if take(words, "(") {
        let value = either(words, allowed)?;
        if !take(words, ")") {
            bail!("a bracket is not closed");
        }
        return Ok(value);
    }
    let Some((name, rest)) = words.split_first() else { bail!("it ends too early") };
    *words = rest;
    let mut name = (*name).to_string();
    if take(words, "WITH") {
        let Some((exception, rest)) = words.split_first() else { bail!("it ends too early") };
        *words = rest;
        name = format!("{name} WITH {exception}");
    }
    Ok(allowed.contains(&name))
}

fn take(words: &mut &[&str], word: &str) -> bool {
    match words.split_first() {
        Some((first, rest)) if *first == word => {
            *words = rest;
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expression: &str, expected: bool) {
        let allowed = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "Unicode-3.0"].map(String::from);
        assert_eq!(accepts(expression, &allowed).unwrap(), expected, "{expression}");
    }

    #[test]
    fn spdx_expressions() {
        check("MIT", true);
        check("GPL-3.0", false);
        check("GPL-3.0 OR MIT", true);
        check("MIT/Apache-2.0", true);
        check("GPL-3.0 AND MIT", false);
        check("(MIT OR Apache-2.0) AND Unicode-3.0", true);
        check("(MIT OR Apache-2.0) AND OpenSSL", false);
        check("Apache-2.0 WITH LLVM-exception", true);
        check("Apache-2.0 WITH Another", false);
        check("MIT OR GPL-3.0 AND OpenSSL", true);
        assert!(accepts("(MIT", &["MIT".into()]).is_err());
        assert!(accepts("MIT MIT", &["MIT".into()]).is_err());
    }
}
