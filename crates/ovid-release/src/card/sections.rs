//! What stands in the card, section by section, in the order of Mitchell et al. 2019.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Block, Card, Inline, Section, Sources, number};
use crate::checklist::{Checklist, Item, Report, Table};
use crate::folder::PLACEHOLDER;
use crate::statement;
use crate::{Error, Evidence, Identity, Release, Stage, evidence};

/// The sections in their order. An item whose section is none of these stands in one of its own behind them.
const SECTIONS: [&str; 11] = [
    "Model details",
    "Intended use",
    "Training data",
    "Evaluation",
    "Memorisation",
    "Samples",
    "Detection",
    "Bias",
    "Ethical considerations",
    "Limits",
    "Release",
];

struct Maker<'a> {
    release: &'a Release,
    model: &'a Identity,
    stage: Stage,
    sources: Sources,
}

pub(super) fn card(release: &Release, model: &Identity, stage: Stage) -> Result<Card, Error> {
    let plan = &release.plan;
    let mut maker = Maker { release, model, stage, sources: Sources { list: Vec::new(), by_file: BTreeMap::new() } };
    let mut sections = Vec::new();
    for title in titles(&release.checklist) {
        let mut blocks = maker.own(&title);
        for item in release.checklist.item.iter().filter(|i| i.section.as_deref() == Some(&title) && i.from <= stage) {
            maker.item(item, &mut blocks)?;
        }
        if !blocks.is_empty() {
            sections.push(Section { title, blocks });
        }
    }
    let header = vec![
        ("language".to_owned(), plan.languages.clone()),
        ("license".to_owned(), vec![plan.licence.clone()]),
        ("library_name".to_owned(), vec!["transformers".to_owned()]),
        ("pipeline_tag".to_owned(), vec!["text-generation".to_owned()]),
        ("model_name".to_owned(), vec![plan.name.clone()]),
        ("tags".to_owned(), vec!["gpt2".to_owned(), "ovid".to_owned(), format!("stage-{stage}")]),
    ];
    Ok(Card { header, title: plan.name.clone(), sections, sources: maker.sources.list })
}

fn titles(checklist: &Checklist) -> Vec<String> {
    let mut titles: Vec<String> = SECTIONS.map(str::to_owned).to_vec();
    for section in checklist.item.iter().filter_map(|i| i.section.as_ref()) {
        if !titles.contains(section) {
            titles.push(section.clone());
        }
    }
    titles
}

fn words(text: impl Into<String>) -> Inline {
    Inline::Words(text.into())
}

/// Words of `release.toml`, marked where nobody has written them.
fn written(text: &str) -> Inline {
    if text.trim().is_empty() || text.contains(PLACEHOLDER) { Inline::Unwritten(text.to_owned()) } else { words(text) }
}

impl Maker<'_> {
    /// What a section says of the plan and of the model.
    fn own(&mut self, title: &str) -> Vec<Block> {
        let plan = &self.release.plan;
        let list = |texts: &[String]| Block::List(texts.iter().map(|t| vec![written(t)]).collect());
        match title {
            "Model details" => {
                let source = self.sources.of(&plan.model.file_name().unwrap_or_default().to_string_lossy(), &self.model.sha256);
                vec![
                    Block::Text(vec![written(&plan.description)]),
                    Block::Text(vec![
                        words("Version "),
                        words(&plan.version),
                        words("; parameters: "),
                        Inline::Fact(self.model.n_params.to_string(), source),
                        words("; licence of the weights: "),
                        written(&plan.licence),
                        words("; sha256 of the model "),
                        Inline::Code(self.model.sha256.clone()),
                        words(", of its numbers "),
                        Inline::Code(self.model.values_sha256.clone()),
                        words("."),
                    ]),
                    Block::Text(vec![
                        words("Responsible: "),
                        written(&plan.responsible.name),
                        words(", "),
                        written(&plan.responsible.contact),
                        words("."),
                    ]),
                ]
            }
            "Intended use" => vec![
                Block::Text(vec![words("For: "), written(&plan.audience)]),
                Block::Text(vec![words("Intended:")]),
                list(&plan.uses.intended),
                Block::Text(vec![words("Out of scope:")]),
                list(&plan.uses.out_of_scope),
            ],
            "Training data" => vec![Block::Text(vec![written(&plan.data.statement)])],
            "Release" => {
                let next = plan.next.stage.map_or_else(String::new, |s| format!("{s}: "));
                let date = plan.next.date.as_ref().map_or_else(String::new, |d| format!(" To be decided on {d}."));
                vec![
                    Block::Text(vec![
                        words(format!("Stage {}: for {}. ", self.stage, self.stage.who_may_have_it())),
                        written(&plan.access.decision),
                    ]),
                    Block::Text(vec![words("Watermark: "), written(&plan.watermark.decision)]),
                    Block::Text(vec![words(format!("Next: {next}")), written(&plan.next.plan), words(date)]),
                ]
            }
            _ => Vec::new(),
        }
    }

    /// What an item gives the card.
    fn item(&mut self, item: &Item, blocks: &mut Vec<Block>) -> Result<(), Error> {
        if let Some(wanted) = &item.report {
            return self.report(item, wanted, blocks);
        }
        if let Some(wanted) = &item.samples {
            let place = format!("{}/{}", wanted.folder, ovid_samples::dump::MANIFEST);
            let Some(manifest) = Evidence::read(&self.release.folder, &place)? else {
                blocks.push(unwritten(item));
                return Ok(());
            };
            let source = self.sources.of(&place, &manifest.sha256);
            let mut rows = Vec::new();
            for file in manifest.at("/files").and_then(Value::as_array).into_iter().flatten() {
                let text = |at: &str| evidence::at(file, at).map_or_else(String::new, shown);
                rows.push(vec![
                    vec![Inline::Code(text("/text/name"))],
                    vec![Inline::Fact(text("/n_samples"), source)],
                    vec![Inline::Code(text("/setting"))],
                ]);
            }
            let title = vec![words("Raw samples, in the order of their seeds from zero, none left out")];
            blocks.push(Block::Table { title, heads: ["file", "samples", "setting"].map(str::to_owned).to_vec(), rows });
        } else if item.statement.is_some() {
            match statement::read(&self.release.folder, &self.release.signers, item, self.stage, &self.model.sha256) {
                Ok(statement) => {
                    let automatic = if statement.kind == crate::keys::Kind::Automatic { ", an automatic signer" } else { "" };
                    let who = format!(" (Stated by {}{automatic}, {}.)", statement.signer, statement.date);
                    blocks.push(Block::Text(vec![words(format!("{} ", statement.question)), words(statement.text), words(who)]));
                }
                Err(_) => blocks.push(unwritten(item)),
            }
        }
        Ok(())
    }

    fn report(&mut self, item: &Item, wanted: &Report, blocks: &mut Vec<Block>) -> Result<(), Error> {
        let Some(found) = Evidence::read(&self.release.folder, &wanted.file)? else {
            blocks.push(unwritten(item));
            return Ok(());
        };
        let source = self.sources.of(&found.file, &found.sha256);
        if !wanted.bound.is_empty() {
            let row = |bound: &crate::checklist::Bound| {
                let value =
                    found.number(&bound.at).map_or_else(|| Inline::Unwritten("missing".to_owned()), |x| Inline::Fact(number(x), source));
                let limit = match (bound.min, bound.max) {
                    (Some(min), Some(max)) => format!("from {} to {}", number(min), number(max)),
                    (Some(min), None) => format!("at least {}", number(min)),
                    (None, Some(max)) => format!("at most {}", number(max)),
                    (None, None) => "-".to_owned(),
                };
                vec![vec![words(&bound.what)], vec![value], vec![words(limit)]]
            };
            let heads = ["", "found", "asked for"].map(str::to_owned).to_vec();
            blocks.push(Block::Table { title: vec![words(sentence(&item.title))], heads, rows: wanted.bound.iter().map(row).collect() });
        }
        for table in &wanted.table {
            blocks.push(rows(&found, table, source));
        }
        for each in &wanted.each {
            let n = found.at(&each.at).and_then(Value::as_array).map_or(0, Vec::len);
            blocks.push(Block::Text(vec![words(format!("{}: ", sentence(&each.what))), Inline::Fact(n.to_string(), source), words(".")]));
        }
        Ok(())
    }
}

/// A table of evidence.
fn rows(found: &Evidence, table: &Table, source: usize) -> Block {
    let named: Vec<(String, &Value)> = match found.at(&table.at) {
        Some(Value::Array(list)) => {
            let name = |e: &Value| table.row.as_ref().and_then(|field| e.get(field)).map_or_else(String::new, shown);
            list.iter().map(|e| (name(e), e)).collect()
        }
        Some(Value::Object(fields)) => fields.iter().map(|(name, e)| (name.clone(), e)).collect(),
        _ => Vec::new(),
    };
    let cell = |element: &Value, at: &str| match evidence::at(element, at) {
        None | Some(Value::Null) => vec![words("-")],
        Some(value) => vec![Inline::Fact(shown(value), source)],
    };
    let row = |(name, element): &(String, &Value)| {
        let first = if name.parse::<f64>().is_ok() { Inline::Fact(name.clone(), source) } else { words(name.clone()) };
        std::iter::once(vec![first]).chain(table.column.iter().map(|column| cell(element, &column.at))).collect()
    };
    let heads = table
        .row
        .iter()
        .map(|row| row.replace('_', " "))
        .chain(table.row.is_none().then(String::new))
        .chain(table.column.iter().map(|c| c.title.clone()));
    Block::Table { title: vec![words(&table.title)], heads: heads.collect(), rows: named.iter().map(row).collect() }
}

/// A value as the card shows it.
fn shown(value: &Value) -> String {
    match value {
        Value::Number(n) => n.as_f64().map_or_else(|| n.to_string(), number),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The mark in the place of what is missing.
fn unwritten(item: &Item) -> Block {
    let question = item.statement.as_ref().map_or_else(|| item.title.clone(), |q| q.question.clone());
    Block::Text(vec![Inline::Unwritten(format!("{PLACEHOLDER} ({}): {question}", item.id))])
}

/// The first letter as a capital.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// What a source is called in the list.
pub(super) fn source_words(file: &str, sha256: &str) -> String {
    format!("{file}, sha256 {sha256}")
}
