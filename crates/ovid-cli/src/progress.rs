//! The observer of the command line: a bar on stderr, notes above it, and Ctrl-C as the wish to stop.

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressState, ProgressStyle};
use ovid_io::{Observer, Progress};

use crate::interrupt;
use crate::output::Voice;

/// Shows how far long work has come, where stderr is a terminal; elsewhere only its notes.
pub struct Bar {
    voice: Voice,
    shown: Mutex<Option<(String, ProgressBar)>>,
}

impl Bar {
    /// Nothing is shown until work reports.
    pub fn new(voice: Voice) -> Self {
        Self { voice, shown: Mutex::new(None) }
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        if let Some((_, bar)) = self.shown.lock().ok().and_then(|mut shown| shown.take()) {
            bar.finish_and_clear();
        }
    }
}

impl Observer for Bar {
    fn progress(&self, progress: Progress<'_>) {
        if !self.voice.draws() {
            return;
        }
        let Ok(mut shown) = self.shown.lock() else { return };
        if let Some((stage, bar)) = shown.as_ref().filter(|(s, _)| s == progress.stage) {
            debug_assert_eq!(stage, progress.stage);
            bar.set_position(progress.done);
            return;
        }
        if let Some((_, old)) = shown.take() {
            old.finish_and_clear();
        }
        let bar = new_bar(&progress);
        bar.set_position(progress.done);
        *shown = Some((progress.stage.to_string(), bar));
    }

    fn note(&self, line: &str) {
        if self.voice.quiet {
            return;
        }
        match self.shown.lock().ok().as_deref() {
            Some(Some((_, bar))) => bar.suspend(|| self.voice.say(line)),
            _ => self.voice.say(line),
        }
    }

    fn cancelled(&self) -> bool {
        interrupt::requested()
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.clear();
    }
}

fn new_bar(progress: &Progress<'_>) -> ProgressBar {
    let (done, rate) = match progress.unit {
        "bytes" => ("{binary_bytes}/{binary_total_bytes}", "{binary_bytes_per_sec}"),
        _ => ("{human_pos}/{human_len} {prefix}", "{rate}/s"),
    };
    let (bar, template) = match progress.total {
        Some(total) => (ProgressBar::new(total), format!("{{msg}} {{wide_bar}} {done}, {rate}, {{eta}} left")),
        None => (ProgressBar::new_spinner(), format!("{{msg}} {{spinner}} {}, {rate}", done.split('/').next().unwrap_or(done))),
    };
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let rate = |state: &ProgressState, out: &mut dyn fmt::Write| {
        let _ = write!(out, "{}", HumanCount(state.per_sec() as u64));
    };
    let style = style.with_key("rate", rate);
    let bar = bar.with_style(style).with_message(progress.stage.to_string()).with_prefix(progress.unit.to_string());
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}
