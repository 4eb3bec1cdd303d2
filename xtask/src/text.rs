//! Text: white space, words written twice, common misspellings, and links between pages.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use anyhow::Result;

use crate::tree::Tree;

/// Files that are read as text: source, scripts, pages, settings.
const TEXT: [&str; 7] = ["rs", "md", "toml", "py", "sh", "json", "yml"];

/// What a program made: it is compared byte for byte elsewhere, or is a model's own words, so white space and spelling in it are meant.
const DATA: [&str; 3] = ["/fixtures/", "/corpus/", "docs/samples.md"];

/// Misspellings that people make often; each left side is no English word.
const MISSPELT: [(&str, &str); 24] = [
    ("teh", "the"),
    ("recieve", "receive"),
    ("occured", "occurred"),
    ("seperate", "separate"),
    ("definately", "definitely"),
    ("accross", "across"),
    ("adress", "address"),
    ("arguement", "argument"),
    ("begining", "beginning"),
    ("beleive", "believe"),
    ("calender", "calendar"),
    ("commited", "committed"),
    ("concious", "conscious"),
    ("dependant", "dependent"),
    ("existance", "existence"),
    ("foward", "forward"),
    ("guage", "gauge"),
    ("independant", "independent"),
    ("neccessary", "necessary"),
    ("occurence", "occurrence"),
    ("paramter", "parameter"),
    ("probablity", "probability"),
    ("succesful", "successful"),
    ("wich", "which"),
];

/// White space that an editor would remove, doubled words, misspellings.
pub fn check(tree: &Tree) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for file in TEXT.iter().flat_map(|e| tree.with_extension(e)) {
        if DATA.iter().any(|d| file.contains(d)) || file == "xtask/src/text.rs" {
            continue;
        }
        let text = tree.read(file)?;
        if !text.is_empty() && !text.ends_with('\n') {
            faults.push(format!("{file}: does not end in a newline"));
        }
        let prose = matches!(Path::new(file).extension().and_then(|e| e.to_str()), Some("rs" | "md" | "py" | "sh"));
        let mut fenced = false;
        for (n, line) in text.lines().enumerate() {
            fenced ^= line.trim_start().trim_start_matches(['/', '!']).trim_start().starts_with("```");
            let place = format!("{file}:{}", n + 1);
            if line.contains('\r') || line.contains('\t') {
                faults.push(format!("{place}: a tab or carriage return"));
            }
            // Output that a page quotes is shown as the program printed it.
            if line.ends_with(' ') && !fenced {
                faults.push(format!("{place}: white space at the end of the line"));
            }
            if prose && !fenced {
                faults.extend(faulty_words(line).into_iter().map(|f| format!("{place}: {f}")));
            }
        }
    }
    Ok(faults)
}

fn faulty_words(line: &str) -> Vec<String> {
    let comment = line.trim_start().trim_start_matches(['/', '#', '!', '*', '-', ' ']);
    let words: Vec<&str> = comment.split(' ').collect();
    let mut faults = Vec::new();
    for pair in words.windows(2) {
        if pair[0] == pair[1]
            && pair[0].len() > 1
            && pair[0].bytes().all(|b| b.is_ascii_lowercase())
            && pair[0] != "had"
            && pair[0] != "that"
        {
            faults.push(format!("'{} {}'", pair[0], pair[1]));
        }
    }
    for word in words.iter().flat_map(|w| w.split(|c: char| !c.is_alphabetic())) {
        if let Some((_, right)) = MISSPELT.iter().find(|(wrong, _)| word.eq_ignore_ascii_case(wrong)) {
            faults.push(format!("'{word}' should be '{right}'"));
        }
    }
    faults
}

/// Every relative link of every page leads to a file, and every `#anchor` to a heading.
pub fn links(tree: &Tree) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for file in tree.with_extension("md") {
        let text = tree.read(file)?;
        for (line, target) in targets(&text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let to = if path.is_empty() { file.to_string() } else { resolve(file, path) };
            if !tree.root.join(&to).exists() {
                faults.push(format!("{file}:{line}: link to '{target}', which is not there"));
            } else if !anchor.is_empty() && !anchors(&tree.read(&to)?).contains(anchor) {
                faults.push(format!("{file}:{line}: link to '{target}', but {to} has no such heading"));
            }
        }
    }
    Ok(faults)
}

/// A link's path, seen from the root of the tree.
fn resolve(from: &str, link: &str) -> String {
    let mut path = Path::new(from).parent().map(Path::to_path_buf).unwrap_or_default();
    for part in Path::new(link).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::Normal(name) => path.push(name),
            Component::RootDir => path = PathBuf::new(),
            _ => {}
        }
    }
    path.to_string_lossy().into_owned()
}

/// What follows `](` in lines outside code, with line numbers from 1.
fn targets(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (n, line) in text.lines().enumerate() {
        fenced ^= line.trim_start().starts_with("```");
        if fenced {
            continue;
        }
        // Every second piece between backquotes is code.
        let plain: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        for piece in plain.split("](").skip(1) {
            if let Some(end) = piece.find(')') {
                found.push((n + 1, piece[..end].split(' ').next().unwrap_or_default().to_string()));
            }
        }
    }
    found
}

/// The anchors that a page's headings get: lower case, spaces as hyphens, other marks dropped.
fn anchors(text: &str) -> HashSet<String> {
    let mut fenced = false;
    let headings = text.lines().filter(|line| {
        fenced ^= line.trim_start().starts_with("```");
        !fenced && line.starts_with('#')
    });
    headings
        .map(|h| {
            let title = h.trim_start_matches('#').trim().to_lowercase();
            title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_')).map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_outside_code() {
        let page = "See [a](b.md#x) and `[c](d.md)`.\n```\n[e](f.md)\n```\n![g](h.svg \"title\")\n";
        assert_eq!(targets(page), [(1, "b.md#x".to_string()), (5, "h.svg".to_string())]);
        assert_eq!(resolve("docs/a.md", "../README.md"), "README.md");
        assert!(anchors("# The `ovid` command\n").contains("the-ovid-command"));
    }

    #[test]
    fn doubled_and_misspelt_words_are_found() {
        assert_eq!(faulty_words("// over the the hill"), ["'the the'"]);
        assert_eq!(faulty_words("we recieve it"), ["'recieve' should be 'receive'"]);
        assert!(faulty_words("what it had had to be").is_empty());
    }
}
