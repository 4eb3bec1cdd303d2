//! What is read off an address.

/// The host of an `http` or `https` address, in lower case and without `www.`.
///
/// ```
/// assert_eq!(ovid_corpus::web::host("https://user@www.Example.org:8080/a?b").as_deref(), Some("example.org"));
/// assert_eq!(ovid_corpus::web::host("mailto:a@b.org"), None);
/// ```
pub fn host(url: &str) -> Option<String> {
    let (scheme, rest) = url.trim().split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let place = authority.rsplit('@').next()?;
    // An IPv6 address stands in brackets and has colons of its own.
    let host = if place.starts_with('[') { place.split_inclusive(']').next()? } else { place.split(':').next()? };
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let host = host.strip_prefix("www.").unwrap_or(&host);
    (!host.is_empty()).then(|| host.to_owned())
}

/// Whether `host` is `domain` or lies below it.
pub fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|front| front.is_empty() || front.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_domains() {
        for (url, expected) in [
            ("http://a.org", Some("a.org")),
            ("HTTP://WWW.A.org./x", Some("a.org")),
            ("https://en.wikipedia.org/wiki/Ovid#x", Some("en.wikipedia.org")),
            ("http://[::1]:80/", Some("[::1]")),
            ("ftp://a.org", None),
            ("http:///x", None),
            ("a.org/x", None),
        ] {
            assert_eq!(host(url).as_deref(), expected, "{url}");
        }
        assert!(is_below("en.wikipedia.org", "wikipedia.org") && is_below("wikipedia.org", "wikipedia.org"));
        assert!(!is_below("notwikipedia.org", "wikipedia.org") && !is_below("org", "wikipedia.org"));
    }
}
