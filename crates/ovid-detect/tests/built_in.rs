//! The calibration that lies in the program.

use std::path::Path;

use ovid_detect::{BUILT_IN, Calibration, LEAST_TPR};
use ovid_io::digest::sha256;

#[test]
fn the_built_in_calibration_is_the_built_in_models_and_holds_its_rate() {
    if BUILT_IN.trim_ascii() == b"{}" {
        println!("skipped: tools/detection/built_in.sh has not been run for this model; ovid detect gives statistics without a verdict");
        return;
    }
    let calibration = Calibration::parse(BUILT_IN, Path::new("built in")).expect("tools/detection/built_in.sh makes it");
    assert_eq!(calibration.model.sha256, sha256(ovid_mini::GGUF), "the model was made anew: tools/detection/built_in.sh");
    calibration.check_rate(0.01).unwrap();
    for length in &calibration.lengths {
        // By construction at most the share of human texts has so small a p-value, the texts of the calibration among them.
        for fpr in [0.01, 0.05, 0.2] {
            let called = length.human.scores.iter().filter(|s| length.p_human(**s) <= fpr).count();
            assert!(called as f64 <= fpr * (length.human.scores.len() + 1) as f64);
            assert!((0.0..=1.0).contains(&length.tpr(fpr)));
        }
        // More machine-like is never less probable, and the interval holds the probability.
        let mut last = 0.0;
        for &score in &length.machine.scores {
            let evidence = length.evidence(score, 0.5);
            assert!(evidence.probability >= last && evidence.interval.contains(evidence.probability));
            last = evidence.probability;
        }
    }
    if let Some(needed) = calibration.needed_tokens(0.01) {
        assert!(calibration.length_for(needed, 0.01).unwrap().tpr(0.01) >= LEAST_TPR);
    }
}
