//! The cache: who holds which positions, whatever is asked of it in whatever order; and what a batch may not be.

mod common;

use common::{logits, random_params, same_bits, saved, small_config};
use ovid_io::Silent;
use ovid_model::{Config, Cpu, Error, Gpt2, KvPool, Output, Segment, SequenceId, Want};
use proptest::prelude::*;
use std::collections::HashSet;
use std::sync::LazyLock;

const BLOCK: usize = 16;
const N_BLOCKS: usize = 7;

fn model(config: &Config) -> Gpt2 {
    Gpt2::load(saved(&random_params(config, 4)).path(), Cpu::new(1), &Silent).unwrap()
}

/// One layer of one head: the pool is what is looked at. The context is longer than the pool.
static SMALL: LazyLock<Gpt2> = LazyLock::new(|| model(&Config::new(11, 200, 2, 1, 1)));

#[derive(Clone, Debug)]
enum Act {
    Begin,
    /// Begins as another sequence does, or as one that has ended did.
    Adopt(usize, usize),
    Feed(Vec<(usize, usize)>),
    Truncate(usize, usize),
    Release(usize),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let one = prop_oneof![
        1 => Just(Act::Begin),
        2 => (0..8usize, 0..80usize).prop_map(|(i, n)| Act::Adopt(i, n)),
        4 => prop::collection::vec((0..6usize, 1..40usize), 1..4).prop_map(Act::Feed),
        2 => (0..6usize, 0..80usize).prop_map(|(i, n)| Act::Truncate(i, n)),
        1 => (0..6usize).prop_map(Act::Release),
    ];
    prop::collection::vec(one, 1..40)
}

/// What a sequence should be: the tokens it has been fed.
#[derive(Clone, Default)]
struct Expected {
    tokens: Vec<u32>,
}

/// Blocks held: full ones once for each beginning that they end, and those in the making.
fn used(expected: &[(SequenceId, Expected)]) -> usize {
    let full = expected.iter().flat_map(|(_, e)| (1..=e.tokens.len() / BLOCK).map(|n| &e.tokens[..n * BLOCK]));
    let parts = expected.iter().filter(|(_, e)| !e.tokens.len().is_multiple_of(BLOCK)).count();
    full.collect::<HashSet<_>>().len() + parts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Blocks are shared by equal beginnings and never lost, a refused batch changes nothing, and at every moment a sequence's next logits are those that it would have alone.
    #[test]
    fn sequences_hold_what_they_were_fed(acts in acts()) {
        let mut kv = SMALL.kv_pool(N_BLOCKS * BLOCK).unwrap();
        let mut live: Vec<(SequenceId, Expected)> = Vec::new();
        let mut ended: Vec<Vec<u32>> = Vec::new();
        let mut next = 0u32;
        for act in acts {
            match act {
                Act::Begin => {
                    let id = kv.sequence();
                    prop_assert!(live.iter().all(|(other, _)| *other != id));
                    prop_assert_eq!(kv.len(id), 0);
                    live.push((id, Expected::default()));
                }
                Act::Adopt(i, n) => {
                    let texts: Vec<&[u32]> = live.iter().map(|(_, e)| &e.tokens[..]).chain(ended.iter().map(|t| &t[..])).collect();
                    let Some(text) = texts.get(i % texts.len().max(1)) else { continue };
                    let tokens = [&text[..n.min(text.len())], &[10; 5]].concat();
                    let common = |other: &[u32]| tokens.iter().zip(other).take_while(|(a, b)| a == b).count() / BLOCK * BLOCK;
                    let held = live.iter().map(|(_, e)| common(&e.tokens)).max().unwrap_or(0);
                    let id = kv.sequence();
                    let n_adopted = kv.adopt(id, &tokens);
                    // What nobody holds may have had to go.
                    prop_assert!(n_adopted >= held && n_adopted <= tokens.len() && n_adopted.is_multiple_of(BLOCK));
                    live.push((id, Expected { tokens: tokens[..n_adopted].to_vec() }));
                }
                Act::Feed(parts) if !live.is_empty() => {
                    let mut parts: Vec<(usize, Vec<u32>)> = parts
                        .into_iter()
                        .map(|(i, n)| (i % live.len(), (0..n).map(|_| { next = (next * 5 + 3) % 11; next }).collect()))
                        .collect();
                    parts.sort_by_key(|(i, _)| *i);
                    parts.dedup_by_key(|(i, _)| *i);
                    let batch: Vec<Segment<'_>> = parts.iter().map(|(i, tokens)| Segment { sequence: live[*i].0, tokens }).collect();
                    let mut after = live.clone();
                    let mut n_new = 0;
                    for (i, tokens) in &parts {
                        let before = after[*i].1.tokens.len().div_ceil(BLOCK);
                        after[*i].1.tokens.extend(tokens);
                        n_new += after[*i].1.tokens.len().div_ceil(BLOCK) - before;
                    }
                    let fits = used(&live) + n_new <= N_BLOCKS;
                    match SMALL.forward(&batch, &mut kv, Want::LastLogits) {
                        Ok(Output::Logits { values, .. }) => {
                            prop_assert!(fits);
                            live = after;
                            for ((i, _), row) in parts.iter().zip(values.chunks_exact(11)) {
                                let alone = logits(&SMALL, &live[*i].1.tokens);
                                prop_assert!(same_bits(row, &alone[alone.len() - 11..]));
                            }
                        }
                        Err(Error::CacheFull { n_positions, wanted }) => {
                            prop_assert!(!fits);
                            prop_assert_eq!(n_positions, N_BLOCKS * BLOCK);
                            prop_assert_eq!(wanted, parts.iter().map(|(_, t)| t.len()).sum::<usize>());
                        }
                        other => prop_assert!(false, "{other:?}"),
                    }
                }
                Act::Truncate(i, len) if !live.is_empty() => {
                    let i = i % live.len();
                    let tokens = live[i].1.tokens.clone();
                    let block = (len / BLOCK + 1) * BLOCK;
                    let is_shared = !len.is_multiple_of(BLOCK)
                        && tokens.len() >= block
                        && live.iter().enumerate().any(|(j, (_, e))| j != i && e.tokens.starts_with(&tokens[..block]));
                    let left = kv.truncate(live[i].0, len);
                    prop_assert_eq!(left, if is_shared { len / BLOCK * BLOCK } else { len.min(tokens.len()) });
                    live[i].1.tokens.truncate(left);
                }
                Act::Release(i) if !live.is_empty() => {
                    let (id, expected) = live.swap_remove(i % live.len());
                    kv.release(id);
                    prop_assert_eq!(kv.len(id), 0);
                    ended.push(expected.tokens);
                }
                _ => {}
            }
            prop_assert_eq!(kv.free_positions(), (N_BLOCKS - used(&live)) * BLOCK);
            for (id, expected) in &live {
                prop_assert_eq!(kv.len(*id), expected.tokens.len());
            }
        }
        // Everything comes back.
        for (id, _) in &live {
            kv.release(*id);
        }
        prop_assert_eq!(kv.free_positions(), kv.n_positions());
        let (whole, tokens) = (kv.sequence(), vec![10; N_BLOCKS * BLOCK]);
        SMALL.forward(&[Segment { sequence: whole, tokens: &tokens }], &mut kv, Want::Nothing).unwrap();
    }
}

#[test]
fn a_text_that_begins_as_another_did_is_gone_on_with() {
    let ids: Vec<u32> = (0..60).map(|i| i * 7 % 11).collect();
    let mut kv = SMALL.kv_pool(N_BLOCKS * BLOCK).unwrap();
    let first = kv.sequence();
    SMALL.forward(&[Segment { sequence: first, tokens: &ids[..40] }], &mut kv, Want::Nothing).unwrap();
    let second = kv.sequence();
    assert_eq!(kv.adopt(second, &ids), 32, "the whole blocks");
    assert_eq!(kv.adopt(second, &ids[32..]), 0, "nobody has computed more");
    assert_eq!(kv.free_positions(), (N_BLOCKS - 3) * BLOCK, "two blocks are shared");
    let Ok(Output::Logits { values, .. }) = SMALL.forward(&[Segment { sequence: second, tokens: &ids[32..] }], &mut kv, Want::AllLogits)
    else {
        panic!("logits")
    };
    assert!(same_bits(&values, &logits(&SMALL, &ids)[32 * 11..]));
    // After all have ended, what they computed is still there, and goes when its place is needed: the end of a text before its beginning.
    kv.release(first);
    kv.release(second);
    let third = kv.sequence();
    assert_eq!(kv.adopt(third, &ids), 48);
    kv.release(third);
    let other = kv.sequence();
    SMALL.forward(&[Segment { sequence: other, tokens: &[5; (N_BLOCKS - 1) * BLOCK] }], &mut kv, Want::Nothing).unwrap();
    let last = kv.sequence();
    assert_eq!(kv.adopt(last, &ids), 16);
}

fn refused(model: &Gpt2, kv: &mut KvPool, batch: &[Segment<'_>], want: Want<'_>, words: &str) {
    let before: Vec<(usize, usize)> = batch.iter().map(|s| (kv.len(s.sequence), kv.free_positions())).collect();
    let text = model.forward(batch, kv, want).unwrap_err().to_string();
    assert!(text.contains(words), "'{words}' does not stand in: {text}");
    let after: Vec<(usize, usize)> = batch.iter().map(|s| (kv.len(s.sequence), kv.free_positions())).collect();
    assert_eq!(before, after, "{words}");
}

#[test]
fn batches_that_no_model_can_take_are_refused_and_change_nothing() {
    let config = small_config();
    let model = model(&config);
    let mut kv = model.kv_pool(64).unwrap();
    let (a, b) = (kv.sequence(), kv.sequence());
    model.forward(&[Segment { sequence: a, tokens: &[1, 2, 3] }], &mut kv, Want::Nothing).unwrap();
    let full: Vec<u32> = vec![1; config.n_ctx];
    let segment = |sequence, tokens| Segment { sequence, tokens };
    refused(&model, &mut kv, &[segment(a, &[1]), segment(b, &[37])], Want::Nothing, "token 37 is not in the vocabulary of 37");
    refused(&model, &mut kv, &[segment(b, &[u32::MAX])], Want::LastLogits, "token 4294967295");
    refused(&model, &mut kv, &[segment(b, &[1]), segment(a, &full[..19])], Want::Nothing, "the context has 21");
    refused(&model, &mut kv, &[segment(a, &[1]), segment(a, &[2])], Want::Nothing, "twice");
    refused(&model, &mut kv, &[segment(a, &[1]), segment(b, &[])], Want::Nothing, "no tokens");
    refused(&model, &mut kv, &[segment(a, &[1, 2])], Want::Scores { targets: &[Some(1)], top: 0 }, "1 targets for 2 rows");
    refused(&model, &mut kv, &[segment(a, &[1])], Want::Scores { targets: &[Some(37)], top: 0 }, "target 37");
    let full_context = [segment(a, &full[..18]), segment(b, &full)];
    assert!(model.forward(&full_context, &mut kv, Want::Nothing).is_ok());
    assert_eq!((kv.len(a), kv.len(b), kv.free_positions()), (21, 21, 0));
    let c = kv.sequence();
    refused(&model, &mut kv, &[segment(c, &[1])], Want::Nothing, "no room for 1 more");
    kv.release(a);
    kv.release(a);
    assert_eq!(kv.free_positions(), 32);
    refused(&model, &mut kv, &[segment(a, &[1])], Want::Nothing, "not in the pool");
    assert!(model.forward(&[segment(c, &[1])], &mut kv, Want::LastLogits).is_ok());
    assert!(model.forward(&[], &mut kv, Want::AllLogits).is_ok_and(|o| matches!(o, Output::Logits { rows: 0, .. })));
}

#[test]
fn the_name_of_an_ended_sequence_means_nothing_to_the_next() {
    let mut kv = SMALL.kv_pool(64).unwrap();
    let old = kv.sequence();
    SMALL.forward(&[Segment { sequence: old, tokens: &[1, 2] }], &mut kv, Want::Nothing).unwrap();
    kv.release(old);
    let new = kv.sequence();
    SMALL.forward(&[Segment { sequence: new, tokens: &[1, 2, 3] }], &mut kv, Want::Nothing).unwrap();
    assert_ne!(old, new);
    assert_eq!(kv.len(old), 0);
    kv.truncate(old, 0);
    kv.release(old);
    assert_eq!(kv.len(new), 3);
    refused(&SMALL, &mut kv, &[Segment { sequence: old, tokens: &[1] }], Want::Nothing, "not in the pool");
}

#[test]
fn a_pool_of_another_model_is_refused() {
    let one = model(&small_config());
    for other in [
        Config { n_layer: 3, ..small_config() },
        Config { n_head: 4, ..small_config() },
        Config { n_head: 6, ..small_config() },
        Config { n_embd: 24, n_head: 6, ..small_config() },
    ] {
        let mut kv = model(&other).kv_pool(32).unwrap();
        let sequence = kv.sequence();
        refused(&one, &mut kv, &[Segment { sequence, tokens: &[1] }], Want::LastLogits, "another model");
    }
}

#[test]
fn an_absurd_pool_is_refused() {
    for n in [usize::MAX, usize::MAX / 64, 1 << 50] {
        assert!(SMALL.kv_pool(n).is_err_and(|e| e.to_string().contains("out of memory")));
    }
    assert_eq!(SMALL.kv_pool(0).unwrap().n_positions(), 0);
    assert_eq!(SMALL.kv_pool(17).unwrap().n_positions(), 32);
}

#[test]
fn last_logits_all_logits_and_scores_agree() {
    let config = small_config();
    let model = model(&config);
    let ids: Vec<u32> = (0..21).map(|i| i * 5 % 37).collect();
    let all = logits(&model, &ids);
    let run = |want: Want<'_>| {
        let mut kv = model.kv_pool(64).unwrap();
        let batch = [(0, 9), (0, 21)].map(|(from, to)| Segment { sequence: kv.sequence(), tokens: &ids[from..to] });
        model.forward(&batch, &mut kv, want).unwrap()
    };
    let Output::Logits { values, rows: 2, vocab: 37 } = run(Want::LastLogits) else { panic!("two rows") };
    assert!(same_bits(&values, &[&all[8 * 37..9 * 37], &all[20 * 37..]].concat()));
    let targets: Vec<Option<u32>> = ids[..9].iter().chain(&ids).map(|t| Some(*t)).collect();
    let Output::Scores(scores) = run(Want::Scores { targets: &targets, top: 3 }) else { panic!("scores") };
    for (i, score) in scores.iter().enumerate() {
        let row = &all[if i < 9 { i } else { i - 9 } * 37..][..37];
        let log_sum = row.iter().map(|x| f64::from(*x).exp()).sum::<f64>().ln();
        let target = targets[i].unwrap() as usize;
        assert!((f64::from(score.logprob) - (f64::from(row[target]) - log_sum)).abs() < 1e-5);
        assert_eq!(score.rank as usize, 1 + row.iter().filter(|x| **x > row[target]).count());
        assert_eq!(score.top.len(), 3);
    }
}
