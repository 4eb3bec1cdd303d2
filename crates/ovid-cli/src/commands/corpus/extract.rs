//! `ovid corpus extract`: pages in, documents out; and the worker that it starts.

use std::io::{BufReader, BufWriter, stdin, stdout};
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use ovid_corpus::extract::{self, Benchmark, CrossValidation, Focus, PageLimits, Scores, Settings, Workers};
use ovid_corpus::read::Limits;

use crate::failure::Failure;
use crate::interrupt;
use crate::machine;
use crate::output::{self, Voice};
use crate::progress::Bar;

/// Take the main text out of saved pages
///
/// Reads WARC, HTML, Markdown, plain text, JSON Lines and Parquet, packed or not. DIR gets documents/ and dropped/: a document for each text, a row with a reason for each page
/// without one. Pages are read by processes of their own; one that crashes or hangs its reader costs a row. A run that was stopped goes on when it is started again.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ovid corpus extract crawl/*.warc.gz saved-pages/ -o extracted")]
pub struct Extract {
    /// Files and folders
    #[arg(required_unless_present = "benchmark", value_name = "PAGES")]
    pages: Vec<PathBuf>,
    /// The folder for documents and rows
    #[arg(long, short, value_name = "DIR", required_unless_present = "benchmark")]
    out: Option<PathBuf>,
    /// How sure to be that a paragraph belongs to the text
    #[arg(long, value_name = "precision|balanced|recall", value_parser = focus, default_value = "precision")]
    focus: Focus,
    /// Try no second way where the first finds little: faster, and less is found
    #[arg(long)]
    no_fallback: bool,
    /// Seconds of processor time that one page may take, rounded up; ten times as many on the clock
    #[arg(long, value_name = "S", default_value_t = 20.0, value_parser = seconds)]
    timeout: f64,
    /// Memory that one page may take, in MiB
    #[arg(long, value_name = "MIB", default_value = "1024")]
    memory: NonZeroU64,
    /// Stack that one page may take, in MiB
    #[arg(long, value_name = "MIB", default_value = "16")]
    stack: NonZeroU64,
    /// The largest page, unpacked, in MiB
    #[arg(long, value_name = "MIB", default_value = "64")]
    largest: NonZeroU64,
    /// Pages to work on at a time [default: the physical cores]
    #[arg(long, value_name = "N", help_heading = "Common options")]
    threads: Option<NonZeroUsize>,
    /// Print the scores on the article extraction benchmark in this folder instead
    #[arg(long, value_name = "DIR", conflicts_with_all = ["pages", "out"])]
    benchmark: Option<PathBuf>,
    /// With --benchmark: choose focus and fallback by cross-validation with so many folds
    #[arg(long, value_name = "N", requires = "benchmark", conflicts_with_all = ["focus", "no_fallback"])]
    folds: Option<NonZeroUsize>,
}

fn focus(text: &str) -> Result<Focus, String> {
    Focus::ALL.into_iter().find(|f| name(*f) == text).ok_or_else(|| "it is precision, balanced or recall".into())
}

fn name(focus: Focus) -> &'static str {
    match focus {
        Focus::Precision => "precision",
        Focus::Balanced => "balanced",
        Focus::Recall => "recall",
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|s: &f64| (0.001..=86_400.0).contains(s)).ok_or_else(|| "a number of seconds from 0.001 to 86400".into())
}

impl Extract {
    /// Extracts, or prints the scores.
    pub fn run(self, voice: Voice) -> Result<(), Failure> {
        let _graceful = interrupt::graceful();
        let bar = Bar::new(voice);
        let workers = self.workers()?;
        if let Some(folder) = &self.benchmark {
            return match self.folds {
                Some(n) => show_folds(&extract::cross_validate(folder, &workers, n.get(), &bar)?, voice, &bar),
                None => show_scores(&extract::benchmark(folder, &workers, &bar)?, voice, &bar),
            };
        }
        let limits = Limits { record_bytes: mib(self.largest) as usize };
        let out = self.out.as_deref().unwrap_or(Path::new("."));
        let report = extract::extract_to(&self.pages, out, limits, &workers, &bar)?;
        bar.clear();
        if voice.json {
            return output::object(&report);
        }
        voice.say(&format!("{:<12}{}", "records", output::human_count(report.n_records)));
        voice.say(&format!(
            "{:<12}{}, {} of text",
            "documents",
            output::human_count(report.n_documents),
            output::human_bytes(report.n_bytes)
        ));
        for (reason, n) in &report.dropped {
            voice.say(&format!("{reason:<12}{}", output::human_count(*n)));
        }
        Ok(())
    }

    fn workers(&self) -> Result<Workers, Failure> {
        let program = std::env::current_exe()
            .map_err(|e| Failure::Machine { message: format!("cannot find this program's own file: {e}"), hint: None })?;
        Ok(Workers {
            program,
            arguments: vec!["corpus".into(), "extract-worker".into()],
            n_workers: self.threads.or(NonZeroUsize::new(machine::physical_cores())).unwrap_or(NonZeroUsize::MIN),
            limits: PageLimits {
                memory_bytes: mib(self.memory),
                stack_bytes: mib(self.stack) as usize,
                time: Duration::from_secs_f64(self.timeout),
            },
            settings: Settings { focus: self.focus, fallback: !self.no_fallback },
        })
    }
}

fn mib(n: NonZeroU64) -> u64 {
    n.get().saturating_mul(1 << 20)
}

fn show_scores(benchmark: &Benchmark, voice: Voice, bar: &Bar) -> Result<(), Failure> {
    bar.clear();
    if voice.json {
        return output::object(benchmark);
    }
    for page in &benchmark.pages {
        let share = |x: Option<f64>| x.map_or_else(|| "    -".into(), |x| format!("{x:.3}"));
        output::line(&format!("{:.3}  {}  {}  {}", page.f1, share(page.precision), share(page.recall), page.url))?;
    }
    output::line(&scores(benchmark.settings, benchmark.overall, &format!("{} pages", benchmark.pages.len())))
}

fn show_folds(result: &CrossValidation, voice: Voice, bar: &Bar) -> Result<(), Failure> {
    bar.clear();
    if voice.json {
        return output::object(result);
    }
    for (settings, overall) in &result.candidates {
        output::line(&scores(*settings, *overall, "all pages"))?;
    }
    for (fold, settings) in result.chosen.iter().enumerate() {
        output::line(&format!("fold {fold}: the other folds choose {}", describe(*settings)))?;
    }
    let Scores { precision, recall, f1 } = result.overall;
    output::line(&format!("F1 {f1:.3}  precision {precision:.3}  recall {recall:.3}  each fold with what the others chose"))
}

fn describe(settings: Settings) -> String {
    format!("{}{}", name(settings.focus), if settings.fallback { " with fallback" } else { "" })
}

fn scores(settings: Settings, Scores { precision, recall, f1 }: Scores, what: &str) -> String {
    format!("F1 {f1:.3}  precision {precision:.3}  recall {recall:.3}  {}, {what}", describe(settings))
}

/// Read pages from standard input for `ovid corpus extract`, which starts this itself
#[derive(Debug, Args)]
pub struct ExtractWorker {}

impl ExtractWorker {
    /// Serves until the other side goes away.
    pub fn run(self) -> Result<(), Failure> {
        let Self {} = self;
        extract::serve(BufReader::new(stdin()), BufWriter::new(stdout()))
            .map_err(|e| Failure::Machine { message: format!("the worker cannot go on: {e}"), hint: None })
    }
}
