//! The fetcher against a server that misbehaves in every way it can, on 127.0.0.1.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ovid_corpus::Record;
use ovid_corpus::fetch::{FetchReport, FetchRow, Options, fetch};
use ovid_corpus::read::{Limits, Records};
use ovid_io::{Observer, Silent};

/// A server that answers each path as `answer` says, and what it was asked when.
struct Server {
    address: String,
    asked: Arc<Mutex<Vec<(String, Instant)>>>,
}

fn serve(answer: fn(&str, &mut TcpStream) -> std::io::Result<()>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::<Mutex<Vec<_>>>::default();
    let log = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, log) = (stream.unwrap(), Arc::clone(&log));
            std::thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let first = lines.next().and_then(Result::ok).unwrap_or_default();
                while lines.next().and_then(Result::ok).is_some_and(|line| !line.is_empty()) {}
                let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
                log.lock().unwrap().push((path.clone(), Instant::now()));
                // Whoever asked may be gone.
                let _ = answer(&path, &mut stream);
            });
        }
    });
    Server { address, asked }
}

fn page(out: &mut TcpStream, headers: &str, body: &[u8]) -> std::io::Result<()> {
    write!(out, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n", body.len())?;
    out.write_all(body)
}

fn status(out: &mut TcpStream, status: &str) -> std::io::Result<()> {
    write!(out, "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(9));
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

const GOOD: &[u8] = b"<html><body><p>A good page.</p></body></html>";

fn misbehave(path: &str, out: &mut TcpStream) -> std::io::Result<()> {
    match path {
        "/robots.txt" => page(out, "", b"User-agent: *\nDisallow: /secret"),
        "/good" | "/after" | "/good?x=1" => page(out, "", GOOD),
        "/packed" => page(out, "Content-Encoding: gzip\r\n", &gzip(GOOD)),
        "/bomb" => page(out, "Content-Encoding: gzip\r\n", &gzip(&vec![b'a'; 20 << 20])),
        "/chunked" => write!(
            out,
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<p>on\r\n6\r\ne</p>\n\r\n0\r\n\r\n"
        ),
        "/slow" => {
            write!(out, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")?;
            loop {
                out.write_all(b"x")?;
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        "/silent" => {
            std::thread::sleep(Duration::from_secs(20));
            Ok(())
        }
        "/endless" => {
            write!(out, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")?;
            loop {
                out.write_all(&[b'x'; 1 << 14])?;
            }
        }
        "/endless-header" => {
            write!(out, "HTTP/1.1 200 OK\r\n")?;
            loop {
                write!(out, "X-More: and more\r\n")?;
            }
        }
        "/huge" => write!(out, "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nx"),
        "/short" => write!(out, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"),
        "/no-http" => write!(out, "hello\n\n"),
        "/nothing" => Ok(()),
        "/circle" => write!(out, "HTTP/1.1 302 Found\r\nLocation: /circle\r\nContent-Length: 0\r\n\r\n"),
        "/moved" => write!(out, "HTTP/1.1 301 Moved\r\nLocation: good?x=1\r\nContent-Length: 0\r\n\r\n"),
        "/to-secret" => write!(out, "HTTP/1.1 301 Moved\r\nLocation: /secret/x\r\nContent-Length: 0\r\n\r\n"),
        "/to-file" => write!(out, "HTTP/1.1 301 Moved\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"),
        _ => status(out, "404 Not Found"),
    }
}

fn options() -> Options {
    Options {
        user_agent: "ovid/0".into(),
        pause: Duration::from_millis(1),
        timeout: Duration::from_secs(1),
        page_bytes: 1 << 20,
        n_connections: 4,
        allow_private: true,
        ..Options::default()
    }
}

fn go(folder: &Path, links: &[String], options: &Options, observer: &dyn Observer) -> Result<FetchReport, ovid_corpus::Error> {
    let list = folder.join("links.jsonl");
    let lines = links.iter().enumerate().map(|(i, url)| serde_json::json!({ "url": url, "score": i, "title": "x" }).to_string() + "\n");
    let lines: String = lines.collect();
    std::fs::write(&list, lines).unwrap();
    fetch(&[list], &folder.join("out"), options, observer)
}

fn rows(folder: &Path) -> Vec<FetchRow> {
    let mut logs: Vec<_> = std::fs::read_dir(folder.join("out/log")).unwrap().map(|e| e.unwrap().path()).collect();
    logs.sort();
    logs.iter()
        .flat_map(|log| std::fs::read_to_string(log).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect::<Vec<_>>())
        .collect()
}

#[test]
fn whatever_a_server_does_costs_a_row() {
    let server = serve(misbehave);
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        ("/good", "fetched"),
        ("/packed", "fetched"),
        ("/bomb", "fetched"),
        ("/chunked", "fetched"),
        ("/slow", "timeout"),
        ("/silent", "timeout"),
        ("/endless", "too-large"),
        ("/endless-header", "network"),
        ("/huge", "too-large"),
        ("/short", "cut-off"),
        ("/no-http", "network"),
        ("/nothing", "network"),
        ("/circle", "redirects"),
        ("/moved", "fetched"),
        ("/secret", "robots"),
        ("/to-secret", "robots"),
        ("/to-file", "redirects"),
        ("/absent", "status"),
        ("/after", "fetched"),
    ];
    let mut links: Vec<String> = cases.iter().map(|(path, _)| format!("{}{path}", server.address)).collect();
    links.extend(["mailto:a@b.org".into(), "http://user:password@example.org/".into(), "not an address".into()]);
    let report = go(folder.path(), &links, &options(), &Silent).unwrap();
    let rows = rows(folder.path());
    let outcome: BTreeMap<&str, &str> = rows.iter().map(|row| (row.url.as_str(), row.outcome.as_str())).collect();
    for (path, expected) in cases {
        assert_eq!(outcome[format!("{}{path}", server.address).as_str()], expected, "{path}: {rows:?}");
    }
    for link in &links[cases.len()..] {
        assert_eq!(outcome[link.as_str()], "bad-url", "{link}");
    }
    assert_eq!((rows.len(), report.n_fetched, report.failed["timeout"]), (links.len(), 6, 2));
    let asked = server.asked.lock().unwrap();
    assert!(asked.iter().all(|(path, _)| !path.starts_with("/secret")), "robots.txt forbids it");
    assert_eq!(asked.iter().filter(|(path, _)| path == "/circle").count(), 6);
    assert_eq!(asked.iter().filter(|(path, _)| path == "/robots.txt").count(), 1);

    // What was fetched is read back: with the address in the end, the link's score, and the bomb left unexploded.
    let records: Vec<Record> = Records::open(&[folder.path().join("out/pages")], Limits { record_bytes: 1 << 20 }).unwrap().collect();
    let mut read = BTreeMap::new();
    for record in records {
        let (url, score, what) = match record {
            Record::Page(page) => (page.document.url, page.document.score, String::from_utf8(page.bytes).unwrap()),
            Record::Dropped(row) => (row.url, row.score, row.reason),
            Record::Document(document) => panic!("{document:?}"),
        };
        read.insert(url.unwrap().strip_prefix(&server.address).unwrap().to_owned(), (score.unwrap(), what));
    }
    let good = String::from_utf8(GOOD.to_vec()).unwrap();
    let expected = [
        ("/good", 0, good.as_str()),
        ("/packed", 1, &good),
        ("/bomb", 2, "too-large"),
        ("/chunked", 3, "<p>one</p>\n"),
        ("/good?x=1", 13, &good),
        ("/after", 18, &good),
    ];
    assert_eq!(read, expected.into_iter().map(|(url, score, what)| (url.to_owned(), (score, what.to_owned()))).collect());

    // Asked again, nothing is asked for again; a new link is.
    let n_asked = asked.len();
    drop(asked);
    links.push(format!("{}/new", server.address));
    let report = go(folder.path(), &links, &options(), &Silent).unwrap();
    assert_eq!((report.n_before, report.n_fetched, report.failed["status"]), (links.len() as u64 - 1, 0, 1));
    assert_eq!(server.asked.lock().unwrap().len(), n_asked + 2, "robots.txt and the new link");
}

#[test]
fn a_host_is_asked_one_thing_at_a_time_with_a_pause() {
    let server = serve(|path, out| match path {
        "/robots.txt" => page(out, "", b"User-agent: ovid\nCrawl-delay: 0.05\nUser-agent: *\nDisallow: /"),
        _ => page(out, "", GOOD),
    });
    let folder = tempfile::tempdir().unwrap();
    let links: Vec<String> = (0..5).map(|i| format!("{}/{i}", server.address)).collect();
    let report = go(folder.path(), &links, &options(), &Silent).unwrap();
    assert_eq!(report.n_fetched, 5);
    let asked = server.asked.lock().unwrap();
    for pair in asked.windows(2) {
        // The clock that starts a pause is not the one that sees the request.
        assert!(pair[1].1 - pair[0].1 >= Duration::from_millis(45), "{asked:?}");
    }
}

#[test]
fn a_host_gives_no_more_than_its_share() {
    let server = serve(|path, out| if path == "/robots.txt" { status(out, "404 Not Found") } else { page(out, "", &[b'x'; 1000]) });
    let folder = tempfile::tempdir().unwrap();
    let links: Vec<String> = (0..5).map(|i| format!("{}/{i}", server.address)).collect();
    let report = go(folder.path(), &links, &Options { host_bytes: 2000, ..options() }, &Silent).unwrap();
    assert_eq!((report.n_fetched, report.failed["host-bytes"]), (2, 3));
}

#[test]
fn a_site_whose_rules_cannot_be_had_is_left_alone() {
    for robots in ["500 Oops", "429 Slow Down"] {
        let server =
            if robots.starts_with('5') { serve(|_, out| status(out, "500 Oops")) } else { serve(|_, out| status(out, "429 Slow Down")) };
        let folder = tempfile::tempdir().unwrap();
        let report = go(folder.path(), &[format!("{}/x", server.address)], &options(), &Silent).unwrap();
        assert_eq!(report.failed.get("robots"), Some(&1), "{robots}");
        assert_eq!(server.asked.lock().unwrap().len(), 1);
    }
}

#[test]
fn private_networks_are_not_asked_unless_told() {
    let server = serve(misbehave);
    let folder = tempfile::tempdir().unwrap();
    let port = server.address.rsplit(':').next().unwrap();
    let links = ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "10.0.0.1", "169.254.169.254"]
        .map(|host| format!("http://{host}:{port}/good"));
    let report = go(folder.path(), &links, &Options { allow_private: false, ..options() }, &Silent).unwrap();
    assert_eq!(report.n_fetched, 0);
    assert!(server.asked.lock().unwrap().is_empty());
    assert!(rows(folder.path()).iter().all(|row| row.outcome == "private"), "{:?}", rows(folder.path()));
}

struct Cancelled;

impl Observer for Cancelled {
    fn cancelled(&self) -> bool {
        true
    }
}

#[test]
fn what_was_fetched_before_a_stop_is_kept() {
    let server = serve(misbehave);
    let folder = tempfile::tempdir().unwrap();
    let links: Vec<String> = ["/good", "/silent"].iter().map(|path| format!("{}{path}", server.address)).collect();
    let patient = Options { timeout: Duration::from_secs(30), ..options() };
    let error = go(folder.path(), &links, &patient, &Cancelled).unwrap_err();
    assert!(matches!(error, ovid_corpus::Error::Files(ovid_io::Error::Cancelled)), "{error}");
    let first = rows(folder.path());
    assert!(first.len() <= 1 && first.iter().all(|row| row.outcome == "fetched"), "{first:?}");
    let report = go(folder.path(), &links, &options(), &Silent).unwrap();
    assert_eq!((report.n_before as usize, report.failed["timeout"]), (first.len(), 1));
    assert_eq!(rows(folder.path()).len(), 2);
}

#[test]
fn a_list_that_is_none_is_bad_input() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("links.jsonl");
    std::fs::write(&list, "{\"href\": 1}\n").unwrap();
    let error = fetch(&[list], &folder.path().join("out"), &options(), &Silent).unwrap_err();
    assert!(error.is_bad_input() && error.to_string().contains("links.jsonl' line 1: "), "{error}");
}
