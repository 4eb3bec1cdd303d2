//! What is shown says how many tries it took, and can be verified.

mod common;

use std::fs;

use common::{Model, origin};
use ovid_generate::{Recorder as _, Request, Settings};
use ovid_samples::ledger::{LedgerRecorder, system_clock};
use ovid_samples::publish::Published;
use ovid_samples::verify::{Part, verify};
use ovid_samples::{Ledger, tokenizer_sha256};

#[test]
fn a_published_sample_counts_its_tries_and_verifies() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tries.db");
    let model = Model::new(2, None);
    let mut recorder = LedgerRecorder::new(Ledger::open(&path).unwrap(), tokenizer_sha256(&model.tokenizer), system_clock);
    let settings = Settings { max_tokens: 12, ..Settings::default() };
    let mut ids = Vec::new();
    // Two wordings of one prompt, and another prompt. Of the first the second sample is whole, the third cut short.
    for (prompt, seed) in
        [("It was a dark and stormy night in <the> old town", 3), ("It was a dark and stormy night in the old towns", 4), ("CHAPTER I", 5)]
    {
        let tokens = model.tokenizer.encode(prompt.as_bytes());
        let request = Request { n_samples: 3.try_into().unwrap(), ..Request::new(tokens.clone(), settings.clone(), seed) };
        let tries = recorder.begin(prompt, &request, &origin()).unwrap();
        let mut engine =
            ovid_generate::Engine::new(model.model.clone(), model.tokenizer.clone(), ovid_generate::Options::default()).unwrap();
        engine.submit(Request { n_samples: 1.try_into().unwrap(), seed: seed + 1, ..request }).unwrap();
        while !engine.is_idle() {
            for event in engine.step() {
                if let ovid_generate::Event::Finished { completion, .. } = event {
                    recorder.complete(tries[1], &completion).unwrap();
                }
            }
        }
        recorder.abort(tries[2], None).unwrap();
        ids.push(tries);
    }
    let ledger = Ledger::open_to_read(&path).unwrap();
    let published = Published::new(&ledger, ids[1][1]).unwrap();
    let t = published.tries;
    assert_eq!((t.n_tries, t.number, t.n_completed, t.n_aborted, t.n_open, t.n_wordings), (6, 5, 2, 2, 2, 2));
    assert_eq!(Published::new(&ledger, ids[2][1]).unwrap().tries.n_tries, 3);
    // What is not whole is not shown.
    for id in [ids[0][0], ids[0][2], 999] {
        assert!(Published::new(&ledger, id).unwrap_err().is_bad_input(), "{id}");
    }

    let published = Published::new(&ledger, ids[0][1]).unwrap();
    let files = published.write(&folder.path().join("shown")).unwrap();
    let names: Vec<_> = files.iter().map(|f| f.extension().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["json", "txt", "md", "html", "png"]);
    let read = |i: usize| fs::read_to_string(&files[i]).unwrap();
    assert!(
        read(1).contains("1 of 6 tries") && read(1).contains("night in <the> old town") && read(1).contains(&published.generation.text)
    );
    assert!(read(3).contains("&lt;the&gt;") && !read(3).contains("<the>"));
    assert!(read(2).contains("\\<the\\>"));
    let png = fs::read(&files[4]).unwrap();
    let mut reader = png::Decoder::new(std::io::Cursor::new(&png)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((info.width, png.clone()), (1200, Published::new(&ledger, ids[0][1]).unwrap().card("shown.json").unwrap()));
    assert!(pixels.iter().filter(|p| **p < 100).count() > 2000, "an empty picture");

    let report = verify(&files[0], &Model::new(1, None).batch(1), &origin(), Part::All, None).unwrap();
    assert!(report.verified && report.n_checked == 1, "{report:?}");
    fs::write(&files[0], read(0).replace("\"seed\":4", "\"seed\":5")).unwrap();
    assert!(!verify(&files[0], &model.batch(1), &origin(), Part::All, None).unwrap().verified);
}
