//! The small sources: speeches, web genres, recipes, fact sheets.

use super::blocks::{drop_empty_headings, drop_stub_runs, is_prose, is_stub, item_of, make_of, paragraphs};
use super::characters::{latin, tidy};

/// Addresses: the clerk's heading goes, each line is a paragraph.
pub fn speech(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for (n, line) in text.lines().map(tidy).filter(|line| !line.is_empty()).enumerate() {
        let letters = line.bytes().filter(u8::is_ascii_alphabetic).count();
        let capitals = line.bytes().filter(u8::is_ascii_uppercase).count();
        let heading = n < 4
            && (capitals * 2 > letters
                || line.len() < 90 && line.bytes().any(|b| b.is_ascii_digit())
                || line.starts_with("Address on")
                || line.starts_with("State of the Union"));
        let note = matches!(line.as_str(), "(Applause.)" | "[Applause]" | "(Laughter.)" | "(Applause)" | "[Laughter]");
        if !heading && !note && is_prose(&line) {
            out.push(tidy(&line.replace("(Applause.)", "").replace("[Applause]", "")));
        }
    }
    out
}

/// Weblogs, reviews, answers, interviews, news.
pub fn genres(text: &str) -> Vec<String> {
    let out: Vec<String> = paragraphs(text)
        .into_iter()
        .map(|p| tidy_lines(&latin(&p)))
        .filter(|p| {
            !p.is_empty()
                && is_prose(p)
                && !["http", "www.", "@", "HyperLink", "Image:", "----", "===="].iter().any(|sign| p.contains(sign))
        })
        .collect();
    drop_empty_headings(drop_stub_runs(out, 3), is_stub)
}

/// Recipes: pictographs and bare clocks go, ingredients and steps stay.
pub fn recipe(text: &str) -> Vec<String> {
    let noise = |line: &str| {
        let lower = line.to_lowercase();
        ["prep time", "cook time", "servings", "contributed by", "contribution", "http", "total time", "author"]
            .iter()
            .any(|sign| lower.contains(sign))
            || line.contains("http")
    };
    let mut out = Vec::new();
    for block in text.split("\n\n") {
        let lines: Vec<String> = block
            .lines()
            .filter(|line| !noise(line))
            .map(|line| {
                let line = latin(line);
                item_of(&line).map_or_else(|| tidy(&line), |(mark, item)| format!("{mark} {}", tidy(item)))
            })
            .filter(|line| line.len() > 2)
            .collect();
        if !lines.is_empty() {
            out.push(lines.join("\n"));
        }
    }
    drop_empty_headings(out, |p| is_stub(p) && item_of(p).is_none() && !p.contains('\n'))
}

/// Fact sheets: the country and the passages that are sentences; figures and rankings go.
pub fn facts(title: &str, text: &str) -> Vec<String> {
    let mut out = vec![title.to_owned()];
    for line in text.lines() {
        let line = tidy(&latin(line));
        let body = match line.split_once(": ") {
            Some((label, body)) if label.len() < 60 => body,
            _ => &line,
        };
        let make = make_of(body);
        let sentences = body.matches(". ").count() + usize::from(body.ends_with('.'));
        let lists = body.matches(';').count();
        if body.len() >= 200
            && body.ends_with('.')
            && sentences >= 2
            && lists <= sentences
            && make.function_ratio >= 0.25
            && make.digit_ratio <= 0.12
        {
            out.push(body.to_owned());
        }
    }
    if out.len() > 1 { out } else { Vec::new() }
}

fn tidy_lines(paragraph: &str) -> String {
    paragraph.lines().map(tidy).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_of_a_fact_sheet_stay() {
        let background = "The Maya civilization flourished in Guatemala and the surrounding regions during the first millennium. After almost three centuries as a colony, Guatemala won its independence. During the second half of the century, it experienced a variety of governments.";
        let text = format!("Introduction\nBackground: {background}\nArea\ntotal : 108,889 sq km");
        assert_eq!(facts("Guatemala", &text), ["Guatemala", background]);
    }
}
