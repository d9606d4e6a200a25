//! `docs/conformance.md` lists the rows and their tests.

use std::path::Path;

/// What lies in the folder of these tests: every file and its text.
fn files() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/app/conformance");
    let files = std::fs::read_dir(folder).expect("the folder of these tests").flatten();
    let named = files.map(|file| {
        let text = std::fs::read_to_string(file.path()).expect("a file of these tests");
        (file.file_name().to_string_lossy().into_owned(), text)
    });
    named.collect()
}

#[test]
fn the_list_of_rows_names_each_test_of_a_row_and_only_what_is_there() {
    let list = include_str!("../../../../../docs/conformance.md");
    let named: Vec<(&str, &str)> = list.split('`').filter_map(|text| text.split_once("::")).collect();
    let files = files();
    for (file, test) in &named {
        let is_there = |(name, text): &(String, String)| {
            name == &format!("{file}.rs") && text.contains(&format!("fn {test}("))
        };
        assert!(files.iter().any(is_there), "there is no {file}::{test}");
    }
    let tests = files.iter().flat_map(|(_, text)| text.split("\nasync fn row_").skip(1));
    let tests: Vec<&str> = tests.filter_map(|text| text.split_once('(').map(|(name, _)| name)).collect();
    assert!(tests.len() >= 18, "{tests:?}");
    for test in tests {
        let is_named = |(_, name): &(&str, &str)| name.strip_prefix("row_") == Some(test);
        assert!(named.iter().any(is_named), "the list does not name row_{test}");
    }
}
