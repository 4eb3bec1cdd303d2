//! What the program looks at by itself.

use super::{Context, Finding};
use crate::card::Card;
use crate::checklist::Program;
use crate::files::{plain_path, read_small, same_digest};
use crate::folder::{CARD, CARD_HTML, PLACEHOLDER};
use crate::record;
use crate::statement::short;
use crate::{Error, Stage};

impl Context<'_> {
    pub(super) fn program(&self, program: Program) -> Result<Finding, Error> {
        Ok(match program {
            Program::Weights => self.weights(),
            Program::Tokenizer => self.tokenizer(),
            Program::Plan => self.plan(),
            Program::Stage => self.stage(),
            Program::Access => self.access()?,
            Program::Watermark => self.watermark(),
            Program::Record => self.unchanged()?,
            Program::Card => self.card()?,
        })
    }

    fn weights(&self) -> Finding {
        let record = match &self.record {
            Ok(record) => record,
            Err(cause) => return Finding::missing(cause),
        };
        let model = &self.subject.identity;
        if !same_digest(&record.model.sha256, &model.sha256) || !same_digest(&record.model.values_sha256, &model.values_sha256) {
            let (then, now) = (short(&record.model.sha256), short(&model.sha256));
            return Finding::missing(format!("all evidence is stale: it was recorded for the weights {then}, and the model is {now}"));
        }
        Finding::holds(format!("{} parameters, sha256 {}", model.n_params, short(&model.sha256)))
    }

    fn tokenizer(&self) -> Finding {
        let record = match &self.record {
            Ok(record) => record,
            Err(cause) => return Finding::missing(cause),
        };
        if !same_digest(&record.model.tokenizer_sha256, &self.subject.identity.tokenizer_sha256) {
            return Finding::missing("the tokenizer is another than the one recorded");
        }
        Finding::holds(format!("sha256 {}", short(&record.model.tokenizer_sha256)))
    }

    fn plan(&self) -> Finding {
        let unwritten = self.release.plan.unwritten();
        if unwritten.is_empty() {
            return Finding::holds(format!("responsible: {}", self.release.plan.responsible.name));
        }
        Finding::Missing { causes: unwritten.iter().map(|key| format!("release.toml: {key} is to be written")).collect(), evidence: None }
    }

    fn stage(&self) -> Finding {
        let (asked, decided) = (self.options.stage, self.release.plan.stage);
        if asked != decided {
            return Finding::missing(format!("release.toml decides for the stage {decided}, and {asked} was asked for"));
        }
        let n_params = self.subject.identity.n_params;
        match asked.max_params() {
            Some(most) if n_params > most => {
                Finding::missing(format!("the model has {n_params} parameters; the stage {asked} is for {most} at most"))
            }
            _ => Finding::holds(format!("{asked}: {}", asked.who_may_have_it())),
        }
    }

    fn access(&self) -> Result<Finding, Error> {
        let access = &self.release.plan.access;
        if access.decision.trim().is_empty() || access.decision.contains(PLACEHOLDER) {
            return Ok(Finding::missing("release.toml: access.decision is to be written"));
        }
        if self.options.stage != Stage::Researchers {
            return Ok(Finding::holds("decided"));
        }
        let Some(terms) = &access.terms else {
            return Ok(Finding::missing("release.toml: access.terms names no file, and a copy for a named person needs terms"));
        };
        let Some(path) = plain_path(terms).map(|p| self.release.folder.join(p)).filter(|p| p.is_file()) else {
            return Ok(Finding::missing(format!("the terms '{terms}' are not in the release folder")));
        };
        let text = String::from_utf8_lossy(&read_small(&path)?).into_owned();
        if text.trim().is_empty() || text.contains(PLACEHOLDER) {
            return Ok(Finding::missing(format!("the terms '{terms}' are to be written")));
        }
        Ok(Finding::holds(format!("decided; terms in {terms}")))
    }

    fn watermark(&self) -> Finding {
        let watermark = &self.release.plan.watermark;
        if watermark.decision.trim().is_empty() || watermark.decision.contains(PLACEHOLDER) {
            return Finding::missing("release.toml: watermark.decision is to be written");
        }
        match &watermark.key_id {
            Some(id) if id.len() != 16 || !id.bytes().all(|b| b.is_ascii_hexdigit()) => {
                Finding::missing(format!("release.toml: watermark.key_id '{id}' is no key's identity (16 hexadecimal digits)"))
            }
            Some(id) => Finding::holds(format!("decided; key {id}")),
            None => Finding::holds("decided; no key"),
        }
    }

    fn unchanged(&self) -> Result<Finding, Error> {
        let record = match &self.record {
            Ok(record) => record,
            Err(cause) => return Ok(Finding::missing(cause)),
        };
        let faults = record::faults(&self.release.folder, record, self.observer)?;
        if faults.is_empty() {
            let found = format!("{} files as {} signed them on {}", record.files.len(), record.signer.name, record.date);
            return Ok(Finding::holds(found));
        }
        Ok(Finding::Missing { causes: faults.into_iter().map(|f| format!("{}: {}", f.path, f.what)).collect(), evidence: None })
    }

    fn card(&self) -> Result<Finding, Error> {
        let card = Card::new(self.release, &self.subject.identity, self.options.stage)?;
        for (file, text) in [(CARD, card.markdown()), (CARD_HTML, card.html())] {
            let path = self.release.folder.join(file);
            if !path.is_file() {
                return Ok(Finding::missing(format!("{file} is missing")));
            }
            if read_small(&path)? != text.as_bytes() {
                return Ok(Finding::missing(format!("{file} is not the card that the evidence makes now")));
            }
        }
        Ok(Finding::holds(format!("{CARD} and {CARD_HTML}")))
    }
}
