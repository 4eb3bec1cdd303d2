//! A bounded run of every target: the same files every time.

use ovid_fuzz::{Budget, Target, leave, run, targets};

// One test for all targets: the loop measures the memory of the whole process, so that nothing may run beside it.
#[test]
fn no_changed_file_is_trouble() {
    for target in targets::all() {
        match run(&target, Budget::Files(100_000), 1) {
            Ok(found) => println!("{}: {found:?}", target.name),
            Err(failure) => panic!("{failure}"),
        }
    }
    the_loop_finds_what_it_looks_for();
}

fn the_loop_finds_what_it_looks_for() {
    let find = |parse: fn(&[u8]) -> bool| {
        let target = Target { name: "broken", seeds: || vec![b"0123456789".to_vec()], parse, mend: leave, words: &[] };
        run(&target, Budget::Files(20_000), 1).expect_err("the parser is broken").cause
    };
    // An index that is believed, and a count that is believed.
    assert!(find(|file| [true; 100][usize::from(file.first().copied().unwrap_or(0))]).starts_with("panics"));
    let greedy = find(|file| Vec::<u8>::with_capacity(usize::from(file.first().copied().unwrap_or(0)) << 20).is_empty());
    assert!(greedy.starts_with("takes"), "{greedy}");
}
