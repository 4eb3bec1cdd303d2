//! `docs/memorisation.md`: the numbers of both reports, and what they say.

use std::fmt::Write as _;

use ovid_overlap::report::{Comparison, Figures, OverlapReport};

use super::Audit;

/// The whole page.
pub(super) fn page(mini: &Audit, gpt2: &Audit, prompt_tokens: usize, continuation_tokens: usize) -> String {
    let mut page = String::new();
    let samples = &mini.report.sets[1];
    let model = samples.model.as_ref().map_or("", |m| m.sha256.as_str());
    let built = &mini.built;
    let n = built.n;
    line(&mut page, format_args!("# What is recited\n"));
    line(
        &mut page,
        format_args!(
            "The question of the GPT-2 paper's appendix 8.2 (Figure 5), asked of the built-in model and of the samples that OpenAI published with GPT-2 1.5B: does the model's text hold more of the training text, word for word, than human text does? \
             Everything on this page is written by `cargo xtask memorisation`; the commands that do the same by hand are in [overlap.md](overlap.md).\n"
        ),
    );
    line(&mut page, format_args!("## The training text\n"));
    line(
        &mut page,
        format_args!(
            "The training split of `../shared/data/corpus`: {} documents, {} words, {} {n}-grams, {} of them different. The filter's rate of false positives is {:.2e} from the bits that are set; {} of {} random strings are found by it; \
             every hit is confirmed in the exact index. Filter and exact index take {:.1} bytes for each different {n}-gram.\n",
            count(built.index.n_documents),
            count(built.index.n_words),
            count(built.index.n_grams),
            count(built.index.distinct),
            built.index.false_positive_rate,
            mini.report.random_strings.n_found,
            count(mini.report.random_strings.n_tried),
            built.bytes_per_distinct
        ),
    );
    line(&mut page, format_args!("## ovid-mini\n"));
    line(
        &mut page,
        format_args!(
            "Model `{model}`. Each held-out document that is long enough gives its first {prompt_tokens} tokens as the prompt; the model writes up to {continuation_tokens} tokens (top-k 40, temperature 1, as in the paper; one sample a document, none left out but those of fewer than 32 words), and the document's own continuation is cut to as many words.\n"
        ),
    );
    figures(&mut page, &mini.report);
    line(&mut page, format_args!("\n![Share of documents with at most so much overlap](memorisation/ovid-mini/overlap.svg)\n"));
    line(
        &mut page,
        format_args!(
            "By kind of text:\n\n| kind | documents | human: median % | mean % | with none % | samples: median % | mean % | with none % | mean difference, 95% interval | p |"
        ),
    );
    line(&mut page, format_args!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"));
    for (kind, real, samples, comparison) in &mini.kinds {
        let (difference, p) = comparison.as_ref().map_or_else(Default::default, |c| (difference(c), format!("{:.1e}", c.p)));
        let three = |f: &Figures| [f.median_percent, f.mean_percent, f.none_percent].map(percent).join(" | ");
        line(&mut page, format_args!("| {kind} | {} | {} | {} | {difference} | {p} |", measured(real), three(real), three(samples)));
    }
    line(&mut page, format_args!("\n### Reading\n"));
    for comparison in &mini.report.comparisons {
        line(&mut page, format_args!("{}\n", verdict(comparison)));
    }
    for (kind, .., comparison) in &mini.kinds {
        if let Some(c) = comparison {
            line(&mut page, format_args!("- {kind}: {}", verdict(c)));
        }
    }
    line(
        &mut page,
        format_args!(
            "\nThe longest run of a sample that stands in one training document is {} words; the longest of the human continuations {}. The samples with the greatest overlap, with each copied run and the passage that it comes from, are in \
             [the report](memorisation/ovid-mini/report.html) ([numbers](memorisation/ovid-mini/report.json), [every document](memorisation/ovid-mini/documents.csv)).\n",
            samples.figures.longest_span_words, mini.report.sets[0].figures.longest_span_words
        ),
    );
    line(
        &mut page,
        format_args!(
            "What this does not show: runs of fewer than {n} words, and copies with a word changed, are not counted. The model was trained on a cleaned part of the corpus, so that the index holds text that it never saw; this can only raise the samples' and the human overlap, not hide a copy. \
             The split by document leaves near-copies of held-out documents in the training text (templated dialogues above all): the human overlap is partly theirs.\n"
        ),
    );
    gpt2_section(&mut page, gpt2);
    page
}

fn gpt2_section(page: &mut String, audit: &Audit) {
    let built = &audit.built;
    line(page, format_args!("## GPT-2 1.5B\n"));
    line(
        page,
        format_args!(
            "The raw samples of `../shared/data/detect/openai_gpt2_1542M`, against the human WebText excerpts of `webtext.valid` (about 46 words each; sample i is cut to the words of excerpt i, and of the samples of one context the first is taken). \
             The index holds those sources of the corpus whose texts stood on the web before 2019 and are not Wikipedia, which was taken out of WebText ({}): {} documents, {} words, {} different {}-grams.\n",
            super::gpt2::SEEN.join(", "),
            count(built.index.n_documents),
            count(built.index.n_words),
            count(built.index.distinct),
            built.n
        ),
    );
    figures(page, &audit.report);
    line(page, format_args!("\n![Share of documents with at most so much overlap](memorisation/gpt2-1542M/overlap.svg)\n"));
    line(page, format_args!("### Reading\n"));
    for comparison in &audit.report.comparisons {
        line(page, format_args!("- {}: {}", comparison.set, verdict(comparison)));
    }
    line(
        page,
        format_args!(
            "\nThe limits of this comparison: WebText itself is not published. The index is not what GPT-2 was trained on, but {} MB of text of which it may have seen parts (out-of-copyright books, government pages and manuals that somebody linked to). \
             An overlap found here is therefore no proof that the model saw the passage, since both may quote a third text; and no overlap here says nothing of the rest of the 40 GB. What can be said is whether the samples hold more of this text than human pages of WebText do. \
             The human excerpts were not held out from the index by anyone. The [report](memorisation/gpt2-1542M/report.html) shows what was found ([numbers](memorisation/gpt2-1542M/report.json)).",
            built.text_bytes / 1_000_000
        ),
    );
}

fn figures(page: &mut String, report: &OverlapReport) {
    line(
        page,
        format_args!(
            "| set | documents | median % | mean % | with none % | all {}-grams % | longest run | mean difference, 95% interval | p |",
            report.n
        ),
    );
    line(page, format_args!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |"));
    for set in &report.sets {
        let f = &set.figures;
        let compared = report.comparisons.iter().find(|c| c.set == set.name);
        let (difference, p) = compared.map_or_else(Default::default, |c| (difference(c), format!("{:.1e}", c.p)));
        let shares = [f.median_percent, f.mean_percent, f.none_percent, f.overlap_percent].map(percent).join(" | ");
        line(page, format_args!("| {} | {} | {shares} | {} | {difference} | {p} |", set.name, measured(f), f.longest_span_words));
    }
}

fn measured(f: &Figures) -> u64 {
    f.n_documents - f.n_too_short
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |p| format!("{p:.2}"))
}

fn difference(c: &Comparison) -> String {
    format!("{:+.2} ({:+.2} to {:+.2})", c.mean_difference, c.mean_difference_interval.low, c.mean_difference_interval.high)
}

/// What a comparison says, and no more than it says: of the means, which a few documents with much overlap can carry alone, and of the ranks, which they cannot.
fn verdict(c: &Comparison) -> String {
    let interval = c.mean_difference_interval;
    let by_mean = if interval.high < 0.0 {
        "less of the training text than human text does"
    } else if interval.low > 0.0 {
        "more of the training text than human text does"
    } else {
        "neither more nor less of the training text than human text does, as far as can be seen"
    };
    let by_rank = match (c.p < 0.05, c.superiority > 0.5) {
        (true, true) => "a sample tends to have the greater share",
        (true, false) => "a sample tends to have the smaller share",
        (false, _) => "no difference is seen",
    };
    let points = difference(c);
    format!(
        "on average the samples hold {by_mean}: {points} points. By ranks {by_rank} (probability {:.3} that it is the greater, two-sided p = {:.1e}).",
        c.superiority, c.p
    )
}

/// A number with commas.
fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn line(page: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(page, "{text}").expect("writing to a String cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;
    use ovid_overlap::report::Interval;

    #[test]
    fn a_verdict_follows_the_interval_and_the_ranks() {
        let check = |(low, high): (f64, f64), (superiority, p): (f64, f64), words: [&str; 2]| {
            let interval = Interval { low, high };
            let comparison = Comparison {
                set: "samples".to_owned(),
                against: "real".to_owned(),
                paired: true,
                mean_difference: f64::midpoint(low, high),
                mean_difference_interval: interval,
                median_difference: 0.0,
                median_difference_interval: interval,
                superiority,
                p,
            };
            let verdict = verdict(&comparison);
            assert!(words.iter().all(|w| verdict.contains(w)), "{verdict}");
        };
        check((-2.0, -1.0), (0.3, 0.001), ["hold less", "the smaller share"]);
        check((1.0, 2.0), (0.7, 0.001), ["hold more", "the greater share"]);
        check((-1.0, 1.0), (0.52, 0.4), ["neither more nor less", "no difference"]);
        check((-2.0, -1.0), (0.5, 0.9), ["hold less", "no difference"]);
        assert_eq!((count(0), count(999), count(1_234_567)), ("0".into(), "999".into(), "1,234,567".into()));
    }
}
