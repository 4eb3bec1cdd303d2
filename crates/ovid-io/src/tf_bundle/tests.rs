use std::fs;

use super::*;
use crate::Silent;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tf").join(name)
}

/// What `tools/reference/tf_fixture.py` put into `plain` and `sharded`: variable v holds (i + 1) * (v + 1) / 8.
const VARIABLES: [(&str, Dtype, &[usize]); 6] = [
    ("model/wte", Dtype::F32, &[5, 3]),
    ("model/h0/ln_1/g", Dtype::F32, &[3]),
    ("model/h0/attn/c_attn/w", Dtype::F32, &[1, 3, 9]),
    ("model/h0/attn/c_attn/b", Dtype::F16, &[9]),
    ("model/h0/mlp/c_fc/w", Dtype::BF16, &[1, 3, 4]),
    ("model/scalar", Dtype::F32, &[]),
];

fn values(tensor: &TensorView<'_>) -> Vec<f32> {
    match tensor.dtype {
        Dtype::F32 => tensor.data.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        Dtype::F16 => tensor.data.as_chunks().0.iter().map(|b| half::f16::from_le_bytes(*b).to_f32()).collect(),
        _ => tensor.data.as_chunks().0.iter().map(|b| half::bf16::from_le_bytes(*b).to_f32()).collect(),
    }
}

#[test]
fn checkpoints_of_tensorflow_are_read_in_one_file_and_in_several() {
    for path in [fixture("plain"), fixture("plain/model.ckpt"), fixture("sharded")] {
        let bundle = TfBundle::open(&path).unwrap();
        bundle.verify(&Silent).unwrap();
        for (v, (name, dtype, shape)) in VARIABLES.into_iter().enumerate() {
            let tensor = bundle.tensor(name).unwrap().unwrap();
            assert_eq!((tensor.dtype, tensor.shape.as_slice()), (dtype, shape), "{name}");
            let n = shape.iter().product();
            assert_eq!(values(&tensor), (1..=n).map(|i| (i * (v + 1)) as f32 / 8.0).collect::<Vec<_>>(), "{name}");
        }
        assert_eq!(bundle.tensors().count(), VARIABLES.len());
        assert!(bundle.tensor("absent").unwrap().is_none());
        let error = bundle.tensor("global_step").unwrap_err().to_string();
        assert!(error.ends_with("key \"global_step\": a tensor of type DT_INT64 is not supported"), "{error}");
    }
}

#[test]
fn shared_prefixes_unfold() {
    let bundle = TfBundle::open(&fixture("many")).unwrap();
    let names: Vec<_> = bundle.names().collect();
    let expected: Vec<_> = (0..40).map(|v| format!("model/a_rather_long_scope_name_that_repeats/h{v:03}/g")).collect();
    assert_eq!(names, expected);
    for (v, tensor) in bundle.tensors().enumerate() {
        assert_eq!(values(&tensor), [(v + 1) as f32 / 8.0]);
    }
}

#[test]
fn slices_are_refused_by_name() {
    let error = TfBundle::open(&fixture("sliced")).unwrap_err().to_string();
    assert!(
        error.contains("index' at byte ") && error.ends_with("a tensor in slices (a partitioned variable) is not supported"),
        "{error}"
    );
}

/// Copies `plain` with one of its files changed, and gives the error.
fn broken(suffix: &str, change: impl FnOnce(&mut Vec<u8>)) -> String {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixture("plain")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    let path = folder.path().join(format!("model.ckpt{suffix}"));
    let mut bytes = fs::read(&path).unwrap();
    change(&mut bytes);
    fs::write(&path, bytes).unwrap();
    TfBundle::open(folder.path()).and_then(|bundle| bundle.verify(&Silent)).unwrap_err().to_string()
}

#[test]
fn damage_is_found_by_checksum_and_place() {
    const DATA: &str = ".data-00000-of-00001";
    let check = |error: String, expected: &str| assert!(error.contains(expected), "{error}");
    check(broken(DATA, |b| b[30] ^= 1), "data-00000-of-00001' at byte 26: the checksum of \"model/h0/attn/c_attn/w\" does not match");
    check(broken(DATA, |b| b.truncate(233)), "key \"model/wte\": its bytes 174..234 do not lie within the 233 bytes");
    check(broken(DATA, |b| b.push(0)), "at byte 234: 1 bytes follow the last tensor");
    check(broken(".index", |b| b[40] ^= 1), "index' at byte 0: the checksum of the block does not match");
    check(broken(".index", |b| b.truncate(300)), "does not end as the index of a TensorFlow checkpoint does");
    check(broken(".index", Vec::clear), "too short for the index");
    let folder = tempfile::tempdir().unwrap();
    let open = || TfBundle::open(folder.path()).unwrap_err().to_string();
    check(open(), "holds 0 TensorFlow checkpoints");
    fs::write(folder.path().join("checkpoint"), "model_checkpoint_path: \"/home/them/model-7\"\n").unwrap();
    check(open(), "/model-7.index'");
    fs::write(folder.path().join("checkpoint"), "nothing").unwrap();
    check(open(), "does not name a model_checkpoint_path");
}

/// Writes a table of blocks, checksums true, so that what lies behind them can be wrong.
#[derive(Default)]
struct TableWriter {
    bytes: Vec<u8>,
    index: Vec<u8>,
}

fn varint(mut n: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while n >= 0x80 {
        bytes.push(n as u8 | 0x80);
        n >>= 7;
    }
    bytes.push(n as u8);
    bytes
}

fn entry(shared: usize, own: &[u8], value: &[u8]) -> Vec<u8> {
    [varint(shared as u64), varint(own.len() as u64), varint(value.len() as u64), own.to_vec(), value.to_vec()].concat()
}

impl TableWriter {
    fn put(&mut self, entries: &[u8], kind: u8) -> Vec<u8> {
        let begin = self.bytes.len();
        self.bytes.extend(entries);
        self.bytes.extend([0, 0, 0, 0, 1, 0, 0, 0]);
        let handle = [varint(begin as u64), varint((self.bytes.len() - begin) as u64)].concat();
        self.bytes.push(kind);
        let mut crc = crc32c::Crc32c::new();
        crc.update(&self.bytes[begin..]);
        self.bytes.extend(crc.masked().to_le_bytes());
        handle
    }

    fn block(mut self, entries: &[Vec<u8>]) -> Self {
        let handle = self.put(&entries.concat(), 0);
        self.index.extend(entry(0, b"k", &handle));
        self
    }

    fn finish(mut self) -> Vec<u8> {
        let index = std::mem::take(&mut self.index);
        let index = self.put(&index, 0);
        let mut footer = [vec![0, 0], index].concat();
        footer.resize(40, 0);
        self.bytes.extend(footer);
        self.bytes.extend(0xDB47_7524_8B80_FB57_u64.to_le_bytes());
        self.bytes
    }
}

const HEADER: [u8; 2] = [8, 1];

fn read(table: TableWriter) -> Result<Vec<Entry>, String> {
    read_index(&Mapped::from_vec("m.index", table.finish()), Checksums::Verify)
        .map(|(_, entries)| entries)
        .map_err(|error| error.to_string())
}

#[test]
fn several_blocks_are_one_table() {
    let first = [entry(0, b"", &HEADER), entry(0, b"abc", &[])];
    let table = TableWriter::default().block(&first).block(&[entry(0, b"abd", &[8, 1]), entry(2, b"e", &[])]);
    let names: Vec<_> = read(table).unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["abc", "abd", "abe"]);
}

#[test]
fn a_hostile_index_is_refused_with_the_reason() {
    let check = |table: TableWriter, expected: &str| {
        let error = read(table).unwrap_err();
        assert!(error.starts_with("'m.index'") && error.contains(expected), "{error}\nwanted: {expected}");
    };
    let one = |value: &[u8]| TableWriter::default().block(&[entry(0, b"", &HEADER), entry(0, b"w", value)]);
    let blocks = |entries: &[Vec<u8>]| TableWriter::default().block(entries);
    check(TableWriter::default(), "the index has no header");
    check(blocks(&[entry(0, b"w", &[])]), "key \"w\": the header does not come first");
    check(blocks(&[entry(0, b"", &[8, 0])]), "0 is no number of data files");
    check(blocks(&[entry(0, b"", &[8, 1, 16, 1])]), "a big-endian checkpoint is not supported");
    check(blocks(&[entry(0, b"", &[8])]), "a protobuf message that is cut off");
    check(blocks(&[entry(0, b"", &HEADER), entry(1, b"w", &[])]), "shares more of the last key than there is");
    check(blocks(&[entry(0, b"", &HEADER), entry(0, b"w", &[]), entry(1, b"", &[])]), "the keys do not rise");
    check(blocks(&[entry(0, b"", &HEADER), entry(0, b"\xff", &[])]), "at byte 5: a name that is not UTF-8");
    check(blocks(&[entry(0, b"", &HEADER), entry(0, &[b'n'; 5000], &[])]), "longer than 4096 bytes");
    check(blocks(&[vec![0, 9, 9]]), "at byte 0: an entry is longer than its block");
    check(one(&[0x18, 1]), "key \"w\": lies in a data file that is none of the 1");
    check(one(&[[0x20].as_slice(), &varint(u64::MAX)].concat()), "0 bytes from -1 on can lie in no file");
    check(one(&[[0x28].as_slice(), &varint(1 << 63)].concat()), "-9223372036854775808 bytes from 0 on");
    check(one(&[[0x12, 13, 0x12, 11, 8].as_slice(), &varint(u64::MAX)].concat()), "has a negative dimension");
    check(one(&[0x12, 2, 0x18, 1]), "has no known shape");
    check(one(&[&[0x12, 0xfe, 0x03][..], &[0x12, 0].repeat(255)].concat()), "more than 254 dimensions");
    check(one(&[0x3a, 0]), "a tensor in slices");
    check(one(&[0x0b]), "no message");
    let mut twice = blocks(&[entry(0, b"", &HEADER)]);
    twice.index = twice.index.repeat(2);
    check(twice, "names a block twice");
    let mut outside = blocks(&[entry(0, b"", &HEADER)]);
    outside.index = entry(0, b"k", &[varint(1 << 40), vec![1]].concat());
    check(outside, "the index points outside the file");
    let mut snappy = TableWriter::default();
    let handle = snappy.put(&[], 1);
    snappy.index = entry(0, b"k", &handle);
    check(snappy, "snappy compression of the index is not supported");
    let long = vec![b'n'; 4000];
    let mut unfolding = vec![entry(0, b"", &HEADER), entry(0, &long, &[])];
    unfolding.extend((0..90_u8).map(|i| entry(4000, &[i], &[])));
    check(blocks(&unfolding), "unfold to far more than the file holds");
}
