//! `ovid_io::hub` against servers on this machine that cut, lie, stall and go in circles.

#[path = "hub/server.rs"]
mod server;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ovid_io::hub::{Hub, Patience};
use ovid_io::{Error, Observer, Progress, Silent};
use server::{End, Reply, Request, Server};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const TOKEN: &str = "hf_thisIsTheSecret";
const N_WEIGHTS: usize = 600_000;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn git_sha1(bytes: &[u8]) -> String {
    hex(&Sha1::new_with_prefix(format!("blob {}\0", bytes.len())).chain_update(bytes).finalize())
}

fn weights() -> Vec<u8> {
    (0..N_WEIGHTS as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// A repository as the hub serves it: small files itself, weights from another host.
#[derive(Clone)]
struct Repository {
    name: &'static str,
    files: BTreeMap<&'static str, Vec<u8>>,
    cdn: String,
}

impl Repository {
    fn gpt2() -> Self {
        let files = [("config.json", b"{}".to_vec()), ("vocab.json", b"{\"a\":0}".to_vec()), ("model.safetensors", weights())];
        Self { name: "openai-community/gpt2", files: files.into(), cdn: String::new() }
    }

    fn reply(&self, request: &Request) -> Reply {
        let found = request.path.strip_prefix(&format!("/{}/resolve/", self.name)).and_then(|rest| rest.split_once('/'));
        let Some((revision, file)) = found else { return Reply::new(404) };
        assert!(revision == "main" || revision == COMMIT, "{revision}");
        let Some(bytes) = self.files.get(file) else { return Reply::new(404) };
        let reply = Reply::new(200).header("X-Repo-Commit", COMMIT);
        if Path::new(file).extension().is_some_and(|e| e == "safetensors") && !self.cdn.is_empty() {
            let reply = Reply { status: 302, ..reply }.header("X-Linked-ETag", format!("\"{}\"", sha256(bytes)));
            return reply
                .header("X-Linked-Size", bytes.len())
                .header("Location", format!("{}/{file}?Signature=alsoSecret", self.cdn))
                .body(b"elsewhere");
        }
        let digest = if bytes.len() == N_WEIGHTS { sha256(bytes) } else { git_sha1(bytes) };
        ranged(reply.header("ETag", format!("W/\"{digest}\"")), request, bytes)
    }
}

/// Answers with the part of `bytes` that is asked for.
fn ranged(reply: Reply, request: &Request, bytes: &[u8]) -> Reply {
    match request.from() {
        0 => reply.body(bytes),
        from => Reply { status: 206, ..reply }
            .header("Content-Range", format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len()))
            .body(&bytes[from..]),
    }
}

type Change = fn(&Request, usize, Reply) -> Reply;

fn hub(server: &Server, cache: &Path) -> Hub {
    let patience = Patience { wait: Duration::from_secs(5), n_attempts: 3, pause: Duration::ZERO, max_file_bytes: 1 << 20 };
    Hub::new(&server.address, cache.to_owned()).unwrap().with_token(TOKEN).unwrap().with_patience(patience)
}

/// Serves `gpt2` with the replies for its weights changed, and pulls it.
fn pull_with(cache: &Path, change: impl Fn(&Request, usize, Reply) -> Reply + Send + Sync + 'static) -> (Result<PathBuf, Error>, Server) {
    let repository = Repository::gpt2();
    let server = Server::start(move |request, n| {
        let reply = repository.reply(request);
        if request.path.ends_with("model.safetensors") { change(request, n, reply) } else { reply }
    });
    (hub(&server, cache).pull("gpt2", &Silent), server)
}

fn blob(cache: &Path, name: &str) -> PathBuf {
    cache.join("models--openai-community--gpt2/blobs").join(name)
}

fn check_whole(cache: &Path, folder: &Path) {
    assert_eq!(folder, cache.join("models--openai-community--gpt2/snapshots").join(COMMIT));
    assert_eq!(fs::read(folder.join("model.safetensors")).unwrap(), weights());
    assert!(!blob(cache, &format!("{}.incomplete", sha256(&weights()))).exists());
}

/// What a failed pull must leave: no blob under its name, no branch, and so nothing to be found.
fn check_absent(cache: &Path, error: &Error, expected: &str) {
    let message = error.to_string();
    assert!(message.contains(expected), "{message}\nwanted: {expected}");
    assert!(!message.contains(TOKEN) && !message.contains("alsoSecret"), "{message}");
    assert!(!blob(cache, &sha256(&weights())).exists());
    assert!(!cache.join("models--openai-community--gpt2/refs/main").exists());
}

#[test]
fn a_model_is_pulled_into_the_usual_layout_and_not_pulled_twice() {
    let cache = tempfile::tempdir().unwrap();
    let cdn = Server::start(|request, _| ranged(Reply::new(200), request, &weights()));
    let repository = Repository { cdn: cdn.address.clone(), ..Repository::gpt2() };
    let server = Server::start(move |request, _| repository.reply(request));
    let hub = hub(&server, cache.path());
    assert_eq!(hub.find_cached("gpt2").unwrap(), None);
    let folder = hub.pull("gpt2", &Silent).unwrap();
    check_whole(cache.path(), &folder);
    assert_eq!(fs::read_to_string(cache.path().join("models--openai-community--gpt2/refs/main")).unwrap(), COMMIT);
    #[cfg(unix)]
    assert_eq!(fs::read_link(folder.join("config.json")).unwrap(), Path::new("../../blobs").join(git_sha1(b"{}")));
    assert_eq!(hub.find_cached("openai-community/gpt2").unwrap().as_deref(), Some(folder.as_path()));

    // The token goes to the hub alone.
    assert!(server.log().iter().all(|request| request.header("authorization") == Some(&format!("Bearer {TOKEN}"))));
    assert!(!cdn.log().is_empty() && cdn.log().iter().all(|request| request.header("authorization").is_none()));

    let n_before = server.asked("GET").len();
    assert_eq!(hub.pull("gpt2", &Silent).unwrap(), folder);
    assert_eq!((server.asked("GET").len(), cdn.log().len()), (n_before, 1));
}

#[test]
fn a_cut_download_goes_on_where_it_was_cut() {
    let cache = tempfile::tempdir().unwrap();
    let cut = |request: &Request, n: usize, reply: Reply| match (request.method.as_str(), n) {
        ("GET", 0) => reply.end(End::Cut(300_000)),
        ("GET", 1) => reply.end(End::Cut(0)),
        ("GET", 2) => reply.end(End::Cut(1)),
        _ => reply,
    };
    let (folder, server) = pull_with(cache.path(), cut);
    check_whole(cache.path(), &folder.unwrap());
    let froms: Vec<_> = server.log().iter().filter(|r| r.method == "GET" && r.path.ends_with("safetensors")).map(Request::from).collect();
    assert_eq!(froms, [0, 300_000, 300_000, 300_001]);
}

#[test]
fn what_another_process_left_is_gone_on_with_if_it_is_right() {
    for (left, froms) in
        [(weights()[..1000].to_vec(), vec![1000]), (vec![9; 1000], vec![1000, 0]), (vec![9; N_WEIGHTS + 5], vec![0]), (weights(), vec![])]
    {
        let cache = tempfile::tempdir().unwrap();
        let path = blob(cache.path(), &format!("{}.incomplete", sha256(&weights())));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, left).unwrap();
        let (folder, server) = pull_with(cache.path(), |_, _, reply| reply);
        check_whole(cache.path(), &folder.unwrap());
        let asked: Vec<_> =
            server.log().iter().filter(|r| r.method == "GET" && r.path.ends_with("safetensors")).map(Request::from).collect();
        assert_eq!(asked, froms);
    }
}

#[test]
fn a_hub_that_ignores_or_misreads_ranges_is_read_from_the_beginning() {
    let ignore = |request: &Request, n: usize, reply: Reply| match n {
        0 => reply.end(End::Cut(1000)),
        _ if request.method == "GET" => Reply::new(200).body(&weights()),
        _ => reply,
    };
    let other_range = |request: &Request, n: usize, reply: Reply| match n {
        0 => reply.end(End::Cut(1000)),
        1 if request.method == "GET" => reply.header("Content-Range", format!("bytes 7-{}/{N_WEIGHTS}", N_WEIGHTS - 1)),
        _ => reply,
    };
    let refuse = |request: &Request, n: usize, reply: Reply| match n {
        0 => reply.end(End::Cut(1000)),
        1 if request.method == "GET" => Reply::new(416).body(b""),
        _ => reply,
    };
    for change in [ignore as Change, other_range, refuse] {
        let cache = tempfile::tempdir().unwrap();
        let (folder, server) = pull_with(cache.path(), change);
        check_whole(cache.path(), &folder.unwrap());
        assert_eq!(server.log().iter().filter(|request| request.from() == 1000).count(), 1);
    }
}

#[test]
fn lies_are_found_out() {
    let check = |change: Change, expected: &str| {
        let cache = tempfile::tempdir().unwrap();
        let (result, _server) = pull_with(cache.path(), change);
        check_absent(cache.path(), &result.unwrap_err(), expected);
    };
    let wrong = |request: &Request, _: usize, reply: Reply| if request.method == "GET" { reply.body(&vec![7; N_WEIGHTS]) } else { reply };
    check(wrong, "the bytes that came have the digest");
    check(|r, _, reply| if r.method == "GET" { reply.body(&weights()[..9]) } else { reply }, "9 bytes are announced where 600000 are left");
    check(|r, _, reply| if r.method == "GET" { reply.end(End::Cut(9)) } else { reply }, "cut off after 27 of 600000 bytes");
    // Without a length, the body ends with the connection.
    let endless = |request: &Request, _: usize, mut reply: Reply| {
        if request.method == "GET" {
            reply.headers.retain(|(name, _)| *name != "Content-Length");
            reply.body.push(0);
        }
        reply
    };
    check(endless, "more bytes come than the 600000 that were announced");
    check(|_, _, reply| reply.header("X-Linked-Size", (1 << 20) + 1), "1048577 bytes long, which is beyond the limit of 1048576");
    check(|_, _, reply| reply.header("X-Repo-Commit", "../../evil"), "says no commit");
    check(|_, _, reply| reply.header("X-Repo-Commit", "f".repeat(40)), "where 0123456789abcdef0123456789abcdef01234567 was asked for");
    check(|_, _, reply| reply.header("ETag", "\"../../../evil\""), "neither a SHA-256 nor git's SHA-1");
    check(|_, _, reply| reply.header("X-Linked-Size", "a few"), "says no size");
}

#[test]
fn circles_end() {
    let check = |change: Change, expected: &str| {
        let cache = tempfile::tempdir().unwrap();
        let (result, server) = pull_with(cache.path(), change);
        check_absent(cache.path(), &result.unwrap_err(), expected);
        assert!(server.log().len() < 40, "{}", server.log().len());
    };
    check(|request, _, _| Reply::new(302).header("Location", &request.path), "more than 5 redirects");
    let only_get = |request: &Request, _: usize, reply: Reply| match request.method.as_str() {
        "GET" => Reply::new(307).header("Location", &request.path),
        _ => reply,
    };
    check(only_get, "more than 5 redirects");
    check(|_, _, _| Reply::new(302).header("Location", "file:///etc/passwd"), "redirects to no address that can be followed");
    check(|_, _, _| Reply::new(302), "redirects to no address");
}

#[test]
fn a_stalled_hub_is_given_up_after_the_patience() {
    let cache = tempfile::tempdir().unwrap();
    let repository = Repository::gpt2();
    let server = Server::start(move |request, _| {
        let reply = repository.reply(request);
        if request.method == "GET" { reply.end(End::Stall(0)) } else { reply }
    });
    let patience = Patience { wait: Duration::from_millis(100), n_attempts: 2, pause: Duration::ZERO, max_file_bytes: 1 << 20 };
    let error = hub(&server, cache.path()).with_patience(patience).pull("gpt2", &Silent).unwrap_err();
    check_absent(cache.path(), &error, "cut off after 0 of 2 bytes");
}

#[test]
fn passing_failures_are_tried_again_and_lasting_ones_are_not() {
    let cache = tempfile::tempdir().unwrap();
    let (folder, _server) = pull_with(cache.path(), |_, n, reply| if n < 2 { Reply::new(503).body(b"") } else { reply });
    check_whole(cache.path(), &folder.unwrap());

    let cache = tempfile::tempdir().unwrap();
    let (result, server) = pull_with(cache.path(), |_, _, _| Reply::new(503).body(b""));
    check_absent(cache.path(), &result.unwrap_err(), "the hub answers 503");
    assert_eq!(server.asked("HEAD").iter().filter(|path| path.ends_with("/model.safetensors")).count(), 3);

    let cache = tempfile::tempdir().unwrap();
    let (result, server) = pull_with(cache.path(), |_, _, _| Reply::new(401).body(b""));
    check_absent(cache.path(), &result.unwrap_err(), "a token is read from HF_TOKEN");
    assert_eq!(server.asked("HEAD").iter().filter(|path| path.ends_with("/model.safetensors")).count(), 1);
}

#[test]
fn what_the_hub_does_not_have_is_said() {
    let cache = tempfile::tempdir().unwrap();
    let (result, server) = pull_with(cache.path(), |_, _, _| Reply::new(404).body(b""));
    check_absent(cache.path(), &result.unwrap_err(), "neither model.safetensors nor model.safetensors.index.json");
    let error = hub(&server, cache.path()).pull("some/other", &Silent).unwrap_err();
    assert!(error.is_bad_input() && error.to_string() == "model \"some/other\": the hub has no config.json of that name", "{error}");
    assert!(!cache.path().join("models--some--other").exists());
    let closed = Hub::new("http://127.0.0.1:1", cache.path().to_owned()).unwrap();
    let patience = Patience { n_attempts: 1, ..Patience::default() };
    assert!(matches!(closed.with_patience(patience).pull("gpt2", &Silent), Err(Error::Network { .. })));
}

#[test]
fn shards_are_pulled_and_names_that_escape_are_not() {
    let pull = |index: &'static str, cache: &Path| {
        let mut repository = Repository::gpt2();
        repository.files.remove("model.safetensors");
        repository.files.insert("model.safetensors.index.json", index.into());
        repository.files.insert("m-1.safetensors", b"one".to_vec());
        repository.files.insert("m-2.safetensors", b"two".to_vec());
        let server = Server::start(move |request, _| repository.reply(request));
        hub(&server, cache).pull("gpt2", &Silent)
    };
    let cache = tempfile::tempdir().unwrap();
    let folder = pull(r#"{"weight_map":{"a":"m-1.safetensors","b":"m-2.safetensors","c":"m-1.safetensors"}}"#, cache.path()).unwrap();
    assert_eq!(fs::read(folder.join("m-2.safetensors")).unwrap(), b"two");
    let nowhere = Hub::new("http://127.0.0.1:1", cache.path().to_owned()).unwrap();
    assert_eq!(nowhere.find_cached("gpt2").unwrap().as_deref(), Some(folder.as_path()));
    fs::remove_file(folder.join("m-2.safetensors")).unwrap();
    assert_eq!(nowhere.find_cached("gpt2").unwrap(), None);

    let cache = tempfile::tempdir().unwrap();
    for (index, expected) in [
        (r#"{"weight_map":{"a":"../m-1.safetensors"}}"#, "the shard \"../m-1.safetensors\" is not the name of"),
        (r#"{"weight_map":{"a":"m-3.safetensors"}}"#, "the index names this shard, but the hub does not have it"),
        (r#"{"weight_map":{}}"#, "the index names no shards"),
    ] {
        check_absent(cache.path(), &pull(index, cache.path()).unwrap_err(), expected);
    }
}

#[test]
fn a_renamed_model_is_followed_on_the_same_host() {
    let cache = tempfile::tempdir().unwrap();
    let repository = Repository::gpt2();
    let server = Server::start(move |request, _| match request.path.strip_prefix("/old/name/") {
        Some(rest) => Reply::new(307).header("Location", format!("/openai-community/gpt2/{rest}")).header("Content-Length", 77),
        None => repository.reply(request),
    });
    let folder = hub(&server, cache.path()).pull("old/name", &Silent).unwrap();
    assert!(folder.starts_with(cache.path().join("models--old--name")));
}

/// Cancels once that many bytes are reported.
struct Impatient(AtomicUsize, usize);

impl Observer for Impatient {
    fn progress(&self, progress: Progress<'_>) {
        self.0.fetch_max(progress.done as usize, Ordering::Relaxed);
    }

    fn cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= self.1
    }
}

#[test]
fn a_cancelled_pull_is_gone_on_with() {
    let cache = tempfile::tempdir().unwrap();
    let repository = Arc::new(Repository::gpt2());
    let server = Server::start(move |request, _| repository.reply(request));
    let hub = hub(&server, cache.path());
    let result = hub.pull("gpt2", &Impatient(AtomicUsize::new(0), 100_000));
    assert!(matches!(result, Err(Error::Cancelled)));
    check_whole(cache.path(), &hub.pull("gpt2", &Silent).unwrap());
    let last = server.log().pop().unwrap();
    assert!(last.from() >= 100_000, "{last:?}");
}

#[test]
fn the_usual_variables_say_where_everything_is() {
    let hub = |variables: &[(&str, &str)]| {
        let variables: BTreeMap<String, OsString> = variables.iter().map(|(name, value)| ((*name).to_owned(), value.into())).collect();
        Hub::from_variables(|name| variables.get(name).cloned()).map(|hub| format!("{hub:?}")).map_err(|error| error.to_string())
    };
    let check = |variables: &[(&str, &str)], expected: &str| {
        let shown = hub(variables).unwrap();
        assert!(shown.contains(expected), "{shown}");
    };
    check(&[("HOME", "/h")], "cache: \"/h/.cache/huggingface/hub\"");
    check(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")], "cache: \"/x/huggingface/hub\"");
    check(&[("HOME", "/h"), ("HF_HOME", "/f")], "cache: \"/f/hub\"");
    check(&[("HF_HUB_CACHE", "/c"), ("HF_HOME", "/f")], "cache: \"/c");
    check(&[("HOME", "/h")], "endpoint: https://huggingface.co,");
    check(&[("HOME", "/h"), ("HF_ENDPOINT", "http://127.0.0.1:80/hf/")], "endpoint: http://127.0.0.1:80/hf,");
    check(&[("HOME", "/h"), ("HF_TOKEN", TOKEN)], "token: Some([secret])");
    assert!(hub(&[]).unwrap_err().contains("where the cache is"));
    assert!(hub(&[("HOME", "/h"), ("HF_ENDPOINT", "ftp://x")]).unwrap_err().contains("no address of the form"));
    let error = hub(&[("HOME", "/h"), ("HF_TOKEN", "hf_a\nb")]).unwrap_err();
    assert!(error.contains("HF_TOKEN") && !error.contains("hf_a"), "{error}");
}
