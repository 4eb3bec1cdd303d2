//! How runs end before their time: a reader that goes away, Ctrl-C.

#![cfg(unix)]

mod common;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use common::{model, model_arg, ok, ovid, stderr};

fn interrupt(child: &Child) {
    // The shell's own kill is there on the barest machine.
    assert!(Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap().success());
}

#[test]
fn a_reader_may_go_away() {
    let endless = ["generate", "--model", &model_arg(), "--ignore-end", "-l", "100000", "--seed", "1", "The sun"];
    let mut child = ovid(&endless).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut some = [0; 64];
    child.stdout.take().unwrap().read_exact(&mut some).unwrap();
    let out = child.wait_with_output().unwrap();
    assert_eq!((out.status.code(), stderr(&out)), (Some(0), String::new()));
}

#[test]
fn ctrl_c_ends_generate_with_130() {
    let endless = ["generate", "--model", &model_arg(), "--ignore-end", "-l", "1000000", "--seed", "1", "The sun"];
    let mut child = ovid(&endless).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 64]).unwrap();
    interrupt(&child);
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).unwrap();
    assert_eq!(rest.last(), Some(&b'\n'), "the text ends with its line");
    let out = child.wait_with_output().unwrap();
    assert_eq!((out.status.code(), stderr(&out)), (Some(130), String::new()));
}

#[test]
fn ctrl_c_lets_train_write_a_checkpoint_and_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (text, tokenizer) =
        (model().join("text.txt").to_string_lossy().into_owned(), model().join("tokenizer").to_string_lossy().into_owned());
    let out = path("run");
    let args = |steps: &'static str| {
        let own = ["train", "--text", &text, "--tokenizer", &tokenizer, "--out", &out, "--steps", steps, "--log-every", "1", "--json"]
            .map(String::from);
        own.into_iter().chain(common::SHAPE.iter().map(ToString::to_string)).collect::<Vec<_>>()
    };
    let many = args("100000");
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut child = ovid(&many).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..3 {
        lines.next().unwrap().unwrap();
    }
    interrupt(&child);
    lines.for_each(drop);
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130), "{}", stderr(&ended));
    assert!(stderr(&ended).contains("goes on from there"), "{}", stderr(&ended));
    // The same run is found again: nothing was lost but what came after the checkpoint.
    let mut child = ovid(&many).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let first = BufReader::new(child.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    let step = serde_json::from_str::<serde_json::Value>(&first).unwrap()["step"].as_u64().unwrap();
    assert!(step > 1, "{first}");
    interrupt(&child);
    child.wait().unwrap();
}

#[test]
fn the_prompt_of_write_ends_with_its_input() {
    assert_eq!(ok(&["write", "--model", &model_arg(), "--seed", "1"]), "");
}
