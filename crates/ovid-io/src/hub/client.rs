//! Requests to the hub: redirects followed by hand, so that the token stays with its host and circles end.

use ureq::http::{HeaderMap, Response, StatusCode};
use ureq::{Agent, Body};

use super::{Patience, Token, Url};
use crate::Error;

const MAX_REDIRECTS: usize = 5;

pub(super) struct Client<'a> {
    agent: Agent,
    endpoint: &'a Url,
    token: Option<&'a Token>,
    pub patience: &'a Patience,
}

/// What the hub says of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct About {
    pub commit: String,
    pub etag: String,
    pub n_bytes: u64,
}

/// Why one attempt failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// Another attempt may do better.
    Passing(Error),
    /// It will not.
    Final(Error),
}

impl Failure {
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Passing(error) | Self::Final(error) => error,
        }
    }
}

pub(super) fn failed(url: &Url, cause: impl Into<String>) -> Error {
    Error::Network { url: url.to_string(), cause: cause.into() }
}

impl<'a> Client<'a> {
    pub(super) fn new(endpoint: &'a Url, token: Option<&'a Token>, patience: &'a Patience) -> Self {
        let wait = Some(patience.wait);
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .accept_encoding("identity")
            .user_agent(concat!("ovid/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(wait)
            .timeout_connect(wait)
            .timeout_send_request(wait)
            .timeout_recv_response(wait)
            .timeout_per_read(wait);
        if endpoint.is_loopback() {
            config = config.proxy(None);
        }
        Self { agent: config.build().into(), endpoint, token, patience }
    }

    /// The address of a file of `repository` at `revision`.
    pub(super) fn file(&self, repository: &str, revision: &str, file: &str) -> Url {
        self.endpoint.join(&format!("{repository}/resolve/{revision}/{file}"))
    }

    /// Asks what a file is, or `None` where the hub does not have it. Redirects within the endpoint's host are followed (models were renamed); one to
    /// another host leads to the bytes, and what is asked for is known by then.
    pub(super) fn about(&self, url: &Url) -> Result<Option<About>, Failure> {
        let mut headers = Vec::new();
        let mut at = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.send(&at, "HEAD", None)?;
            let status = answer.status();
            headers.push(answer.headers().clone());
            let next = next(&at, &answer)?;
            match next {
                Some(next) if next.is_same_host(self.endpoint) => at = next,
                Some(_) => return about(url, &headers).map(Some).map_err(Failure::Final),
                None if status == StatusCode::OK => return about(url, &headers).map(Some).map_err(Failure::Final),
                None if status == StatusCode::NOT_FOUND => return Ok(None),
                None => return Err(refused(&at, status)),
            }
        }
        Err(circle(url))
    }

    /// Opens a file's bytes from `from` on. The hub may ignore where to begin: the status tells.
    pub(super) fn open(&self, url: &Url, from: u64) -> Result<Response<Body>, Failure> {
        let range = (from > 0).then(|| format!("bytes={from}-"));
        let mut at = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.send(&at, "GET", range.as_deref())?;
            match next(&at, &answer)? {
                Some(next) => at = next,
                None => return Ok(answer),
            }
        }
        Err(circle(url))
    }

    fn send(&self, url: &Url, method: &str, range: Option<&str>) -> Result<Response<Body>, Failure> {
        let full = url.full();
        let mut request = if method == "HEAD" { self.agent.head(&full) } else { self.agent.get(&full) };
        if let Some(range) = range {
            request = request.header("Range", range);
        }
        if let Some(token) = self.token
            && url.is_same_host(self.endpoint)
            && url.is_private()
        {
            request = request.header("Authorization", format!("Bearer {}", token.0));
        }
        // The library's words for a bad address would show the address with its secrets.
        let cause = |cause: ureq::Error| match cause {
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => Failure::Final(failed(url, "not an address that can be asked")),
            ureq::Error::Timeout(_) => Failure::Passing(failed(url, format!("no answer within {} s", self.patience.wait.as_secs_f32()))),
            cause => Failure::Passing(failed(url, cause.to_string())),
        };
        request.call().map_err(cause)
    }
}

/// Where an answer sends on to, if it does.
fn next(url: &Url, answer: &Response<Body>) -> Result<Option<Url>, Failure> {
    if !matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let next = header(answer.headers(), "location").and_then(|location| url.follow(location));
    next.map(Some).ok_or_else(|| Failure::Final(failed(url, "redirects to no address that can be followed")))
}

fn circle(url: &Url) -> Failure {
    Failure::Final(failed(url, format!("more than {MAX_REDIRECTS} redirects")))
}

/// What a status other than the wanted one means.
pub(super) fn refused(url: &Url, status: StatusCode) -> Failure {
    match status.as_u16() {
        401 | 403 => Failure::Final(failed(
            url,
            format!("the hub refuses ({status}): the model is private, gated or absent; a token is read from HF_TOKEN"),
        )),
        408 | 429 | 500..=599 => Failure::Passing(failed(url, format!("the hub answers {status}"))),
        _ => Failure::Final(failed(url, format!("the hub answers {status}"))),
    }
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// Puts together what the answers on the way say; the first one to say it counts, since it is the endpoint's own.
fn about(url: &Url, headers: &[HeaderMap]) -> Result<About, Error> {
    let first = |name| headers.iter().find_map(|headers| header(headers, name));
    let missing = |what: &str| failed(url, format!("the answer says no {what}: is this a Hugging Face hub?"));
    let is_hex = |text: &str, n: usize| text.len() == n && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let commit = first("x-repo-commit").filter(|commit| is_hex(commit, 40)).ok_or_else(|| missing("commit"))?;
    let etag = first("x-linked-etag").or(first("etag")).ok_or_else(|| missing("digest"))?;
    let etag = etag.trim_start_matches("W/").trim_matches('"');
    if !is_hex(etag, 40) && !is_hex(etag, 64) {
        return Err(failed(url, "the ETag is neither a SHA-256 nor git's SHA-1, so that the file could not be checked"));
    }
    // The length of a redirect's own body is not the file's.
    let length = || headers.last().and_then(|headers| header(headers, "content-length"));
    let n_bytes = first("x-linked-size").or_else(length).and_then(|n| n.parse().ok()).ok_or_else(|| missing("size"))?;
    Ok(About { commit: commit.to_owned(), etag: etag.to_owned(), n_bytes })
}
