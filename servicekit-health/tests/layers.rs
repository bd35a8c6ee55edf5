//! The folders of `src` depend on each other in one direction only, as ARCHITECTURE.md shows it.

use std::fs;
use std::path::{Path, PathBuf};

/// Each folder with the parts of the crate that it may use beside itself. What is not listed is on
/// top and may use everything.
const LAYERS: [(&str, &[&str]); 8] = [
    ("text", &[]),
    ("model", &["text"]),
    ("declare", &["model", "text"]),
    ("sources", &["declare", "model", "text", "sync"]),
    ("checks", &["sources", "declare", "model", "text", "sync"]),
    ("evaluate", &["declare", "model", "text", "sync"]),
    ("expose", &["evaluate", "declare", "model", "text", "sync"]),
    ("healthcheck", &["model", "text"]),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The parts of the crate that the code names, each with its line: `model` in `use crate::model::Probe;`
/// and, in a list, every first segment.
fn named(text: &str) -> Vec<(usize, String)> {
    let code: Vec<_> =
        text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let code = code.join("\n");
    let mut parts = Vec::new();
    for (start, path) in code.match_indices("crate::") {
        let before = &code[..start];
        // `$crate::` is the path of a macro's user.
        if before.ends_with(|char: char| char.is_alphanumeric() || "_$".contains(char)) {
            continue;
        }
        let line = before.matches('\n').count() + 1;
        let rest = &code[start + path.len()..];
        for path in rest.strip_prefix('{').map_or_else(|| vec![rest], items) {
            let path = path.trim_start();
            let end = path.find(|char: char| !char.is_alphanumeric() && char != '_');
            parts.push((line, path[..end.unwrap_or(path.len())].to_owned()));
        }
    }
    parts
}

/// The items of a list whose opening brace has been read.
fn items(list: &str) -> Vec<&str> {
    let (mut depth, mut begin, mut items) = (0, 0, Vec::new());
    for (position, char) in list.char_indices() {
        match char {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' if depth > 0 => {}
            ',' | '}' => {
                items.push(&list[begin..position]);
                begin = position + 1;
                if char == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    items.retain(|item| !item.trim().is_empty());
    items
}

/// Every use of a part that is above `folder`, with its place.
fn upward_uses(folder: &str, allowed: &[&str], file: &str, text: &str) -> Vec<String> {
    let is_above = |part: &str| part != folder && !allowed.contains(&part);
    let above = named(text).into_iter().filter(|(_, part)| is_above(part));
    above.map(|(line, part)| format!("{file}:{line}: `{folder}` uses `{part}`")).collect()
}

#[test]
fn no_folder_uses_one_above_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for (folder, allowed) in LAYERS {
        let mut files = Vec::new();
        if src.join(folder).is_dir() {
            sources(&src.join(folder), &mut files);
        }
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            let name = file.strip_prefix(&src).unwrap().display().to_string();
            wrong.extend(upward_uses(folder, allowed, &name, &text));
        }
    }
    assert!(wrong.is_empty(), "uses of a layer above:\n{}", wrong.join("\n"));
}

#[test]
fn every_folder_has_a_layer() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in fs::read_dir(src).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let is_layer = LAYERS.iter().any(|(layer, _)| *layer == name);
        let is_on_top = ["builder", "bin", "guide"].contains(&name.as_str());
        assert!(entry.path().is_file() || is_layer || is_on_top, "`{name}` is in no layer");
    }
}

#[test]
fn a_use_of_a_layer_above_is_found_and_others_are_not() {
    let text = "use crate::model::{Probe, Report};\n\
                // crate::expose is above\n\
                use crate::{\n  text::{cleaner, scrub},\n  expose::http,\n};\n\
                let it = $crate::builder();\n\
                let it = crate::evaluate::engine::now();\n";
    let wrong = upward_uses("declare", &["model", "text"], "a.rs", text);
    assert_eq!(wrong, ["a.rs:3: `declare` uses `expose`", "a.rs:8: `declare` uses `evaluate`"]);
}
