//! Extraction in worker processes, with real ones: this program is its own worker, so that it has a `main` instead of the test harness.

use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ovid_corpus::extract::{PageLimits, Settings, Workers, benchmark, extract, extract_to, run, serve};
use ovid_corpus::read::Limits;
use ovid_corpus::{Document, Outcome, Page, Record};
use ovid_io::{Observer, Silent};

const TESTS: [(&str, fn()); 7] = [
    ("pages_that_crash_or_hang_cost_a_row_and_the_rest_goes_on", pages_that_crash_or_hang_cost_a_row_and_the_rest_goes_on),
    ("outcomes_are_those_of_the_plain_function_in_order", outcomes_are_those_of_the_plain_function_in_order),
    ("a_worker_that_cannot_be_started_ends_the_run", a_worker_that_cannot_be_started_ends_the_run),
    ("cancelling_ends_the_run", cancelling_ends_the_run),
    ("a_stopped_run_goes_on_to_the_same_bytes", a_stopped_run_goes_on_to_the_same_bytes),
    ("encodings_reach_the_text", encodings_reach_the_text),
    ("f1_on_the_benchmark", f1_on_the_benchmark),
];

fn main() {
    let argument = std::env::args().nth(1).unwrap_or_default();
    if argument == "worker" {
        // It ends when the other side goes away, in whatever way.
        let _ = serve(std::io::stdin(), std::io::stdout());
        return;
    }
    for (name, test) in TESTS.iter().filter(|(name, _)| argument.starts_with("--") || name.contains(&argument)) {
        test();
        println!("{name} ... ok");
    }
}

fn workers(n: usize) -> Workers {
    Workers {
        program: std::env::current_exe().unwrap(),
        arguments: vec!["worker".into()],
        n_workers: NonZeroUsize::new(n).unwrap(),
        limits: PageLimits::default(),
        settings: Settings::default(),
    }
}

fn page(id: &str, html: impl Into<Vec<u8>>) -> Record {
    Record::Page(Page { document: Document { id: id.into(), ..Document::default() }, bytes: html.into(), content_type: None })
}

fn article(id: &str) -> Record {
    let paragraph = format!("<p>Paragraph of {id}: the sea was calm, and the ship went on under the stars until the morning came.</p>");
    let head = format!("<html><head><title>{id}</title></head><body><nav><a href=/>Home</a></nav>");
    page(id, format!("{head}<article>{}</article></body></html>", paragraph.repeat(4)))
}

fn outcomes(records: Vec<Record>, workers: &Workers) -> Vec<(String, String)> {
    let mut all = Vec::new();
    run(records.into_iter(), workers, &Silent, |outcome| {
        all.push(match outcome {
            Outcome::Kept(document) => (document.id, "kept".into()),
            Outcome::Dropped(row) => (row.id, row.reason),
        });
        Ok(())
    })
    .unwrap();
    all
}

fn pages_that_crash_or_hang_cost_a_row_and_the_rest_goes_on() {
    let nested = |n: usize| format!("<html><body>{}x{}", "<div>".repeat(n), "</div>".repeat(n));
    let one_line = format!("<html><body><p>{}</p>", "word ".repeat(10 << 20));
    let limits = PageLimits { memory_bytes: 100 << 20, time: Duration::from_secs(1), ..PageLimits::default() };
    let workers = Workers { limits, ..workers(2) };
    let records = vec![
        article("first"),
        page("nested", nested(100_000)),
        article("second"),
        page("one line", one_line),
        page("empty", ""),
        page("no markup", "\0\u{1}\u{2}"),
        article("third"),
    ];
    let all = outcomes(records, &workers);
    println!("{all:?}");
    let reason = |id: &str| all.iter().find(|(name, _)| name == id).map(|(_, reason)| reason.as_str()).unwrap();
    let order: Vec<_> = all.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(order, ["first", "nested", "second", "one line", "empty", "no markup", "third"]);
    for id in ["first", "second", "third"] {
        assert_eq!(reason(id), "kept", "{id}");
    }
    // 50 MB of text do not fit into 100 MB together with anything else.
    assert_eq!(reason("one line"), "crashed");
    // The parser looks through all open elements at each new one: 5,000,000,000 looks.
    assert_eq!(reason("nested"), "timeout");
    assert_eq!(reason("empty"), "no-text");

    // A time limit that nothing keeps.
    let hasty = Workers { limits: PageLimits { time: Duration::from_nanos(1), ..PageLimits::default() }, ..workers };
    assert_eq!(outcomes(vec![article("a"), article("b")], &hasty), [("a".into(), "timeout".into()), ("b".into(), "timeout".into())]);
}

fn outcomes_are_those_of_the_plain_function_in_order() {
    let record = |i: usize| match i % 5 {
        3 => Record::Document(Document { id: i.to_string(), text: "as it is".into(), ..Document::default() }),
        _ => article(&i.to_string()),
    };
    let records: Vec<Record> = (0..60).map(record).collect();
    let plain = |record: &Record| match record {
        Record::Page(page) => extract(page.clone(), Settings::default()),
        Record::Document(document) => Outcome::Kept(document.clone()),
        Record::Dropped(row) => Outcome::Dropped(row.clone()),
    };
    let plain: Vec<Outcome> = records.iter().map(plain).collect();
    for n in [1, 3] {
        let mut all = Vec::new();
        run(records.clone().into_iter(), &workers(n), &Silent, |outcome| {
            all.push(outcome);
            Ok(())
        })
        .unwrap();
        assert_eq!(all, plain, "{n} workers");
    }
    let Outcome::Kept(document) = &plain[1] else { panic!("{:?}", plain[1]) };
    assert!(document.text.starts_with("Paragraph of 1: the sea") && !document.text.contains("Home"), "{document:?}");
    assert_eq!(document.title.as_deref(), Some("1"));
}

fn a_worker_that_cannot_be_started_ends_the_run() {
    let nobody = Workers { program: PathBuf::from("/nonexistent/ovid"), ..workers(2) };
    let error = run(vec![article("a")].into_iter(), &nobody, &Silent, |_| Ok(())).unwrap_err();
    assert!(error.to_string().starts_with("cannot start as a worker '/nonexistent/ovid': "), "{error}");
}

struct Cancelled;

impl Observer for Cancelled {
    fn cancelled(&self) -> bool {
        true
    }
}

fn cancelling_ends_the_run() {
    let endless = (0..).map(|i: u64| article(&i.to_string()));
    let error = run(endless, &workers(2), &Cancelled, |_| Ok(())).unwrap_err();
    assert!(matches!(error, ovid_corpus::Error::Files(ovid_io::Error::Cancelled)), "{error}");
}

fn a_stopped_run_goes_on_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("pages.jsonl");
    let mut file = std::fs::File::create(&input).unwrap();
    for i in 0..20_100 {
        if i % 1000 == 1 {
            writeln!(file, "{{\"html\": \"<p>The page of number {i}, which is long enough to be kept as a text.</p>\"}}").unwrap();
        } else {
            writeln!(file, "{{\"text\": \"text {i}\"}}").unwrap();
        }
    }
    writeln!(file, "no JSON").unwrap();
    drop(file);
    let [whole, stopped] = ["whole", "stopped"].map(|name| folder.path().join(name));
    let go = |out: &Path| extract_to(std::slice::from_ref(&input), out, Limits::default(), &workers(2), &Silent);
    let report = go(&whole).unwrap();
    assert_eq!((report.n_records, report.n_documents, report.dropped["broken"]), (20_101, 20_100, 1));
    // As a run leaves it that was killed within the second part.
    go(&stopped).unwrap();
    for name in ["documents/part-00001.jsonl.zst", "documents/part-00002.jsonl.zst", "dropped/part-00002.jsonl.zst"] {
        std::fs::remove_file(stopped.join(name)).unwrap();
    }
    let half = stopped.join("documents/.part-00001.jsonl.zst.AAAAAAAA.partial");
    std::fs::write(&half, "half").unwrap();
    assert_eq!(go(&stopped).unwrap(), report);
    assert!(!half.exists());
    let digest = |folder: &Path| ovid_io::digest::sha256_tree(folder, &Silent).unwrap();
    assert_eq!(digest(&stopped), digest(&whole));
    // What was made from other input is not mixed with this.
    std::fs::write(&input, "{\"text\": \"another\"}").unwrap();
    assert!(go(&stopped).unwrap_err().is_bad_input());
}

fn encodings_reach_the_text() {
    let text = "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему.";
    // In Windows-1251 А is 0xC0, and the letters follow in the order of Unicode.
    let byte = |c: char| if ('А'..='я').contains(&c) { (c as u32 - 'А' as u32 + 0xC0) as u8 } else { c as u8 };
    let body: Vec<u8> = text.chars().map(byte).collect();
    let bytes = [b"<html><head><meta charset=windows-1251></head><body><article><p>", &body[..], b"</p></article></body></html>"].concat();
    let Outcome::Kept(document) = extract(Page { bytes, ..Page::default() }, Settings::default()) else { panic!() };
    assert_eq!(document.text, text);
}

fn f1_on_the_benchmark() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/html/article_extraction_benchmark");
    if !folder.exists() {
        println!("skipped: no ../shared");
        return;
    }
    let result = benchmark(&folder, &workers(2), &Silent).unwrap();
    println!("{:?}", result.overall);
    assert_eq!(result.pages.len(), 181);
    assert!(result.overall.f1 >= 0.96, "{:?}", result.overall);
}
