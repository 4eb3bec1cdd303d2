use super::*;
use crate::TensorSpec;

fn file(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.extend(data);
    bytes
}

fn open(bytes: Vec<u8>) -> Result<SafeTensors, String> {
    SafeTensors::new(Mapped::from_vec("m.safetensors", bytes)).map_err(|error| error.to_string())
}

#[test]
fn the_reference_crate_reads_what_we_write_and_we_read_what_it_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    let specs =
        [TensorSpec::new("b", Dtype::F32, [2, 1]), TensorSpec::new("a", Dtype::BF16, [3]), TensorSpec::new("none", Dtype::F16, [0, 5])];
    let mut out = SafeTensorsWriter::create(&path, &[("format", "pt"), ("x", "\"\u{2028}")], &specs).unwrap();
    out.append("b", &[1, 2, 3]).unwrap();
    out.append("b", &[4, 5, 6, 7, 8]).unwrap();
    out.append("a", &[9; 6]).unwrap();
    out.append("none", &[]).unwrap();
    out.finish().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let theirs = ::safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let b = theirs.tensor("b").unwrap();
    assert_eq!((b.shape(), b.data()), (&[2, 1][..], &[1, 2, 3, 4, 5, 6, 7, 8][..]));
    assert_eq!(theirs.tensor("none").unwrap().shape(), [0, 5]);

    let views = theirs.tensors();
    let again = ::safetensors::serialize(views, None).unwrap();
    let ours = open(again).unwrap();
    for (name, view) in theirs.tensors() {
        let tensor = ours.tensor(&name).unwrap().unwrap();
        assert_eq!((tensor.shape.as_slice(), tensor.data), (view.shape(), view.data()), "{name}");
    }
    assert_eq!(SafeTensors::open(&path).unwrap().metadata()["x"], "\"\u{2028}");
}

#[test]
fn tensors_of_other_types_are_counted_but_not_lent() {
    let file = open(file(
        r#"{"mask":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]},"w":{"dtype":"F16","shape":[],"data_offsets":[2,4]}}  "#,
        &[1, 0, 7, 7],
    ))
    .unwrap();
    assert_eq!(file.names().collect::<Vec<_>>(), ["mask", "w"]);
    assert_eq!(file.tensors().map(|t| t.name.to_owned()).collect::<Vec<_>>(), ["w"]);
    assert_eq!(file.tensor("w").unwrap().unwrap().data, [7, 7]);
    assert_eq!(file.raw("mask").unwrap(), RawTensor { dtype: "BOOL", shape: &[2], data: &[1, 0] });
    assert!(file.tensor("absent").unwrap().is_none());
    assert!(file.tensor("mask").unwrap_err().to_string().ends_with("key \"mask\": a tensor of type BOOL is not supported"));
}

#[test]
fn a_header_that_lies_is_refused_with_the_reason() {
    let check = |header: &str, n_data: usize, expected: &str| {
        let error = open(file(header, &vec![0; n_data])).unwrap_err();
        assert!(error.starts_with("'m.safetensors' ") && error.contains(expected), "{header}\n{error}");
    };
    let one = |entry: &str| format!("{{\"w\":{{{entry}}}}}");
    check(&one(r#""dtype":"F32","shape":[2],"data_offsets":[0,8]"#), 9, "at byte 70: the tensors take 8 bytes, but 9 follow");
    check(&one(r#""dtype":"F32","shape":[2],"data_offsets":[0,8]"#), 7, "0..8 do not lie within the 7 bytes");
    check(&one(r#""dtype":"F32","shape":[2],"data_offsets":[8,0]"#), 8, "8..0 do not lie within");
    check(&one(r#""dtype":"F32","shape":[2],"data_offsets":[-8,0]"#), 8, "invalid value: integer `-8`, expected u64");
    check(&one(r#""dtype":"F32","shape":[3],"data_offsets":[0,8]"#), 8, "F32 of shape [3] does not take the 8 bytes");
    check(&one(r#""dtype":"F16","shape":[2],"data_offsets":[0,8]"#), 8, "F16 of shape [2] does not take the 8 bytes");
    check(&one(r#""dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]"#), 0, "does not take the 0 bytes");
    check(&one(r#""dtype":"F32","shape":[4294967296,4294967296,0],"data_offsets":[0,0]"#), 0, "does not take the 0 bytes");
    check(&one(r#""dtype":"F32","shape":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],"data_offsets":[0,0]"#), 0, "more than 16 dimensions");
    check(&one(r#""dtype":"Q9","shape":[2],"data_offsets":[0,8]"#), 8, "key \"w\": type \"Q9\" is not supported");
    check(&one(r#""dtype":"F4","shape":[1],"data_offsets":[0,0]"#), 0, "F4 of shape [1] does not take the 0 bytes");
    check(&one(r#""dtype":"F32","shape":[2],"data_offsets":[0,8],"extra":1"#), 8, "unknown field `extra`");
    check(&one(r#""dtype":"F32","shape":[2]"#), 8, "missing field `data_offsets`");
    let w = r#"{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#;
    check(&format!("{{\"a\":{w},\"b\":{w}}}"), 8, "key \"b\": overlaps another tensor");
    check(&format!("{{\"a\":{w},\"a\":{w}}}"), 8, "\"a\" is given twice");
    check(r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#, 12, "key \"a\": leaves a hole");
    check("{}", 4, "the tensors take 0 bytes, but 4 follow");
    check("[]", 0, "does not begin with {");
    check("{\"a\":\n  5}", 0, "at byte 16: the header cannot be read");
    check(&"{\"a\":".repeat(100_000), 0, "the header cannot be read");
    let length = |n: u64| open(n.to_le_bytes().to_vec()).unwrap_err();
    assert!(length(1).contains("said to be 1 bytes long where at most 0 can be"));
    assert!(length(u64::MAX).contains("at most 0 can be"));
    assert!(open(vec![0; 7]).unwrap_err().contains("7 bytes are too few"));
}

#[test]
fn the_writer_refuses_what_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    let create = |specs: &[TensorSpec]| SafeTensorsWriter::create(&path, &[], specs).map_err(|error| error.to_string());
    let w = TensorSpec::new("w", Dtype::F32, [2]);
    assert!(create(&[w.clone(), w.clone()]).unwrap_err().contains("key \"w\": the name is given twice"));
    assert!(create(&[TensorSpec::new("w", Dtype::Q8_0, [32])]).unwrap_err().contains("no type Q8_0"));
    assert!(create(&[TensorSpec::new("w", Dtype::F32, [usize::MAX, 2])]).unwrap_err().contains("F32 cannot hold the shape"));
    assert!(create(&[TensorSpec::new("a", Dtype::F16, [1]), w.clone()]).unwrap_err().contains("put the wider types first"));
    let mut out = create(&[w.clone(), TensorSpec::new("v", Dtype::F32, [1])]).unwrap();
    assert!(out.append("v", &[0; 4]).unwrap_err().to_string().contains("8 bytes of \"w\" come first"));
    assert!(out.append("w", &[0; 9]).unwrap_err().to_string().contains("9 bytes are given where 8 are left of its 8"));
    out.append("w", &[0; 8]).unwrap();
    assert!(out.finish().unwrap_err().to_string().contains("key \"v\": 4 of its 4 bytes were not given"));
    assert!(!path.exists());
}

fn one_tensor(folder: &Path, name: &str, tensor: &str) {
    let mut out = SafeTensorsWriter::create(&folder.join(name), &[], &[TensorSpec::new(tensor, Dtype::F32, [1])]).unwrap();
    out.append(tensor, &[0; 4]).unwrap();
    out.finish().unwrap();
}

#[test]
fn shards_and_their_index_are_held_against_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    assert!(SafeTensorsFolder::open(folder).unwrap_err().to_string().contains("holds neither model.safetensors nor"));
    one_tensor(folder, "m-1.safetensors", "a");
    one_tensor(folder, "m-2.safetensors", "b");
    let open = |map: &str| {
        std::fs::write(folder.join("model.safetensors.index.json"), format!("{{\"metadata\":{{\"total_size\":8}},\"weight_map\":{map}}}"))
            .unwrap();
        SafeTensorsFolder::open(folder).map_err(|error| error.to_string())
    };
    let good = open(r#"{"a":"m-1.safetensors","b":"m-2.safetensors"}"#).unwrap();
    assert_eq!(good.tensors().map(|t| t.name.to_owned()).collect::<Vec<_>>(), ["a", "b"]);
    assert!(good.tensor("b").unwrap().is_some() && good.tensor("c").unwrap().is_none());
    let check = |map: &str, expected: &str| {
        let error = open(map).unwrap_err();
        assert!(error.contains(expected), "{map}\n{error}");
    };
    check(r#"{"a":"../m-1.safetensors"}"#, "key \"a\": its shard \"../m-1.safetensors\" is not the name");
    check(r#"{"a":"/etc/m.safetensors"}"#, "is not the name");
    check(r#"{"a":"model.safetensors.index.json"}"#, "is not the name of a .safetensors file");
    check(r#"{"a":"m-2.safetensors","b":"m-2.safetensors"}"#, "key \"a\": is not in \"m-2.safetensors\"");
    check(r#"{"a":"m-1.safetensors","b":"m-1.safetensors"}"#, "key \"b\": is not in");
    check(r#"{"b":"m-1.safetensors"}"#, "m-1.safetensors' key \"a\": model.safetensors.index.json does not name");
    check(r#"{"a":"m-2.safetensors","b":"m-1.safetensors"}"#, "says that this tensor lies in");
    check(r#"{"a":"m-9.safetensors"}"#, "m-9.safetensors'");
    check("[]", "line 1");
}
