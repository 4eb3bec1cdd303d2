//! A report as `ovid overlap report` writes it, and a clean set as `ovid overlap table --clean` writes it.

mod common;

use common::{corpus, random_text};
use ovid_io::Silent;
use ovid_overlap::report::{self, OverlapReport};
use ovid_overlap::{Ask, Build, Read, Set, TableRow, clean, measure};
use ovid_stats::Draws;

#[test]
fn a_report_says_who_copied_what_from_where() {
    let draws = Draws::new(21, 0);
    let training: Vec<String> = (0..10).map(|d| random_text(draws, d << 20, 300, 5000)).collect();
    let corpus = corpus(&training, &Build::default());
    let human: Vec<String> = (0..30).map(|d| random_text(Draws::new(22, 0), d << 20, 100, 1_000_000)).collect();
    let folder = corpus.folder.path();
    common::json_lines(&folder.join("real.jsonl"), &human);
    // Half of the samples copy 20 words, in another case and between tags that a page must not take for its own.
    let sample = |i: usize| {
        let copy = common::words(&training[i % 10])[50..70].join(" ").to_uppercase();
        let text = if i.is_multiple_of(2) { human[i].clone() } else { format!("{} <b>{copy}</b> & so", human[i]) };
        serde_json::json!({ "text": text, "model": { "name": "m", "sha256": "ab" } }).to_string() + "\n"
    };
    std::fs::write(folder.join("samples.jsonl"), (0..30).map(sample).collect::<String>()).unwrap();
    let set = |name: &str| Set::new(name, vec![folder.join(format!("{name}.jsonl"))], Read::default());
    let out = folder.join("report");
    let options = report::Options { n_worst: 3, ..report::Options::default() };
    let written = report::write(&corpus.index, &[set("real"), set("samples")], &options, &out, &Silent).unwrap();

    let json = std::fs::read_to_string(out.join("report.json")).unwrap();
    assert_eq!(serde_json::from_str::<OverlapReport>(&json).unwrap(), written);
    let [real, samples] = &written.sets[..] else { panic!("two sets") };
    assert_eq!((real.figures.hits, real.figures.none_percent, real.model.as_ref()), (0, Some(100.0), None));
    assert_eq!((samples.figures.hits, samples.figures.none_percent), (15 * 13, Some(50.0)));
    assert_eq!(samples.model.as_ref().map(|m| m.sha256.as_str()), Some("ab"));
    assert_eq!(samples.figures.longest_span_words, 20);
    assert_eq!(samples.files[0].sha256, ovid_io::digest::sha256(&std::fs::read(folder.join("samples.jsonl")).unwrap()));
    let [comparison] = &written.comparisons[..] else { panic!("one comparison") };
    assert!(comparison.mean_difference > 0.0 && comparison.p < 0.01 && comparison.superiority > 0.5);
    assert_eq!((written.random_strings.n_tried, written.random_strings.n_found), (1_000_000, 0));
    assert_eq!(written.worst.len(), 3);
    for worst in &written.worst {
        let [span] = &worst.spans[..] else { panic!("one span") };
        assert_eq!((span.n_words, span.word, span.same_words), (20, 50, Some(true)));
    }

    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    let first = common::words(&training[1])[50].to_uppercase();
    assert!(page.contains(&"&lt;b&gt;<a class=\"c0\" href=\"#d0s0\"".to_string()) && page.contains(&first) && !page.contains("<b>W"));
    assert!(page.contains("id=\"d0s0\"") && page.contains("<mark class=\"c0\">"));
    let csv = std::fs::read_to_string(out.join("documents.csv")).unwrap();
    assert_eq!((csv.lines().count(), csv.lines().nth(1).unwrap().split(',').next()), (61, Some("real")));
    assert!(std::fs::read_to_string(out.join("overlap.csv")).unwrap().contains("samples,0,0.5\n"));
    assert!(std::fs::read_to_string(out.join("overlap.svg")).unwrap().contains("share of documents"));
    assert!(report::write(&corpus.index, &[set("real")], &options, &out, &Silent).unwrap_err().is_bad_input());
}

#[test]
fn a_clean_set_is_the_lines_without_overlap_as_they_were() {
    let corpus = corpus(&["one two three four five six seven eight nine ten"], &Build::default());
    let path = corpus.folder.path().join("eval.jsonl");
    let lines = [
        "{\"q\":  \"One two three four five six seven eight\"}",
        "",
        "{\"q\": \"other words than those, and more than seven of them\"}",
        "{\"q\": \"short\"}",
    ];
    std::fs::write(&path, lines.join("\n")).unwrap();
    let set = Set::new("eval", vec![path], Read::default());
    let measured = measure(&corpus.index, &set, Ask { distinct: true, ..Ask::default() }, &Silent).unwrap();
    let row = TableRow::new(&corpus.index, "eval", &measured);
    assert_eq!((row.n_grams, row.distinct, row.hits, row.n_documents, row.n_overlapping, row.n), (4, 4, 1, 3, 1, 8));
    assert_eq!(row.overlap_percent, Some(25.0));
    let out = corpus.folder.path().join("clean.jsonl");
    let cleaned = clean(&set, &measured, 0.0, &out).unwrap();
    assert_eq!((cleaned.n_kept, cleaned.n_dropped), (2, 1));
    assert_eq!(std::fs::read_to_string(&out).unwrap(), format!("{}\n{}\n", lines[2], lines[3]));
    assert_eq!(measure(&corpus.index, &Set::new("clean", vec![out], Read::default()), Ask::default(), &Silent).unwrap().figures.hits, 0);
}
