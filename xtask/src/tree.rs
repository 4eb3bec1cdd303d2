//! The working tree: which files it has, and what cargo knows of its packages.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The repository as the checks see it.
pub struct Tree {
    /// The root folder.
    pub root: PathBuf,
    /// Every file that git tracks or would track, relative to the root, sorted.
    pub files: Vec<String>,
}

impl Tree {
    /// Lists the tree that holds this program's source.
    pub fn open() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in no folder")?.to_path_buf();
        let listed = output(Command::new("git").current_dir(&root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]))?;
        let mut files: Vec<String> = listed.split('\0').filter(|f| !f.is_empty() && root.join(f).is_file()).map(String::from).collect();
        files.sort_unstable();
        files.dedup();
        Ok(Self { root, files })
    }

    /// The files whose name ends in `.extension`.
    pub fn with_extension<'a>(&'a self, extension: &'a str) -> impl Iterator<Item = &'a str> {
        self.files.iter().map(String::as_str).filter(move |f| Path::new(f).extension().is_some_and(|e| e == extension))
    }

    /// The text of a file of the tree.
    pub fn read(&self, file: &str) -> Result<String> {
        std::fs::read_to_string(self.root.join(file)).with_context(|| format!("cannot read {file}"))
    }

    /// `cargo metadata` of the whole workspace with its dependencies.
    pub fn metadata(&self) -> Result<Value> {
        let text = output(cargo(&self.root).args(["metadata", "--format-version", "1", "--locked"]))?;
        serde_json::from_str(&text).context("cargo metadata printed something that is not JSON")
    }
}

/// The cargo that started this program, in `root`.
pub fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

/// What a command prints on stdout; its stderr goes to ours.
fn output(command: &mut Command) -> Result<String> {
    let out = command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot start {command:?}"))?;
    if !out.status.success() {
        bail!("{command:?} failed: {}", out.status);
    }
    String::from_utf8(out.stdout).with_context(|| format!("{command:?} printed something that is not UTF-8"))
}
