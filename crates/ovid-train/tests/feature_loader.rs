//! Which rows a run sees.

mod common;

use std::collections::BTreeMap;

use common::{END_OF_TEXT, documents, shards};
use ovid_train::Order;
use ovid_train::data::{Corpus, Loader, cut};

const CONTEXT: usize = 8;

fn rows(loader: &mut Loader<'_>, rows: impl Iterator<Item = u64>) -> Vec<Vec<u32>> {
    rows.map(|row| {
        let mut out = vec![u32::MAX; CONTEXT + 1];
        loader.row(row, &mut out).unwrap();
        out
    })
    .collect()
}

/// Rows of the first epoch, found by the epoch's own count.
fn first_epoch(loader: &mut Loader<'_>) -> Vec<Vec<u32>> {
    let n = (0..100_000).find(|row| loader.epoch_of(*row).unwrap() >= 1.0).unwrap();
    rows(loader, 0..n)
}

#[test]
fn documents_are_cut_into_equal_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let mut ids: Vec<u32> = (0..19).map(|i| i % 16).collect();
    ids.extend([END_OF_TEXT, END_OF_TEXT, 5, END_OF_TEXT, 1, 2, 3]);
    let data = shards(folder.path(), &[&ids], &[]);
    let corpus = Corpus::open(&[data], &[]).unwrap();
    let found: Vec<_> = cut(&corpus.entries[0].train, 0, Some(END_OF_TEXT), 8).iter().map(|p| (p.start, p.n_stored, p.closed)).collect();
    // 20 tokens in three pieces; an empty document is none; the last document's end-of-text is missing.
    assert_eq!(found, [(0, 6, true), (6, 7, true), (13, 7, false), (21, 2, false), (23, 3, true)]);
    let found: Vec<_> = cut(&corpus.entries[0].train, 0, None, 100).iter().map(|p| (p.start, p.n_stored, p.closed)).collect();
    assert_eq!(found, [(0, 26, false)]);
}

#[test]
fn every_token_is_a_target_once_an_epoch_but_for_one_rows_worth() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (documents(1, 40, 60), documents(2, 30, 20));
    let data = shards(folder.path(), &[&a, &b], &[]);
    let corpus = Corpus::open(&[data], &[]).unwrap();
    let mut loader = Loader::new(&corpus, Order::Packed, CONTEXT, 32, 7).unwrap();
    let mut expected = BTreeMap::<u32, i64>::new();
    for piece in cut(&corpus.entries[0].train, 0, Some(END_OF_TEXT), 32) {
        let mut ids = vec![0; piece.n_stored as usize];
        corpus.entries[0].train.copy(piece.start, &mut ids);
        ids.extend(piece.closed.then_some(END_OF_TEXT));
        for id in ids {
            *expected.entry(id).or_default() += 1;
        }
    }
    let seen = first_epoch(&mut loader);
    seen.iter().flat_map(|row| &row[1..]).for_each(|id| *expected.get_mut(id).unwrap() -= 1);
    let left: i64 = expected.values().sum();
    assert!(expected.values().all(|n| *n >= 0) && (1..=CONTEXT as i64).contains(&left), "{expected:?}");
    // The rows of another epoch and of another seed are others.
    let n = seen.len() as u64;
    assert_ne!(rows(&mut loader, n..2 * n - 1), seen[..seen.len() - 1]);
    let mut other = Loader::new(&corpus, Order::Packed, CONTEXT, 32, 8).unwrap();
    assert_ne!(rows(&mut other, 0..n), seen);
}

#[test]
fn a_row_is_a_function_of_its_number_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data = shards(folder.path(), &[&documents(1, 40, 60)], &[]);
    let corpus = Corpus::open(&[data.clone(), data], &[1.0, 0.4]).unwrap();
    for order in [Order::Packed, Order::Windows] {
        let new = || Loader::new(&corpus, order, CONTEXT, 32, 7).unwrap();
        let forward = rows(&mut new(), 0..900);
        let mut loader = new();
        let mut backward = rows(&mut loader, (0..900).rev());
        backward.reverse();
        assert_eq!(forward, backward);
        // Three ranks that share the rows see what one rank sees.
        for rank in 0..3 {
            let mine = rows(&mut new(), (0..900).filter(|row| row % 3 == rank));
            assert!(mine.iter().eq(forward.iter().skip(rank as usize).step_by(3)));
        }
    }
}

#[test]
fn weights_say_how_often_a_source_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let twos: Vec<u32> = (0..300).flat_map(|_| [2, 2, 2, END_OF_TEXT]).collect();
    let fives: Vec<u32> = (0..300).flat_map(|_| [5, 5, 5, END_OF_TEXT]).collect();
    let data = [shards(&folder.path().join("a"), &[&twos], &[]), shards(&folder.path().join("b"), &[&fives], &[])];
    let check = |weights: &[f64], expected: [f64; 2]| {
        let corpus = Corpus::open(&data, weights).unwrap();
        let mut loader = Loader::new(&corpus, Order::Packed, CONTEXT, 32, 7).unwrap();
        let seen = first_epoch(&mut loader);
        for (id, expected) in [2, 5].into_iter().zip(expected) {
            let n = seen.iter().flat_map(|row| &row[1..]).filter(|i| **i == id).count() as f64 / 900.0;
            assert!((n - expected).abs() < 0.12, "token {id} was seen {n} times, not {expected}, under {weights:?}");
        }
    };
    check(&[], [1.0, 1.0]);
    check(&[0.3, 2.5], [0.3, 2.5]);
    check(&[0.0, 1.0], [0.0, 1.0]);
}

#[test]
fn too_little_data_and_missing_shards_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = shards(folder.path(), &[&[1, 2, END_OF_TEXT]], &[]);
    let corpus = Corpus::open(std::slice::from_ref(&data), &[]).unwrap();
    for order in [Order::Packed, Order::Windows] {
        let error = Loader::new(&corpus, order, CONTEXT, 32, 7).unwrap_err().to_string();
        assert!(error.contains("3 training tokens are too few for one row of 8"), "{error}");
    }
    std::fs::remove_file(data.join("train-0.npy")).unwrap();
    let error = Corpus::open(&[data], &[]).unwrap_err().to_string();
    assert!(error.contains("train-0.npy"), "{error}");
}
