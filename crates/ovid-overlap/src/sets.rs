//! Sets of documents to be held against an index: evaluation sets, samples, human text.
//!
//! - `.jsonl`, `.ndjson`: one document a line. Its text is `text`; where a line has none, all its strings, one after the other with a line break between; or the
//!   fields that the user names. `source` and `id` as in [`ovid_io::documents`]; `model` (`name`, `sha256`) where the line is a sample that says who wrote it.
//! - everything else as in [`ovid_io::documents`]: a text file is one document, or, where asked for, each of its lines is one.

use std::collections::VecDeque;
use std::fmt;
use std::path::{Path, PathBuf};

use ovid_io::documents::{Documents, Form, Limits, Lines, list};
use ovid_io::{Observer, Place, digest};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use crate::Error;
use crate::report::{ModelId, SetFile};

/// How the files of a set are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// The fields of a JSON line that make up its text; none for `text`, or all strings where there is none.
    pub fields: Vec<String>,
    /// Whether each line of a text file is a document by itself.
    pub by_line: bool,
    /// What one document may cost.
    pub limits: Limits,
}

/// A named set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// Its name in reports.
    pub name: String,
    /// Files and folders.
    pub paths: Vec<PathBuf>,
    /// How they are read.
    pub read: Read,
}

/// One document of a set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetDocument {
    /// Its text.
    pub text: String,
    /// The collection that it belongs to.
    pub source: String,
    /// Its name within the source.
    pub id: String,
    /// The file.
    pub file: PathBuf,
    /// The line in it, from 1.
    pub line: u64,
    /// Who wrote it, where the line says so.
    pub model: Option<ModelId>,
}

impl Set {
    /// A set of files and folders.
    pub fn new(name: impl Into<String>, paths: Vec<PathBuf>, read: Read) -> Self {
        Self { name: name.into(), paths, read }
    }

    /// Its documents, in the order of its files. Ends after the first error.
    ///
    /// # Errors
    /// If a path is absent.
    pub fn documents(&self) -> Result<impl Iterator<Item = Result<SetDocument, Error>> + Send + use<>, Error> {
        Ok(Reader { read: self.read.clone(), waiting: list(&self.paths)?.into(), current: None })
    }

    /// Its files with their digests; none for standard input, which is read once.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn files(&self, observer: &dyn Observer) -> Result<Vec<SetFile>, Error> {
        let mut files = Vec::new();
        for path in list(&self.paths)?.into_iter().filter(|p| p != Path::new("-")) {
            files.push(SetFile { path: path.display().to_string(), sha256: digest::sha256_file(&path, observer)? });
        }
        Ok(files)
    }
}

struct Reader {
    read: Read,
    waiting: VecDeque<PathBuf>,
    current: Option<Current>,
}

enum Current {
    /// The form of the lines, and the file.
    Lines(Lines, Form, PathBuf),
    Whole(Box<Documents>),
}

impl Iterator for Reader {
    type Item = Result<SetDocument, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance().transpose();
        if matches!(next, Some(Err(_))) {
            self.current = None;
            self.waiting.clear();
        }
        next
    }
}

impl Reader {
    fn advance(&mut self) -> Result<Option<SetDocument>, Error> {
        loop {
            let found = match &mut self.current {
                None => {
                    let Some(path) = self.waiting.pop_front() else { return Ok(None) };
                    let form = Form::of(&path);
                    self.current = Some(if form == Form::JsonLines || self.read.by_line {
                        Current::Lines(Lines::open(&path, self.read.limits)?, form, path)
                    } else {
                        Current::Whole(Box::new(Documents::open(&[path], self.read.limits)?))
                    });
                    continue;
                }
                Some(Current::Whole(documents)) => documents.next().transpose()?.map(|d| SetDocument {
                    text: d.text,
                    source: d.source,
                    id: d.id,
                    file: d.file.to_path_buf(),
                    line: d.line,
                    model: None,
                }),
                Some(Current::Lines(lines, Form::JsonLines, path)) => {
                    lines.next_json::<Fields>()?.map(|fields| fields.document(path, lines.line(), &self.read)).transpose()?
                }
                Some(Current::Lines(lines, Form::Text, path)) => {
                    let number = lines.line() + 1;
                    let text = lines.next_line()?.map(|line| std::str::from_utf8(line).map(str::to_owned)).transpose();
                    let text = text.map_err(|e| ovid_io::Error::malformed(path, Place::Line(number), format!("not UTF-8 text: {e}")))?;
                    text.map(|text| SetDocument { text, ..nameless(path, number) })
                }
            };
            match found {
                Some(document) => return Ok(Some(document)),
                None => self.current = None,
            }
        }
    }
}

/// A document that has no name of its own: the file's name without extensions, and the line.
fn nameless(path: &Path, line: u64) -> SetDocument {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let name = name.strip_suffix(".zst").or(name.strip_suffix(".gz")).unwrap_or(&name);
    let source = name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned();
    SetDocument { source, id: line.to_string(), file: path.to_owned(), line, ..SetDocument::default() }
}

/// The fields of a JSON object in the order in which they stand there.
struct Fields(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with a text")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

impl Fields {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    fn document(self, path: &Path, line: u64, read: &Read) -> Result<SetDocument, Error> {
        let unnamed = nameless(path, line);
        let string = |name| self.get(name).and_then(Value::as_str).map(str::to_owned);
        let id = self.get("id").and_then(|id| match id {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        });
        let mut strings = Vec::new();
        if read.fields.is_empty() {
            match self.get("text") {
                Some(text @ Value::String(_)) => collect(text, &mut strings),
                _ => self.0.iter().for_each(|(_, value)| collect(value, &mut strings)),
            }
        } else {
            for name in &read.fields {
                let Some(value) = self.get(name) else {
                    let names: Vec<&str> = self.0.iter().map(|(n, _)| n.as_str()).take(20).collect();
                    let cause = format!("there is no field {name:?}; the fields are {}", names.join(", "));
                    return Err(ovid_io::Error::malformed(path, Place::Line(line), cause).into());
                };
                collect(value, &mut strings);
            }
        }
        let text = strings.join("\n");
        let source = string("source").unwrap_or(unnamed.source);
        let model = self.get("model").and_then(|model| serde_json::from_value(model.clone()).ok());
        Ok(SetDocument { text, source, id: id.unwrap_or(unnamed.id), file: unnamed.file, line, model })
    }
}

fn collect<'a>(value: &'a Value, strings: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => strings.push(text),
        Value::Array(values) => values.iter().for_each(|v| collect(v, strings)),
        Value::Object(fields) => fields.values().for_each(|v| collect(v, strings)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(name: &str, content: &str, read: Read) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let documents = Set::new("s", vec![path], read).documents().map_err(|e| e.to_string())?;
        documents.map(|d| d.map(|d| d.text).map_err(|e| e.to_string())).collect()
    }

    #[test]
    fn a_lines_text_is_text_or_all_its_strings_or_the_fields_named() {
        let lines = "{\"z\": \"one\", \"a\": [\"two\", 3, {\"b\": \"four\"}]}\n\n{\"x\": \"no\", \"text\": \"yes\", \"id\": 7}\n";
        assert_eq!(texts("s.jsonl", lines, Read::default()).unwrap(), ["one\ntwo\nfour", "yes"]);
        let fields = |names: &[&str]| Read { fields: names.iter().map(|&n| n.to_owned()).collect(), ..Read::default() };
        assert_eq!(texts("s.jsonl", "{\"q\": \"one\", \"a\": \"two\"}", fields(&["a", "q"])).unwrap(), ["two\none"]);
        let error = texts("s.jsonl", "{\"q\": \"one\"}", fields(&["a"])).unwrap_err();
        assert!(error.contains("s.jsonl' line 1: there is no field \"a\"; the fields are q"), "{error}");
    }

    #[test]
    fn a_text_is_one_document_or_one_a_line() {
        assert_eq!(texts("s.txt", "one\ntwo\n", Read::default()).unwrap(), ["one\ntwo\n"]);
        assert_eq!(texts("s.txt", "one\ntwo\n", Read { by_line: true, ..Read::default() }).unwrap(), ["one", "two"]);
        assert_eq!(texts("s.txt", "", Read::default()).unwrap(), [""]);
    }
}
