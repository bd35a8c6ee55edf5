//! The index of errors in the guide has the texts that the code has.

use std::fmt::Write;
use std::fs;
use std::path::Path;

/// Every source file of both crates as one text, with the texts that go on over a line joined.
fn sources(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            for line in text.lines().map(str::trim) {
                match line.strip_suffix('\\') {
                    Some(begin) => all.push_str(begin),
                    None => all.extend([line, "\n"]),
                }
            }
        }
    }
}

/// The texts in code spans of a line: between one backtick, or between two.
fn spans(line: &str) -> Vec<&str> {
    let mut spans = Vec::new();
    let mut rest = line;
    while let Some(start) = rest.find('`') {
        let fence = if rest[start..].starts_with("`` ") { "`` " } else { "`" };
        let close = if fence == "`" { "`" } else { " ``" };
        let inner = &rest[start + fence.len()..];
        let Some(end) = inner.find(close) else { break };
        spans.push(&inner[..end]);
        rest = &inner[end + close.len()..];
    }
    spans
}

#[test]
fn the_index_of_errors_has_the_texts_of_the_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = String::new();
    sources(&root.join("src"), &mut code);
    sources(&root.join("../servicekit-health-macros/src"), &mut code);
    let code = code.replace("\\\"", "\"");

    let index = fs::read_to_string(root.join("src/guide/errors.md")).unwrap();
    let mut column = 0;
    let mut stale = String::new();
    let mut checked = 0;
    for line in index.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        if let Some(text) = cells.iter().position(|cell| ["text", "`detail`"].contains(cell)) {
            column = text;
            continue;
        }
        if line.starts_with("|---") || line.contains("(the compiler's)") {
            continue;
        }
        for span in spans(cells[column]) {
            checked += 1;
            let pieces = span.split('…').map(str::trim).filter(|piece| piece.len() > 2);
            for piece in pieces.filter(|piece| !code.contains(piece.trim_end_matches(':'))) {
                writeln!(stale, "`{piece}` of `{span}`").unwrap();
            }
        }
    }
    assert!(checked > 50, "{checked} texts");
    assert!(stale.is_empty(), "texts of the guide that the code does not have:\n{stale}");
}
