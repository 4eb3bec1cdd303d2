//! A new release folder.

use std::path::{Path, PathBuf};

use ovid_io::atomic::{IfExists, write_folder};
use serde::Serialize;

use crate::folder::{Access, Data, Next, PLACEHOLDER, PLAN, Plan, Responsible, SIGNERS, STATEMENTS, Uses, Watermark};
use crate::keys::Signer;
use crate::{Error, Stage, checklist};

#[derive(Serialize)]
struct Signers<'a> {
    signer: &'a [Signer],
}

/// Makes a release folder for a model: what a person must write is marked, and blocks the check until it is written.
///
/// # Errors
/// If the folder is there and not empty, or cannot be written.
pub fn init(folder: &Path, name: &str, model: &Path, stage: Stage, signers: &[Signer]) -> Result<(), Error> {
    let todo = |what: &str| format!("{PLACEHOLDER}: {what}");
    let plan = Plan {
        name: name.to_owned(),
        version: "1".to_owned(),
        licence: todo("the licence of the weights, as the hub spells it"),
        languages: vec!["en".to_owned()],
        model: seen_from(folder, model),
        tokenizer: None,
        stage,
        description: todo("what the model is, in a sentence or two"),
        audience: todo("for whom this release is"),
        uses: Uses { intended: vec![todo("an intended use")], out_of_scope: vec![todo("a use that it is not for")] },
        data: Data { statement: todo("what the training text is and where it comes from"), training: Vec::new(), held_out: Vec::new() },
        responsible: Responsible { name: todo("who answers for the release"), contact: todo("how they are reached") },
        access: Access {
            decision: todo("who may have the model, and why"),
            terms: (stage == Stage::Researchers).then(|| "TERMS.md".to_owned()),
        },
        watermark: Watermark { decision: todo("whether Ovid marks what it generates with this model, and why"), key_id: None },
        next: Next { stage: None, date: None, plan: todo("what comes next, and what must be learned before") },
    };
    let unwritable = |path: &str, e: toml::ser::Error| ovid_io::Error::unwritable(&folder.join(path), ovid_io::Place::Whole, e.to_string());
    let plan = toml::to_string_pretty(&plan).map_err(|e| unwritable(PLAN, e))?;
    let signers = toml::to_string_pretty(&Signers { signer: signers }).map_err(|e| unwritable(SIGNERS, e))?;
    write_folder::<Error>(folder, IfExists::Refuse, |temp| {
        let write = |name: &str, text: &str| {
            let path = temp.join(name);
            std::fs::write(&path, text).map_err(|e| ovid_io::Error::io(&path, "write", e))
        };
        write(PLAN, &plan)?;
        write(checklist::FILE, checklist::DEFAULT)?;
        write(SIGNERS, &signers)?;
        if stage == Stage::Researchers {
            write("TERMS.md", &todo("the terms under which a named person gets a copy\n"))?;
        }
        for name in ["evidence", STATEMENTS] {
            std::fs::create_dir(temp.join(name)).map_err(|e| ovid_io::Error::io(&temp.join(name), "make the folder", e))?;
        }
        Ok(())
    })
}

/// A path as the release folder sees it: absolute where it was absolute, else through the folder's own depth.
fn seen_from(folder: &Path, path: &Path) -> PathBuf {
    let plain = |p: &Path| p.is_relative() && p.components().all(|c| matches!(c, std::path::Component::Normal(_)));
    if !plain(folder) || !plain(path) {
        return std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    }
    let up: PathBuf = folder.components().map(|_| "..").collect();
    up.join(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_found_from_inside_the_folder() {
        assert_eq!(seen_from(Path::new("a/release"), Path::new("models/m.gguf")), Path::new("../../models/m.gguf"));
        assert_eq!(seen_from(Path::new("a"), Path::new("/m")), Path::new("/m"));
    }
}
