use super::*;
use crate::TensorSpec;

fn open(bytes: Vec<u8>) -> Result<Gguf, String> {
    Gguf::new(Mapped::from_vec("m.gguf", bytes)).map_err(|error| error.to_string())
}

/// Made by llama.cpp's Python package: see `tests/fixtures/make_gguf.py`.
const REFERENCE: &[u8] = include_bytes!("../../tests/fixtures/reference.gguf");

#[test]
fn every_kind_of_value_is_read_as_it_was_written() {
    let file = Gguf::new(Mapped::from_static("reference.gguf", REFERENCE)).unwrap();
    assert_eq!(file.version(), 3);
    assert_eq!(file.text("general.architecture").unwrap(), Some("gpt2"));
    let expected = [
        ("k.u8", ValueRef::U8(200)),
        ("k.i8", ValueRef::I8(-100)),
        ("k.u16", ValueRef::U16(60000)),
        ("k.i16", ValueRef::I16(-30000)),
        ("k.u32", ValueRef::U32(4_000_000_000)),
        ("k.i32", ValueRef::I32(-2_000_000_000)),
        ("k.f32", ValueRef::F32(0.1)),
        ("k.bool", ValueRef::Bool(true)),
        ("k.string", ValueRef::String("Ġé\u{2028}")),
        ("k.u64", ValueRef::U64(1 << 63)),
        ("k.i64", ValueRef::I64(-(1 << 62))),
        ("k.f64", ValueRef::F64(0.1)),
    ];
    for (key, value) in expected {
        assert_eq!(file.get(key), Some(value), "{key}");
    }
    assert_eq!(file.array("k.texts", Kind::String).unwrap().unwrap().texts().collect::<Vec<_>>(), ["", "a", "Ġb"]);
    let owned = |key| file.get(key).unwrap().to_value();
    assert_eq!(owned("k.i32s"), vec![1, -2, 3].into());
    assert_eq!(owned("k.f32s"), vec![0.5_f32, -0.25].into());
    assert_eq!(owned("k.nested"), Value::Array(Kind::Array, vec![vec![1, 2].into(), vec![3].into()]));
    assert_eq!(file.count("k.u8").unwrap(), Some(200));
    assert_eq!(file.number("k.f64").unwrap(), Some(0.1));
    assert_eq!(file.flag("k.bool").unwrap(), Some(true));
    assert_eq!(file.count("k.none").unwrap(), None);
    assert!(file.count("k.i8").unwrap_err().to_string().ends_with("key \"k.i8\": holds i8 where a whole number from 0 up is wanted"));
    assert!(file.array("k.i32s", Kind::F32).unwrap_err().to_string().ends_with("holds array where an array of f32 is wanted"));
}

#[test]
fn tensors_are_read_slowest_dimension_first() {
    let file = Gguf::new(Mapped::from_static("reference.gguf", REFERENCE)).unwrap();
    let kinds: Vec<_> = file.tensors().map(|t| (t.name.to_owned(), t.dtype, t.shape)).collect();
    let expected = [
        ("f32", Dtype::F32, vec![2, 3]),
        ("f16", Dtype::F16, vec![2, 3]),
        ("q8_0", Dtype::Q8_0, vec![2, 64]),
        ("q4_0", Dtype::Q4_0, vec![2, 64]),
        ("bf16", Dtype::BF16, vec![2, 64]),
    ];
    assert_eq!(kinds, expected.map(|(name, dtype, shape)| (name.to_owned(), dtype, shape)));
    let values: Vec<f32> = file.tensor("f32").unwrap().data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    assert_eq!(values, [-60.0, -59.0, -58.0, 4.0, 5.0, 6.0].map(|v| v / 16.0));
    assert!(file.tensor("f64").is_none());
}

#[test]
fn what_is_copied_is_the_same() {
    let file = Gguf::new(Mapped::from_static("reference.gguf", REFERENCE)).unwrap();
    let metadata: Vec<_> = file.metadata().map(|(key, value)| (key.to_owned(), value.to_value())).collect();
    let specs: Vec<_> = file.tensors().map(|t| TensorSpec::new(t.name, t.dtype, t.shape)).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy.gguf");
    let mut out = GgufWriter::create(&path, &metadata, &specs).unwrap();
    for tensor in file.tensors() {
        let (one, two) = tensor.data.split_at(5);
        out.append(tensor.name, one).unwrap();
        out.append(tensor.name, two).unwrap();
    }
    out.finish().unwrap();
    assert_eq!(std::fs::read(path).unwrap(), REFERENCE);
}

/// A file put together by hand: a header with `n_tensors` and `n_pairs`, then whatever follows.
fn file(n_tensors: u64, n_pairs: u64, rest: &[&[u8]]) -> Vec<u8> {
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    bytes.extend(n_tensors.to_le_bytes());
    bytes.extend(n_pairs.to_le_bytes());
    bytes.extend(rest.concat());
    bytes
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

fn tensor(name: &str, dimensions: &[u64], type_number: u32, offset: u64) -> Vec<u8> {
    let mut bytes = string(name);
    bytes.extend((dimensions.len() as u32).to_le_bytes());
    bytes.extend(dimensions.iter().flat_map(|n| n.to_le_bytes()));
    bytes.extend(type_number.to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes
}

fn check(bytes: Vec<u8>, expected: &str) {
    let error = open(bytes).unwrap_err();
    assert!(error.starts_with("'m.gguf' ") && error.contains(expected), "{error}\nwanted: {expected}");
}

#[test]
fn a_hostile_header_is_refused_with_the_reason() {
    check(b"GGML".to_vec(), "at byte 0: not a GGUF file");
    check(b"GG".to_vec(), "at byte 0: 4 bytes are wanted, but the file ends at 2");
    check(b"GGUF\x01\0\0\0".to_vec(), "version 1 of GGUF (2 and 3 are read) is not supported");
    check(b"GGUF\x04\0\0\0".to_vec(), "version 4 of GGUF");
    check(b"GGUF\0\0\0\x03".to_vec(), "big-endian GGUF is not supported");
    check(file(u64::MAX, 0, &[]), "at byte 8: 18446744073709551615 tensors cannot lie in the rest");
    check(file(0, 1, &[]), "at byte 16: 1 metadata entries cannot lie in the rest of the file (at most 0)");
    check(file(0, 1, &[&u64::MAX.to_le_bytes(), &[0; 8]]), "at byte 24: 18446744073709551615 bytes of a string");
    check(file(0, 1, &[&string("\u{7f}k"), &99_u32.to_le_bytes(), &[0]]), "at byte 34: 99 is no type of a metadata value");
    check(file(0, 1, &[&[2, 0, 0, 0, 0, 0, 0, 0, b'a', 0xff], &[0; 8]]), "at byte 33: a string that is not UTF-8");
    check(file(0, 1, &[&string("b"), &7_u32.to_le_bytes(), &[2]]), "at byte 37: 2 is neither true (1) nor false (0)");
    let pair = [&string("a")[..], &0_u32.to_le_bytes(), &[1]].concat();
    check(file(0, 2, &[&pair, &pair]), "key \"a\": the key is given twice");
    let array = |kind: u32, n: u64| [&string("a")[..], &9_u32.to_le_bytes(), &kind.to_le_bytes(), &n.to_le_bytes()].concat();
    check(file(0, 1, &[&array(10, 1 << 61)]), "2305843009213693952 values of an array cannot lie in the rest");
    check(file(0, 1, &[&array(8, 2), &[0; 8]]), "2 values of an array cannot lie in the rest of the file (at most 1)");
    let deep: Vec<u8> = [9_u32.to_le_bytes().to_vec(), 1_u64.to_le_bytes().to_vec()].concat().repeat(10_000);
    check(file(0, 1, &[&string("a"), &9_u32.to_le_bytes(), &deep]), "arrays lie more than 4 deep");
    let alignment = |n: u32| [&string("general.alignment")[..], &4_u32.to_le_bytes(), &n.to_le_bytes()].concat();
    for n in [0, 24] {
        check(file(0, 1, &[&alignment(n)]), "key \"general.alignment\": not a power of two");
    }
    open(file(0, 1, &[&alignment(1 << 31)])).unwrap();
}

#[test]
fn a_hostile_tensor_is_refused_with_the_reason() {
    let one = |description: Vec<u8>, n_data: usize| {
        let mut bytes = file(1, 0, &[&description]);
        bytes.resize(bytes.len().next_multiple_of(32) + n_data, 0);
        bytes
    };
    open(one(tensor("w", &[4, 2], 0, 0), 32)).unwrap();
    open(one(tensor("w", &[], 0, 0), 4)).unwrap();
    check(one(tensor("w", &[4, 2], 0, 0), 31), "key \"w\": its bytes 0..32 do not lie within the 31 bytes of data");
    check(one(tensor("w", &[4, 2], 0, 0), 64), "at byte 128: 32 bytes follow the last tensor");
    check(one(tensor("w", &[4, 2], 0, 4), 36), "begins at byte 4 of the data, which is no multiple");
    check(one(tensor("w", &[4, 2], 0, 64), 96), "leaves a hole: it begins at byte 64");
    check(one(tensor("w", &[4, 2], 0, u64::MAX - 31), 32), "32 bytes from 18446744073709551584 on do not lie");
    check(one(tensor("w", &[u64::MAX, u64::MAX], 0, 0), 32), "F32 cannot hold the shape");
    check(one(tensor("w", &[0, 1 << 40, 1 << 40], 0, 0), 32), "F32 cannot hold the shape");
    check(one(tensor("w", &[16, 2], 8, 0), 34), "Q8_0 cannot hold the shape [2, 16]");
    check(one(tensor("w", &[1, 1, 1, 1, 1], 0, 0), 32), "has 5 dimensions where at most 4");
    check(one(tensor("w", &[32], 3, 0), 32), "key \"w\": ggml type 3 (Q4_1) is not supported");
    check(one(tensor("w", &[32], 77, 0), 32), "ggml type 77 (an unknown type)");
    let two = |a: Vec<u8>, b: Vec<u8>| {
        let mut bytes = file(2, 0, &[&a, &b]);
        bytes.resize(bytes.len().next_multiple_of(32) + 64, 0);
        bytes
    };
    open(two(tensor("a", &[16], 0, 0), tensor("none", &[0], 0, 64))).unwrap();
    check(two(tensor("a", &[16], 0, 0), tensor("b", &[8], 0, 32)), "key \"b\": overlaps another tensor");
    check(two(tensor("a", &[16], 0, 0), tensor("a", &[0], 0, 64)), "key \"a\": the name is given twice");
}

#[test]
fn every_cut_is_refused() {
    for n in 0..REFERENCE.len() - 31 {
        open(REFERENCE[..n].to_vec()).unwrap_err();
    }
}

#[test]
fn the_writer_refuses_what_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    let check = |metadata: &[(&str, Value)], spec: TensorSpec, expected: &str| {
        let metadata: Vec<_> = metadata.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
        let error = GgufWriter::create(&folder.path().join("x.gguf"), &metadata, &[spec]).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let w = TensorSpec::new("w", Dtype::F32, [1]);
    check(&[("a", 1_u32.into()), ("a", 2_u32.into())], w.clone(), "key \"a\": the key is given twice");
    check(&[("a", Value::Array(Kind::U32, vec![1_i32.into()]))], w.clone(), "an array of u32 holds i32");
    check(&[("general.alignment", 64_u32.into())], w, "aligned to 32 bytes here");
    check(&[], TensorSpec::new("w".repeat(64), Dtype::F32, [1]), "longer than 63 bytes");
    check(&[], TensorSpec::new("w", Dtype::F32, [1; 5]), "more than 4 dimensions");
    check(&[], TensorSpec::new("w", Dtype::Q4K, [2, 128]), "Q4_K cannot hold the shape [2, 128]");
    check(&[], TensorSpec::new("w", Dtype::U64, [2]), "GGUF has no type U64");
}

#[test]
fn the_gpt2_vocabulary_of_llama_cpp_is_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/tokenizer/ggml-vocab-gpt-2.gguf");
    if !path.exists() {
        println!("skipped: no ../shared");
        return;
    }
    let file = Gguf::open(&path).unwrap();
    let tokens = file.array("tokenizer.ggml.tokens", Kind::String).unwrap().unwrap();
    assert_eq!(tokens.len(), 50257);
    assert_eq!(tokens.texts().last(), Some("<|endoftext|>"));
}
