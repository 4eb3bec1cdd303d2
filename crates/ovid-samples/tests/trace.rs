//! Texts are found again whole, in part and edited; others are not; a million samples are answered in time.

mod common;

use std::path::Path;
use std::time::{Duration, Instant};

use common::{completion, prompt, run};
use ovid_io::Silent;
use ovid_io::documents::{Documents, Limits};
use ovid_samples::Ledger;
use ovid_samples::ledger::system_clock;
use ovid_samples::trace::{Tracer, calibrate};
use ovid_stats::Draws;

/// Texts of words that come as often as words do: the k-th is drawn in proportion to 1 / k.
fn texts(n: usize, n_words: usize, seed: u64) -> Vec<String> {
    let draws = Draws::new(seed, 1);
    let word = |at: u64| format!("w{}", (5000f64.powf(draws.unit_at(at))) as u32);
    (0..n).map(|i| (0..n_words).map(|w| word((i * n_words + w) as u64)).collect::<Vec<_>>().join(" ")).collect()
}

fn ledger(path: &Path, texts: &[String]) -> Ledger {
    let mut ledger = Ledger::open(path).unwrap();
    ledger.append_whole(&run(), texts.iter().map(|t| (prompt("p"), 0, completion(t))), system_clock).unwrap();
    ledger
}

/// Every n-th word another one.
fn edited(text: &str, every: usize) -> String {
    text.split(' ').enumerate().map(|(i, w)| if i % every == 0 { "changed" } else { w }).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_was_generated_is_found_whole_in_part_and_edited() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tries.db");
    let all = texts(3000, 150, 1);
    let ledger = ledger(&path, &all);
    let tracer = Tracer::open(&ledger, &Silent).unwrap();
    assert!(folder.path().join("tries.db.trace.safetensors").exists());
    for i in (0..3000).step_by(97) {
        // Entries alternate: a sample begins, a sample ends.
        let sample = 2 * i as u64 + 1;
        let words: Vec<&str> = all[i].split(' ').collect();
        let cases = [
            (all[i].clone(), 1.0, true),
            (all[i].to_uppercase().replace(' ', ",\n\n"), 1.0, true),
            (words[40..52].join(" "), 1.0, true),
            (edited(&all[i], 8), 0.8, false),
            (format!("{} {}", texts(1, 150, 77)[0], all[i]), 1.0, false),
            ([&words[75..], &words[..75]].concat().join(" "), 1.0, false),
        ];
        for (text, overlap, exact) in cases {
            let report = tracer.look_up(&text, 3, 0.01).unwrap();
            let best = &report.matches[0];
            assert_eq!((report.found, best.sample, best.exact), (true, sample, exact), "{text}");
            assert!(best.overlap >= overlap && best.text == all[i], "{} {text}", best.overlap);
        }
    }
    for other in texts(30, 150, 2) {
        let report = tracer.look_up(&other, 3, 0.01).unwrap();
        assert!(!report.found && report.matches.iter().all(|m| m.overlap < 0.5), "{report:?}");
    }
    assert!(tracer.look_up("four words are few", 3, 0.01).is_err());
    assert!(tracer.look_up("five words are just enough", 3, 0.01).unwrap().may_miss);
}

#[test]
fn samples_that_came_later_are_found_and_an_index_of_another_ledger_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tries.db");
    let all = texts(3100, 40, 3);
    drop(ledger(&path, &all[..3000]));
    let index = folder.path().join("tries.db.trace.safetensors");
    Tracer::open(&Ledger::open_to_read(&path).unwrap(), &Silent).unwrap();
    let written = std::fs::read(&index).unwrap();
    let later = ledger(&path, &all[3000..]);
    let found = |ledger: &Ledger, i: usize| {
        let report = Tracer::open(ledger, &Silent).unwrap().look_up(&all[i], 1, 0.01).unwrap();
        report.found && report.matches[0].text == all[i]
    };
    assert!(found(&later, 5) && found(&later, 3050));
    assert_eq!(written, std::fs::read(&index).unwrap(), "a hundred new texts are no reason for a new index");

    // The index of the first ledger beside another one: its last hash is not in the chain.
    let other = folder.path().join("other.db");
    let others = texts(2500, 40, 4);
    let ledger = ledger(&other, &others);
    std::fs::copy(&index, folder.path().join("other.db.trace.safetensors")).unwrap();
    let report = Tracer::open(&ledger, &Silent).unwrap().look_up(&others[7], 1, 0.01).unwrap();
    assert_eq!((report.found, report.n_texts, report.matches[0].text.as_str()), (true, 2500, others[7].as_str()));
    // A damaged one is an error or is made again, and never an answer out of nothing.
    for cut in [0, 7, 100, written.len() / 2] {
        std::fs::write(&index, &written[..cut]).unwrap();
        if let Err(e) = Tracer::open(&Ledger::open_to_read(&path).unwrap(), &Silent) {
            assert!(e.is_bad_input(), "{e}");
        }
    }
}

#[test]
fn calibrated_rates_hold_on_texts_that_were_not_calibrated_with() {
    let folder = tempfile::tempdir().unwrap();
    // Few words, so that chance overlaps are common and there is something to calibrate.
    let few = |n, seed| texts(n, 60, seed).iter().map(|t| t.replace("w1", "w").replace("w2", "w").replace("w3", "w")).collect::<Vec<_>>();
    let ledger = ledger(&folder.path().join("tries.db"), &few(3000, 5));
    calibrate(&ledger, &few(300, 6), &Silent).unwrap();
    let tracer = Tracer::open(&ledger, &Silent).unwrap();
    for limit in [0.05, 0.2] {
        let others = few(300, 7);
        let n_false = others.iter().filter(|t| tracer.look_up(t, 1, limit).unwrap().found).count();
        // Binomial of 300 with the limit: three standard deviations above, with those of the calibration itself.
        let most = 300.0 * limit + 3.0 * (2.0 * 300.0 * limit * (1.0 - limit)).sqrt();
        assert!((n_false as f64) <= most, "{n_false} of 300 at {limit}");
    }
    let report = tracer.look_up(&few(3000, 5)[17], 1, 0.01).unwrap();
    assert!(report.found && report.n_calibrated == 300 && report.rule.starts_with("false_match_rate"));
    assert_eq!(report.matches[0].false_match_rate, Some(1.0 / 301.0));
}

/// Fills a ledger with a million passages of the shared corpus and looks held-out and generated texts up: `OVID_FULL=1 cargo test --release -p ovid-samples --test trace -- --nocapture`.
#[test]
fn a_million_samples_are_answered_within_a_fifth_of_a_second() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/corpus");
    if std::env::var_os("OVID_FULL").is_none() || !shared.exists() {
        println!("skipped: takes OVID_FULL=1 and ../shared");
        return;
    }
    const N_WORDS: usize = 100;
    const STEP: usize = 40;
    // Filled once where OVID_SCRATCH names a folder, so that look-ups can be timed on a quiet machine.
    let temporary = tempfile::tempdir().unwrap();
    let folder = std::env::var_os("OVID_SCRATCH").map_or_else(|| temporary.path().to_owned(), std::path::PathBuf::from);
    let path = folder.join("million.db");
    let fill = !path.exists();
    let mut ledger = Ledger::open(&path).unwrap();
    let started = Instant::now();
    let (mut passages, mut held_out, mut asked, mut n) = (Vec::new(), Vec::new(), Vec::new(), 0usize);
    for document in Documents::open(&[&shared], Limits::default()).unwrap() {
        let document = document.unwrap();
        let words: Vec<&str> = document.text.split_whitespace().collect();
        if document.is_validation() {
            held_out.extend(words.chunks_exact(N_WORDS).take(3).map(|w| w.join(" ")));
            continue;
        }
        for passage in words.windows(N_WORDS).step_by(STEP) {
            if fill {
                passages.push(passage.join(" "));
            }
            if n.is_multiple_of(10_007) {
                asked.push(passage.join(" "));
            }
            n += 1;
            if passages.len() == 20_000 {
                ledger.append_whole(&run(), passages.drain(..).map(|t| (prompt("corpus"), 0, completion(&t))), system_clock).unwrap();
            }
        }
        if n >= 1_000_000 {
            break;
        }
    }
    ledger.append_whole(&run(), passages.drain(..).map(|t| (prompt("corpus"), 0, completion(&t))), system_clock).unwrap();
    println!(
        "{n} passages of {N_WORDS} words in {:.0} s, {} MB",
        started.elapsed().as_secs_f64(),
        std::fs::metadata(&path).unwrap().len() >> 20
    );
    assert!(n >= 1_000_000, "{n}");
    let started = Instant::now();
    drop(Tracer::open(&ledger, &Silent).unwrap());
    let index = std::fs::metadata(folder.join("million.db.trace.safetensors")).unwrap().len() >> 20;
    println!("index of {index} MB made in {:.0} s", started.elapsed().as_secs_f64());

    let slowest = |texts: &[String], found: bool| {
        let mut times: Vec<(Duration, usize)> = Vec::new();
        let mut n_right = 0;
        for text in texts {
            let started = Instant::now();
            // What the command does: open everything, look up.
            let ledger = Ledger::open_to_read(&path).unwrap();
            let report = Tracer::open(&ledger, &Silent).unwrap().look_up(text, 3, 0.01).unwrap();
            times.push((started.elapsed(), report.matches.len()));
            n_right += usize::from(report.found == found);
        }
        times.sort();
        println!(
            "{} look-ups, {n_right} as expected: median {:.1?}, slowest {:.1?}",
            texts.len(),
            times[times.len() / 2].0,
            times[times.len() - 1].0
        );
        (times[times.len() - 1].0, n_right)
    };
    let copies: Vec<String> = asked.iter().map(|t| edited(t, 9)).collect();
    let (slow, right) = slowest(&asked, true);
    assert_eq!(right, asked.len());
    assert!(slow < Duration::from_millis(200), "{slow:?}");
    let (slow, right) = slowest(&copies, true);
    assert_eq!(right, copies.len());
    assert!(slow < Duration::from_millis(200), "{slow:?}");
    held_out.truncate(1200);
    let (calibrating, others) = held_out.split_at(held_out.len() / 2);
    let calibration = calibrate(&ledger, calibrating, &Silent).unwrap();
    for class in &calibration.classes {
        let at = |q: f64| class.overlaps[((class.overlaps.len() - 1) as f64 * q) as usize];
        println!(
            "{} words, {} human passages: overlap median {:.3}, 95% {:.3}, 99% {:.3}, greatest {:.3}",
            class.n_words,
            class.overlaps.len(),
            at(0.5),
            at(0.95),
            at(0.99),
            at(1.0)
        );
    }
    let (slow, right) = slowest(others, false);
    assert!(slow < Duration::from_millis(200), "{slow:?}");
    let rate = 1.0 - right as f64 / others.len() as f64;
    println!("false matches among other human passages at 0.01: {rate:.4}");
    assert!(rate < 0.03, "{rate}");
}
