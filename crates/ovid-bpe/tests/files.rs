//! Vocabulary files: every kind comes back as it was written, and every fault is named with file, place and cause.

use std::fs;
use std::path::Path;

use ovid_bpe::Tokenizer;
use ovid_io::Silent;
use ovid_io::gguf::{Gguf, GgufWriter, Kind, Value as Key};
use serde_json::{Value, json};

fn learnt() -> Tokenizer {
    ovid_bpe::train(["low lower lowest low 東京 東京"].iter(), 264, 1, &Silent).unwrap()
}

fn same(a: &Tokenizer, b: &Tokenizer) {
    assert_eq!(a.vocab_size(), b.vocab_size());
    assert!((0..a.vocab_size() as u32).all(|id| a.token_bytes(id) == b.token_bytes(id)));
    assert_eq!((a.end_of_text(), a.added_tokens()), (b.end_of_text(), b.added_tokens()));
    let text = "a lowest low<|endoftext|> 東京 \u{1F642}".as_bytes();
    assert_eq!(a.encode(text), b.encode(text));
}

fn write_gguf(path: &Path, metadata: &[(String, Key)]) {
    GgufWriter::create(path, metadata, &[]).unwrap().finish().unwrap();
}

#[test]
fn every_kind_of_file_comes_back() {
    let tokenizer = learnt();
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    tokenizer.save_hf(dir.path()).unwrap();
    same(&tokenizer, &Tokenizer::load(dir.path()).unwrap());
    same(&tokenizer, &Tokenizer::load(&at("tokenizer.json")).unwrap());

    fs::remove_file(at("tokenizer.json")).unwrap();
    same(&tokenizer, &Tokenizer::load(dir.path()).unwrap());

    fs::rename(at("vocab.json"), at("encoder.json")).unwrap();
    fs::rename(at("merges.txt"), at("vocab.bpe")).unwrap();
    for other in ["special_tokens_map.json", "tokenizer_config.json"] {
        fs::remove_file(at(other)).unwrap();
    }
    same(&tokenizer, &Tokenizer::load(dir.path()).unwrap());

    let merges = fs::read_to_string(at("vocab.bpe")).unwrap();
    fs::write(at("vocab.bpe"), merges.replace('\n', "\r\n")).unwrap();
    same(&tokenizer, &Tokenizer::load(dir.path()).unwrap());

    write_gguf(&at("model.gguf"), &tokenizer.gguf_metadata());
    same(&tokenizer, &Tokenizer::load(&at("model.gguf")).unwrap());
    same(&tokenizer, &Tokenizer::from_gguf(&Gguf::open(&at("model.gguf")).unwrap()).unwrap());
}

#[test]
fn merges_as_pairs_are_read_too() {
    let dir = tempfile::tempdir().unwrap();
    learnt().save_hf(dir.path()).unwrap();
    let path = dir.path().join("tokenizer.json");
    let mut file: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let pairs =
        file["model"]["merges"].as_array().unwrap().iter().map(|m| m.as_str().unwrap().split(' ').collect::<Vec<_>>().into()).collect();
    file["model"]["merges"] = Value::Array(pairs);
    fs::write(&path, file.to_string()).unwrap();
    same(&learnt(), &Tokenizer::load(&path).unwrap());
}

#[test]
fn ids_may_stand_in_any_order() {
    let dir = tempfile::tempdir().unwrap();
    let tokenizer = learnt();
    tokenizer.save_hf(dir.path()).unwrap();
    fs::remove_file(dir.path().join("tokenizer.json")).unwrap();
    let path = dir.path().join("vocab.json");
    let vocab: serde_json::Map<String, Value> = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let last = tokenizer.vocab_size() as u64 - 1;
    let turned: serde_json::Map<_, _> = vocab.into_iter().map(|(token, id)| (token, (last - id.as_u64().unwrap()).into())).collect();
    fs::write(&path, Value::Object(turned).to_string()).unwrap();
    let other = Tokenizer::load(dir.path()).unwrap();
    let text = b"lowest lower";
    let expected: Vec<u32> = tokenizer.encode(text).iter().map(|id| last as u32 - id).collect();
    assert_eq!(other.encode(text), expected);
    assert_eq!(other.end_of_text(), Some(0));
}

#[test]
fn a_vocabulary_without_end_of_text_is_read_and_written() {
    let dir = tempfile::tempdir().unwrap();
    learnt().save_hf(dir.path()).unwrap();
    fs::remove_file(dir.path().join("tokenizer.json")).unwrap();
    let path = dir.path().join("vocab.json");
    let vocab = fs::read_to_string(&path).unwrap();
    let (kept, _) = vocab.rsplit_once(',').unwrap();
    fs::write(&path, format!("{kept}}}")).unwrap();
    let tokenizer = Tokenizer::load(dir.path()).unwrap();
    assert_eq!((tokenizer.end_of_text(), tokenizer.added_tokens()), (None, &[][..]));
    tokenizer.save_hf(dir.path()).unwrap();
    same(&tokenizer, &Tokenizer::load(dir.path()).unwrap());
    write_gguf(&dir.path().join("model.gguf"), &tokenizer.gguf_metadata());
    same(&tokenizer, &Tokenizer::load(&dir.path().join("model.gguf")).unwrap());
}

#[test]
fn tokens_added_to_an_old_folder_are_found() {
    let dir = tempfile::tempdir().unwrap();
    learnt().save_hf(dir.path()).unwrap();
    fs::remove_file(dir.path().join("tokenizer.json")).unwrap();
    let n = learnt().vocab_size() as u32;
    fs::write(dir.path().join("added_tokens.json"), format!(r#"{{"<pad>": {n}}}"#)).unwrap();
    let tokenizer = Tokenizer::load(dir.path()).unwrap();
    assert_eq!(tokenizer.vocab_size(), n as usize + 1);
    assert_eq!(tokenizer.token_bytes(n), Some(&b"<pad>"[..]));
    assert_eq!(tokenizer.added_tokens().len(), 2);
}

/// Writes the files of a good vocabulary, spoils one, and looks at what loading says; `*` in the expected message is the folder.
fn check(file: &str, spoil: impl Fn(&str) -> String, expected: &str) {
    let dir = tempfile::tempdir().unwrap();
    learnt().save_hf(dir.path()).unwrap();
    if file != "tokenizer.json" {
        fs::remove_file(dir.path().join("tokenizer.json")).unwrap();
    }
    let path = dir.path().join(file);
    let good = fs::read_to_string(&path).unwrap_or_default();
    let spoilt = spoil(&good);
    assert_ne!(good, spoilt, "the fault is there");
    fs::write(&path, spoilt).unwrap();
    let error = Tokenizer::load(dir.path()).map(|_| ()).unwrap_err().to_string();
    assert_eq!(error.replace(dir.path().to_str().unwrap(), "*"), expected);
}

#[test]
fn faults_of_vocab_json() {
    let name = "vocab.json";
    check(name, |_| "{".into(), "*/vocab.json: line 1 column 1: EOF while parsing an object");
    check(name, |_| "[]".into(), "*/vocab.json: line 1 column 0: invalid type: sequence, expected an object of tokens with their ids");
    check(name, |_| "{}".into(), "*/vocab.json: tokens: no token stands for byte 0x00 alone (spelled 'Ā')");
    check(name, |s| s.replace("\"a\":", "\"\":"), "*/vocab.json: tokens: token 64 is empty");
    check(name, |s| s.replace("\"a\":", "\"aa\":"), "*/vocab.json: tokens: no token stands for byte 0x61 alone (spelled 'a')");
    check(name, |s| s.replace("\"a\":", "\"b\":"), r#"*/vocab.json: tokens: token "b" has two ids, 64 and 65"#);
    check(name, |s| s.replace("\"a\":64", "\"a\":65"), r#"*/vocab.json: tokens: tokens "a" and "b" have the same id 65"#);
    check(name, |s| s.replace("\"a\":64", "\"a\":264"), r#"*/vocab.json: tokens: token "a" has id 264, but 264 tokens have ids below 264"#);
    check(name, |s| s.replace("\"a\":64", "\"a\":-1"), "*/vocab.json: line 1 column 447: invalid value: integer `-1`, expected u32");
    check(name, |s| s.replace("\"low\":", "\"l w\":"), r#"*/vocab.json: tokens: token "l w" (id 257) has ' ', which stands for no byte"#);
    check("added_tokens.json", |_| r#"{"a": 3}"#.into(), r#"*/added_tokens.json: token "a": id 3, but 64 in */vocab.json"#);
    let many = || (0..4097).map(|i| format!("\"<{i}>\": {}", 264 + i)).collect::<Vec<_>>().join(",");
    check("added_tokens.json", |_| format!("{{{}}}", many()), "*/vocab.json: tokens: 4098 added tokens, more than the 4096 that are read");
    check("special_tokens_map.json", |_| "[]".into(), "*/special_tokens_map.json: file: no JSON object");
}

#[test]
fn faults_of_merges_txt() {
    let name = "merges.txt";
    check(name, |s| s.replace("l o\n", "l\n"), r#"*/merges.txt: line 2: a merge is two tokens with one space between, not "l""#);
    check(name, |s| s.replace("l o\n", "l o o\n"), r#"*/merges.txt: line 2: a merge is two tokens with one space between, not "l o o""#);
    check(name, |s| s.replace("l o\n", "ll o\n"), r#"*/merges.txt: line 2: token "ll" is not in the vocabulary"#);
    check(name, |s| s.replace("l o\n", "l x\n"), r#"*/merges.txt: line 2: token "lx" is not in the vocabulary"#);
    check(name, |s| s.to_owned() + "\nl o\n", r#"*/merges.txt: line 10: the merge of "l" and "o" comes twice, first as number 1"#);
}

#[test]
fn faults_of_tokenizer_json() {
    let refused = |place: &'static str, value: Value, cause: &str| {
        let change = move |good: &str| {
            let mut file: Value = serde_json::from_str(good).unwrap();
            *file.pointer_mut(place).expect(place) = value.clone();
            file.to_string()
        };
        check("tokenizer.json", change, &format!("*/tokenizer.json: not a byte-level BPE like GPT-2's: {cause}"));
    };
    refused("/model/type", json!("Unigram"), "model.type is Unigram");
    refused("/model/dropout", json!(0.1), "model.dropout is 0.1");
    refused("/model/continuing_subword_prefix", json!("##"), "model.continuing_subword_prefix is set");
    refused("/model/end_of_word_suffix", json!("</w>"), "model.end_of_word_suffix is set");
    refused("/model/byte_fallback", json!(true), "model.byte_fallback is set");
    refused("/model/ignore_merges", json!(true), "model.ignore_merges is set");
    refused("/normalizer", json!({ "type": "NFC" }), "normalizer is NFC");
    refused("/added_tokens/0/lstrip", json!(true), r#"added token "<|endoftext|>" has single_word, lstrip or rstrip"#);
    refused("/pre_tokenizer/type", json!("Whitespace"), "pre_tokenizer is Whitespace");
    refused("/pre_tokenizer", json!(null), "pre_tokenizer is of no type");
    refused("/pre_tokenizer/add_prefix_space", json!(true), "pre_tokenizer.add_prefix_space is set");
    refused("/pre_tokenizer/use_regex", json!(false), "pre_tokenizer.use_regex is false");
    refused("/post_processor/type", json!("TemplateProcessing"), "post_processor is TemplateProcessing");
    refused("/decoder/type", json!("WordPiece"), "decoder is WordPiece");

    let name = "tokenizer.json";
    check(name, |s| s.replace(r#""l o""#, r#"["l","x"]"#), r#"*/tokenizer.json: model.merges[0]: token "lx" is not in the vocabulary"#);
    check(
        name,
        |s| s.replace(r#""l o""#, r#""l""#),
        r#"*/tokenizer.json: model.merges[0]: a merge is two tokens with one space between, not "l""#,
    );
    check(
        name,
        |s| s.replace(r#""id":263"#, r#""id":7"#),
        r#"*/tokenizer.json: added_tokens: token "<|endoftext|>" has id 7 there and 263 in model.vocab"#,
    );
    check(name, |_| String::new(), "*/tokenizer.json: line 1 column 0: EOF while parsing a value");
}

#[test]
fn faults_of_a_gguf() {
    type Metadata = Vec<(String, Key)>;
    let check = |change: &dyn Fn(&mut Metadata), expected: &str| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.gguf");
        let mut metadata = learnt().gguf_metadata();
        change(&mut metadata);
        write_gguf(&path, &metadata);
        let error = Tokenizer::load(&path).map(|_| ()).unwrap_err().to_string();
        assert_eq!(error.replace(dir.path().to_str().unwrap(), "*"), expected);
    };
    let set = |key: &'static str, value: Key| {
        move |metadata: &mut Metadata| {
            let key = format!("tokenizer.ggml.{key}");
            metadata.retain(|(k, _)| *k != key);
            metadata.push((key, value.clone()));
        }
    };
    let other = "*/model.gguf: not a byte-level BPE like GPT-2's: ";
    check(&set("model", Key::String("llama".into())), &format!(r#"{other}tokenizer.ggml.model is "llama""#));
    check(&set("pre", Key::String("llama-bpe".into())), &format!(r#"{other}tokenizer.ggml.pre is "llama-bpe""#));
    check(&|m| m.clear(), "*/model.gguf: tokenizer.ggml.model: the key is missing");
    check(&|m| m.retain(|(k, _)| !k.ends_with("merges")), "*/model.gguf: tokenizer.ggml.merges: the key is missing");
    check(&|m| m.retain(|(k, _)| !k.ends_with("tokens")), "*/model.gguf: tokenizer.ggml.tokens: the key is missing");
    check(&set("eos_token_id", Key::U32(264)), "*/model.gguf: tokenizer.ggml.eos_token_id: 264 is outside the vocabulary of 264 tokens");
    check(&set("token_type", Key::Array(Kind::I32, vec![Key::I32(1)])), "*/model.gguf: tokenizer.ggml.token_type: 1 types for 264 tokens");
    let merges = Key::Array(Kind::String, vec![Key::String("lo".into())]);
    check(&set("merges", merges), r#"*/model.gguf: tokenizer.ggml.merges[0]: a merge is two tokens with one space between, not "lo""#);
}

#[test]
fn faults_of_paths() {
    let dir = tempfile::tempdir().unwrap();
    let message = |path: &Path| Tokenizer::load(path).map(|_| ()).unwrap_err().to_string().replace(dir.path().to_str().unwrap(), "*");
    let empty = "*: no tokenizer.json, no vocab.json with merges.txt and no encoder.json with vocab.bpe in this folder";
    assert_eq!(message(dir.path()), empty);
    let absent = message(&dir.path().join("absent"));
    assert!(absent.starts_with("cannot read '*/absent': "), "{absent}");
    // A file too large is refused by its size: nothing of it is read.
    let large = dir.path().join("tokenizer.json");
    fs::File::create(&large).unwrap().set_len(1 << 40).unwrap();
    assert_eq!(message(dir.path()), "*/tokenizer.json: file: 1099511627776 bytes, more than the 268435456 that are read");
    fs::write(&large, b"{\"model\": \"\xff\"}").unwrap();
    let binary = message(&large);
    assert!(binary.starts_with("cannot read '*/tokenizer.json': "), "{binary}");
}

#[test]
fn gpt2s_own_files_and_llama_cpps_gguf_agree() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/tokenizer");
    if !dir.is_dir() {
        println!("skipped: no ../shared");
        return;
    }
    let files = Tokenizer::load(&dir).unwrap();
    let gguf = Tokenizer::load(&dir.join("ggml-vocab-gpt-2.gguf")).unwrap();
    same(&files, &gguf);
    assert_eq!((files.vocab_size(), files.end_of_text()), (50257, Some(50256)));
}
