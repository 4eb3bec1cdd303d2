//! Making a calibration from human and machine texts, and measuring it on source documents that its score was not fitted on.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use ovid_bpe::Tokenizer;
use ovid_io::{Observer, Progress};
use ovid_stats::{Draws, bootstrap};
use xxhash_rust::xxh3::xxh3_64;

use crate::calibration::{CALIBRATION_FORMAT, Length, Side};
use crate::logistic::{dot, fit, sigmoid};
use crate::report::{DetectionReport, Estimate, REPORT_FORMAT, Row};
use crate::statistics::N_FEATURES;
use crate::{Calibration, Error, Scoring, Statistics, TRAITS, scoring, texts, traits::artefacts, traits::traits};

/// Lengths of a calibration, in GPT-2 tokens: steps of half an octave, so that a text is judged on at least 70% of what it has.
pub const LENGTHS: [usize; 9] = [25, 35, 50, 70, 100, 140, 200, 280, 400];
/// The lengths that reports have.
pub const REPORTED: [usize; 5] = [25, 50, 100, 200, 400];
/// Fewer texts than this on one side leave a length out.
const LEAST_TEXTS: usize = 50;
/// Refits of the probability's curve.
const N_CURVES: usize = 100;
/// Texts whose traits are kept.
const N_TRAITS: usize = 200;
/// One source document in this many is for fitting the score alone.
const FIT_ONE_IN: u64 = 3;

/// What goes into a calibration.
pub struct Plan<'a> {
    /// Files and folders of human texts.
    pub human: &'a [PathBuf],
    /// Files and folders of machine texts.
    pub machine: &'a [PathBuf],
    /// What the machine's texts are called; the scoring model's name where nothing is said.
    pub machine_name: Option<String>,
    /// What the human texts are called.
    pub human_name: String,
    /// GPT-2's tokenizer, in whose tokens lengths are given; `None` takes the scoring model's own.
    pub gpt2: Option<&'a Tokenizer>,
    /// The seed of split and bootstrap.
    pub seed: u64,
    /// Resamples of an interval.
    pub n_resamples: usize,
}

/// A calibration and what it measured.
pub struct Calibrated {
    /// The calibration.
    pub calibration: Calibration,
    /// Its file.
    pub json: Vec<u8>,
    /// The report.
    pub report: DetectionReport,
}

/// One text at every length that it has.
struct Sample {
    group: u32,
    is_machine: bool,
    is_fit: bool,
    domain: String,
    sampler: String,
    /// Artefacts of the text as it came.
    raw: Vec<f64>,
    lengths: Vec<AtLength>,
}

/// What is known of a text at one length.
struct AtLength {
    statistics: Statistics,
    traits: [f64; TRAITS.len()],
    artefacts: Vec<f64>,
}

impl Plan<'_> {
    /// Scores all texts, fits, calibrates and measures.
    ///
    /// # Errors
    /// If a file cannot be read, the model fails, there are too few texts, or the observer cancels.
    pub fn run(self, scoring: &Scoring<'_>, observer: &dyn Observer) -> Result<Calibrated, Error> {
        let human: Vec<_> = texts::read(self.human)?.collect::<Result<_, _>>()?;
        let machine: Vec<_> = texts::read(self.machine)?.collect::<Result<_, _>>()?;
        let ratio = self.gpt2.map_or(1.0, |gpt2| {
            let count = |t: &Tokenizer| human.iter().map(|text| t.encode(crate::clean(&text.text).as_bytes()).len()).sum::<usize>() as f64;
            count(scoring.tokenizer) / count(gpt2).max(1.0)
        });
        let n_tokens: Vec<usize> = LENGTHS.iter().map(|l| (*l as f64 * ratio).round() as usize).collect();
        let longest = n_tokens.last().copied().unwrap_or(0);
        let mut numbers: HashMap<String, u32> = HashMap::new();
        let mut samples = Vec::new();
        for (is_machine, texts) in [(false, human), (true, machine)] {
            scoring::score(scoring, texts.into_iter().map(Ok), longest, observer, |scored| {
                let next = numbers.len() as u32;
                let group = *numbers.entry(scored.text.group.clone()).or_insert(next);
                let at = |&n: &usize| {
                    let (statistics, text) = (scored.prefix(n)?, scored.prefix_text(n));
                    Some(AtLength { statistics, traits: traits(&text), artefacts: artefacts(&text) })
                };
                let lengths = n_tokens.iter().map_while(at).collect();
                let raw = artefacts(&scored.text.text);
                let is_fit = Draws::new(self.seed, 1).u64_at(xxh3_64(scored.text.group.as_bytes())).is_multiple_of(FIT_ONE_IN);
                let (domain, sampler) = (scored.text.domain, scored.text.sampler);
                samples.push(Sample { group, is_machine, is_fit, domain, sampler, raw, lengths });
                Ok(())
            })?;
        }
        let mut lengths = Vec::new();
        let mut measured = Measured::default();
        for (at, (&gpt2_tokens, &n)) in LENGTHS.iter().zip(&n_tokens).enumerate() {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            observer.progress(Progress { stage: "calibrating", done: at as u64, total: Some(LENGTHS.len() as u64), unit: "lengths" });
            let Some(length) = self.length(&samples, at, gpt2_tokens, n) else { break };
            if REPORTED.contains(&gpt2_tokens) {
                self.measure(&samples, at, &length, &mut measured);
                self.measure_artefacts(&samples, at, &length, &mut measured);
            }
            lengths.push(length);
        }
        if lengths.is_empty() {
            let n = |machine| samples.iter().filter(|s| s.is_machine == machine && !s.lengths.is_empty()).count();
            let side = if n(false) < n(true) { "human" } else { "machine" };
            return Err(Error::TooFew {
                what: format!("{side} texts of {} tokens", n_tokens[0]),
                n: n(false).min(n(true)),
                least: LEAST_TEXTS * 3 / 2,
            });
        }
        let machine = self.machine_name.unwrap_or_else(|| scoring.name.name.clone());
        let second = scoring.second.as_ref().map(|(_, name)| name.clone());
        let calibration = Calibration {
            format: CALIBRATION_FORMAT.to_owned(),
            version: 1,
            model: scoring.name.clone(),
            second: second.clone(),
            machine: machine.clone(),
            human: self.human_name,
            tokens_per_gpt2_token: (ratio * 1e4).round() / 1e4,
            statistics: Statistics::FEATURES.map(str::to_owned).to_vec(),
            lengths,
        };
        let json = serde_json::to_vec(&calibration).expect("a calibration has text keys alone");
        let report = DetectionReport {
            format: REPORT_FORMAT.to_owned(),
            version: 1,
            model: scoring.name.clone(),
            second,
            machine,
            calibration_sha256: ovid_io::digest::sha256(&json),
            seed: self.seed,
            by_length: measured.by_length,
            by_domain: measured.by_domain,
            by_sampler: measured.by_sampler,
            by_statistic: measured.by_statistic,
            by_artefact: measured.by_artefact,
        };
        Ok(Calibrated { calibration, json, report })
    }

    /// The calibration of one length; `None` where there are too few texts.
    fn length(&self, samples: &[Sample], at: usize, gpt2_tokens: usize, n_tokens: usize) -> Option<Length> {
        let of = |is_fit: bool| samples.iter().filter(move |s| s.is_fit == is_fit && s.lengths.len() > at);
        let fitted: Vec<&Sample> = of(true).collect();
        let features: Vec<[f64; N_FEATURES]> = fitted.iter().map(|s| s.lengths[at].statistics.features()).collect();
        let count = |machine: bool, fit: bool| of(fit).filter(|s| s.is_machine == machine).count();
        if count(false, false) < LEAST_TEXTS
            || count(true, false) < LEAST_TEXTS
            || count(false, true) < LEAST_TEXTS / 2
            || count(true, true) < LEAST_TEXTS / 2
        {
            return None;
        }
        let (mut means, mut scales) = (vec![0.0; N_FEATURES], vec![1.0; N_FEATURES]);
        for i in 0..N_FEATURES {
            let known: Vec<f64> = features.iter().map(|f| f[i]).filter(|x| !x.is_nan()).collect();
            let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
            let deviation = (known.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / known.len().max(1) as f64).sqrt();
            if deviation > 1e-9 {
                (means[i], scales[i]) = (mean, deviation);
            }
        }
        let rows: Vec<Vec<f64>> = features
            .iter()
            .map(|f| (0..N_FEATURES).map(|i| if f[i].is_nan() { 0.0 } else { (f[i] - means[i]) / scales[i] }).collect())
            .collect();
        let weights = fit(&rows, &fitted.iter().map(|s| s.is_machine).collect::<Vec<_>>(), 1.0);
        let empty = Side::default();
        let mut length = Length { gpt2_tokens, n_tokens, means, scales, weights, human: empty.clone(), machine: empty, curves: Vec::new() };
        for machine in [false, true] {
            let side: Vec<&Sample> = of(false).filter(|s| s.is_machine == machine).collect();
            let mut scores: Vec<(f64, u32)> = side.iter().map(|s| (rounded(length.score(&s.lengths[at].statistics)), s.group)).collect();
            scores.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let step = side.len().div_ceil(N_TRAITS);
            let traits = (0..TRAITS.len()).map(|t| side.iter().step_by(step).map(|s| rounded(s.lengths[at].traits[t])).collect()).collect();
            let (scores, groups) = scores.into_iter().unzip();
            *(if machine { &mut length.machine } else { &mut length.human }) = Side { scores, groups, traits };
        }
        length.curves = self.curves(&length);
        Some(length)
    }

    /// The logistic curve of the probability, and those of resampled source documents.
    fn curves(&self, length: &Length) -> Vec<[f64; 2]> {
        let mut groups: BTreeMap<u32, Vec<(f64, bool)>> = BTreeMap::new();
        for (side, machine) in [(&length.human, false), (&length.machine, true)] {
            for (score, group) in side.scores.iter().zip(&side.groups) {
                groups.entry(*group).or_default().push((*score, machine));
            }
        }
        let groups: Vec<Vec<(f64, bool)>> = groups.into_values().collect();
        let all: Vec<usize> = (0..groups.len()).collect();
        let mut curves = vec![curve(&groups, &all)];
        bootstrap(groups.len(), N_CURVES, 0.95, Draws::new(self.seed, 2), |drawn| {
            curves.push(curve(&groups, drawn));
            0.0
        });
        curves
    }

    /// Adds the rows of one length.
    fn measure(&self, samples: &[Sample], at: usize, length: &Length, measured: &mut Measured) {
        let kept: Vec<&Sample> = samples.iter().filter(|s| !s.is_fit && s.lengths.len() > at).collect();
        let score = |s: &Sample| length.score(&s.lengths[at].statistics);
        let row = |name: &str, chosen: &[&Sample], score: &dyn Fn(&Sample) -> f64, n_resamples: usize, curves: bool| {
            self.row(name, length, chosen, score, n_resamples, curves)
        };
        measured.by_length.push(row("all", &kept, &score, self.n_resamples, true));
        let fewer = (self.n_resamples / 4).max(1);
        let names = |of: fn(&Sample) -> &str, machine: bool| {
            let mut names: Vec<&str> = kept.iter().filter(|s| s.is_machine == machine).map(|s| of(s)).collect();
            names.sort_unstable();
            names.dedup();
            names.into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        for domain in names(|s| &s.domain, false) {
            // A domain that the machine's texts name too is compared with those alone.
            let named = kept.iter().any(|s| s.is_machine && s.domain == domain);
            let chosen: Vec<&Sample> = kept.iter().copied().filter(|s| s.domain == domain || (s.is_machine && !named)).collect();
            measured.by_domain.push(row(&domain, &chosen, &score, fewer, false));
        }
        for sampler in names(|s| &s.sampler, true) {
            let chosen: Vec<&Sample> = kept.iter().copied().filter(|s| !s.is_machine || s.sampler == sampler).collect();
            measured.by_sampler.push(row(&sampler, &chosen, &score, fewer, false));
        }
        for (i, name) in Statistics::FEATURES.iter().enumerate() {
            let value = |s: &Sample| s.lengths[at].statistics.features()[i];
            if kept.iter().all(|s| value(s).is_nan()) {
                continue;
            }
            // Which way a statistic points is learned where the score is: on the other part.
            let mean = |machine: bool| {
                let values: Vec<f64> = samples
                    .iter()
                    .filter(|s| s.is_fit && s.is_machine == machine && s.lengths.len() > at)
                    .map(value)
                    .filter(|x| !x.is_nan())
                    .collect();
                ovid_stats::mean(&values).unwrap_or(0.0)
            };
            let sign = if mean(true) >= mean(false) { 1.0 } else { -1.0 };
            let oriented = |s: &Sample| if value(s).is_nan() { 0.0 } else { sign * value(s) };
            measured.by_statistic.push(row(name, &kept, &oriented, fewer, false));
        }
    }

    /// A detector that sees artefacts alone, fitted and tried as the score is: before the clean-up it shows what could be won by them, after it what is left.
    fn measure_artefacts(&self, samples: &[Sample], at: usize, length: &Length, measured: &mut Measured) {
        let here: Vec<&Sample> = samples.iter().filter(|s| s.lengths.len() > at).collect();
        let (fitted, kept): (Vec<&Sample>, Vec<&Sample>) = here.into_iter().partition(|s| s.is_fit);
        let sets: [(&str, fn(&Sample, usize) -> &Vec<f64>); 2] =
            [("as they came", |s, _| &s.raw), ("cleaned and cut", |s, at| &s.lengths[at].artefacts)];
        for (name, of) in sets {
            let (means, scales): (Vec<f64>, Vec<f64>) = (0..of(fitted[0], at).len())
                .map(|i| {
                    let values: Vec<f64> = fitted.iter().map(|s| of(s, at)[i]).collect();
                    let mean = ovid_stats::mean(&values).unwrap_or(0.0);
                    let variance = values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / values.len().max(1) as f64;
                    (mean, if variance > 1e-18 { variance.sqrt() } else { 1.0 })
                })
                .unzip();
            let scaled = |s: &Sample| of(s, at).iter().zip(&means).zip(&scales).map(|((x, m), d)| (x - m) / d).collect::<Vec<f64>>();
            let rows: Vec<Vec<f64>> = fitted.iter().map(|s| scaled(s)).collect();
            let weights = fit(&rows, &fitted.iter().map(|s| s.is_machine).collect::<Vec<_>>(), 1.0);
            let score = |s: &Sample| dot(&weights, &scaled(s));
            measured.by_artefact.push(self.row(name, length, &kept, &score, (self.n_resamples / 4).max(1), false));
        }
    }

    fn row(
        &self,
        name: &str,
        length: &Length,
        chosen: &[&Sample],
        score: &dyn Fn(&Sample) -> f64,
        n_resamples: usize,
        has_probability: bool,
    ) -> Row {
        let mut groups: BTreeMap<u32, Vec<(f64, bool)>> = BTreeMap::new();
        for s in chosen {
            groups.entry(s.group).or_default().push((score(s), s.is_machine));
        }
        let n_human_documents = groups.values().filter(|g| g.iter().any(|(_, machine)| !machine)).count();
        let groups: Vec<Vec<(f64, bool)>> = groups.into_values().collect();
        let count = |machine| chosen.iter().filter(|s| s.is_machine == machine).count();
        let estimate = |statistic: &dyn Fn(&[(f64, bool)], &[usize]) -> f64| -> Option<Estimate> {
            let all: Vec<(f64, bool)> = groups.concat();
            let value = statistic(&all, &(0..groups.len()).collect::<Vec<_>>());
            let interval = bootstrap(groups.len(), n_resamples, 0.95, Draws::new(self.seed, 3), |drawn| {
                let resample: Vec<(f64, bool)> = drawn.iter().flat_map(|&g| groups[g].iter().copied()).collect();
                statistic(&resample, drawn)
            })?;
            value.is_finite().then_some(Estimate { value, interval })
        };
        let split = |all: &[(f64, bool)], machine: bool| all.iter().filter(|x| x.1 == machine).map(|x| x.0).collect::<Vec<f64>>();
        let tpr = |fpr: f64| {
            let holds = fpr * count(false) as f64 >= 3.0;
            holds
                .then(|| estimate(&|all, _| ovid_stats::tpr_at_fpr(&split(all, false), &split(all, true), fpr).unwrap_or(f64::NAN)))
                .flatten()
        };
        Row {
            name: name.to_owned(),
            gpt2_tokens: length.gpt2_tokens,
            n_tokens: length.n_tokens,
            n_human: count(false),
            n_human_documents,
            n_machine: count(true),
            auroc: estimate(&|all, _| ovid_stats::auroc(&split(all, false), &split(all, true)).unwrap_or(f64::NAN)),
            tpr_at_1_percent: tpr(0.01),
            tpr_at_01_percent: tpr(0.001),
            calibration_error: has_probability.then(|| estimate(&|_, drawn| calibration_error(&groups, drawn))).flatten(),
        }
    }
}

#[derive(Default)]
struct Measured {
    by_length: Vec<Row>,
    by_domain: Vec<Row>,
    by_sampler: Vec<Row>,
    by_statistic: Vec<Row>,
    by_artefact: Vec<Row>,
}

/// Four decimals are far below what a score's error is, and keep the file small.
fn rounded(x: f64) -> f64 {
    (x * 1e4).round() / 1e4
}

/// The logistic curve over the members of groups. A falling one would say that human texts look more like machine text than machine text does: then nothing is known.
fn curve(groups: &[Vec<(f64, bool)>], drawn: &[usize]) -> [f64; 2] {
    let members = || drawn.iter().flat_map(|&g| &groups[g]);
    let rows: Vec<Vec<f64>> = members().map(|(score, _)| vec![*score]).collect();
    let w = fit(&rows, &members().map(|(_, machine)| *machine).collect::<Vec<_>>(), 1e-3);
    if w[0] > 0.0 { [rounded(w[0]), rounded(w[1])] } else { [0.0, 0.0] }
}

/// The expected calibration error at even odds: the curve is fitted on every second group and tried on the others, and the other way round.
fn calibration_error(groups: &[Vec<(f64, bool)>], drawn: &[usize]) -> f64 {
    let mut judged: Vec<(f64, bool)> = Vec::new();
    for half in 0..2 {
        let of = |own: bool| drawn.iter().copied().filter(|g| (g % 2 == half) == own).collect::<Vec<_>>();
        let w = curve(groups, &of(false));
        judged.extend(of(true).iter().flat_map(|&g| &groups[g]).map(|(score, machine)| (sigmoid(dot(&w, &[*score])), *machine)));
    }
    judged.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Each side counts a half, as the curve takes it.
    let n = |machine: bool| judged.iter().filter(|j| j.1 == machine).count().max(1) as f64;
    let (human, machine) = (0.5 / n(false), 0.5 / n(true));
    let weight = |m: bool| if m { machine } else { human };
    judged
        .chunks(judged.len().div_ceil(10).max(1))
        .map(|bin| bin.iter().map(|(p, m)| weight(*m) * (p - f64::from(u8::from(*m)))).sum::<f64>().abs())
        .sum()
}
