//! The error rates of campaigns, by simulation with a calibration drawn anew for each: so its own error is in what is counted.

use ovid_detect::campaign::{Entry, Kind, Martingale, Member, Mixture, Options, clusters, judge, power};
use ovid_detect::{CALIBRATION_FORMAT, Calibration, Length, ModelId, Side, TRAITS};
use ovid_stats::{Draws, benjamini_hochberg};

/// How far apart the two kinds of score are.
const SHIFT: f64 = 1.5;

fn sorted(mut scores: Vec<f64>) -> Vec<f64> {
    scores.sort_by(f64::total_cmp);
    scores
}

/// A calibration of `n` texts a side whose scores are normal, machine text's higher by [`SHIFT`].
fn calibration(n: u64, draws: Draws) -> Calibration {
    let side = |shift: f64, at: u64| Side {
        scores: sorted((0..n).map(|i| shift + draws.normal_at(at + i)).collect()),
        groups: (0..n as u32).map(|i| i + at as u32).collect(),
        traits: vec![(0..n).map(|i| draws.normal_at(2 * at + 90_000 + i)).collect(); TRAITS.len()],
    };
    let length = Length {
        gpt2_tokens: 50,
        n_tokens: 50,
        means: vec![0.0; 9],
        scales: vec![1.0; 9],
        weights: vec![0.0; 10],
        human: side(0.0, 0),
        machine: side(SHIFT, 40_000),
        curves: vec![[1.0, 0.0]; 3],
    };
    let name = ModelId { name: "none".to_owned(), sha256: String::new() };
    Calibration {
        format: CALIBRATION_FORMAT.to_owned(),
        version: 1,
        model: name,
        second: None,
        machine: "machine".to_owned(),
        human: "human".to_owned(),
        tokens_per_gpt2_token: 1.0,
        statistics: vec!["log_likelihood".to_owned(); 9],
        lengths: vec![length],
    }
}

fn members(n: u64, fraction: f64, draws: Draws) -> Vec<Member> {
    (0..n)
        .map(|i| {
            let machine = draws.unit_at(3 * i) < fraction;
            let score = draws.normal_at(3 * i + 1) + if machine { SHIFT } else { 0.0 };
            Member { length: 0, score, traits: [draws.normal_at(3 * i + 2); TRAITS.len()] }
        })
        .collect()
}

#[test]
fn a_thousand_null_campaigns_are_seldom_found_however_long_they_are_watched() {
    let (level, n_campaigns) = (0.05, 1000);
    let mut found = 0;
    for campaign in 0..n_campaigns {
        let calibration = calibration(60, Draws::new(campaign, 1));
        let mut martingale = Martingale::new(&calibration, campaign);
        for member in members(300, 0.0, Draws::new(campaign, 2)) {
            martingale.bet(&member);
        }
        found += usize::from(martingale.greatest() >= 1.0 / level);
    }
    // 50 are allowed; more than 67 of 1,000 come by chance at that rate once in 150 runs, and this run is always the same.
    assert!(found <= 67, "{found} of {n_campaigns} null campaigns");
}

#[test]
fn the_interval_holds_the_fraction_in_19_of_20_campaigns_at_0_and_at_1_too() {
    for (fraction, n_campaigns) in [(0.0, 1000), (0.2, 400), (1.0, 400)] {
        let mut held = 0;
        for campaign in 0..n_campaigns {
            let calibration = calibration(80, Draws::new(campaign, 3));
            let mixture = Mixture::new(&calibration, 60, campaign);
            let drawn = members(60, fraction, Draws::new(campaign, 4));
            let counts = mixture.count(&drawn.iter().collect::<Vec<_>>());
            held += usize::from(mixture.holds(&counts, fraction, 0.95));
        }
        let share = held as f64 / n_campaigns as f64;
        // Three standard errors of 0.95 over so many campaigns.
        let least = 0.95 - 3.0 * (0.95 * 0.05 / n_campaigns as f64).sqrt();
        assert!(share >= least, "at {fraction} the interval held in {share} of {n_campaigns}");
    }
}

#[test]
fn a_fraction_is_found_where_it_is() {
    let calibration = calibration(500, Draws::new(1, 5));
    let mixture = Mixture::new(&calibration, 100, 7);
    for fraction in [0.0, 0.3, 1.0] {
        let drawn = members(600, fraction, Draws::new(2, 6));
        let counts = mixture.count(&drawn.iter().collect::<Vec<_>>());
        let interval = mixture.interval(&counts, 0.95);
        assert!((mixture.fraction(&counts) - fraction).abs() < 0.1, "{fraction}: {}", mixture.fraction(&counts));
        assert!(interval.low <= fraction && fraction <= interval.high && interval.high - interval.low < 0.3, "{fraction}: {interval:?}");
    }
}

#[test]
fn false_discoveries_stay_below_their_rate() {
    let rate = 0.1;
    let (mut false_share, mut n_true) = (0.0, 0);
    let n_runs = 100;
    for run in 0..n_runs {
        let calibration = calibration(200, Draws::new(run, 8));
        // Twelve honest sources, four that are half machine text.
        let p: Vec<f64> = (0..16)
            .map(|source| {
                let mut martingale = Martingale::new(&calibration, run);
                let fraction = if source < 4 { 0.5 } else { 0.0 };
                let e = members(80, fraction, Draws::new(run * 16 + source, 9)).iter().fold(1.0, |_, m| martingale.bet(m));
                (1.0 / e).min(1.0)
            })
            .collect();
        let found: Vec<usize> = benjamini_hochberg(&p).iter().enumerate().filter(|(_, q)| **q <= rate).map(|(i, _)| i).collect();
        let wrong = found.iter().filter(|i| **i >= 4).count();
        false_share += wrong as f64 / found.len().max(1) as f64;
        n_true += found.len() - wrong;
    }
    assert!(false_share / n_runs as f64 <= rate, "{}", false_share / n_runs as f64);
    assert!(n_true >= 2 * n_runs as usize, "{n_true} of {} sources", 4 * n_runs);
}

#[test]
fn more_machine_text_is_found_sooner_and_too_little_is_more_than_the_most() {
    let calibration = calibration(400, Draws::new(3, 10));
    let needed = |fraction| power(&calibration.lengths[0], fraction, 0.05, 50, 400, 1).n_documents;
    let (much, little) = (needed(0.5).unwrap(), needed(0.005));
    assert!(much < 60, "{much}");
    assert_eq!(little, None);
}

fn entry(text: &str, i: usize, group: Option<&str>) -> Entry {
    Entry { member: None, text: text.to_owned(), name: format!("a.jsonl:{i}"), group: group.map(str::to_owned) }
}

#[test]
fn duplicates_and_templates_are_found_and_strangers_are_not() {
    let order = |name: &str, town: &str, n: u32| {
        format!(
            "Dear {name}, your order {n} went to {town} by night on {} may and {name} signed for {} boxes at {}:30 in {town} town",
            n % 30,
            n + 2,
            n % 24
        )
    };
    let texts = [
        "The river rose in the night and nobody in the village slept until the morning came at last over the wet fields".to_owned(),
        order("Ann", "Rome", 17),
        "the river rose in the night and nobody in the village slept until the morning came at last over the dry fields".to_owned(),
        order("Bob", "Oslo", 23),
        "A clock has three hands and none of them knows what the other two are doing, which is how time passes in this country".to_owned(),
        order("Carol", "Lima", 99),
        "short".to_owned(),
        String::new(),
    ];
    let entries: Vec<Entry> = texts.iter().enumerate().map(|(i, t)| entry(t, i, None)).collect();
    let found = clusters(&entries);
    let of = |kind: Kind| found.iter().filter(|c| c.kind == kind).map(|c| c.members.clone()).collect::<Vec<_>>();
    assert_eq!(of(Kind::NearDuplicate), [["a.jsonl:0", "a.jsonl:2"]]);
    assert_eq!(of(Kind::Template), [["a.jsonl:1", "a.jsonl:3", "a.jsonl:5"]]);
}

#[test]
fn texts_unlike_the_calibration_are_named_and_no_text_gives_no_number() {
    let calibration = calibration(300, Draws::new(4, 11));
    let mut far = members(60, 0.0, Draws::new(5, 12));
    let none = judge(&calibration, "", &[entry("", 0, Some("a"))], &Options::default());
    assert_eq!((none.n_judged, none.fraction, none.interval, none.groups.len()), (0, None, None, 0));
    let judged = |members: &[Member]| {
        let entries: Vec<Entry> = members.iter().map(|m| Entry { member: Some(m.clone()), ..entry("", 0, None) }).collect();
        judge(&calibration, "", &entries, &Options { n_resamples: 40, ..Options::default() })
    };
    assert_eq!(judged(&far).unlike, []);
    far.iter_mut().for_each(|m| m.traits[2] += 3.0);
    let unlike = judged(&far).unlike;
    assert_eq!(unlike.iter().map(|u| u.name.as_str()).collect::<Vec<_>>(), [TRAITS[2]]);
}
