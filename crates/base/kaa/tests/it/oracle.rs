//! Every published schema against `apache-avro`: what it writes, we read and write again to the same bytes; what it
//! would never write, we survive.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::schema::{Schema, UnionSchema};
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use proptest::prelude::*;
use proptest::strategy::{BoxedStrategy, Union};
use signet_kaa::RECORDS;

fn schemas() -> Vec<(String, Schema)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let mut found: Vec<_> = fs::read_dir(folder)
        .expect("schema folder")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "avsc"))
        .map(|path| {
            let schema = Schema::parse_str(&fs::read_to_string(&path).expect("schema")).expect("Avro schema");
            let Schema::Record(record) = &schema else { panic!("{} is no record", path.display()) };
            (record.name.fullname(None), schema)
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

fn values(schema: &Schema) -> BoxedStrategy<Value> {
    match schema {
        Schema::Null => Just(Value::Null).boxed(),
        Schema::Int => any::<i32>().prop_map(Value::Int).boxed(),
        Schema::Long => any::<i64>().prop_map(Value::Long).boxed(),
        Schema::String => any::<String>().prop_map(Value::String).boxed(),
        Schema::Bytes => any::<Vec<u8>>().prop_map(Value::Bytes).boxed(),
        Schema::Array(inner) => prop::collection::vec(values(&inner.items), 0..4).prop_map(Value::Array).boxed(),
        // One entry at most: the oracle writes maps in the random order of its hash map.
        Schema::Map(inner) => prop::collection::vec((any::<String>(), values(&inner.types)), 0..2)
            .prop_map(|entries| Value::Map(entries.into_iter().collect::<HashMap<_, _>>()))
            .boxed(),
        Schema::Union(union) => branches(union),
        Schema::Record(record) => {
            let fields: Vec<_> = record
                .fields
                .iter()
                .map(|f| {
                    values(&f.schema).prop_map({
                        let name = f.name.clone();
                        move |v| (name.clone(), v)
                    })
                })
                .collect();
            fields.prop_map(Value::Record).boxed()
        }
        other => panic!("a schema construct that no record of Kaa uses: {other:?}"),
    }
}

fn branches(union: &UnionSchema) -> BoxedStrategy<Value> {
    let branch = |(index, schema): (usize, &Schema)| {
        let index = u32::try_from(index).expect("few branches");
        values(schema).prop_map(move |v| Value::Union(index, Box::new(v))).boxed()
    };
    Union::new(union.variants().iter().enumerate().map(branch)).boxed()
}

#[test]
fn every_published_schema_has_its_record_and_every_record_its_schema() {
    let mut ours: Vec<_> = RECORDS.iter().map(|(name, _)| (*name).to_owned()).collect();
    ours.sort();
    let published: Vec<_> = schemas().into_iter().map(|(name, _)| name).collect();
    assert_eq!(ours, published);
}

#[test]
fn what_the_oracle_writes_comes_back_to_the_same_bytes() {
    let schemas = schemas();
    for (name, schema) in &schemas {
        let reencode = RECORDS.iter().find(|(n, _)| n == name).expect("record of the schema").1;
        let (reader, writer) =
            (GenericDatumReader::builder(schema).build().expect("reader"), GenericDatumWriter::builder(schema).build().expect("writer"));
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 64, ..ProptestConfig::default() });
        runner
            .run(&values(schema), |value| {
                let theirs = writer.write_value_to_vec(value.clone()).expect("the oracle encodes");
                let ours = reencode(&theirs).map_err(|e| TestCaseError::fail(format!("{name}: {e}")))?;
                prop_assert_eq!(&ours, &theirs, "{}", name);
                let read_back = reader.read_value(&mut ours.as_slice()).expect("the oracle decodes ours");
                prop_assert_eq!(read_back, value);
                Ok(())
            })
            .expect("every value survives");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic_and_what_decodes_is_stable(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for (name, reencode) in RECORDS {
            if let Ok(once) = reencode(&bytes) {
                prop_assert_eq!(reencode(&once), Ok(once), "{}", name);
            }
        }
    }
}
