//! What is written is read back the same, whatever it is.

use std::collections::BTreeMap;

use ovid_io::documents::{Documents, JsonLinesWriter, Limits};
use ovid_io::gguf::{Gguf, GgufWriter, Kind, Value};
use ovid_io::npy::{TokenArray, TokenWriter, Width};
use ovid_io::safetensors::{SafeTensors, SafeTensorsWriter};
use ovid_io::{Dtype, TensorSpec};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::json;

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<u8>().prop_map(Value::U8),
        any::<i8>().prop_map(Value::I8),
        any::<u16>().prop_map(Value::U16),
        any::<i16>().prop_map(Value::I16),
        any::<u32>().prop_map(Value::U32),
        any::<i32>().prop_map(Value::I32),
        any::<f32>().prop_map(Value::F32),
        any::<bool>().prop_map(Value::Bool),
        ".*".prop_map(Value::String),
        any::<u64>().prop_map(Value::U64),
        any::<i64>().prop_map(Value::I64),
        any::<f64>().prop_map(Value::F64),
        vec(".*", 0..5).prop_map(Value::from),
        vec(any::<i32>(), 0..5).prop_map(Value::from),
        vec(vec(any::<bool>(), 0..3).prop_map(Value::from), 0..3).prop_map(|arrays| Value::Array(Kind::Array, arrays)),
    ]
}

/// Tensors of some types, shapes that suit them, and bytes.
fn tensors(dtypes: &'static [Dtype]) -> impl Strategy<Value = Vec<(TensorSpec, Vec<u8>)>> {
    let one = (proptest::sample::select(dtypes), vec(0..4_usize, 0..3), 0..3_usize).prop_flat_map(|(dtype, mut shape, last)| {
        shape.push(last * dtype.block_len());
        let n_bytes = dtype.bytes_of(shape.iter().product()).unwrap();
        (Just(dtype), Just(shape), vec(any::<u8>(), n_bytes))
    });
    btree_map("[a-z.é]{1,9}", one, 0..5).prop_map(|tensors| {
        let mut tensors: Vec<_> =
            tensors.into_iter().map(|(name, (dtype, shape, data))| (TensorSpec::new(name, dtype, shape), data)).collect();
        // Safetensors wants the wider types first.
        tensors.sort_by_key(|(spec, _)| std::cmp::Reverse(spec.dtype.block_bytes()));
        tensors
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn documents_come_back(texts in vec((".*", ".*", any::<String>()), 0..8), extension in "(jsonl|ndjson)(|\\.zst|\\.gz)") {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(format!("d.{extension}"));
        let mut out = JsonLinesWriter::create(&path).unwrap();
        for (source, id, text) in &texts {
            out.write(&json!({ "text": text, "source": source, "id": id })).unwrap();
        }
        prop_assert_eq!(out.finish().unwrap(), texts.len() as u64);
        let read: Vec<_> = Documents::open(&[path], Limits::default()).unwrap().map(Result::unwrap).map(|d| (d.source, d.id, d.text)).collect();
        prop_assert_eq!(read, texts);
    }

    #[test]
    fn token_ids_come_back(pieces in vec(vec(any::<u32>(), 0..20), 0..5), narrow in any::<bool>()) {
        let width = if narrow { Width::U16 } else { Width::U32 };
        let pieces: Vec<Vec<u32>> = pieces.into_iter().map(|ids| ids.into_iter().map(|id| if narrow { id >> 16 } else { id }).collect()).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let mut out = TokenWriter::create(&path, width).unwrap();
        for ids in &pieces {
            out.write(ids).unwrap();
        }
        out.finish().unwrap();
        let array = TokenArray::open(&path).unwrap();
        let read: Vec<_> = (0..array.len()).map(|i| array.ids().get(i).unwrap()).collect();
        prop_assert_eq!(read, pieces.concat());
        prop_assert_eq!(array.width(), width);
    }

    #[test]
    fn safetensors_come_back_here_and_in_the_reference(
        tensors in tensors(&[Dtype::F32, Dtype::F16, Dtype::BF16]),
        metadata in btree_map(".*", ".*", 0..4),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.safetensors");
        let specs: Vec<_> = tensors.iter().map(|(spec, _)| spec.clone()).collect();
        let pairs: Vec<_> = metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let mut out = SafeTensorsWriter::create(&path, &pairs, &specs).unwrap();
        for (spec, data) in &tensors {
            out.append(&spec.name, data).unwrap();
        }
        out.finish().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let (ours, theirs) = (SafeTensors::open(&path).unwrap(), safetensors::SafeTensors::deserialize(&bytes).unwrap());
        prop_assert_eq!(ours.metadata(), &metadata);
        prop_assert_eq!(ours.names().count(), tensors.len());
        for (spec, data) in &tensors {
            let view = ours.tensor(&spec.name).unwrap().unwrap();
            prop_assert_eq!((view.dtype, &view.shape, view.data), (spec.dtype, &spec.shape, data.as_slice()));
            let view = theirs.tensor(&spec.name).unwrap();
            prop_assert_eq!((view.shape(), view.data()), (spec.shape.as_slice(), data.as_slice()));
        }
    }

    #[test]
    fn gguf_comes_back(
        tensors in tensors(&[Dtype::F32, Dtype::F16, Dtype::BF16, Dtype::Q8_0, Dtype::Q4_0, Dtype::Q4K, Dtype::Q6K]),
        metadata in btree_map("[a-z.]{0,9}", value(), 0..6),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.gguf");
        let specs: Vec<_> = tensors.iter().map(|(spec, _)| spec.clone()).collect();
        let pairs: Vec<_> = metadata.clone().into_iter().collect();
        let mut out = GgufWriter::create(&path, &pairs, &specs).unwrap();
        for (spec, data) in &tensors {
            out.append(&spec.name, data).unwrap();
        }
        out.finish().unwrap();
        let file = Gguf::open(&path).unwrap();
        // As text, since NaN equals nothing.
        let read: BTreeMap<_, _> = file.metadata().map(|(key, value)| (key.to_owned(), format!("{:?}", value.to_value()))).collect();
        prop_assert_eq!(read, metadata.into_iter().map(|(key, value)| (key, format!("{value:?}"))).collect());
        prop_assert_eq!(file.tensors().count(), tensors.len());
        for (spec, data) in &tensors {
            let view = file.tensor(&spec.name).unwrap();
            prop_assert_eq!((view.dtype, &view.shape, view.data), (spec.dtype, &spec.shape, data.as_slice()));
        }
    }
}
