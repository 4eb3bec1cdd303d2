//! Who is asked next: one request at a time to a host, with a pause between, and many hosts at a time.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use url::Url;

use super::Wanted;
use super::robots::Robots;

/// Links that wait in memory: enough that many hosts are among them.
const AHEAD: usize = 10_000;

/// A link on its way.
pub(super) struct Task {
    pub link: Wanted,
    /// Where it is now, behind its redirects.
    pub url: Url,
    pub n_redirects: u32,
}

/// What a thread is given: a task, and what is known of its host.
pub(super) struct Turn {
    pub task: Task,
    pub host: String,
    pub robots: Option<Arc<Robots>>,
    /// Bytes that came from this host so far.
    pub n_bytes: u64,
}

/// What a turn came to, for the host.
pub(super) struct Done {
    pub robots: Option<Arc<Robots>>,
    pub n_bytes: u64,
    /// The time until the host may be asked again.
    pub pause: Duration,
    /// A task that goes on: the same one, now that the host's rules are known, or one that was redirected.
    pub again: Option<Task>,
}

pub(super) struct Queue<I> {
    state: Mutex<State<I>>,
    moved: Condvar,
}

struct State<I> {
    links: I,
    hosts: HashMap<String, Host>,
    n_waiting: usize,
    n_running: usize,
    stopped: bool,
}

#[derive(Default)]
struct Host {
    tasks: VecDeque<Task>,
    busy: bool,
    free_at: Option<Instant>,
    robots: Option<Arc<Robots>>,
    n_bytes: u64,
}

impl<I: Iterator<Item = Task>> Queue<I> {
    pub fn new(links: I) -> Self {
        let state = State { links, hosts: HashMap::new(), n_waiting: 0, n_running: 0, stopped: false };
        Self { state: Mutex::new(state), moved: Condvar::new() }
    }

    /// The next turn, when one may be taken; nothing when all is done or stopped.
    pub fn take(&self) -> Option<Turn> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if state.stopped {
                return None;
            }
            state.fill();
            let (now, n_running) = (Instant::now(), state.n_running);
            let waiting = state.hosts.iter_mut().filter(|(_, h)| !h.busy && !h.tasks.is_empty());
            let next = waiting.min_by_key(|(_, h)| h.free_at);
            let wait = match next {
                Some((name, host)) if host.free_at.is_none_or(|at| at <= now) => {
                    if let Some(task) = host.tasks.pop_front() {
                        host.busy = true;
                        let turn = Turn { task, host: name.clone(), robots: host.robots.clone(), n_bytes: host.n_bytes };
                        state.n_waiting -= 1;
                        state.n_running += 1;
                        return Some(turn);
                    }
                    Duration::ZERO
                }
                Some((_, host)) => host.free_at.map_or(Duration::ZERO, |at| at - now),
                None if n_running == 0 => {
                    self.moved.notify_all();
                    return None;
                }
                None => Duration::from_secs(1),
            };
            state = self.moved.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub fn done(&self, host: &str, done: Done) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.n_running -= 1;
        if let Some(host) = state.hosts.get_mut(host) {
            host.busy = false;
            host.free_at = Some(Instant::now() + done.pause);
            host.robots = done.robots.or(host.robots.take());
            host.n_bytes += done.n_bytes;
        }
        if let Some(task) = done.again {
            state.hosts.entry(host_of(&task.url)).or_default().tasks.push_front(task);
            state.n_waiting += 1;
        }
        self.moved.notify_all();
    }

    pub fn stop(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).stopped = true;
        self.moved.notify_all();
    }
}

impl<I: Iterator<Item = Task>> State<I> {
    fn fill(&mut self) {
        while self.n_waiting < AHEAD {
            let Some(task) = self.links.next() else { return };
            self.hosts.entry(host_of(&task.url)).or_default().tasks.push_back(task);
            self.n_waiting += 1;
        }
    }
}

/// What has a robots.txt of its own: host and port, with the scheme.
fn host_of(url: &Url) -> String {
    url[..url::Position::BeforePath].to_owned()
}
