//! The page that shows what was copied, and from where. One file, no script, nothing fetched.

use std::fmt::Write as _;

use super::form::{CopiedSpan, OverlapReport};
use crate::measure::Worst;
use crate::passages::Passage;

const STYLE: &str = "\
body{font:16px/1.5 system-ui,sans-serif;max-width:76rem;margin:2rem auto;padding:0 1rem;color:#111;background:#fff}
table{border-collapse:collapse}th,td{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #ccc}th:first-child,td:first-child{text-align:left}
svg{max-width:100%;height:auto}
article{display:grid;grid-template-columns:3fr 2fr;gap:1.5rem;border-top:2px solid #111;margin-top:2rem;padding-top:.5rem}
article h3{grid-column:1/-1;margin:0}.text,.from q{white-space:pre-wrap;overflow-wrap:anywhere}
.text a{color:inherit;text-decoration:underline}.text a sup{font-weight:bold}
.c0{background:#cfe8ff}.c1{background:#ffd9b8}.c2{background:#c8f0dd}.c3{background:#f6d6e8}.c4{background:#ffeab0}
aside ol{padding:0;list-style:none}.from{font-size:.85rem;margin-bottom:1rem;scroll-margin-top:1rem}.from q{quotes:none}.from:target{outline:3px solid #0072b2}
@media(max-width:60rem){article{display:block}}@media print{article{display:block}}";

/// The whole page.
pub(super) fn page(report: &OverlapReport, worst: &[(&Worst, Vec<Option<Passage>>)], figure: &str) -> String {
    let mut page = String::new();
    let n = report.n;
    push(
        &mut page,
        format_args!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">"
        ),
    );
    push(
        &mut page,
        format_args!(
            "<title>{n}-gram overlap</title><style>{STYLE}</style></head><body>\n<h1>{n}-gram overlap with the training text</h1>\n"
        ),
    );
    let index = &report.index;
    push(
        &mut page,
        format_args!(
            "<p>{} training documents, {} words, {} different {n}-grams (index {}). Filter: false positives at a rate of {:.1e}; {} of {} random strings found. Every hit of the filter is confirmed in an exact index.</p>\n",
            index.n_documents,
            index.n_words,
            index.distinct,
            &index.sha256[..12.min(index.sha256.len())],
            index.false_positive_rate,
            report.random_strings.n_found,
            report.random_strings.n_tried,
        ),
    );
    summary(&mut page, report);
    push(&mut page, format_args!("<figure>{figure}</figure>\n<h2>The documents with the greatest overlap</h2>\n"));
    push(
        &mut page,
        format_args!(
            "<p>What stands in the training text word for word, in runs of {n} words or more, is coloured and numbered; the number leads to the passage there.</p>\n"
        ),
    );
    for (number, (document, (worst, passages))) in report.worst.iter().zip(worst).enumerate() {
        push(
            &mut page,
            format_args!(
                "<article><h3>{}: {} {} &mdash; {:.1}%</h3>\n<div class=\"text\">",
                escape(&document.set),
                escape(&document.source),
                escape(&document.id),
                document.overlap_percent
            ),
        );
        text(&mut page, number, &worst.document.text, &document.spans);
        page.push_str("</div>\n<aside><ol>");
        for (i, (span, passage)) in document.spans.iter().zip(passages).enumerate() {
            from(&mut page, number, i, span, passage.as_ref());
        }
        page.push_str("</ol></aside></article>\n");
    }
    page.push_str("</body></html>\n");
    page
}

fn summary(page: &mut String, report: &OverlapReport) {
    page.push_str(
        "<table><tr><th>set</th><th>documents</th><th>median %</th><th>mean %</th><th>with none %</th><th>longest run (words)</th></tr>\n",
    );
    let number = |x: Option<f64>| x.map_or_else(|| "&ndash;".to_owned(), |x| format!("{x:.2}"));
    for set in &report.sets {
        let f = &set.figures;
        push(
            page,
            format_args!(
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                escape(&set.name),
                f.n_documents - f.n_too_short,
                number(f.median_percent),
                number(f.mean_percent),
                number(f.none_percent),
                f.longest_span_words
            ),
        );
    }
    page.push_str("</table>\n");
    for c in &report.comparisons {
        push(
            page,
            format_args!(
                "<p>{} against {}: mean {:+.2} points (95% interval {:+.2} to {:+.2}), median {:+.2} ({:+.2} to {:+.2}); two-sided Mann-Whitney p = {:.2e}.</p>\n",
                escape(&c.set),
                escape(&c.against),
                c.mean_difference,
                c.mean_difference_interval.low,
                c.mean_difference_interval.high,
                c.median_difference,
                c.median_difference_interval.low,
                c.median_difference_interval.high,
                c.p
            ),
        );
    }
}

/// The document, each copied span a link. Of two spans that overlap the second shows only what the first does not.
fn text(page: &mut String, number: usize, text: &str, spans: &[CopiedSpan]) {
    let mut at = 0;
    for (i, span) in spans.iter().enumerate() {
        let (begin, end) = ((span.begin as usize).max(at), span.end as usize);
        if begin >= end {
            continue;
        }
        page.push_str(&escape(&text[at..begin]));
        let title = format!("{} words, {} {}", span.n_words, escape(&span.source), escape(&span.id));
        push(
            page,
            format_args!(
                "<a class=\"c{}\" href=\"#d{number}s{i}\" title=\"{title}\">{}<sup>{}</sup></a>",
                i % 5,
                escape(&text[begin..end]),
                i + 1
            ),
        );
        at = end;
    }
    page.push_str(&escape(&text[at..]));
}

fn from(page: &mut String, number: usize, i: usize, span: &CopiedSpan, passage: Option<&Passage>) {
    let place = format!("{} {}, word {}", escape(&span.source), escape(&span.id), span.word);
    push(
        page,
        format_args!(
            "<li class=\"from\" id=\"d{number}s{i}\"><b>{}</b> {} words, in {} places; {place} ({}:{})",
            i + 1,
            span.n_words,
            span.n_places,
            escape(&span.file),
            span.line
        ),
    );
    match passage {
        Some(p) => {
            let (before, copied, after) = (escape(&p.before), escape(&p.copied), escape(&p.after));
            push(page, format_args!("<br><q>&hellip;{before}<mark class=\"c{}\">{copied}</mark>{after}&hellip;</q></li>", i % 5));
        }
        None => page.push_str("<br>the training file is not at hand</li>"),
    }
}

fn push(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("writing to a String cannot fail");
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // Control characters have no place in a page.
            c if c.is_control() && !matches!(c, '\n' | '\t') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}
