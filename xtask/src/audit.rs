//! Security advisories, through cargo-deny: the one chore that needs the network.

use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::tree::{Tree, cargo};

/// Runs every check of cargo-deny. `Ok(false)` where it found something; an error where it could not look.
pub fn run() -> Result<bool> {
    let tree = Tree::open()?;
    let mut probe = cargo(&tree.root);
    if !probe.args(["deny", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success()) {
        anyhow::bail!("cargo-deny is not installed, so no advisory was checked; install it with: cargo install --locked cargo-deny");
    }
    let checked = |what: &[&str]| -> Result<(bool, String)> {
        let mut command: Command = cargo(&tree.root);
        let out = command.args(["deny", "--color", "never", "check"]).args(what).output().context("cannot start cargo-deny")?;
        Ok((out.status.success(), String::from_utf8_lossy(&out.stderr).into_owned()))
    };
    let (offline_ok, said) = checked(&["licenses", "bans", "sources"])?;
    print!("{said}");
    let (advisories_ok, said) = checked(&["advisories"])?;
    print!("{said}");
    if !advisories_ok && (said.contains("failed to fetch") || said.contains("unable to fetch") || said.contains("failed to connect")) {
        anyhow::bail!("the advisory database cannot be reached from here, so no advisory was checked; try again with a network");
    }
    Ok(offline_ok && advisories_ok)
}
