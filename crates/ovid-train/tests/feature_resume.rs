//! A run that is killed, cancelled or robbed of a checkpoint ends as one that was left alone.

mod common;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::{Bigram, config, documents, result, run, shards};
use ovid_io::{Observer, Progress, Silent};
use ovid_train::metrics::SampleRow;
use ovid_train::{Error, Event, Hooks, TrainConfig, checkpoint};

/// Writes the parameters as the model, and samples that depend on them.
#[derive(Default)]
struct Recorder {
    events: Vec<String>,
    /// Waits this long at each step, so that a kill can hit.
    pause: Duration,
    /// Filled until the disk is full when the first checkpoint is written.
    filler: Option<std::path::PathBuf>,
}

impl Hooks for Recorder {
    fn event(&mut self, event: &Event<'_>) {
        self.events.push(format!("{event:?}"));
        if matches!(event, Event::Step(..)) {
            std::thread::sleep(self.pause);
        }
        if let (Event::Checkpoint { .. }, Some(filler)) = (event, &self.filler) {
            use std::io::Write as _;
            let mut file = std::fs::File::create(filler).unwrap();
            while file.write(&[0; 4096]).is_ok_and(|n| n > 0) {}
        }
    }

    fn sample(&mut self, params: &[f32]) -> Result<Vec<SampleRow>, Error> {
        Ok(vec![SampleRow { step: 0, seed: 1, prompt: String::new(), text: format!("{:?}", params[0]) }])
    }

    fn export(&mut self, params: &[f32], folder: &Path) -> Result<(), Error> {
        Ok(std::fs::write(folder.join("params"), format!("{params:?}")).map_err(|e| ovid_io::Error::io(folder, "write", e))?)
    }
}

fn data(folder: &Path) -> std::path::PathBuf {
    shards(&folder.join("data"), &[&documents(1, 60, 80)], &[&documents(2, 20, 40)])
}

fn finish(config: &TrainConfig) -> Recorder {
    let mut recorder = Recorder::default();
    assert!(run(config, &mut Bigram::new(), &mut recorder, &Silent, 1).unwrap().is_finished);
    recorder
}

#[test]
fn a_run_learns_and_the_threads_do_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let one = config(&folder.path().join("run"), data.clone());
    let first = run(&one, &mut Bigram::new(), &mut Recorder::default(), &Silent, 1).unwrap();
    assert!(first.validation.as_ref().unwrap().loss_nats < 1.6, "{:?}", first.validation);
    let one = result(&one.out);
    std::fs::rename(folder.path().join("run"), folder.path().join("old")).unwrap();
    let second = run(&config(&folder.path().join("run"), data), &mut Bigram::new(), &mut Recorder::default(), &Silent, 3).unwrap();
    assert!(first.state == second.state && one == result(&folder.path().join("run")));
}

/// Cancels once so many tokens are done.
struct CancelAfter(AtomicU64, u64);

impl Observer for CancelAfter {
    fn progress(&self, progress: Progress<'_>) {
        self.0.store(progress.done, Ordering::Relaxed);
    }

    fn cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= self.1
    }
}

#[test]
fn a_cancelled_run_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let whole = config(&folder.path().join("a/run"), data.clone());
    finish(&whole);
    let cut = config(&folder.path().join("b/run"), data);
    // 37 ends between checkpoints; 20 and 30 end in a validation, which is then cancelled.
    for step in [20, 30, 37] {
        let observer = CancelAfter(AtomicU64::new(0), step * cut.tokens_per_step());
        let outcome = run(&cut, &mut Bigram::new(), &mut Recorder::default(), &observer, 1).unwrap();
        assert!(!outcome.is_finished && outcome.state.counters.step == step);
    }
    let recorder = finish(&cut);
    assert!(recorder.events[0].contains("Resumed { step: 37 }"), "{}", recorder.events[0]);
    assert_same(&result(&cut.out), &result(&whole.out));
    // Started again, a finished run changes nothing.
    finish(&cut);
    assert_same(&result(&cut.out), &result(&whole.out));
}

fn assert_same(found: &[(String, Vec<u8>)], expected: &[(String, Vec<u8>)]) {
    assert_eq!(found.iter().map(|f| &f.0).collect::<Vec<_>>(), expected.iter().map(|f| &f.0).collect::<Vec<_>>());
    for (found, expected) in found.iter().zip(expected) {
        assert!(found == expected, "{} differs", found.0);
    }
}

const CHILD: &str = "OVID_TRAIN_TEST_CHILD";

/// Not a test of its own: what `a_killed_run_…` starts and kills.
#[test]
fn child() {
    if let Some(out) = std::env::var_os(CHILD) {
        let out = Path::new(&out);
        let config = config(out, out.parent().unwrap().join("data"));
        let mut recorder = Recorder { pause: Duration::from_millis(2), ..Recorder::default() };
        run(&config, &mut Bigram::new(), &mut recorder, &Silent, 2).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn a_killed_run_ends_in_the_same_bytes_as_one_never_killed() {
    use std::os::unix::process::ExitStatusExt as _;
    let folder = tempfile::tempdir().unwrap();
    let whole = config(&folder.path().join("whole/run"), data(&folder.path().join("whole")));
    finish(&whole);
    let killed = config(&folder.path().join("killed/run"), data(&folder.path().join("killed")));
    let mut n_kills = 0;
    // Kills ever later, so that they fall into every part of the run: before, in and after validations and checkpoints.
    for delay in 1.. {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--test-threads=1"])
            .env(CHILD, &killed.out)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(3 * delay));
        child.kill().unwrap();
        let status = child.wait().unwrap();
        if status.signal().is_none() {
            assert!(status.success());
            break;
        }
        n_kills += 1;
    }
    assert!(n_kills >= 3, "the run was over after {n_kills} kills");
    assert_same(&result(&killed.out), &result(&whole.out));
}

#[test]
fn broken_checkpoints_are_named_and_an_older_one_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder.path().join("run"), data(folder.path()));
    finish(&config);
    let expected = result(&config.out);
    let steps = || checkpoint::list(&config.out).unwrap().into_iter().map(|(step, _)| step).collect::<Vec<_>>();
    assert_eq!(steps(), [50, 60]);
    let newest = config.out.join("checkpoints/step-000060/state.safetensors");
    let good = std::fs::read(&newest).unwrap();
    let check = |bytes: Vec<u8>, complaint: &str| {
        std::fs::write(&newest, bytes).unwrap();
        let recorder = finish(&config);
        assert!(recorder.events[0].contains(complaint) && recorder.events[0].contains("step-000060"), "{}", recorder.events[0]);
        assert!(recorder.events[1].contains("Resumed { step: 50 }"), "{}", recorder.events[1]);
        assert_same(&result(&config.out), &expected);
    };
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    check(flipped(good.len() - 5), "corrupt");
    check(flipped(good.len() / 2), "corrupt");
    let at = good.windows(8).position(|w| w == b"n_tokens").unwrap() + 11;
    check(flipped(at), "corrupt");
    check(good[..good.len() - 1].to_vec(), "state.safetensors");
    check(good[..10].to_vec(), "state.safetensors");
    check(Vec::new(), "state.safetensors");
    // Where none is whole there is nothing to fall back to, and nothing is deleted.
    for step in steps() {
        std::fs::write(config.out.join(format!("checkpoints/step-{step:06}/state.safetensors")), b"x").unwrap();
    }
    let error = run(&config, &mut Bigram::new(), &mut Recorder::default(), &Silent, 1).err().unwrap();
    assert!(error.to_string().contains("step-000060"), "{error}");
    assert_eq!(steps(), [50, 60]);
}

#[test]
fn another_runs_folder_is_refused_by_the_key_that_differs() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder.path().join("run"), data(folder.path()));
    finish(&config);
    let check = |config: TrainConfig, expected: &str| {
        let error = run(&config, &mut Bigram::new(), &mut Recorder::default(), &Silent, 1).err().unwrap().to_string();
        assert!(error.contains(expected) && error.contains("run'"), "{error}");
    };
    check(TrainConfig { learning_rate: 1e-2, ..config.clone() }, "learning_rate: 0.03 there, 0.01 now");
    check(TrainConfig { weights: vec![2.0], ..config.clone() }, "data set");
    check(TrainConfig { steps: 90, ..config.clone() }, "steps: 60 there, 90 now");
    // What does not decide what is learnt may change.
    finish(&TrainConfig { checkpoint_every: 7, ..config.clone() });
    let lock = std::fs::File::open(config.out.join(".lock")).unwrap();
    lock.lock().unwrap();
    check(config, "in use by another process");
}

#[test]
fn a_run_of_open_length_can_be_made_longer_and_shorter() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let open = |out: &str, steps, cooldown_steps| TrainConfig {
        decay: ovid_train::Decay::Wsd,
        cooldown_steps,
        steps,
        keep_checkpoints: 9,
        ..config(&folder.path().join(out), data.clone())
    };
    let whole = open("a/run", 50, 10);
    finish(&whole);
    // Stopped at 37 of 90 steps, it is given another end.
    let observer = CancelAfter(AtomicU64::new(0), 37 * whole.tokens_per_step());
    run(&open("b/run", 90, 20), &mut Bigram::new(), &mut Recorder::default(), &observer, 1).unwrap();
    let shorter = open("b/run", 50, 10);
    finish(&shorter);
    let params = |config: &TrainConfig| std::fs::read(config.out.join("model/params")).unwrap();
    assert!(params(&whole) == params(&shorter));
    // Now its decline has begun.
    let error = run(&open("b/run", 90, 20), &mut Bigram::new(), &mut Recorder::default(), &Silent, 1).err().unwrap().to_string();
    assert!(error.contains("cooldown_steps: 10 there, 20 now"), "{error}");
}

#[test]
fn what_is_not_a_number_is_skipped_and_ends_a_run_that_cannot_recover() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder.path().join("run"), data(folder.path()));
    // Two calls a step: calls 21 to 24 are steps 11 and 12.
    let mut model = Bigram::broken_in(21..25);
    let mut recorder = Recorder::default();
    let outcome = run(&config, &mut model, &mut recorder, &Silent, 1).unwrap();
    assert_eq!((outcome.state.counters.guard.n_skipped, outcome.state.counters.guard.n_taken, outcome.state.counters.step), (2, 58, 60));
    assert!(outcome.state.params.iter().all(|p| p.is_finite()));
    assert!(recorder.events.iter().any(|e| e.contains("the loss is NaN")));
    let metrics = std::fs::read_to_string(config.out.join("metrics.jsonl")).unwrap();
    assert!(metrics.contains(r#"{"kind":"skipped","step":11,"cause":"the loss is NaN"}"#), "{metrics}");

    let config = TrainConfig { out: folder.path().join("lost"), ..config };
    let mut model = Bigram::broken_in(21..10_000);
    let error = run(&config, &mut model, &mut Recorder::default(), &Silent, 1).err().unwrap().to_string();
    assert!(error.contains("stopped at step 20: 10 steps in a row were skipped, the last because the loss is NaN"), "{error}");
    assert_eq!(checkpoint::list(&config.out).unwrap().len(), 1);
}

/// A file system of 1 MB, where the user may mount one.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_a_clear_error_and_the_last_good_checkpoint_remains() {
    let folder = tempfile::tempdir().unwrap();
    let small = folder.path().join("small");
    std::fs::create_dir(&small).unwrap();
    let mount =
        |args: &[&str]| std::process::Command::new(args[0]).args(&args[1..]).arg(&small).stderr(std::process::Stdio::null()).status();
    if !mount(&["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs"]).is_ok_and(|status| status.success()) {
        eprintln!("skipped: no right to mount a small file system");
        return;
    }
    let found = std::panic::catch_unwind(|| {
        let config = TrainConfig { checkpoint_every: 20, ..config(&small.join("run"), data(folder.path())) };
        let whole = TrainConfig { out: folder.path().join("whole/run"), ..config.clone() };
        finish(&whole);
        let mut recorder = Recorder { filler: Some(small.join("filler")), ..Recorder::default() };
        let error = run(&config, &mut Bigram::new(), &mut recorder, &Silent, 1).err().unwrap().to_string();
        assert!(error.contains("cannot write") && error.contains("No space left on device"), "{error}");
        let steps: Vec<u64> = checkpoint::list(&config.out).unwrap().into_iter().map(|(step, _)| step).collect();
        std::fs::remove_file(small.join("filler")).unwrap();
        let recorder = finish(&config);
        (steps, recorder.events[0].clone(), result(&whole.out) == result(&config.out))
    });
    assert!(mount(&["umount"]).unwrap().success());
    let (steps, first, same) = found.unwrap();
    assert!(steps == [20] && first.contains("Resumed { step: 20 }") && same, "{steps:?} {first} {same}");
}
