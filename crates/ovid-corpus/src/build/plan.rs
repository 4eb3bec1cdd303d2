//! From the stages of the file to passes.

use std::path::PathBuf;

use crate::Error;
use crate::clean::Stages;
use crate::config::{Config, StageRule};

/// A stage that must see all documents.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Comparison {
    pub stage: &'static str,
    /// The reason in the rows of what it leaves out.
    pub reason: &'static str,
    pub how: How,
    /// Documents to compare with, instead of each with all others.
    pub articles: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum How {
    Exact,
    Near { drop_at: f64, together_at: f64 },
}

/// One pass: stages that look at one document, then at most one comparison.
pub(super) struct Pass {
    pub stages: Stages,
    pub names: Vec<&'static str>,
    pub then: Option<Comparison>,
}

/// The passes of a configuration; there is one at least.
pub(super) fn passes(config: &Config) -> Result<Vec<Pass>, Error> {
    let mut passes = Vec::new();
    let mut rules: Vec<&StageRule> = Vec::new();
    for rule in &config.stages {
        // Wikipedia is both: domains can be judged one by one.
        if !matches!(rule, StageRule::ExactDuplicates(_) | StageRule::NearDuplicates(_)) {
            rules.push(rule);
        }
        if let Some(then) = comparison(rule) {
            passes.push(pass(&std::mem::take(&mut rules), Some(then))?);
        }
    }
    passes.push(pass(&rules, None)?);
    Ok(passes)
}

fn pass(rules: &[&StageRule], then: Option<Comparison>) -> Result<Pass, Error> {
    Ok(Pass { stages: Stages::new(rules.iter().copied())?, names: rules.iter().map(|rule| rule.name()).collect(), then })
}

fn comparison(rule: &StageRule) -> Option<Comparison> {
    let of = |reason, how, articles| Some(Comparison { stage: rule.name(), reason, how, articles });
    match rule {
        StageRule::ExactDuplicates(_) => of("exact-duplicate", How::Exact, Vec::new()),
        StageRule::NearDuplicates(near) => {
            of("near-duplicate", How::Near { drop_at: near.drop_at, together_at: near.together_at }, Vec::new())
        }
        StageRule::Wikipedia(wikipedia) if !wikipedia.articles.is_empty() => {
            of("like-article", How::Near { drop_at: wikipedia.drop_at, together_at: wikipedia.drop_at }, wikipedia.articles.clone())
        }
        _ => None,
    }
}

/// All files of articles.
pub(super) fn articles(config: &Config) -> Vec<&PathBuf> {
    config.stages.iter().flat_map(|stage| if let StageRule::Wikipedia(rule) = stage { &rule.articles[..] } else { &[] }).collect()
}

/// All lists of links.
pub(super) fn link_lists(config: &Config) -> Vec<&PathBuf> {
    config.stages.iter().flat_map(|stage| if let StageRule::Links(rule) = stage { &rule.lists[..] } else { &[] }).collect()
}
