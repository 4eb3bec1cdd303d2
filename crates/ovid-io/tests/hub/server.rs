//! A small HTTP server on this machine that can misbehave.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// With the query.
    pub path: String,
    pub headers: BTreeMap<String, String>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The first byte that is wanted.
    pub fn from(&self) -> usize {
        self.header("range").map_or(0, |range| range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap())
    }
}

#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    pub end: End,
}

#[derive(Clone, Copy, Debug)]
pub enum End {
    /// The whole body is sent.
    Whole,
    /// The connection is closed after so many bytes.
    Cut(usize),
    /// Nothing comes after so many bytes, until the other side hangs up.
    Stall(usize),
}

impl Reply {
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), end: End::Whole }
    }

    pub fn header(mut self, name: &'static str, value: impl Display) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, format!("{value}")));
        self
    }

    pub fn body(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self.header("Content-Length", body.len())
    }

    pub fn end(mut self, end: End) -> Self {
        self.end = end;
        self
    }
}

/// Serves until the process ends.
pub struct Server {
    pub address: String,
    log: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// `handle` is given each request and how many of the same method and path came before it.
    pub fn start(handle: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let log = Arc::<Mutex<Vec<Request>>>::default();
        let (handle, seen) = (Arc::new(handle), Arc::clone(&log));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (handle, seen) = (Arc::clone(&handle), Arc::clone(&seen));
                std::thread::spawn(move || serve(stream.unwrap(), &*handle, &seen));
            }
        });
        Self { address, log }
    }

    pub fn log(&self) -> Vec<Request> {
        self.log.lock().unwrap().clone()
    }

    /// Paths asked for with a method, in order.
    pub fn asked(&self, method: &str) -> Vec<String> {
        self.log().into_iter().filter(|request| request.method == method).map(|request| request.path).collect()
    }
}

fn serve(stream: TcpStream, handle: &dyn Fn(&Request, usize) -> Reply, log: &Mutex<Vec<Request>>) {
    let mut input = BufReader::new(stream.try_clone().unwrap());
    let mut output = stream;
    let Some(request) = read_request(&mut input) else { return };
    let n_before = {
        let mut log = log.lock().unwrap();
        let n = log.iter().filter(|other| other.method == request.method && other.path == request.path).count();
        log.push(request.clone());
        n
    };
    let reply = handle(&request, n_before);
    let mut text = format!("HTTP/1.1 {} X\r\nConnection: close\r\n", reply.status);
    for (name, value) in &reply.headers {
        text = format!("{text}{name}: {value}\r\n");
    }
    text.push_str("\r\n");
    // The other side may hang up at any time: that is what some tests want.
    let _ = output.write_all(text.as_bytes());
    if request.method == "HEAD" {
        return;
    }
    let n = match reply.end {
        End::Whole => reply.body.len(),
        End::Cut(n) | End::Stall(n) => n,
    };
    let _ = output.write_all(&reply.body[..n]);
    let _ = output.flush();
    if matches!(reply.end, End::Stall(_)) {
        // Ends when the other side closes the connection.
        let _ = input.read(&mut [0; 1]);
    }
}

fn read_request(input: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    input.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        input.read_line(&mut line).ok()?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => headers.insert(name.to_lowercase(), value.to_owned()),
            None => return Some(Request { method, path, headers }),
        };
    }
}
