//! GLTR's view (Gehrmann et al. 2019): each token by its rank, with the histogram of ranks; in a terminal and as a page. Colour is never alone: each class has a mark too.

use std::fmt::Write as _;

use ovid_eval::TokenScore;

use crate::{Detection, ScoredText, Verdict};

/// The classes of ranks: name, greatest rank, mark in a terminal, colour in a terminal, colour in a page, line under the token in a page.
const CLASSES: [(&str, u32, &str, &str, &str, &str); 4] = [
    ("top 10", 10, "", "32", "#b7e4c7", "none"),
    ("top 100", 100, "'", "33", "#ffe08a", "dotted"),
    ("top 1,000", 1000, "\"", "31", "#f5b0a1", "solid"),
    ("rarer", u32::MAX, "*", "35", "#d9b8f0", "double"),
];

fn class(rank: u32) -> usize {
    CLASSES.iter().position(|c| rank <= c.1).unwrap_or(CLASSES.len() - 1)
}

/// Tokens joined where a character lies in several: its rank is then the rarest of theirs.
fn pieces(tokens: &[TokenScore]) -> Vec<(String, Option<u32>, f32)> {
    let mut pieces = Vec::new();
    let (mut bytes, mut rank, mut logprob) = (Vec::new(), None, 0.0);
    for (i, token) in tokens.iter().enumerate() {
        bytes.extend_from_slice(&token.bytes);
        rank = rank.max(token.rank);
        logprob += token.logprob.unwrap_or(0.0);
        if i + 1 == tokens.len() || std::str::from_utf8(&bytes).is_ok() || bytes.len() > 16 {
            pieces.push((String::from_utf8_lossy(&bytes).into_owned(), rank, logprob));
            (bytes, rank, logprob) = (Vec::new(), None, 0.0);
        }
    }
    pieces
}

/// How many tokens have a rank of each class.
fn histogram(tokens: &[TokenScore]) -> [usize; 4] {
    let mut counts = [0; 4];
    for rank in tokens.iter().filter_map(|t| t.rank) {
        counts[class(rank)] += 1;
    }
    counts
}

/// The view for a terminal. Without colours the marks remain: `word'` is beyond the top 10, `word"` beyond 100, `word*` beyond 1,000.
pub fn terminal(scored: &ScoredText, colours: bool) -> String {
    let mut text = String::new();
    for (piece, rank, _) in pieces(&scored.tokens) {
        let piece: String = piece.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let Some((_, _, mark, colour, ..)) = rank.map(|r| CLASSES[class(r)]) else {
            text.push_str(&piece);
            continue;
        };
        let _ = if colours { write!(text, "\x1b[{colour}m{piece}{mark}\x1b[0m") } else { write!(text, "{piece}{mark}") };
    }
    text.push('\n');
    let counts = histogram(&scored.tokens);
    let total = counts.iter().sum::<usize>().max(1);
    for ((name, _, mark, ..), n) in CLASSES.iter().zip(counts) {
        let mark = if mark.is_empty() { " " } else { mark };
        let bar = "#".repeat((40 * n).div_ceil(total));
        let _ = writeln!(text, "  {mark} {name:<9} {n:>6} {:>5.1}%  {bar}", 100.0 * n as f64 / total as f64);
    }
    text
}

/// One document's part of the page.
pub fn section(scored: &ScoredText, detection: &Detection) -> String {
    let place = match (&detection.file, detection.line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (Some(file), None) => file.clone(),
        _ => "standard input".to_owned(),
    };
    let verdict = match detection.verdict {
        Verdict::Machine => "machine",
        Verdict::Human => "human",
        Verdict::Undecided => "undecided",
        Verdict::TooShort => "too short to tell",
        Verdict::Uncalibrated => "no verdict: no calibration for this model",
    };
    let mut text = format!("<section>\n<h2>{}</h2>\n<p><b>{verdict}</b>", escaped(&place));
    if let (Some(p), Some(interval)) = (detection.probability, detection.interval) {
        let _ = write!(
            text,
            ", P(machine) {p:.3} [{:.3}, {:.3}] from a prior of {}, false-positive rate {}%",
            interval.low,
            interval.high,
            detection.prior,
            detection.fpr * 100.0
        );
    } else if let Some(needed) = detection.needed_tokens.filter(|_| detection.verdict == Verdict::TooShort) {
        let _ = write!(text, " ({} tokens; about {needed} would do)", detection.n_tokens);
    }
    text.push_str("</p>\n");
    let counts = histogram(&scored.tokens);
    let total = counts.iter().sum::<usize>().max(1);
    text.push_str("<table>\n");
    for (i, ((name, ..), n)) in CLASSES.iter().zip(counts).enumerate() {
        let share = 100.0 * n as f64 / total as f64;
        let _ = writeln!(
            text,
            "<tr><th><span class=\"r{i}\">{name}</span></th><td class=\"n\">{n}</td><td class=\"n\">{share:.1}%</td><td class=\"bar\"><div class=\"b{i}\" style=\"width:{share:.1}%\"></div></td></tr>"
        );
    }
    text.push_str("</table>\n<p class=\"text\">");
    for (piece, rank, logprob) in pieces(&scored.tokens) {
        let _ = match rank {
            Some(rank) => write!(
                text,
                "<span class=\"r{}\" title=\"rank {rank}, probability {:.4}\">{}</span>",
                class(rank),
                logprob.exp(),
                escaped(&piece)
            ),
            None => write!(text, "{}", escaped(&piece)),
        };
    }
    text.push_str(if scored.is_cut { " [...]</p>\n" } else { "</p>\n" });
    text.push_str("</section>\n");
    text
}

/// The page around its sections.
pub fn page(sections: &str) -> String {
    let mut style = String::new();
    for (i, (_, _, _, _, colour, line)) in CLASSES.iter().enumerate() {
        let _ = writeln!(style, ".r{i} {{ background: {colour}; text-decoration: underline {line}; text-underline-offset: 3px; }}");
        let _ = writeln!(style, ".b{i} {{ background: {colour}; }}");
    }
    // The lines under the tokens say on grey paper what the colours say.
    style = style.replace("underline none", "none");
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>ovid detect</title>\n<style>\n\
         body {{ font: 16px/1.7 Georgia, serif; max-width: 50em; margin: 2em auto; padding: 0 1em; color: #111; background: #fff; }}\n\
         h1, h2 {{ font: bold 18px/1.3 sans-serif; }}\ntable {{ font: 14px sans-serif; border-collapse: collapse; width: 100%; }}\nth {{ text-align: left; font-weight: normal; width: 7em; }}\n\
         td.n {{ text-align: right; width: 4em; padding-right: 1em; }}\ntd.bar div {{ height: 1em; border: 1px solid #444; min-width: 1px; }}\n\
         p.text {{ white-space: pre-wrap; overflow-wrap: anywhere; }}\n{style}</style>\n</head>\n<body>\n<h1>Each token by its rank among the model's guesses</h1>\n\
         <p>No line: among the 10 most probable; dotted: among 100; solid: among 1,000; double: rarer. Machine text has few of the last two. This is a picture, not a verdict.</p>\n{sections}</body>\n</html>\n"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
