//! The formats of `ovid-io`.

use std::io::Cursor;
use std::path::Path;

use ovid_io::documents::{Documents, Form, Limits};
use ovid_io::gguf::{Gguf, GgufWriter, Value};
use ovid_io::npy::{TokenArray, TokenWriter, Width};
use ovid_io::safetensors::{SafeTensors, SafeTensorsWriter};
use ovid_io::shards::{Manifest, Shard, SourceCounts, Split};
use ovid_io::{Dtype, Error, Mapped, TensorSpec, digest, tf_bundle};

use crate::{Target, leave};

/// What a writer makes of a file's path.
fn written(write: impl FnOnce(&Path) -> Result<(), Error>) -> Vec<u8> {
    let path = std::env::temp_dir().join(format!("ovid-fuzz-seed-{}", std::process::id()));
    write(&path).expect("a seed can be written to the folder for temporary files");
    let bytes = std::fs::read(&path).expect("what was written can be read");
    std::fs::remove_file(&path).expect("what was written can be removed");
    bytes
}

pub(super) const SAFETENSORS: Target = Target {
    name: "safetensors",
    seeds: || {
        let specs =
            [TensorSpec::new("wte", Dtype::F32, [3, 2]), TensorSpec::new("b", Dtype::BF16, [3]), TensorSpec::new("e", Dtype::F16, [0])];
        let write = |path: &Path| {
            let mut out = SafeTensorsWriter::create(path, &[("format", "pt")], &specs)?;
            out.append("wte", &[1; 24])?;
            out.append("b", &[2; 6])?;
            out.finish()
        };
        let masks = br#"{"mask":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]},"n":{"dtype":"I64","shape":[],"data_offsets":[2,10]}}"#;
        let masks = [&(masks.len() as u64).to_le_bytes()[..], masks, &[1; 10]].concat();
        vec![written(write), masks, [&2_u64.to_le_bytes()[..], b"{}"].concat()]
    },
    parse: |file| {
        let Ok(ours) = SafeTensors::new(Mapped::from_vec("fuzz", file.to_vec())) else { return false };
        // Whatever we take, the reference implementation takes too, and finds the same in it.
        let theirs = safetensors::SafeTensors::deserialize(file).expect("the reference implementation refuses what we accept");
        assert_eq!(ours.names().count(), theirs.len());
        for tensor in ours.tensors() {
            let other = theirs.tensor(tensor.name).expect("the reference implementation has the tensor too");
            assert_eq!((tensor.shape.as_slice(), tensor.data), (other.shape(), other.data()));
            assert_eq!(tensor.shape.iter().product::<usize>() * tensor.dtype.block_bytes(), tensor.data.len());
        }
        true
    },
    // The header's length.
    mend: |file| {
        let end = file.iter().rposition(|byte| *byte == b'}').map_or(8, |i| i + 1).max(8);
        file.resize(file.len().max(end), b' ');
        file[..8].copy_from_slice(&((end - 8) as u64).to_le_bytes());
    },
    words: &[
        "\"dtype\":",
        "\"shape\":[",
        "\"data_offsets\":[",
        "\"__metadata__\":{",
        "\"F32\"",
        "\"BF16\"",
        "\"I64\"",
        "\"F4\"",
        "{\"a\":",
        "[[",
        ",0",
    ],
};

pub(super) const GGUF: Target = Target {
    name: "gguf",
    seeds: || {
        let texts = Value::from(vec!["a", "Ġb", ""]);
        let metadata: Vec<(String, Value)> = vec![
            ("general.architecture".to_owned(), "gpt2".into()),
            ("n".to_owned(), 7_u32.into()),
            ("tokens".to_owned(), texts),
            ("scores".to_owned(), vec![0.5_f32, 1.0].into()),
            ("flags".to_owned(), vec![true, false].into()),
            ("nested".to_owned(), Value::Array(ovid_io::gguf::Kind::Array, vec![vec![1_u64].into(), Vec::<u64>::new().into()])),
            ("general.alignment".to_owned(), 32_u32.into()),
        ];
        let specs = [
            TensorSpec::new("token_embd.weight", Dtype::Q8_0, [2, 32]),
            TensorSpec::new("k", Dtype::Q4K, [256]),
            TensorSpec::new("b", Dtype::F32, [3]),
        ];
        let write = |path: &Path| {
            let mut out = GgufWriter::create(path, &metadata, &specs)?;
            for spec in &specs {
                out.append(&spec.name, &vec![1; spec.n_bytes().unwrap_or(0)])?;
            }
            out.finish()
        };
        let reference = include_bytes!("../../../crates/ovid-io/tests/fixtures/reference.gguf").to_vec();
        let empty = written(|path| GgufWriter::create(path, &[], &[])?.finish());
        vec![written(write), reference, empty]
    },
    parse: |file| {
        let Ok(gguf) = Gguf::new(Mapped::from_vec("fuzz", file.to_vec())) else { return false };
        for (key, value) in gguf.metadata() {
            // Floats may be NaN, which equals nothing: the text is compared.
            let found = gguf.get(key).map(|value| format!("{value:?}"));
            assert_eq!(found, Some(format!("{value:?}")));
            if let ovid_io::gguf::ValueRef::Array(array) = value {
                assert_eq!(array.iter().count(), array.len());
            }
        }
        for tensor in gguf.tensors() {
            assert_eq!(gguf.tensor(tensor.name).map(|other| other.data.as_ptr()), Some(tensor.data.as_ptr()));
            assert_eq!(tensor.dtype.bytes_of(tensor.shape.iter().product()), Some(tensor.data.len()));
        }
        true
    },
    mend: leave,
    words: &["GGUF", "general.alignment", "\x09\0\0\0", "\x08\0\0\0", "\x09\0\0\0\x01\0\0\0\0\0\0\0", "\x03\0\0\0"],
};

pub(super) const TF_INDEX: Target = Target {
    name: "tf-index",
    seeds: || {
        vec![
            include_bytes!("../../../crates/ovid-io/tests/fixtures/tf/plain/model.ckpt.index").to_vec(),
            include_bytes!("../../../crates/ovid-io/tests/fixtures/tf/sharded/model.ckpt.index").to_vec(),
            include_bytes!("../../../crates/ovid-io/tests/fixtures/tf/many/model.ckpt.index").to_vec(),
            include_bytes!("../../../crates/ovid-io/tests/fixtures/tf/sliced/model.ckpt.index").to_vec(),
        ]
    },
    parse: |file| {
        let n = tf_bundle::index_for_fuzzing(&Mapped::from_vec("fuzz", file.to_vec()));
        // An entry takes three bytes at the least.
        assert!(n.as_ref().is_ok_and(|n| *n <= file.len() / 3) || n.is_err());
        n.is_ok()
    },
    mend: leave,
    words: &["\x12\x02\x08", "\x20", "\x28", "\x35", "\x3a\0", "model/", "\0\x06\x08\x01"],
};

pub(super) const JSON_LINES: Target = Target {
    name: "json-lines",
    seeds: || {
        vec![
            b"{\"text\":\"a\xe2\x80\xa8b\",\"source\":\"s\",\"id\":\"i\",\"title\":\"t\"}\n{\"text\":\"\\ud83d\\ude00\\n\",\"id\":7}\n"
                .to_vec(),
            b"\xef\xbb\xbf{\"text\":\"x\",\"more\":[1,{\"a\":null}]}\r\n\n{\"text\":\"\"}".to_vec(),
        ]
    },
    parse: |file| {
        let limits = Limits { document_bytes: 300 };
        let (mut last_line, mut whole) = (0, true);
        for form in [Form::JsonLines, Form::Text] {
            for document in Documents::from_reader("fuzz", Cursor::new(file.to_vec()), form, limits) {
                let Ok(document) = document else {
                    whole = false;
                    break;
                };
                assert!(document.text.len() <= 300);
                assert!(form == Form::Text || document.line > last_line);
                last_line = document.line;
            }
        }
        whole
    },
    mend: leave,
    words: &["\"text\":", "\"id\":", "\\ud800", "\\u0000", "\"\"", "[[", "{\"text\":\"", "\n", "null", "1e999"],
};

pub(super) const TOKEN_ARRAY: Target = Target {
    name: "npy",
    seeds: || {
        let write = |path: &Path, width| {
            let mut out = TokenWriter::create(path, width)?;
            out.write(&[1, 2, 50256])?;
            out.finish().map(drop)
        };
        [Width::U16, Width::U32].map(|width| written(|path| write(path, width))).to_vec()
    },
    parse: |file| {
        let Ok(array) = TokenArray::new(Mapped::from_vec("fuzz", file.to_vec())) else { return false };
        let ids = array.ids();
        let mut all = vec![0; ids.len()];
        assert!(ids.copy_to(0, &mut all));
        assert_eq!(all.iter().max().copied(), ids.max());
        assert!(array.len() * array.width().bytes() < file.len());
        true
    },
    // The header's length.
    mend: |file| {
        if let Some(end) = file.iter().position(|byte| *byte == b'\n').filter(|end| *end >= 10) {
            let length = (end - 9) as u16;
            file[8..10].copy_from_slice(&length.to_le_bytes());
        }
    },
    words: &["'descr': '<u2'", "'shape': (", "'fortran_order': True", "(3, 1)", "{", "}", "'", ","],
};

pub(super) const MANIFEST: Target = Target {
    name: "manifest",
    seeds: || {
        let sha256 = digest::sha256(b"");
        let mut manifest = Manifest::new(300, sha256.clone(), Some(299));
        for (file, split) in [("train-0.npy", Split::Train), ("validation-0.npy", Split::Validation)] {
            let (file, sha256) = (file.to_owned(), sha256.clone());
            manifest.shards.push(Shard { file, split, n_tokens: 7, n_documents: 2, n_bytes: 30, sha256 });
        }
        manifest.sources.insert("books".to_owned(), SourceCounts::default());
        let folder = std::env::temp_dir().join(format!("ovid-fuzz-manifest-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for temporary files can be made");
        manifest.save(&folder).expect("a seed can be written");
        let bytes = std::fs::read(folder.join(ovid_io::shards::MANIFEST)).expect("what was written can be read");
        std::fs::remove_dir_all(&folder).expect("what was written can be removed");
        vec![bytes]
    },
    parse: |file| {
        let Ok(manifest) = Manifest::parse(Path::new("fuzz"), file) else { return false };
        for shard in &manifest.shards {
            assert!(!shard.file.contains('/') && shard.file != "..");
        }
        assert!(manifest.split(Split::Train).map(|shard| shard.n_tokens).try_fold(0_u64, u64::checked_add).is_some());
        true
    },
    mend: leave,
    words: &["\"shards\": [", "\"n_tokens\": ", "\"file\": \"../x\"", "\"split\": \"train\"", "null", "{", "["],
};
