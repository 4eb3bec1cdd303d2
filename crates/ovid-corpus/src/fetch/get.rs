//! One request: bounded in time and size whatever the server does, redirects left to who asked.

use std::fmt::Write as _;
use std::io::Read as _;
use std::net::{IpAddr, ToSocketAddrs as _};

use ureq::Agent;
use ureq::http::HeaderMap;
use url::{Host, Url};

use super::Options;

/// What a server answered.
pub(super) struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// Why there is no answer that can be kept: a word that is counted, and the particulars.
pub(super) struct Failed {
    pub reason: &'static str,
    pub detail: String,
}

impl Failed {
    pub fn new(reason: &'static str, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

pub(super) fn agent(options: &Options) -> Agent {
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(&options.user_agent)
        .accept("text/html, application/xhtml+xml, text/plain;q=0.9, */*;q=0.1")
        // Bodies are kept as they come; whoever reads them unpacks them within a limit.
        .accept_encoding("gzip")
        .timeout_global(Some(options.timeout));
    if options.allow_private {
        config = config.proxy(None);
    }
    config.build().into()
}

/// Fetches one address; at most `limit` bytes of body, else a failure.
pub(super) fn get(agent: &Agent, url: &Url, limit: u64, options: &Options) -> Result<Answer, Failed> {
    if !options.allow_private {
        refuse_private(url)?;
    }
    let failed = |cause: ureq::Error| match cause {
        ureq::Error::Timeout(_) => Failed::new("timeout", format!("more than {} s", options.timeout.as_secs_f64())),
        ureq::Error::BadUri(_) => Failed::new("bad-url", "no address that can be asked"),
        cause => Failed::new("network", cause.to_string()),
    };
    let response = agent.get(url.as_str()).call().map_err(failed)?;
    let (parts, body) = response.into_parts();
    let announced: Option<u64> = parts.headers.get("content-length").and_then(|n| n.to_str().ok()?.parse().ok());
    let too_large = || Failed::new("too-large", format!("more than {limit} bytes"));
    if announced.is_some_and(|n| n > limit) {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    let read = body.into_with_config().limit(u64::MAX).reader().take(limit + 1).read_to_end(&mut bytes);
    if bytes.len() as u64 > limit {
        return Err(too_large());
    }
    match read {
        Ok(_) => Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body: bytes }),
        Err(cause) => Err(match ureq::Error::from(cause) {
            cause @ ureq::Error::Timeout(_) => failed(cause),
            cause => Failed::new("cut-off", format!("after {} bytes: {cause}", bytes.len())),
        }),
    }
}

impl Answer {
    /// Status line and headers as they are kept: the body's length is what it is, and its framing on the wire is gone.
    pub fn head(&self) -> String {
        let mut head = format!("HTTP/1.1 {}\r\n", self.status);
        for (name, value) in &self.headers {
            if name != "transfer-encoding" && name != "content-length" {
                let _ = write!(head, "{name}: {}\r\n", String::from_utf8_lossy(value.as_bytes()));
            }
        }
        let _ = write!(head, "content-length: {}\r\n\r\n", self.body.len());
        head
    }

    /// Where a redirect leads.
    pub fn location(&self, from: &Url) -> Option<Result<Url, Failed>> {
        if !matches!(self.status, 301 | 302 | 303 | 307 | 308) {
            return None;
        }
        let location = self.headers.get("location").and_then(|value| std::str::from_utf8(value.as_bytes()).ok());
        let url = location.and_then(|location| from.join(location).ok()).filter(is_web);
        Some(url.ok_or_else(|| Failed::new("redirects", "leads to no address that can be followed")))
    }
}

/// Whether an address is one of the web, without a name and password in it.
pub(super) fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.has_host() && url.username().is_empty() && url.password().is_none()
}

/// A link, or what it redirects to, must not lead a crawler into the network it stands in.
pub(super) fn refuse_private(url: &Url) -> Result<(), Failed> {
    let private = |address: IpAddr| match address.to_canonical() {
        IpAddr::V4(a) => {
            let shared = a.octets()[0] == 100 && a.octets()[1] & 0xC0 == 64;
            a.is_private() || a.is_loopback() || a.is_link_local() || a.is_unspecified() || a.is_broadcast() || shared
        }
        IpAddr::V6(a) => a.is_loopback() || a.is_unspecified() || a.is_unique_local() || a.is_unicast_link_local(),
    };
    let port = url.port_or_known_default().unwrap_or(80);
    let addresses: Vec<IpAddr> = match url.host() {
        Some(Host::Ipv4(address)) => vec![address.into()],
        Some(Host::Ipv6(address)) => vec![address.into()],
        Some(Host::Domain(name)) => match (name, port).to_socket_addrs() {
            Ok(found) => found.map(|a| a.ip()).collect(),
            Err(cause) => return Err(Failed::new("network", cause.to_string())),
        },
        None => Vec::new(),
    };
    match addresses.into_iter().find(|a| private(*a)) {
        Some(address) => Err(Failed::new("private", format!("{address} is in a private network"))),
        None => Ok(()),
    }
}
