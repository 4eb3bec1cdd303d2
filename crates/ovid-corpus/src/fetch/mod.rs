//! Fetching links: addresses in, WARC files and a row for each link out.
//!
//! One request at a time to a host, with a pause between; robots.txt is obeyed (RFC 9309), also by what a link redirects to; time, size and redirects are bounded whatever a server does.
//! Pages are kept as they were served. `pages/part-00000.warc.gz` is written whole together with `log/part-00000.jsonl`; a run that was stopped goes on with the links of no log.

mod get;
mod queue;
mod robots;
mod warc;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use ovid_io::atomic::AtomicFile;
use ovid_io::documents::{JsonLinesWriter, Limits, Lines};
use ovid_io::{Observer, Progress};
use serde::{Deserialize, Serialize};
use ureq::Agent;
use url::Url;
use xxhash_rust::xxh3::xxh3_64;

use crate::Error;
use get::{Failed, is_web};
use queue::{Done, Queue, Task, Turn};
use robots::Robots;
use warc::Kept;

/// How links are fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Who asks. What stands before the slash is the name that robots.txt is searched for.
    pub user_agent: String,
    /// The pause between two requests to a host; a `Crawl-delay` that is longer counts instead.
    pub pause: Duration,
    /// The time that one request may take, from the first byte sent to the last one read.
    pub timeout: Duration,
    /// The largest body.
    pub page_bytes: u64,
    /// How much is taken from one host altogether.
    pub host_bytes: u64,
    /// How many redirects of a link are followed.
    pub redirects: u32,
    /// Requests at a time, each to another host.
    pub n_connections: usize,
    /// Whether addresses of private networks and of this machine are asked.
    pub allow_private: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            user_agent: concat!("ovid/", env!("CARGO_PKG_VERSION"), " (+", env!("CARGO_PKG_REPOSITORY"), ")").into(),
            pause: Duration::from_secs(1),
            timeout: Duration::from_secs(30),
            page_bytes: 8 << 20,
            host_bytes: 256 << 20,
            redirects: 5,
            n_connections: 16,
            allow_private: false,
        }
    }
}

/// A link to be fetched; other fields of its line are passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// The address.
    pub url: String,
    /// Its score, where known.
    #[serde(default)]
    pub score: Option<i64>,
}

/// What became of a link; a line of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchRow {
    /// The link's address.
    pub url: String,
    /// `fetched`, or why not: `robots`, `status`, `timeout`, `too-large`, `host-bytes`, `cut-off`, `redirects`, `network`, `private`, `bad-url`.
    pub outcome: String,
    /// The particulars.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The address that answered in the end, where redirects led to another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirected_to: Option<String>,
    /// Bytes of the body.
    pub n_bytes: u64,
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FetchReport {
    /// Links that had been asked for by an earlier run, and were not asked for again.
    pub n_before: u64,
    /// Pages fetched.
    pub n_fetched: u64,
    /// Bytes of their bodies as served.
    pub n_bytes: u64,
    /// Links without a page, by reason.
    pub failed: BTreeMap<String, u64>,
}

/// Links a part, and how long one stays unwritten.
const PART_LINKS: u64 = 1000;
const PART_TIME: Duration = Duration::from_mins(1);
/// Nobody is waited for longer, whatever a `Retry-After` or `Crawl-delay` says.
const LONGEST_PAUSE: Duration = Duration::from_mins(2);

struct Ended {
    row: FetchRow,
    kept: Option<Kept>,
}

/// Fetches the links of `lists` (JSON Lines with `url` and, where known, `score`) into the folder `out`.
///
/// # Errors
/// If a list or the folder cannot be read, something cannot be written, or the observer cancels; what was fetched by then is written. No server ends the run.
pub fn fetch(lists: &[PathBuf], out: &Path, options: &Options, observer: &dyn Observer) -> Result<FetchReport, Error> {
    let mut links = Vec::new();
    for list in lists {
        links.push(Lines::open(list, Limits { document_bytes: 1 << 20 })?);
    }
    for folder in ["pages", "log"] {
        let folder = out.join(folder);
        std::fs::create_dir_all(&folder).map_err(|cause| ovid_io::Error::io(&folder, "make", cause))?;
    }
    let mut parts = Parts::open(out, options)?;
    let (ended, endings) = mpsc::sync_channel(2 * options.n_connections);
    let (bad, bad_links) = mpsc::channel();
    let seen = std::mem::take(&mut parts.seen);
    let links: Box<dyn Iterator<Item = Task> + Send> = Box::new(tasks(links, seen, bad));
    let queue = Arc::new(Queue::new(links));
    for _ in 0..options.n_connections {
        let (queue, options, ended) = (Arc::clone(&queue), options.clone(), ended.clone());
        // Not waited for: after Ctrl-C a request that is under way ends by itself, within its time limit, and nobody hears of it.
        std::thread::spawn(move || work(&queue, &options, &ended));
    }
    drop(ended);
    let written = parts.write_all(&endings, &bad_links, observer);
    queue.stop();
    written?;
    Ok(parts.report)
}

/// The links that were not asked for yet, each once.
fn tasks(lists: Vec<Lines>, mut seen: HashSet<u64>, bad: mpsc::Sender<Result<Ended, Error>>) -> impl Iterator<Item = Task> {
    let mut lists = lists.into_iter().peekable();
    std::iter::from_fn(move || {
        loop {
            let link: Wanted = match lists.peek_mut()?.next_json() {
                Ok(Some(link)) => link,
                Ok(None) => {
                    lists.next();
                    continue;
                }
                Err(cause) => {
                    // The run's end is nearer than this list's: the error is given there.
                    let _ = bad.send(Err(cause.into()));
                    return None;
                }
            };
            if !seen.insert(xxh3_64(link.url.as_bytes())) {
                continue;
            }
            if let Some(url) = Url::parse(&link.url).ok().filter(is_web) {
                return Some(Task { link, url, n_redirects: 0 });
            }
            let row = FetchRow { url: link.url, outcome: "bad-url".into(), ..FetchRow::default() };
            let _ = bad.send(Ok(Ended { row, kept: None }));
        }
    })
}

fn work<I: Iterator<Item = Task>>(queue: &Queue<I>, options: &Options, ended: &SyncSender<Ended>) {
    let agent = get::agent(options);
    while let Some(turn) = queue.take() {
        let host = turn.host.clone();
        let (done, end) = one_turn(turn, options, &agent);
        // Handed over first: a queue that has run dry is then a run that has ended.
        let gone = end.is_some_and(|end| ended.send(end).is_err());
        queue.done(&host, done);
        if gone {
            return;
        }
    }
}

/// One request, and what follows from it.
fn one_turn(turn: Turn, options: &Options, agent: &Agent) -> (Done, Option<Ended>) {
    let Turn { task, host, robots, n_bytes: before } = turn;
    let without_asking =
        |task: &Task, failed| (Done { robots: None, n_bytes: 0, pause: Duration::ZERO, again: None }, Some(ended(task, Err(failed))));
    if !options.allow_private
        && let Err(failed) = get::refuse_private(&task.url)
    {
        return without_asking(&task, failed);
    }
    let Some(robots) = robots else {
        // The page itself is for the host's next turn.
        let robots = ask_robots(&host, options, agent);
        let pause = pause(&robots, options);
        return (Done { robots: Some(Arc::new(robots)), n_bytes: 0, pause, again: Some(task) }, None);
    };
    if !robots.allows(&task.url[url::Position::BeforePath..url::Position::AfterQuery]) {
        return without_asking(&task, Failed::new("robots", robots.shut.clone().unwrap_or_default()));
    }
    if before >= options.host_bytes {
        return without_asking(&task, Failed::new("host-bytes", format!("{host} has given {before} bytes")));
    }
    let answer = get::get(agent, &task.url, options.page_bytes.min(options.host_bytes - before), options);
    let mut done = Done { robots: None, n_bytes: 0, pause: pause(&robots, options), again: None };
    let result = match answer {
        Err(failed) => {
            // Something may have come all the same; the bound on the host is kept by counting the worst.
            done.n_bytes = if failed.reason == "too-large" { options.page_bytes } else { 0 };
            Err(failed)
        }
        Ok(answer) => {
            done.n_bytes = answer.body.len() as u64;
            match answer.location(&task.url) {
                Some(Ok(url)) if task.n_redirects < options.redirects => {
                    done.again = Some(Task { url, n_redirects: task.n_redirects + 1, link: task.link });
                    return (done, None);
                }
                Some(Ok(_)) => Err(Failed::new("redirects", format!("more than {}", options.redirects))),
                Some(Err(failed)) => Err(failed),
                None if answer.status == 200 => Ok(answer),
                None => {
                    if matches!(answer.status, 429 | 503) {
                        let wait = answer.headers.get("retry-after").and_then(|s| s.to_str().ok()?.parse().ok());
                        done.pause = done.pause.max(Duration::from_secs(wait.unwrap_or(10))).min(LONGEST_PAUSE);
                    }
                    Err(Failed::new("status", format!("HTTP status {}", answer.status)))
                }
            }
        }
    };
    (done, Some(ended(&task, result)))
}

fn ended(task: &Task, result: Result<get::Answer, Failed>) -> Ended {
    let redirected_to = (task.n_redirects > 0).then(|| task.url.to_string());
    let row = FetchRow { url: task.link.url.clone(), redirected_to, ..FetchRow::default() };
    match result {
        Ok(answer) => {
            let head = answer.head();
            let n_bytes = answer.body.len() as u64;
            let kept = Kept { url: task.url.to_string(), score: task.link.score, fetched_at: warc::now(), head, body: answer.body };
            Ended { row: FetchRow { outcome: "fetched".into(), n_bytes, ..row }, kept: Some(kept) }
        }
        Err(failed) => Ended { row: FetchRow { outcome: failed.reason.into(), detail: failed.detail, ..row }, kept: None },
    }
}

fn pause(robots: &Robots, options: &Options) -> Duration {
    robots.delay.map_or(options.pause, |delay| delay.min(LONGEST_PAUSE).max(options.pause))
}

/// A host's rules: none where it has no robots.txt, everything forbidden where it should have one and does not say (RFC 9309, section 2.3.1).
fn ask_robots(host: &str, options: &Options, agent: &Agent) -> Robots {
    let name = options.user_agent.split(['/', ' ']).next().unwrap_or_default();
    let shut = |why: String| Robots::shut(format!("robots.txt cannot be had: {why}"));
    let Ok(mut url) = Url::parse(&format!("{host}/robots.txt")) else { return shut("no address".into()) };
    for _ in 0..=options.redirects {
        let answer = match get::get(agent, &url, 4 * robots::ROBOTS_BYTES as u64, options) {
            Ok(answer) => answer,
            Err(failed) => return shut(format!("{} {}", failed.reason, failed.detail)),
        };
        match (answer.location(&url), answer.status) {
            (Some(Ok(next)), _) => url = next,
            (None, 200..=299) => return Robots::parse(&plain(answer), name),
            (None, 429 | 500..) => return shut(format!("HTTP status {}", answer.status)),
            _ => return Robots::default(),
        }
    }
    // A file that is led to in circles is a file that is not there.
    Robots::default()
}

/// The body without its content coding.
fn plain(answer: get::Answer) -> Vec<u8> {
    let stored = [answer.head().into_bytes(), answer.body].concat();
    match crate::read::Response::parse(&stored).map(|response| response.body(robots::ROBOTS_BYTES)) {
        Ok(crate::read::Body::Whole(bytes)) => bytes,
        // What cannot be read allows nothing.
        _ => b"User-agent: *\nDisallow: /".to_vec(),
    }
}

/// The files that are written.
struct Parts<'a> {
    out: &'a Path,
    options: &'a Options,
    number: u64,
    open: Option<Part>,
    seen: HashSet<u64>,
    report: FetchReport,
}

struct Part {
    pages: AtomicFile,
    log: JsonLinesWriter,
    n_links: u64,
    since: Instant,
}

impl<'a> Parts<'a> {
    /// Reads which links the logs that are there have.
    fn open(out: &'a Path, options: &'a Options) -> Result<Self, Error> {
        let mut parts = Self { out, options, number: 0, open: None, seen: HashSet::new(), report: FetchReport::default() };
        loop {
            let log = parts.path("log", "jsonl");
            if !log.exists() {
                break;
            }
            let mut lines = Lines::open(&log, Limits::default())?;
            while let Some(row) = lines.next_json::<FetchRow>()? {
                parts.seen.insert(xxh3_64(row.url.as_bytes()));
            }
            parts.number += 1;
        }
        parts.report.n_before = parts.seen.len() as u64;
        Ok(parts)
    }

    fn path(&self, folder: &str, extension: &str) -> PathBuf {
        self.out.join(folder).join(format!("part-{:05}.{extension}", self.number))
    }

    /// Writes what comes until nothing more does. What was fetched before a failure or Ctrl-C is kept.
    fn write_all(&mut self, endings: &Receiver<Ended>, bad: &Receiver<Result<Ended, Error>>, observer: &dyn Observer) -> Result<(), Error> {
        let mut failed = None;
        loop {
            let next = endings.recv_timeout(Duration::from_millis(200));
            while let Ok(link) = bad.try_recv() {
                match link {
                    Ok(end) => self.write(&end)?,
                    Err(cause) => failed = Some(cause),
                }
            }
            match next {
                Ok(end) => self.write(&end)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let done = self.report.n_fetched + self.report.failed.values().sum::<u64>();
            observer.progress(Progress { stage: "fetching", done, total: None, unit: "links" });
            if observer.cancelled() {
                self.close()?;
                return Err(ovid_io::Error::Cancelled.into());
            }
            if self.open.as_ref().is_some_and(|part| part.n_links >= PART_LINKS || part.since.elapsed() > PART_TIME) {
                self.close()?;
            }
        }
        self.close()?;
        failed.map_or(Ok(()), Err)
    }

    fn write(&mut self, end: &Ended) -> Result<(), Error> {
        let (pages, log) = (self.path("pages", "warc.gz"), self.path("log", "jsonl"));
        let refuse = |cause| ovid_io::Error::io(&pages, "write", cause);
        let part = match &mut self.open {
            Some(part) => part,
            none => {
                ovid_io::atomic::remove_leftovers(&pages)?;
                ovid_io::atomic::remove_leftovers(&log)?;
                let mut file = AtomicFile::create(&pages)?;
                warc::write_info(&mut file, warc::now(), &self.options.user_agent).map_err(refuse)?;
                none.insert(Part { pages: file, log: JsonLinesWriter::create(&log)?, n_links: 0, since: Instant::now() })
            }
        };
        part.n_links += 1;
        part.log.write(&end.row)?;
        if let Some(kept) = &end.kept {
            warc::write_response(&mut part.pages, kept).map_err(refuse)?;
            self.report.n_fetched += 1;
            self.report.n_bytes += end.row.n_bytes;
        } else {
            *self.report.failed.entry(end.row.outcome.clone()).or_default() += 1;
        }
        Ok(())
    }

    /// The log is named last, so that it vouches for both.
    fn close(&mut self) -> Result<(), Error> {
        if let Some(part) = self.open.take() {
            part.pages.commit()?;
            part.log.finish()?;
            self.number += 1;
        }
        Ok(())
    }
}
