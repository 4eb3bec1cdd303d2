//! `ovid release check`: may it go out?

use std::fmt::Write as _;

use clap::Args;
use ovid_release::check::{ItemReport, Status, Subject};
use ovid_release::checklist::Item;
use ovid_release::{CheckReport, Release, Stage, check};

use super::{Again, Folder};
use crate::failure::Failure;
use crate::interrupt;
use crate::output::{self, Voice};
use crate::progress::Bar;

/// Hold every item of the checklist against the evidence: exit status 1 and the list of what is missing where it does not pass
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ovid release check my-model/release\n  ovid release check my-model/release --stage full --json\n  ovid release check my-model/release --explain overlap"
)]
pub struct Check {
    #[command(flatten)]
    folder: Folder,
    /// The stage that is asked for [default: the one that release.toml decides for]
    #[arg(long, value_name = "STAGE")]
    stage: Option<Stage>,
    /// Say why an item is asked for, where it comes from and how its evidence is made
    #[arg(long, value_name = "ITEM")]
    explain: Option<String>,
    #[command(flatten)]
    again: Again,
}

impl Check {
    /// Prints what was found.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = interrupt::graceful();
        let bar = Bar::new(voice);
        let release = self.folder.open()?;
        let stage = self.stage.unwrap_or(release.plan.stage);
        if let Some(id) = &self.explain {
            return explain(&release, id, stage, voice);
        }
        let options = self.again.options(stage, voice)?;
        let subject = Subject::of(&release, &bar)?;
        let report = check(&release, &subject, &options, &bar);
        bar.clear();
        let report = report?;
        if voice.json {
            output::object(&report)?;
        } else {
            output::text(&table(&report))?;
        }
        if report.passed { Ok(()) } else { Err(Failure::No) }
    }
}

/// The items, what is missing, and the answer.
pub(super) fn table(report: &CheckReport) -> String {
    let mut text = String::new();
    let width = report.items.iter().map(|item| item.id.len()).max().unwrap_or(0);
    for item in &report.items {
        let (word, what) = match item.status {
            Status::Passed => ("ok", item.found.as_deref().unwrap_or_default()),
            Status::Failed => ("MISSING", item.title.as_str()),
            Status::NotNeeded => ("-", item.found.as_deref().unwrap_or_default()),
            Status::NotChecked => ("?", item.found.as_deref().unwrap_or_default()),
        };
        let _ = writeln!(text, "{word:<8}{:<width$}  {what}", item.id);
    }
    let failed: Vec<&ItemReport> = report.items.iter().filter(|item| item.status == Status::Failed).collect();
    for item in &failed {
        let _ = writeln!(text, "\n{}: {}", item.id, item.title);
        item.missing.iter().for_each(|cause| text += &format!("  {cause}\n"));
        let _ = writeln!(text, "  -> {}", item.make);
    }
    let CheckReport { name, version, stage, .. } = report;
    let answer = if report.passed { "passes".to_owned() } else { format!("does not pass: {} items are missing", failed.len()) };
    let _ = writeln!(text, "\n{name} {version} {answer} for the stage {stage}");
    text
}

fn explain(release: &Release, id: &str, stage: Stage, voice: Voice) -> Result<(), Failure> {
    let item = release.checklist.get(id).ok_or_else(|| {
        let known: Vec<&str> = release.checklist.item.iter().map(|i| i.id.as_str()).collect();
        Failure::input(format!("the checklist has no item '{id}'")).hint(format!("its items are {}", known.join(", ")))
    })?;
    if voice.json {
        return output::object(item);
    }
    let Item { title, reason, sources, from, make, .. } = item;
    let needed = if *from <= stage { "asked for" } else { "not asked for" };
    let mut text =
        format!("{id}: {title}\n\nwhy      {reason}\nsource   {}\nfrom     the stage {from} on; {needed} at {stage}\n", sources.join("; "));
    if let Some(report) = &item.report {
        let _ = writeln!(text, "evidence {}, made for the weights (their digest at {})", report.file, report.model);
        for bound in &report.bound {
            let limits = [bound.min.map(|x| format!("at least {x}")), bound.max.map(|x| format!("at most {x}"))];
            let limits: Vec<String> = limits.into_iter().flatten().collect();
            let limits = if limits.is_empty() { "must be there".to_owned() } else { limits.join(", ") };
            let _ = writeln!(text, "         {}: {limits}", bound.what);
        }
        for each in &report.each {
            let _ = writeln!(text, "         {}: {} at least, each with {}", each.what, each.min, each.fields.join(", "));
        }
    }
    if let Some(samples) = &item.samples {
        let _ = writeln!(
            text,
            "evidence a dump of {} samples at least in {}, a random part of which is made again",
            samples.min_samples, samples.folder
        );
    }
    if let Some(question) = &item.statement {
        let who = if stage.needs_person() { "a person" } else { "a person, or automatically at the stage demo" };
        let _ = writeln!(text, "evidence {} words at least, signed by {who}:\n         {}", question.min_words, question.question);
    }
    if item.program.is_some() {
        text += "evidence the program looks at the folder itself\n";
    }
    let _ = writeln!(text, "how      {make}");
    output::text(&text)
}
