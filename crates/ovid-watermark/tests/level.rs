//! What the p-values promise: human texts under random keys are called marked no more often than the rate says; marks leave the distribution as it was.

use std::path::Path;
use std::sync::Arc;

use ovid_bpe::Tokenizer;
use ovid_io::Mapped;
use ovid_io::documents::{Documents, Limits};
use ovid_io::gguf::Gguf;
use ovid_stats::{Draws, binomial_upper_tail, distributions::chi_squared_upper_tail};
use ovid_watermark::{Choice, Detector, GreenList, Gumbel, Key, Marker, Scheme, Tournament, Watermark};

const N_TOKENS: usize = 200;
const RATES: [f64; 3] = [1e-2, 1e-3, 1e-4];

fn tokenizer() -> Tokenizer {
    Tokenizer::from_gguf(&Gguf::new(Mapped::from_static(ovid_mini::NAME, ovid_mini::GGUF)).unwrap()).unwrap()
}

fn key(number: u64) -> Arc<Key> {
    let draws = Draws::new(number, 0);
    Arc::new(Key::new(std::array::from_fn(|i| draws.u64_at(i as u64) as u8), None))
}

fn schemes() -> Vec<Scheme> {
    let self_hash = GreenList::new(0.25, 2.0, 4, true).unwrap();
    Scheme::all().into_iter().chain([Scheme::GreenList(self_hash)]).collect()
}

/// How many p-values of a scheme lie at or below each rate, of texts each under `n_keys` keys of its own.
fn false_positives(scheme: Scheme, texts: &[Vec<u32>], n_keys: u64) -> [u64; 3] {
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from);
    let of = move |first: usize| {
        let mut found = [0; 3];
        for (i, text) in texts.iter().enumerate().skip(first).step_by(n_threads) {
            for number in 0..n_keys {
                let watermark = Watermark::new(key(i as u64 * n_keys + number), scheme);
                let p_value = Detector::new(vec![watermark], 0.01, 0).judge(text, 0).p_value;
                for (rate, found) in RATES.iter().zip(&mut found) {
                    *found += u64::from(p_value <= *rate);
                }
            }
        }
        found
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..n_threads).map(|first| scope.spawn(move || of(first))).collect();
        threads.into_iter().map(|t| t.join().unwrap()).fold([0; 3], |sum, one| std::array::from_fn(|i| sum[i] + one[i]))
    })
}

/// Each count against the binomial distribution: one as great has a chance below 1 in 100,000 where the level is held.
fn check(scheme: Scheme, texts: &[Vec<u32>], n_keys: u64) {
    let n = texts.len() as u64 * n_keys;
    let found = false_positives(scheme, texts, n_keys);
    println!("{} {n} trials, false positives at {RATES:?}: {found:?}", serde_json::to_string(&scheme).unwrap());
    for (rate, found) in RATES.iter().zip(found) {
        assert!(binomial_upper_tail(found, n, *rate) > 1e-5, "{scheme:?}: {found} of {n} at {rate}");
    }
    // A test that never says yes holds every level.
    assert!(found[0] as f64 > 0.001 * n as f64, "{scheme:?} {found:?}");
}

fn pieces(text: &str, tokenizer: &Tokenizer, most: usize) -> Vec<Vec<u32>> {
    tokenizer.encode(text.as_bytes()).chunks_exact(N_TOKENS).take(most).map(<[u32]>::to_vec).collect()
}

#[test]
fn human_text_is_called_marked_no_more_often_than_the_rate_says() {
    let play = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../ovid-cli/tests/data/play.txt")).unwrap();
    let texts = pieces(&play, &tokenizer(), usize::MAX);
    assert!(texts.len() >= 15);
    schemes().into_iter().for_each(|scheme| check(scheme, &texts, 150));
}

/// 1,000 texts of 200 tokens, from held-out documents of every source, each under 1,000 keys of its own.
#[test]
fn a_thousand_human_texts_under_a_thousand_keys_each() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/corpus");
    if std::env::var_os("OVID_FULL").is_none() || !corpus.exists() {
        println!("skipped: OVID_FULL is not set, or there is no ../shared");
        return;
    }
    let tokenizer = tokenizer();
    let mut texts = Vec::new();
    for document in Documents::open(&[corpus], Limits::default()).unwrap() {
        let document = document.unwrap();
        if document.is_validation() {
            texts.extend(pieces(&document.text, &tokenizer, 3));
        }
    }
    let order = Draws::new(1, 0).permutation(texts.len());
    let texts: Vec<_> = order.into_iter().take(1000).map(|i| texts[i].clone()).collect();
    assert_eq!(texts.len(), 1000);
    schemes().into_iter().for_each(|scheme| check(scheme, &texts, 1000));
}

/// Over keys, a choice has the distribution that it would have without the watermark.
#[test]
fn unbiased_schemes_leave_the_distribution_as_it_was() {
    let weights: Vec<f32> = (0..40).map(|i| (-0.15 * i as f32).exp()).collect();
    let total: f64 = weights.iter().map(|&w| f64::from(w)).sum();
    let kept: Vec<u32> = (0..40).map(|i| 3 * i + 1).collect();
    let draws = Draws::new(9, 9);
    let n = 20_000u64;
    for scheme in [Scheme::Gumbel(Gumbel::default()), Scheme::Tournament(Tournament::default())] {
        let mut counts = [0u64; 40];
        for i in 0..n {
            let mut marker = Marker::new(Watermark::new(key(i), scheme));
            let mut marked = weights.clone();
            let place = match marker.choose(&[1, 2, 3, 4], 4, &kept, &mut marked) {
                Choice::Token(place) => place,
                _ => drawn(&marked, draws.unit_at(i)),
            };
            counts[place] += 1;
        }
        let chi2: f64 = counts
            .iter()
            .zip(&weights)
            .map(|(&count, &w)| {
                let expected = n as f64 * f64::from(w) / total;
                (count as f64 - expected).powi(2) / expected
            })
            .sum();
        assert!(chi_squared_upper_tail(chi2, 39.0) > 1e-4, "{scheme:?}: {chi2}");
    }
}

fn drawn(weights: &[f32], unit: f64) -> usize {
    let total: f64 = weights.iter().map(|&w| f64::from(w)).sum();
    let mut sum = 0.0;
    weights
        .iter()
        .position(|&w| {
            sum += f64::from(w);
            sum > unit * total
        })
        .unwrap_or(weights.len() - 1)
}

/// The texts below are drawn from a made-up distribution, without a model: 400 tokens, equally probable.
fn marked_text(scheme: Scheme, key: Arc<Key>, n: usize, seed: u64) -> Vec<u32> {
    let mut marker = Marker::new(Watermark::new(key, scheme));
    let draws = Draws::new(seed, 1);
    let kept: Vec<u32> = (0..400).collect();
    let mut ids = vec![0, 1, 2, 3];
    while ids.len() < n + 4 {
        let mut scores = vec![0.0f32; 400];
        marker.raise(&ids, 4, &mut scores);
        let mut weights: Vec<f32> = scores.iter().map(|s| s.exp()).collect();
        let place = match marker.choose(&ids, 4, &kept, &mut weights) {
            Choice::Token(place) => place,
            _ => drawn(&weights, draws.unit_at(ids.len() as u64)),
        };
        ids.push(place as u32);
    }
    ids.split_off(4)
}

#[test]
fn the_right_key_of_many_is_found_in_a_marked_passage() {
    for scheme in schemes() {
        let keys: Vec<Watermark> = (0..20).flat_map(|i| schemes().into_iter().map(move |s| Watermark::new(key(i), s))).collect();
        let draws = Draws::new(4, 4);
        let human = |from: u64, n: u64| (from..from + n).map(|i| draws.below_at(i, 400) as u32).collect::<Vec<_>>();
        let marked = marked_text(scheme, key(7), 150, 1);
        let mixed = [human(0, 800), marked.clone(), human(5000, 800)].concat();
        for (text, window) in [(&marked, 0), (&mixed, 100)] {
            let judged = Detector::new(keys.clone(), 1e-3, window).judge(text, 0);
            let best = &judged.trials[0];
            assert!(judged.p_value <= 1e-3 && best.key == key(7).id() && best.scheme == scheme, "{scheme:?} {best:?}");
            if window > 0 {
                let passage = best.passage.unwrap();
                assert!(passage.start < 950 && passage.end > 800, "{passage:?}");
            }
        }
        let other = Detector::new(vec![Watermark::new(key(3), scheme)], 1e-3, 0).judge(&marked, 0);
        assert!(other.p_value > 1e-3, "{scheme:?} {other:?}");
    }
}

#[test]
fn few_tokens_are_too_few_to_tell() {
    use ovid_watermark::Verdict;
    let detector = |n_keys: u64| Detector::new((0..n_keys).map(|i| Watermark::new(key(i), Scheme::all()[0])).collect(), 1e-3, 200);
    for (text, n_keys, verdict) in [
        (vec![], 1, Verdict::TooShort),
        (vec![5], 1, Verdict::TooShort),
        ((0..5).collect(), 1, Verdict::TooShort),
        ((0..40).collect(), 1, Verdict::NotFound),
    ] {
        assert_eq!(detector(n_keys).judge(&text, 0).verdict, verdict, "{text:?}");
    }
    // Six counted tokens can reach 4^-6 < 1e-3, which is not enough for ten keys.
    let text: Vec<u32> = (0..7).collect();
    assert_ne!(detector(1).judge(&text, 0).verdict, Verdict::TooShort);
    assert_eq!(detector(10).judge(&text, 0).verdict, Verdict::TooShort);
    // A prompt that is longer than the text, as a caller might say by mistake.
    assert_eq!(detector(1).judge(&text, 99).n_tokens, 0);
}
