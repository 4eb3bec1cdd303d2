//! A few threads that share one piece of work at a time.
//!
//! A forward pass is a few hundred short parallel phases, so the threads wait for the next one by looking at a counter for some microseconds and go to sleep only
//! when none comes. Tasks are claimed one by one: a thread that the system takes off its core holds up one task, not its share of all.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, Thread};

/// Looks at the counter before a thread gives up its core or sleeps: about 50 microseconds.
const SPINS: u32 = 2_000;

/// One phase: `task(i)` for each `i` below `n`.
struct Job {
    /// The lifetime is erased; `Pool::run` does not return before the last task has ended.
    task: Option<&'static (dyn Fn(usize) + Sync)>,
    n: usize,
}

struct Shared {
    /// Even while no phase is open, odd while one is; written by `run` alone.
    epoch: AtomicU32,
    job: Mutex<Job>,
    next: AtomicUsize,
    /// Workers that are inside the open phase.
    inside: AtomicUsize,
    panicked: AtomicBool,
    stop: AtomicBool,
}

/// Threads that run the tasks of one phase together with the caller.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<(JoinHandle<()>, Thread)>,
    /// Phases of several callers follow one another.
    turn: Mutex<()>,
}

impl Pool {
    /// A pool of `n_threads`, the calling thread counted.
    pub fn new(n_threads: usize) -> Self {
        let shared = Arc::new(Shared {
            epoch: AtomicU32::new(0),
            job: Mutex::new(Job { task: None, n: 0 }),
            next: AtomicUsize::new(0),
            inside: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        });
        let workers = (1..n_threads.max(1))
            .filter_map(|i| {
                let shared = Arc::clone(&shared);
                // A system that refuses a thread leaves a smaller pool: the results are the same.
                let handle = std::thread::Builder::new().name(format!("ovid-{i}")).spawn(move || work(&shared)).ok()?;
                let thread = handle.thread().clone();
                Some((handle, thread))
            })
            .collect();
        Self { shared, workers, turn: Mutex::new(()) }
    }

    /// Threads, the caller counted.
    pub fn n_threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Runs `task(0)` to `task(n - 1)`, each once, in any order and on any thread, and returns when all have ended.
    ///
    /// # Panics
    /// If a task panics.
    pub fn run(&self, n: usize, task: impl Fn(usize) + Sync) {
        if n <= 1 || self.workers.is_empty() {
            (0..n).for_each(task);
            return;
        }
        let _turn = lock(&self.turn);
        let shared = &*self.shared;
        let task: &(dyn Fn(usize) + Sync) = &task;
        // SAFETY: only the lifetime changes. Workers use the reference between entering the phase (counted in `inside`) and leaving it, and this function waits below,
        // also when a task panics here, until none is inside; after the epoch has moved on none can enter.
        let task: &'static (dyn Fn(usize) + Sync) = unsafe { std::mem::transmute(task) };
        *lock(&shared.job) = Job { task: Some(task), n };
        shared.next.store(0, Ordering::SeqCst);
        shared.epoch.fetch_add(1, Ordering::SeqCst);
        for (_, thread) in &self.workers {
            thread.unpark();
        }
        let here = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| claim(shared, task, n)));
        shared.epoch.fetch_add(1, Ordering::SeqCst);
        let mut spins = 0;
        while shared.inside.load(Ordering::SeqCst) != 0 {
            wait(&mut spins);
        }
        lock(&shared.job).task = None;
        if let Err(payload) = here {
            std::panic::resume_unwind(payload);
        }
        assert!(!shared.panicked.swap(false, Ordering::SeqCst), "a task of a parallel phase panicked");
    }

    /// Splits `0..n` into ranges of at least `grain` and runs `body` on each; about four ranges a thread, so that an uneven machine is evened out.
    pub fn ranges(&self, n: usize, grain: usize, body: impl Fn(std::ops::Range<usize>) + Sync) {
        let pieces = (self.n_threads() * 4).min(n.div_ceil(grain.max(1))).max(1);
        let step = n.div_ceil(pieces).next_multiple_of(grain.max(1));
        self.run(n.div_ceil(step.max(1)), |i| body(i * step..((i + 1) * step).min(n)));
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for (handle, thread) in self.workers.drain(..) {
            thread.unpark();
            // A worker that panicked has said so already.
            let _ = handle.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait(spins: &mut u32) {
    if *spins < SPINS {
        *spins += 1;
        std::hint::spin_loop();
    } else {
        std::thread::yield_now();
    }
}

fn claim(shared: &Shared, task: &(dyn Fn(usize) + Sync), n: usize) {
    loop {
        let i = shared.next.fetch_add(1, Ordering::Relaxed);
        if i >= n {
            return;
        }
        task(i);
    }
}

fn work(shared: &Shared) {
    let mut seen = 0;
    let mut spins = 0;
    while !shared.stop.load(Ordering::SeqCst) {
        let epoch = shared.epoch.load(Ordering::SeqCst);
        if epoch == seen || epoch.is_multiple_of(2) {
            if spins < SPINS {
                spins += 1;
                std::hint::spin_loop();
            } else {
                // `unpark` before this call makes it return at once, so no phase is missed.
                std::thread::park();
                spins = 0;
            }
            continue;
        }
        seen = epoch;
        spins = 0;
        shared.inside.fetch_add(1, Ordering::SeqCst);
        // The phase may have closed between the two looks; then its task must not be touched.
        if shared.epoch.load(Ordering::SeqCst) == epoch {
            let (task, n) = {
                let job = lock(&shared.job);
                (job.task, job.n)
            };
            if let Some(task) = task
                && std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| claim(shared, task, n))).is_err()
            {
                shared.panicked.store(true, Ordering::SeqCst);
            }
        }
        shared.inside.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_runs_once() {
        for n_threads in [1, 2, 3, 7] {
            let pool = Pool::new(n_threads);
            for n in [0, 1, 2, 5, 100, 1000] {
                let counts: Vec<AtomicUsize> = (0..n).map(|_| AtomicUsize::new(0)).collect();
                for round in 1..=20 {
                    pool.run(n, |i| {
                        counts[i].fetch_add(1, Ordering::SeqCst);
                    });
                    assert!(counts.iter().all(|c| c.load(Ordering::SeqCst) == round));
                }
            }
        }
    }

    #[test]
    fn ranges_cover_everything_once() {
        let pool = Pool::new(3);
        for (n, grain) in [(0, 1), (1, 16), (1000, 16), (17, 5)] {
            let counts: Vec<AtomicUsize> = (0..n).map(|_| AtomicUsize::new(0)).collect();
            pool.ranges(n, grain, |range| {
                for i in range {
                    counts[i].fetch_add(1, Ordering::SeqCst);
                }
            });
            assert!(counts.iter().all(|c| c.load(Ordering::SeqCst) == 1));
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_lives_on() {
        let pool = Pool::new(2);
        let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pool.run(50, |i| assert!(i != 20, "planned"))));
        assert!(broken.is_err());
        let sum = AtomicUsize::new(0);
        pool.run(10, |i| {
            sum.fetch_add(i, Ordering::SeqCst);
        });
        assert_eq!(sum.load(Ordering::SeqCst), 45);
    }
}
