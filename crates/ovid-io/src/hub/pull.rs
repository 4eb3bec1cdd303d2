//! Fetching a model: which files, each of them from where it was cut, checked before it gets its name.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use ureq::http::StatusCode;

use super::ModelName;
use super::cache::{BRANCH, CONFIG, INDEX, Repository, WEIGHTS, shard_names};
use super::client::{About, Client, Failure, failed, refused};
use super::url::Url;
use crate::digest::hex;
use crate::{Error, Observer, Progress};

/// Taken where the hub has them; without them the model can still be run on token ids.
const OPTIONAL: [&str; 6] =
    ["generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt"];
/// An attempt that brings this much is not counted against the patience.
const PROGRESS_BYTES: u64 = 256 << 10;

pub(super) fn pull(client: &Client<'_>, cache: &Path, name: &ModelName, observer: &dyn Observer) -> Result<PathBuf, Error> {
    let repository = name.on_hub();
    let first = client.file(repository, BRANCH, CONFIG);
    let absent = |cause: String| Error::Name { name: repository.to_owned(), cause };
    let config = about(client, &first, observer)?.ok_or_else(|| absent(format!("the hub has no {CONFIG} of that name")))?;
    let commit = config.commit.clone();
    let pull = Pull { client, repository, commit: &commit, local: Repository::create(cache, name)?, observer };
    pull.fetch(CONFIG, &config)?;
    for file in OPTIONAL {
        if let Some(found) = pull.about(file)? {
            pull.fetch(file, &found)?;
        }
    }
    match (pull.about(WEIGHTS)?, pull.about(INDEX)?) {
        (Some(weights), _) => pull.fetch(WEIGHTS, &weights)?,
        (None, Some(index)) => {
            pull.fetch(INDEX, &index)?;
            let path = pull.local.snapshot(&commit).join(INDEX);
            let bytes = fs::read(&path).map_err(|cause| Error::io(&path, "read", cause))?;
            let shards = shard_names(&bytes).map_err(|cause| Error::malformed(&path, crate::Place::Whole, cause))?;
            for shard in shards {
                let found = pull
                    .about(&shard)?
                    .ok_or_else(|| failed(&pull.url(&shard), "the index names this shard, but the hub does not have it"))?;
                pull.fetch(&shard, &found)?;
            }
        }
        (None, None) => return Err(absent(format!("the hub has neither {WEIGHTS} nor {INDEX} of it; other formats are not pulled"))),
    }
    pull.local.set_branch(&commit)?;
    Ok(pull.local.snapshot(&commit))
}

struct Pull<'a> {
    client: &'a Client<'a>,
    repository: &'a str,
    commit: &'a str,
    local: Repository,
    observer: &'a dyn Observer,
}

impl Pull<'_> {
    fn url(&self, file: &str) -> Url {
        self.client.file(self.repository, self.commit, file)
    }

    fn about(&self, file: &str) -> Result<Option<About>, Error> {
        about(self.client, &self.url(file), self.observer)
    }

    /// Brings one file into the snapshot.
    fn fetch(&self, file: &str, about: &About) -> Result<(), Error> {
        let url = self.url(file);
        if about.commit != self.commit {
            return Err(failed(&url, format!("the hub answers for commit {} where {} was asked for", about.commit, self.commit)));
        }
        if about.n_bytes > self.client.patience.max_file_bytes {
            let most = self.client.patience.max_file_bytes;
            return Err(failed(&url, format!("the file is said to be {} bytes long, which is beyond the limit of {most}", about.n_bytes)));
        }
        let blob = self.local.blob(&about.etag);
        // A blob has its name only after its digest was checked.
        if !blob.is_file() {
            self.download(&url, file, about, &blob)?;
        }
        self.local.link(self.commit, file, &about.etag)
    }

    fn download(&self, url: &Url, file: &str, about: &About, blob: &Path) -> Result<(), Error> {
        let mut name = blob.as_os_str().to_owned();
        name.push(".incomplete");
        let path = PathBuf::from(name);
        let refuse = |cause| Error::io(&path, "write", cause);
        let mut out = OpenOptions::new().read(true).append(true).create(true).open(&path).map_err(refuse)?;
        match out.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(refuse(io::Error::other("another process is fetching this file now"))),
            Err(TryLockError::Error(cause)) => return Err(refuse(cause)),
        }
        let mut resumed = out.metadata().map_err(refuse)?.len() > 0;
        loop {
            self.fill(url, file, about, &mut out, &path)?;
            let found = digest(&mut out, &path, about, self.observer)?;
            if found == about.etag {
                break;
            }
            out.set_len(0).map_err(refuse)?;
            // What lay there from before may have been another program's; what came now is the hub's fault.
            if !std::mem::take(&mut resumed) {
                return Err(failed(url, format!("the bytes that came have the digest {found}, but the hub says {}", about.etag)));
            }
        }
        out.sync_all().map_err(refuse)?;
        fs::rename(&path, blob).map_err(refuse)
    }

    /// Appends to `out` until it holds the whole file.
    fn fill(&self, url: &Url, file: &str, about: &About, out: &mut File, path: &Path) -> Result<(), Error> {
        let refuse = |cause| Error::io(path, "write", cause);
        let mut retry = Retry::new(self.client, self.observer);
        loop {
            let have = out.metadata().map_err(refuse)?.len();
            if have == about.n_bytes {
                return Ok(());
            }
            if have > about.n_bytes {
                out.set_len(0).map_err(refuse)?;
                continue;
            }
            let failure = match self.attempt(url, file, about, out, path, have) {
                Ok(()) => continue,
                Err(failure) => failure,
            };
            let now = out.metadata().map_err(refuse)?.len();
            if now.saturating_sub(have) >= PROGRESS_BYTES {
                retry = Retry::new(self.client, self.observer);
                retry.attempts_left += 1;
            }
            retry.again(failure)?;
        }
    }

    fn attempt(&self, url: &Url, file: &str, about: &About, out: &mut File, path: &Path, have: u64) -> Result<(), Failure> {
        let refuse = |cause| Failure::Final(Error::io(path, "write", cause));
        let answer = self.client.open(url, have)?;
        let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().trim().to_owned();
        let expected = about.n_bytes;
        let mut at = match answer.status() {
            StatusCode::PARTIAL_CONTENT => {
                let range = header("content-range");
                if range != format!("bytes {have}-{}/{expected}", expected - 1) {
                    out.set_len(0).map_err(refuse)?;
                    return Err(Failure::Passing(failed(url, format!("bytes from {have} on were asked for, and {range:?} is answered"))));
                }
                have
            }
            StatusCode::OK => {
                // Ranges are ignored: the file comes from its beginning.
                out.set_len(0).map_err(refuse)?;
                0
            }
            StatusCode::RANGE_NOT_SATISFIABLE => {
                out.set_len(0).map_err(refuse)?;
                return Err(Failure::Passing(failed(url, "the hub cannot go on where the download was cut")));
            }
            status => return Err(refused(url, status)),
        };
        let announced = header("content-length");
        if !announced.is_empty() && announced != (expected - at).to_string() {
            return Err(Failure::Passing(failed(
                url,
                format!("{announced} bytes are announced where {} are left of the file", expected - at),
            )));
        }
        let mut body = answer.into_body().into_reader();
        let mut buffer = vec![0; 1 << 16];
        loop {
            if self.observer.cancelled() {
                return Err(Failure::Final(Error::Cancelled));
            }
            let n = match body.read(&mut buffer) {
                Ok(n) => n,
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
                Err(cause) => return Err(Failure::Passing(failed(url, format!("cut off after {at} of {expected} bytes: {cause}")))),
            };
            if n == 0 {
                let cut = || Failure::Passing(failed(url, format!("cut off after {at} of {expected} bytes")));
                return (at == expected).then_some(()).ok_or_else(cut);
            }
            if n as u64 > expected - at {
                out.set_len(0).map_err(refuse)?;
                return Err(Failure::Final(failed(url, format!("more bytes come than the {expected} that were announced"))));
            }
            out.write_all(&buffer[..n]).map_err(refuse)?;
            at += n as u64;
            self.observer.progress(Progress { stage: file, done: at, total: Some(expected), unit: "bytes" });
        }
    }
}

/// Asks what a file is, more than once if need be.
fn about(client: &Client<'_>, url: &Url, observer: &dyn Observer) -> Result<Option<About>, Error> {
    let mut retry = Retry::new(client, observer);
    loop {
        match client.about(url) {
            Ok(about) => return Ok(about),
            Err(failure) => retry.again(failure)?,
        }
    }
}

struct Retry<'a> {
    observer: &'a dyn Observer,
    attempts_left: u32,
    pause: Duration,
}

impl<'a> Retry<'a> {
    fn new(client: &Client<'_>, observer: &'a dyn Observer) -> Self {
        Self { observer, attempts_left: client.patience.n_attempts.saturating_sub(1), pause: client.patience.pause }
    }

    /// Waits before another attempt, or gives up.
    fn again(&mut self, failure: Failure) -> Result<(), Error> {
        let Failure::Passing(error) = failure else { return Err(failure.into_error()) };
        if self.attempts_left == 0 {
            return Err(error);
        }
        self.attempts_left -= 1;
        self.observer.note(&format!("{error}; trying again"));
        let mut left = self.pause;
        self.pause *= 2;
        while !left.is_zero() {
            if self.observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let step = left.min(Duration::from_millis(100));
            std::thread::sleep(step);
            left -= step;
        }
        Ok(())
    }
}

/// The digest that the `ETag` promises: SHA-256, or git's SHA-1 of a blob, by its length.
fn digest(file: &mut File, path: &Path, about: &About, observer: &dyn Observer) -> Result<String, Error> {
    let refuse = |cause| Error::io(path, "read", cause);
    file.seek(SeekFrom::Start(0)).map_err(refuse)?;
    let mut sha256 = Sha256::new();
    let mut sha1 = Sha1::new_with_prefix(format!("blob {}\0", about.n_bytes));
    let mut buffer = vec![0; 1 << 18];
    let is_sha256 = about.etag.len() == 64;
    loop {
        let n = match file.read(&mut buffer) {
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
            n => n.map_err(refuse)?,
        };
        if n == 0 {
            return Ok(if is_sha256 { hex(&sha256.finalize()) } else { hex(&sha1.finalize()) });
        }
        if is_sha256 {
            sha256.update(&buffer[..n]);
        } else {
            sha1.update(&buffer[..n]);
        }
        if observer.cancelled() {
            return Err(Error::Cancelled);
        }
    }
}
