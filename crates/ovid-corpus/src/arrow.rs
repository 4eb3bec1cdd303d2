//! The stages that look at one document, over Arrow record batches: what a cluster engine such as `DataFusion` or Spark hands to a function, and gets back row for row.

use std::sync::Arc;

use arrow_array::{Array as _, ArrayRef, BooleanArray, RecordBatch, StringArray, cast::AsArray as _};
use arrow_schema::{ArrowError, DataType, Field, Schema};

use crate::clean::Stages;
use crate::{Document, Outcome};

/// Columns that are read where they are there; `text` must be.
const READ: [&str; 4] = ["text", "source", "id", "url"];

/// The columns that come back, as many rows as went in.
pub fn schema() -> Schema {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    Schema::new(vec![
        Field::new("kept", DataType::Boolean, false),
        text("text", true),
        text("language", true),
        text("stage", true),
        text("reason", true),
        text("detail", true),
    ])
}

/// Runs `stages` over the rows of a batch. A row that is left out has no `text`, and says which stage left it out and why.
///
/// ```
/// use std::sync::Arc;
/// use arrow_array::{Array, RecordBatch, StringArray, cast::AsArray};
/// use arrow_schema::{DataType, Field, Schema};
/// use ovid_corpus::{arrow::apply, clean::Stages, config::StageRule};
/// let schema = Arc::new(Schema::new(vec![Field::new("text", DataType::Utf8, false)]));
/// let batch = RecordBatch::try_new(schema, vec![Arc::new(StringArray::from(vec!["donâ€™t", "12345"]))]).unwrap();
/// let stages = Stages::new(&[StageRule::Repair(Default::default()), StageRule::Language(Default::default())]).unwrap();
/// let out = apply(&stages, &batch).unwrap();
/// assert_eq!(out.num_rows(), 2);
/// assert_eq!(out.column_by_name("reason").unwrap().as_string::<i32>().value(1), "no-language");
/// ```
///
/// # Errors
/// If the batch has no column `text`, or one of the columns read is not of type `Utf8`.
pub fn apply(stages: &Stages, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let mut columns: Vec<Option<&StringArray>> = Vec::new();
    for name in READ {
        let column = batch.column_by_name(name);
        let wrong = || ArrowError::SchemaError(format!("column '{name}' is not of type Utf8"));
        columns.push(column.map(|column| column.as_string_opt::<i32>().ok_or_else(wrong)).transpose()?);
    }
    let [Some(texts), sources, ids, urls] = columns[..] else {
        return Err(ArrowError::SchemaError("there is no column 'text'".to_owned()));
    };
    let value = |column: Option<&StringArray>, i: usize| column.filter(|c| c.is_valid(i)).map(|c| c.value(i).to_owned());
    let mut outcomes = Vec::with_capacity(batch.num_rows());
    for i in 0..batch.num_rows() {
        outcomes.push(stages.apply(Document {
            text: value(Some(texts), i).unwrap_or_default(),
            source: value(sources, i).unwrap_or_default(),
            id: value(ids, i).unwrap_or_default(),
            url: value(urls, i),
            ..Document::default()
        }));
    }
    let kept = |o: &Outcome| matches!(o, Outcome::Kept(_));
    let of_kept = |field: fn(&Document) -> Option<&str>| -> ArrayRef {
        Arc::new(outcomes.iter().map(|o| if let Outcome::Kept(d) = o { field(d) } else { None }).collect::<StringArray>())
    };
    let of_rows = |field: fn(&crate::Row) -> &str| -> ArrayRef {
        Arc::new(outcomes.iter().map(|o| if let Outcome::Dropped(row) = o { Some(field(row)) } else { None }).collect::<StringArray>())
    };
    RecordBatch::try_new(
        Arc::new(schema()),
        vec![
            Arc::new(outcomes.iter().map(|o| Some(kept(o))).collect::<BooleanArray>()),
            of_kept(|d| Some(&d.text)),
            of_kept(|d| d.language.as_deref()),
            of_rows(|r| &r.stage),
            of_rows(|r| &r.reason),
            of_rows(|r| &r.detail),
        ],
    )
}
