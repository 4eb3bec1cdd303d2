//! Workers: processes of this program that pages are handed to, so that a page which crashes or hangs its reader costs one row.
//!
//! Outcomes come in the order of the records, whatever the number of workers.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, BufReader, BufWriter, Read as _};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ovid_io::Observer;

use super::protocol::{self, About, Answer, Hello};
use super::{PageLimits, STAGE, Settings, outcome};
use crate::{Error, Outcome, Page, Record};

/// How pages are worked on.
#[derive(Clone, Debug)]
pub struct Workers {
    /// The program that calls [`super::serve`] on its standard input and output...
    pub program: PathBuf,
    /// ...when it is started with these arguments.
    pub arguments: Vec<OsString>,
    /// How many at a time.
    pub n_workers: NonZeroUsize,
    /// What a page may cost.
    pub limits: PageLimits,
    /// How text is taken out.
    pub settings: Settings,
}

/// Records that may be in work or waiting for one before them, by worker.
const AHEAD: u64 = 4;

/// How often who waits looks whether it should stop.
const PATIENCE: Duration = Duration::from_millis(200);

/// Takes the text out of all pages among the records; documents and rows pass as they are. `sink` is given the outcomes in the order of the records.
///
/// # Errors
/// If a worker cannot be started, the observer cancels, or `sink` fails. No page ends the run.
pub fn run(
    records: impl Iterator<Item = Record> + Send,
    workers: &Workers,
    observer: &dyn Observer,
    mut sink: impl FnMut(Outcome) -> Result<(), Error>,
) -> Result<(), Error> {
    let n_workers = workers.n_workers.get();
    let line = Line {
        state: Mutex::new(State { records, n_taken: 0, n_given: 0, stopped: false }),
        moved: Condvar::new(),
        ahead: AHEAD * n_workers as u64,
    };
    let (out, outcomes) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..n_workers {
            let (line, out) = (&line, out.clone());
            scope.spawn(move || work(line, workers, &out));
        }
        drop(out);
        let given = hand_on(&outcomes, &line, observer, &mut sink);
        line.stop();
        given
    })
}

/// The records, taken one by one by whoever is free, never too far ahead of what was given on.
struct Line<I> {
    state: Mutex<State<I>>,
    moved: Condvar,
    ahead: u64,
}

struct State<I> {
    records: I,
    n_taken: u64,
    n_given: u64,
    stopped: bool,
}

impl<I: Iterator<Item = Record>> Line<I> {
    fn next(&self) -> Option<(u64, Record)> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |s: &mut State<I>| !s.stopped && s.n_taken >= s.n_given + self.ahead;
        let mut state = self.moved.wait_while(state, full).unwrap_or_else(PoisonError::into_inner);
        if state.stopped {
            return None;
        }
        let record = state.records.next()?;
        let number = state.n_taken;
        state.n_taken += 1;
        Some((number, record))
    }
}

impl<I> Line<I> {
    fn is_stopped(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).stopped
    }

    fn given(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).n_given += 1;
        self.moved.notify_all();
    }

    fn stop(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).stopped = true;
        self.moved.notify_all();
    }
}

type Numbered = (u64, Result<Outcome, Error>);

fn work<I: Iterator<Item = Record>>(line: &Line<I>, workers: &Workers, out: &mpsc::Sender<Numbered>) {
    let mut worker = None;
    while let Some((number, record)) = line.next() {
        let outcome = match record {
            Record::Document(document) => Ok(Outcome::Kept(document)),
            Record::Dropped(row) => Ok(Outcome::Dropped(row)),
            Record::Page(page) => match extract_in(&mut worker, workers, page, line) {
                Some(outcome) => outcome,
                None => return,
            },
        };
        let failed = outcome.is_err();
        if out.send((number, outcome)).is_err() || failed {
            return;
        }
    }
}

fn hand_on<I>(
    outcomes: &Receiver<Numbered>,
    line: &Line<I>,
    observer: &dyn Observer,
    sink: &mut impl FnMut(Outcome) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut early = BTreeMap::new();
    let mut next = 0;
    loop {
        let (number, outcome) = match outcomes.recv_timeout(PATIENCE) {
            Ok(numbered) => numbered,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) if observer.cancelled() => return Err(ovid_io::Error::Cancelled.into()),
            Err(RecvTimeoutError::Timeout) => continue,
        };
        if observer.cancelled() {
            return Err(ovid_io::Error::Cancelled.into());
        }
        early.insert(number, outcome?);
        while let Some(outcome) = early.remove(&next) {
            sink(outcome)?;
            next += 1;
            line.given();
        }
    }
}

/// Hands a page to the worker, which is started where there is none; one that crashed or was ended makes room for the next. Nothing where the run is stopped meanwhile.
fn extract_in<I>(worker: &mut Option<Worker>, workers: &Workers, page: Page, line: &Line<I>) -> Option<Result<Outcome, Error>> {
    let at_work = match worker.take().map_or_else(|| Worker::start(workers), Ok) {
        Ok(at_work) => at_work,
        Err(cause) => return Some(Err(ovid_io::Error::io(&workers.program, "start as a worker", cause).into())),
    };
    let about = About { url: page.document.url.clone(), content_type: page.content_type.clone() };
    // One that ended before it was asked gives no answer either.
    let _ = at_work.requests.send((about, page.bytes.clone()));
    // The worker's processor time is limited by the system; this is for one that waits instead of working.
    let deadline = Instant::now() + workers.limits.time * 10;
    let answer = loop {
        match at_work.answers.recv_timeout(PATIENCE.min(deadline.saturating_duration_since(Instant::now()))) {
            Err(RecvTimeoutError::Timeout) if line.is_stopped() => return None,
            Err(RecvTimeoutError::Timeout) if Instant::now() < deadline => {}
            answer => break answer,
        }
    };
    let too_long = format!("more than {} s", workers.limits.time.as_secs_f64());
    Some(Ok(match answer {
        Ok(Ok(answer)) => {
            *worker = Some(at_work);
            outcome(page, answer)
        }
        Err(RecvTimeoutError::Timeout) => {
            Outcome::Dropped(page.row(STAGE, "timeout", format!("more than {} s", workers.limits.time.as_secs_f64())))
        }
        Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => match at_work.ended() {
            (Some(status), _) if is_out_of_time(status) => Outcome::Dropped(page.row(STAGE, "timeout", too_long)),
            (status, words) => {
                let status = status.map_or_else(|| "no status".into(), |s| s.to_string());
                Outcome::Dropped(page.row(STAGE, "crashed", if words.is_empty() { status } else { format!("{status}: {words}") }))
            }
        },
    }))
}

/// A process at work, and the thread that talks to it: a write to a process that does not read would wait for ever.
struct Worker {
    child: Child,
    requests: SyncSender<(About, Vec<u8>)>,
    answers: Receiver<io::Result<Answer>>,
}

impl Worker {
    fn start(workers: &Workers) -> io::Result<Self> {
        let mut command = Command::new(&workers.program);
        command.args(&workers.arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Ctrl-C in a terminal goes to the whole group of processes; the workers end when the program has put away what it has.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn()?;
        let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
        let mut to = BufWriter::new(child.stdin.take().ok_or_else(broken)?);
        let mut from = BufReader::new(child.stdout.take().ok_or_else(broken)?);
        let (requests, asked) = mpsc::sync_channel::<(About, Vec<u8>)>(1);
        let (answered, answers) = mpsc::sync_channel(1);
        let hello = Hello { limits: workers.limits, settings: workers.settings };
        std::thread::spawn(move || {
            let mut greeted = protocol::write_json(&mut to, &hello);
            for (about, bytes) in asked {
                let mut ask = || {
                    std::mem::replace(&mut greeted, Ok(()))?;
                    protocol::write_json(&mut to, &about)?;
                    protocol::write(&mut to, &bytes)?;
                    protocol::read_json(&mut from)?.ok_or(io::ErrorKind::UnexpectedEof.into())
                };
                if answered.send(ask()).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, requests, answers })
    }

    /// How a worker that closed its pipes ended, and its last words.
    fn ended(mut self) -> (Option<ExitStatus>, String) {
        let mut status = None;
        for _ in 0..50 {
            status = self.child.try_wait().ok().flatten();
            if status.is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let status = status.or_else(|| self.child.wait().ok());
        let mut words = String::new();
        if let Some(stderr) = self.child.stderr.take() {
            let _ = stderr.take(4096).read_to_string(&mut words);
        }
        (status, words.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned())
    }
}

/// Whether the system ended the process for the processor time that it took.
#[cfg(unix)]
fn is_out_of_time(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    status.signal() == Some(rustix::process::Signal::XCPU.as_raw())
}

#[cfg(not(unix))]
fn is_out_of_time(_: ExitStatus) -> bool {
    false
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
