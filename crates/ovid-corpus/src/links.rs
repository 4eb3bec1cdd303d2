//! Lists of links with scores, and which of them are kept: outbound, with a score of 3 or more (Radford et al. 2019, section 2.1).
//!
//! In: tab-separated text with a header, its columns found by name, or JSON Lines as in public Reddit dumps; packed or not. Which of the two is told by the first line.
//! Out: links in the order of the list, and a reason for each one that is left out.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::read::input::Input;
use crate::{Error, web};

/// A link; one line of a kept list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Where it leads.
    pub url: String,
    /// Its score: votes for less votes against.
    pub score: i64,
    /// The submission's name, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What the submitter called it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// When it was submitted, as the list says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
}

/// Which links are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRule {
    /// The least score.
    pub min_score: i64,
    /// Hosts (with all below them) that are the list's own site, so that a link to them is not outbound.
    pub own_hosts: Vec<String>,
}

impl LinkRule {
    pub(crate) fn paper_score() -> i64 {
        3
    }
}

impl Default for LinkRule {
    /// The paper's.
    fn default() -> Self {
        Self { min_score: Self::paper_score(), own_hosts: ["reddit.com", "redd.it"].map(String::from).to_vec() }
    }
}

/// What became of a list's links; what `ovid corpus links --json` prints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkCounts {
    /// Lines that should be links.
    pub n_lines: u64,
    /// Links kept.
    pub n_kept: u64,
    /// Lines left out, by reason.
    pub left_out: BTreeMap<String, u64>,
}

/// The longest line that is read.
const LINE_BYTES: usize = 1 << 20;

/// Goes through lists and gives the links that are kept to `keep`, each address once.
///
/// # Errors
/// If a list cannot be opened, has no columns `url` and `score`, or `keep` fails. A line that is no link, and a list that breaks off, are counted.
pub fn keep_links(lists: &[PathBuf], rule: &LinkRule, mut keep: impl FnMut(Link) -> Result<(), Error>) -> Result<LinkCounts, Error> {
    let mut counts = LinkCounts::default();
    let mut seen = HashSet::new();
    for list in lists {
        read_list(list, |link| {
            counts.n_lines += 1;
            let verdict = link.and_then(|link| rule.judge(&link).map_or(Ok(link), Err));
            let reason = match verdict {
                Ok(link) if seen.insert(key(&link.url)) => {
                    counts.n_kept += 1;
                    return keep(link);
                }
                Ok(_) => "repeated",
                Err(reason) => reason,
            };
            *counts.left_out.entry(reason.to_owned()).or_default() += 1;
            Ok(())
        })?;
    }
    Ok(counts)
}

impl LinkRule {
    /// Why a link is left out, if it is.
    pub fn judge(&self, link: &Link) -> Option<&'static str> {
        let Some(host) = web::host(&link.url) else { return Some("no-address") };
        if self.own_hosts.iter().any(|own| web::is_below(&host, own)) {
            return Some("not-outbound");
        }
        (link.score < self.min_score).then_some("low-score")
    }
}

/// The scores of kept links, by address: 24 bytes a link or less.
#[derive(Clone, Debug, Default)]
pub struct Scores(Arc<HashMap<u64, i64>>);

impl Scores {
    /// Reads lists. Of several links to one address the first counts.
    ///
    /// # Errors
    /// Those of [`keep_links`].
    pub fn read(lists: &[PathBuf], rule: &LinkRule) -> Result<Self, Error> {
        let mut scores = HashMap::new();
        keep_links(lists, rule, |link| {
            scores.insert(key(&link.url), link.score);
            Ok(())
        })?;
        Ok(Self(Arc::new(scores)))
    }

    /// The score of the link to `url`.
    pub fn of(&self, url: &str) -> Option<i64> {
        self.0.get(&key(url)).copied()
    }
}

/// An address without what servers do not look at: scheme, `www.`, fragment, last slash.
pub(crate) fn key(url: &str) -> u64 {
    let url = url.trim().split('#').next().unwrap_or_default();
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest).trim_end_matches('/');
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host.to_ascii_lowercase();
    xxh3_64(format!("{}{path}", host.strip_prefix("www.").unwrap_or(&host)).as_bytes())
}

type Found = Result<Link, &'static str>;

fn read_list(path: &Path, mut each: impl FnMut(Found) -> Result<(), Error>) -> Result<(), Error> {
    let mut input = Input::open(path, Arc::<AtomicU64>::default()).map_err(|refused| Error::data(path, refused.detail))?;
    let mut line = Vec::new();
    let mut columns: Option<Columns> = None;
    loop {
        match input.line(LINE_BYTES, &mut line) {
            Ok(0) => return Ok(()),
            Ok(_) if line.len() == LINE_BYTES && !line.ends_with(b"\n") => {
                each(Err("too-long"))?;
                input.skip_line().map_err(|cause| Error::data(path, cause.to_string()))?;
                continue;
            }
            Ok(_) => {}
            Err(_) => return each(Err("cut-off")),
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_start_matches('\u{feff}').trim_end_matches(['\n', '\r']);
        match &columns {
            None if text.trim().is_empty() => {}
            None if text.trim_start().starts_with('{') => {
                columns = Some(Columns::Json);
                each(json_link(text))?;
            }
            None => columns = Some(Columns::of_header(path, text)?),
            Some(Columns::Json) if text.trim().is_empty() => {}
            Some(Columns::Json) => each(json_link(text))?,
            Some(Columns::Tab { .. }) => each(columns.as_ref().map_or(Err("broken-line"), |c| c.link(text)))?,
        }
    }
}

enum Columns {
    Json,
    Tab { url: usize, score: usize, others: [Option<usize>; 3] },
}

impl Columns {
    fn of_header(path: &Path, header: &str) -> Result<Self, Error> {
        let at = |names: &[&str]| header.split('\t').position(|column| names.contains(&column.trim()));
        match (at(&["url"]), at(&["score"])) {
            (Some(url), Some(score)) => Ok(Self::Tab { url, score, others: [at(&["id"]), at(&["title"]), at(&["created_utc", "date"])] }),
            _ => Err(Error::data(
                path,
                format!("the first line is neither JSON nor a header with the columns 'url' and 'score': {header:.100}"),
            )),
        }
    }

    fn link(&self, line: &str) -> Found {
        let Self::Tab { url, score, others } = self else { return Err("broken-line") };
        let fields: Vec<&str> = line.split('\t').collect();
        let get = |at: usize| fields.get(at).copied().ok_or("broken-line");
        let [id, title, date] = others.map(|at| at.and_then(|at| get(at).ok()).map(str::to_owned));
        Ok(Link { url: get(*url)?.to_owned(), score: get(*score)?.trim().parse().map_err(|_| "broken-line")?, id, title, date })
    }
}

#[derive(Deserialize)]
struct RawLink {
    url: String,
    score: i64,
    id: Option<String>,
    title: Option<String>,
    #[serde(alias = "date")]
    created_utc: Option<serde_json::Value>,
    #[serde(default)]
    is_self: bool,
}

fn json_link(line: &str) -> Found {
    let raw: RawLink = serde_json::from_str(line).map_err(|_| "broken-line")?;
    if raw.is_self {
        return Err("not-outbound");
    }
    let date = raw.created_utc.map(|date| date.as_str().map_or_else(|| date.to_string(), str::to_owned));
    Ok(Link { url: raw.url, score: raw.score, id: raw.id, title: raw.title, date })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(name: &str, text: &str) -> (Vec<String>, LinkCounts) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let mut urls = Vec::new();
        let counts = keep_links(&[path], &LinkRule::default(), |link| {
            urls.push(link.url);
            Ok(())
        })
        .unwrap();
        (urls, counts)
    }

    #[test]
    fn columns_are_found_by_name() {
        let text = "score\ttitle\turl\n3\tA\thttp://a.com/x\n2\tB\thttp://b.com\n9\tC\thttps://www.reddit.com/r/x\n5\tD\thttps://www.a.com/x/\nbroken\n7\tE\tself\n";
        let (urls, counts) = kept("links.tsv", text);
        assert_eq!(urls, ["http://a.com/x"]);
        let left: Vec<_> = counts.left_out.iter().map(|(k, v)| (k.as_str(), *v)).collect();
        assert_eq!(left, [("broken-line", 1), ("low-score", 1), ("no-address", 1), ("not-outbound", 1), ("repeated", 1)]);
        assert_eq!((counts.n_lines, counts.n_kept), (6, 1));
    }

    #[test]
    fn reddit_dumps_are_read() {
        let text = concat!(
            r#"{"url": "http://a.com/", "score": 10, "is_self": false, "created_utc": 1349368875, "over_18": false}"#,
            "\n",
            r#"{"url": "http://b.com/", "score": 10, "is_self": true, "created_utc": "1349368875"}"#,
            "\n\n",
            r#"{"url": "http://c.com/", "score": 2.5}"#,
            "\n"
        );
        let (urls, counts) = kept("RS_2012-10", text);
        assert_eq!(urls, ["http://a.com/"]);
        assert_eq!((counts.left_out["not-outbound"], counts.left_out["broken-line"]), (1, 1));
    }

    #[test]
    fn a_list_without_its_columns_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("links.tsv");
        std::fs::write(&path, "address\tvotes\nx\t3\n").unwrap();
        let error = keep_links(&[path], &LinkRule::default(), |_| Ok(())).unwrap_err();
        assert!(error.is_bad_input() && error.to_string().contains("columns 'url' and 'score'"), "{error}");
    }
}
