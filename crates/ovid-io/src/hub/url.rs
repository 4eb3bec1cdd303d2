//! Just enough of addresses: whose host is it, and where does a redirect lead.

use std::fmt;

/// An `http` or `https` address without user names.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Url {
    secure: bool,
    /// Host, and port where one is written.
    authority: String,
    /// From the slash on; empty where there is none.
    rest: String,
}

impl Url {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let is_host = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']' | b'_');
        let is_graphic = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
        if authority.is_empty() || !authority.bytes().all(is_host) || !is_graphic(rest) {
            return None;
        }
        let rest = rest.split('#').next().unwrap_or_default();
        Some(Self { secure, authority: authority.to_ascii_lowercase(), rest: rest.to_owned() })
    }

    /// The address with `path` behind it.
    pub(super) fn join(&self, path: &str) -> Self {
        Self { rest: format!("{}/{path}", self.rest), ..self.clone() }
    }

    /// Where a `Location` header leads from here; nothing where it is no address, or leads from `https` to `http`.
    pub(super) fn follow(&self, location: &str) -> Option<Self> {
        let scheme = if self.secure { "https" } else { "http" };
        let target = if location.starts_with("//") {
            Self::parse(&format!("{scheme}:{location}"))
        } else if location.starts_with('/') {
            Self::parse(&format!("{scheme}://{}{location}", self.authority))
        } else if location.contains("://") {
            Self::parse(location)
        } else {
            let path = self.rest.split('?').next().unwrap_or_default();
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            Self::parse(&format!("{scheme}://{}{folder}/{location}", self.authority))
        };
        target.filter(|target| target.secure || !self.secure)
    }

    /// Whether a secret meant for `other` may be sent here.
    pub(super) fn is_same_host(&self, other: &Self) -> bool {
        self.secure == other.secure && self.authority == other.authority
    }

    /// Whether nobody between here and there can read along.
    pub(super) fn is_private(&self) -> bool {
        self.secure || self.is_loopback()
    }

    pub(super) fn is_loopback(&self) -> bool {
        let host = if self.authority.starts_with('[') {
            self.authority.split(']').next().unwrap_or_default().trim_start_matches('[')
        } else {
            self.authority.split(':').next().unwrap_or_default()
        };
        host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
    }

    /// The whole address, with what may be secret in it.
    pub(super) fn full(&self) -> String {
        format!("{}://{}{}", if self.secure { "https" } else { "http" }, self.authority, self.rest)
    }
}

/// For messages: without the query, in which redirects carry signatures.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let full = self.full();
        f.write_str(full.split('?').next().unwrap_or_default())
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_where_browsers_go_and_never_out_of_https() {
        let from = Url::parse("https://Hub.example/a/b?x=1#y").unwrap();
        let check = |location: &str, expected: Option<&str>| {
            assert_eq!(from.follow(location).map(|url| url.full()).as_deref(), expected, "{location}");
        };
        check("/c?d=2", Some("https://hub.example/c?d=2"));
        check("c", Some("https://hub.example/a/c"));
        check("//cdn.example/c", Some("https://cdn.example/c"));
        check("https://cdn.example:8443/c", Some("https://cdn.example:8443/c"));
        check("http://hub.example/c", None);
        check("file:///etc/passwd", None);
        check("https://user:password@cdn.example/c", None);
        check("https://", None);
        check("/a b", None);
        assert_eq!(format!("{from} {from:?}"), "https://hub.example/a/b https://hub.example/a/b");
    }

    #[test]
    fn a_host_is_the_same_only_with_scheme_and_port() {
        let hub = Url::parse("https://hub.example").unwrap();
        for (text, same) in [
            ("https://hub.example/x", true),
            ("https://hub.example:8443", false),
            ("http://hub.example", false),
            ("https://hub.example.evil.com", false),
            ("https://cdn.hub.example", false),
        ] {
            assert_eq!(Url::parse(text).unwrap().is_same_host(&hub), same, "{text}");
        }
        for (text, private) in
            [("http://127.0.0.1:8080", true), ("http://[::1]:80", true), ("http://localhost", true), ("http://hub.example", false)]
        {
            assert_eq!(Url::parse(text).unwrap().is_private(), private, "{text}");
        }
    }
}
