//! The ledger keeps what was committed, and shows what was done to it.

mod common;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{completion, origin, prompt, run};
use ovid_generate::{Recorder as _, Request, Settings};
use ovid_io::Silent;
use ovid_samples::ledger::{Head, LedgerCheck, LedgerRecorder, State, system_clock};
use ovid_samples::{Error, Ledger};
use proptest::prelude::*;

fn recorder(path: &Path) -> LedgerRecorder {
    LedgerRecorder::new(Ledger::open(path).unwrap(), "tokenizer".into(), system_clock)
}

fn request(seed: u64, n: u32) -> Request {
    Request { n_samples: n.try_into().unwrap(), ..Request::new(vec![5, 6], Settings::default(), seed) }
}

/// A ledger of three samples: whole, cut short, open.
fn three(path: &Path) -> LedgerCheck {
    let mut recorder = recorder(path);
    let tries = recorder.begin("So it goes.", &request(7, 3), &origin()).unwrap();
    recorder.complete(tries[0], &completion("And so on.")).unwrap();
    recorder.abort(tries[1], None).unwrap();
    check(path)
}

fn check(path: &Path) -> LedgerCheck {
    Ledger::open_to_read(path).unwrap().check(None, &Silent).unwrap()
}

fn sql(path: &Path, statement: &str) {
    rusqlite::Connection::open(path).unwrap().execute_batch(statement).unwrap();
}

#[test]
fn a_try_counts_from_its_beginning_whatever_becomes_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tries.db");
    let found = three(&path);
    assert_eq!((found.n_samples, found.n_completed, found.n_aborted, found.n_open, found.faults.len()), (3, 1, 1, 1, 0));
    let ledger = Ledger::open_to_read(&path).unwrap();
    let states: Vec<_> = (1..=3).map(|id| ledger.sample(id).unwrap().unwrap().state).collect();
    assert_eq!(states, [State::Completed, State::Aborted, State::Begun]);
    let first = ledger.sample(1).unwrap().unwrap().generation().unwrap();
    assert_eq!((first.prompt.as_str(), first.text.as_str(), first.seed, first.prompt_ids), ("So it goes.", "And so on.", 7, vec![5, 6]));
    let tries = &ledger.tries().unwrap()[0];
    assert_eq!((tries.tries, tries.completed, tries.aborted), (3, 1, 1));
    // What has ended does not end again, and what never began does not end.
    let mut recorder = recorder(&path);
    for sample in [1, 2, 4, 99] {
        assert!(recorder.complete(sample, &completion("x")).is_err(), "{sample}");
    }
    recorder.complete(3, &completion("late")).unwrap();
    assert_eq!(check(&path).n_open, 0);
}

#[test]
fn every_removed_or_changed_row_shows() {
    let folder = tempfile::tempdir().unwrap();
    let good = folder.path().join("good.db");
    let head = three(&good).head;
    sql(&good, "PRAGMA wal_checkpoint(TRUNCATE)");
    let damages = [
        "DELETE FROM entry WHERE seq = 2",
        "DELETE FROM entry WHERE seq = 5",
        "DELETE FROM entry WHERE seq >= 4",
        "DELETE FROM entry WHERE seq = 5; UPDATE head SET n_entries = 4",
        "UPDATE entry SET body = replace(body, 'And so on', 'And so om') WHERE seq = 4",
        "UPDATE entry SET body = replace(body, '\"seed\":8', '\"seed\":9')",
        "UPDATE entry SET body = '{}' WHERE seq = 1",
        "UPDATE entry SET hash = replace(hash, 'a', 'b') WHERE seq = 5",
        "UPDATE content SET body = replace(body, 'goes', 'went')",
        "DELETE FROM content WHERE body LIKE '%goes%'",
        "UPDATE head SET n_entries = 6",
        "UPDATE entry SET seq = 0 WHERE seq = 1",
        "UPDATE entry SET seq = -5 WHERE seq = 3",
        "INSERT INTO entry(seq, body, hash) VALUES (6, '{\"kind\":\"aborted\",\"sample\":3,\"time_ms\":0,\"text\":\"\",\"ids\":[],\"finish_reason\":null,\"window\":null}', '00')",
    ];
    for damage in damages {
        let path = folder.path().join("bad.db");
        std::fs::copy(&good, &path).unwrap();
        sql(&path, damage);
        assert!(!check(&path).faults.is_empty(), "{damage}");
    }
    // A ledger cut short with its head set back is whole in itself: the head that was written down tells.
    let path = folder.path().join("cut.db");
    std::fs::copy(&good, &path).unwrap();
    sql(&path, "DELETE FROM entry WHERE seq = 5; UPDATE head SET n_entries = 4, hash = (SELECT hash FROM entry WHERE seq = 4)");
    let ledger = Ledger::open_to_read(&path).unwrap();
    assert!(ledger.check(None, &Silent).unwrap().faults.is_empty());
    assert!(!ledger.check(Some(&head), &Silent).unwrap().faults.is_empty());
    let grown = Ledger::open_to_read(&good).unwrap();
    let earlier = Head { n_entries: 4, hash: ledger.head().unwrap().hash };
    assert!(grown.check(Some(&earlier), &Silent).unwrap().faults.is_empty());
}

#[test]
fn nothing_is_built_on_an_end_that_was_tampered_with() {
    let folder = tempfile::tempdir().unwrap();
    for damage in ["DELETE FROM entry WHERE seq = 5", "UPDATE head SET n_entries = 4", "DELETE FROM head"] {
        let path = folder.path().join(damage.replace(' ', "_"));
        three(&path);
        sql(&path, damage);
        let error = recorder(&path).begin("x", &request(0, 1), &origin()).unwrap_err();
        assert!(matches!(&error, Error::Broken { .. }) && error.is_bad_input(), "{error}");
    }
}

#[test]
fn two_writers_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tries.db");
    // The ledger is made by whoever comes first.
    let write = |seed: u64| {
        let mut recorder = recorder(&path);
        for i in 0..25 {
            let tries = recorder.begin("both", &request(seed + i, 2), &origin()).unwrap();
            for sample in tries {
                recorder.complete(sample, &completion("text")).unwrap();
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| write(0));
        scope.spawn(|| write(1000));
    });
    let found = check(&path);
    assert_eq!((found.n_samples, found.n_completed, found.n_open, found.faults.len()), (100, 100, 0, 0));
}

#[test]
fn a_clock_that_goes_back_is_said_and_harms_nothing() {
    static NOW: AtomicU64 = AtomicU64::new(1_000_000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tries.db");
    let mut recorder = LedgerRecorder::new(Ledger::open(&path).unwrap(), String::new(), || NOW.fetch_sub(1000, Ordering::SeqCst));
    for seed in 0..3 {
        recorder.begin("p", &request(seed, 1), &origin()).unwrap();
    }
    let found = check(&path);
    assert_eq!((found.n_clock_back, found.n_samples, found.faults.len()), (2, 3, 0));
}

#[test]
fn other_files_are_no_ledgers() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(
        path("text"),
        "a text that is no database, and long enough to have a header of a hundred bytes, which databases have".repeat(3),
    )
    .unwrap();
    sql(&path("other.db"), "CREATE TABLE t(x)");
    sql(&path("newer.db"), "PRAGMA application_id = 1331054916; PRAGMA user_version = 2; CREATE TABLE t(x)");
    for name in ["text", "other.db", "newer.db"] {
        let before = std::fs::read(path(name)).unwrap();
        for error in [Ledger::open(&path(name)).err().unwrap(), Ledger::open_to_read(&path(name)).err().unwrap()] {
            assert!(matches!(error, Error::NoLedger { .. }) && error.is_bad_input(), "{name}: {error}");
        }
        assert_eq!(before, std::fs::read(path(name)).unwrap(), "{name} was changed");
    }
    for error in [Ledger::open(folder.path()).err().unwrap(), Ledger::open_to_read(folder.path()).err().unwrap()] {
        assert!(error.is_bad_input(), "{error}");
    }
    assert!(Ledger::open_to_read(&path("absent")).err().unwrap().is_bad_input());
    assert!(!path("absent").exists());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn a_ledger_cut_or_scratched_anywhere_is_an_error_or_a_fault_and_no_panic(at in 0.0f64..1.0, cut in any::<bool>(), byte in any::<u8>()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tries.db");
        three(&path);
        sql(&path, "PRAGMA wal_checkpoint(TRUNCATE)");
        let mut bytes = std::fs::read(&path).unwrap();
        let at = (at * bytes.len() as f64) as usize;
        let before = bytes.clone();
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] = byte;
        }
        std::fs::write(&path, &bytes).unwrap();
        let found = Ledger::open_to_read(&path).and_then(|ledger| {
            let found = ledger.check(None, &Silent)?;
            ledger.tries()?;
            for id in 1..=5 {
                ledger.sample(id)?;
            }
            Ok(found)
        });
        // A scratch in a page's unused bytes changes nothing that was recorded.
        if let Ok(found) = found {
            prop_assert!(!found.faults.is_empty() || found.n_samples == 3 || before == bytes);
        }
        let _ = Ledger::open(&path).map(|ledger| {
            let mut recorder = LedgerRecorder::new(ledger, String::new(), system_clock);
            let _ = recorder.begin("p", &request(0, 1), &origin());
        });
    }
}

#[test]
fn records_that_are_moved_in_are_rows_like_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tries.db");
    let mut ledger = Ledger::open(&path).unwrap();
    let samples = (0..500u64).map(|i| (prompt(&format!("prompt {}", i % 7)), i, completion(&format!("text {i}"))));
    assert_eq!(ledger.append_whole(&run(), samples, system_clock).unwrap(), 1);
    let found = check(&path);
    assert_eq!((found.n_samples, found.n_completed, found.faults.len()), (500, 500, 0));
    assert_eq!(ledger.tries().unwrap().len(), 7);
}
