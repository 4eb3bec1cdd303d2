//! The table of letters and numbers is regex-syntax's, which tiktoken and tokenizers split with.

use std::fmt::Write as _;
use std::path::Path;

use ovid_bpe::{Class, class_of};
use regex_syntax::hir::{Class as Set, HirKind};

fn ranges(pattern: &str) -> Vec<(u32, u32)> {
    let HirKind::Class(Set::Unicode(set)) = regex_syntax::parse(pattern).unwrap().into_kind() else { panic!("{pattern} is a class") };
    set.ranges().iter().map(|r| (r.start() as u32, r.end() as u32)).collect()
}

fn written() -> String {
    let mut file = String::from(
        "//! Unicode 16.0's letters and numbers, written by `OVID_UPDATE=1 cargo test -p ovid-bpe-reference --test unicode` from regex-syntax's tables.\n",
    );
    for (name, pattern) in [("LETTERS", r"\p{L}"), ("NUMBERS", r"\p{N}")] {
        let ranges = ranges(pattern);
        let n = ranges.len();
        write!(
            file,
            "\n/// `{pattern}`: {n} ranges, both ends included.\n#[rustfmt::skip]\npub(super) const {name}: [(u32, u32); {n}] = ["
        )
        .unwrap();
        let mut width = 200;
        for (first, last) in ranges {
            let item = format!(" (0x{first:X}, 0x{last:X}),");
            if width + item.len() > 138 {
                file += "\n   ";
                width = 3;
            }
            width += item.len();
            file += &item;
        }
        file += "\n];\n";
    }
    file
}

#[test]
fn the_table_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ovid-bpe/src/unicode/table.rs");
    if std::env::var_os("OVID_UPDATE").is_some() {
        std::fs::write(&path, written()).unwrap();
    }
    assert!(std::fs::read_to_string(&path).unwrap() == written(), "{} is stale: run this test with OVID_UPDATE=1", path.display());
}

#[test]
fn every_character_has_its_class() {
    for (pattern, class) in [(r"\p{L}", Class::Letter), (r"\p{N}", Class::Number), (r"\s", Class::Space)] {
        let mut expected = vec![false; 0x11_0000];
        for (first, last) in ranges(pattern) {
            expected[first as usize..=last as usize].fill(true);
        }
        for (c, expected) in (0..).zip(expected) {
            assert_eq!(class_of(c) == class, expected, "U+{c:04X} {pattern}");
        }
    }
}
