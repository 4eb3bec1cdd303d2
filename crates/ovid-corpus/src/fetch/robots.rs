//! robots.txt (RFC 9309): what a site asks of crawlers.

use std::fmt::Write as _;
use std::time::Duration;

/// No more of the file is read.
pub(super) const ROBOTS_BYTES: usize = 500 << 10;

/// What a site allows one crawler.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Robots {
    rules: Vec<Rule>,
    /// `Crawl-delay`, which is in no standard and in many files.
    pub delay: Option<Duration>,
    /// Why nothing at all is allowed: the file should be there and cannot be had.
    pub shut: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    allow: bool,
    pattern: String,
}

impl Robots {
    /// The rules for the crawler called `name`: those of the groups that name it, else those for all.
    pub fn parse(bytes: &[u8], name: &str) -> Self {
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(ROBOTS_BYTES)]);
        let (mut own, mut for_all) = (None::<Self>, None::<Self>);
        // Lines `User-agent` that follow each other begin one group together.
        let (mut is_own, mut is_for_all, mut in_agents) = (false, false, false);
        for line in text.trim_start_matches('\u{FEFF}').lines() {
            let Some((key, value)) = line.split('#').next().unwrap_or_default().split_once(':') else { continue };
            let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
            if key == "user-agent" {
                if !in_agents {
                    (is_own, is_for_all) = (false, false);
                }
                in_agents = true;
                is_own |= value.eq_ignore_ascii_case(name);
                is_for_all |= value == "*";
                if is_own {
                    own.get_or_insert_default();
                }
                if is_for_all {
                    for_all.get_or_insert_default();
                }
                continue;
            }
            let groups = [own.as_mut().filter(|_| is_own), for_all.as_mut().filter(|_| is_for_all)];
            for group in groups.into_iter().flatten() {
                match key.as_str() {
                    // An empty `Disallow` forbids nothing.
                    "allow" | "disallow" if !value.is_empty() => group.rules.push(Rule { allow: key == "allow", pattern: escaped(value) }),
                    "crawl-delay" => group.delay = value.parse().ok().and_then(|s| Duration::try_from_secs_f64(s).ok()),
                    _ => {}
                }
            }
            // Keys that the standard does not know, such as `Sitemap`, stand between groups without ending them.
            in_agents &= !matches!(key.as_str(), "allow" | "disallow" | "crawl-delay");
        }
        own.or(for_all).unwrap_or_default()
    }

    /// A site whose file cannot be had.
    pub fn shut(why: impl Into<String>) -> Self {
        Self { shut: Some(why.into()), ..Self::default() }
    }

    /// Whether a path (with its query) may be fetched: the longest pattern that fits decides, `Allow` among equals.
    pub fn allows(&self, path: &str) -> bool {
        if self.shut.is_some() {
            return false;
        }
        let path = escaped(path);
        let fitting = self.rules.iter().filter(|rule| fits(rule.pattern.as_bytes(), path.as_bytes()));
        fitting.max_by_key(|rule| (rule.pattern.len(), rule.allow)).is_none_or(|rule| rule.allow)
    }
}

/// In one spelling: letters beyond ASCII as their escapes, escapes in upper case.
fn escaped(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut hex_left = 0;
    for byte in path.bytes() {
        match byte {
            b'%' => hex_left = 3,
            b if !b.is_ascii() => {
                let _ = write!(out, "%{b:02X}");
            }
            _ => {}
        }
        if byte.is_ascii() {
            out.push(if hex_left > 0 { byte.to_ascii_uppercase() } else { byte } as char);
        }
        hex_left = i32::max(hex_left - 1, 0);
    }
    out
}

/// Whether a pattern fits the beginning of a path: `*` is any run of characters, `$` at the end the path's end.
fn fits(pattern: &[u8], path: &[u8]) -> bool {
    let (pattern, anchored) = pattern.strip_suffix(b"$").map_or((pattern, false), |front| (front, true));
    let mut pieces = pattern.split(|b| *b == b'*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = path.strip_prefix(first) else { return false };
    let mut pieces = pieces.peekable();
    if pieces.peek().is_none() {
        return !anchored || rest.is_empty();
    }
    while let Some(piece) = pieces.next() {
        if anchored && pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        // The first place is as good as any later one: what follows has the more room.
        let Some(at) = memchr::memmem::find(rest, piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(robots: &str, cases: &[(&str, bool)]) {
        let robots = Robots::parse(robots.as_bytes(), "ovid");
        for (path, allowed) in cases {
            assert_eq!(robots.allows(path), *allowed, "{path} {robots:?}");
        }
    }

    #[test]
    fn the_longest_pattern_of_the_right_group_decides() {
        check("", &[("/", true)]);
        check("User-agent: *\nDisallow: /", &[("/", false), ("/a", false)]);
        check("User-agent: *\nDisallow:", &[("/a", true)]);
        check("User-agent: *\nDisallow: /\n\nUser-agent: Ovid\nDisallow: /b", &[("/a", true), ("/b/c", false)]);
        check("User-agent: other\nUser-agent: ovid\nDisallow: /x\nUser-agent: third\nDisallow: /", &[("/x", false), ("/y", true)]);
        check("User-agent: *\nDisallow: /a\nAllow: /a/b", &[("/a/b/c", true), ("/a/c", false)]);
        check("User-agent: *\nAllow: /p\nDisallow: /p", &[("/p", true)]);
        check("# all\nuser-agent : * # everyone\r\ndisallow : /x # no\r\nSitemap: /s", &[("/x", false)]);
        // The groups of one name are one.
        check(
            "User-agent: ovid\nDisallow: /a\nUser-agent: *\nDisallow: /\nUser-agent: ovid\nDisallow: /b",
            &[("/a", false), ("/b", false), ("/c", true)],
        );
        check("Disallow: /", &[("/", true)]);
    }

    #[test]
    fn patterns() {
        let star = "User-agent: *\nDisallow: /*.gif$\nDisallow: /a*/b\nDisallow: /e$";
        check(star, &[("/x.gif", false), ("/x.gif?y", true), ("/a1/b/c", false), ("/a/c", true), ("/e", false), ("/ef", true)]);
        check("User-agent: *\nDisallow: /é", &[("/%C3%A9", false), ("/%c3%a9/x", false), ("/e", true)]);
        check("User-agent: *\nDisallow: /*", &[("/", false)]);
        check("User-agent: *\nDisallow: *a*a*a*a*a*a*a*b$", &[(&"/a".repeat(2000), true)]);
    }

    #[test]
    fn delays_and_what_is_shut() {
        let robots = Robots::parse(b"User-agent: *\nCrawl-delay: 2.5", "ovid");
        assert_eq!(robots.delay, Some(Duration::from_millis(2500)));
        assert_eq!(Robots::parse(b"User-agent: *\nCrawl-delay: -1e99", "ovid").delay, None);
        assert!(!Robots::shut("503").allows("/"));
        assert_eq!(Robots::parse(&[0xFF; 100], "ovid"), Robots::default());
    }
}
