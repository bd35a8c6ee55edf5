//! What the pages of the repository name is there: links, paths, targets of cargo, tests.

use std::fs;
use std::path::{Path, PathBuf};

/// Where links of pages lead that are also read outside the repository, in a package registry.
const REPOSITORY: [&str; 3] = [
    "https://github.com/servicekit/servicekit-health/blob/main/",
    "https://github.com/servicekit/servicekit-health/tree/main/",
    "https://raw.githubusercontent.com/servicekit/servicekit-health/main/",
];

/// Pages that go into a package: nothing beside them is there.
const PACKAGED: [&str; 2] = ["servicekit-health/README.md", "servicekit-health-macros/README.md"];

/// Pages about the repository: each path in them is one of it, from its root or from one of these.
const PATHS: [&str; 5] = [
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "README.md",
    ".github/PULL_REQUEST_TEMPLATE.md",
];
const BASES: [&str; 5] =
    ["", "servicekit-health", "servicekit-health/src", "servicekit-health-macros", "tests"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The files below the root of which the name ends so, by their path from there.
fn files(ending: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                if !["target", "node_modules", ".git"].contains(&name) {
                    walk(&path, ending, found);
                }
            } else if name.ends_with(ending) {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    let mut found = Vec::new();
    walk(&root(), ending, &mut found);
    found.sort();
    assert!(!found.is_empty(), "no files end with {ending}");
    found
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Each line outside of code blocks with its number.
fn prose(page: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut code = false;
    page.lines().zip(1..).filter_map(move |(line, number)| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        (!code && !fence).then_some((number, line))
    })
}

/// The targets of `[text](target)` and of `[text]: target`.
fn links(line: &str) -> Vec<&str> {
    let mut links: Vec<_> = line
        .match_indices("](")
        .filter_map(|(start, it)| line[start + it.len()..].split([')', ' ']).next())
        .collect();
    if line.starts_with('[')
        && let Some((_, target)) = line.split_once("]: ")
    {
        links.push(target);
    }
    links
}

/// The texts in backticks.
fn spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

#[track_caller]
fn assert_none(wrong: &[String], what: &str) {
    assert!(wrong.is_empty(), "{what}:\n{}", wrong.join("\n"));
}

#[test]
fn the_links_of_all_pages_lead_to_files() {
    let mut wrong = Vec::new();
    let mut followed = 0;
    for page in files(".md") {
        let text = read(&page);
        let packaged = PACKAGED.iter().any(|it| page == Path::new(it));
        for (number, line) in prose(&text) {
            for link in links(line) {
                let target = link.split('#').next().unwrap_or_default();
                // An anchor, or an item of the documentation, which rustdoc checks.
                if target.is_empty() || target.contains("::") {
                    continue;
                }
                let in_repository = REPOSITORY.iter().find_map(|it| target.strip_prefix(it));
                let path = match in_repository {
                    Some(path) => root().join(path),
                    None if target.contains("://") => continue,
                    None => root().join(page.parent().unwrap()).join(target),
                };
                followed += 1;
                if !path.exists() || (packaged && in_repository.is_none()) {
                    wrong.push(format!("{}:{number}: {link}", page.display()));
                }
            }
        }
    }
    assert!(followed > 20, "only {followed} links were found");
    assert_none(&wrong, "links that lead nowhere, or only within the repository");
}

/// Whether a word is a path of the repository: by the folder that it begins with, or by how it ends.
fn is_path(word: &str) -> bool {
    let folders = [
        ".ci/",
        ".github/",
        "examples/",
        "servicekit-health/",
        "servicekit-health-macros/",
        "tests/",
    ];
    let endings = ["/", ".rs", ".md", ".toml", ".txt", ".yml", ".proto", ".sh"];
    folders.iter().any(|it| word.starts_with(it))
        || (word.contains('/')
            && !word.starts_with(['/', '$', '.'])
            && !word.contains("//")
            && endings.iter().any(|it| word.ends_with(it)))
}

#[test]
fn the_paths_in_pages_about_the_repository_are_there() {
    let mut wrong = Vec::new();
    let mut followed = 0;
    for page in PATHS {
        let text = read(page);
        let mut code = false;
        for (line, number) in text.lines().zip(1..) {
            code ^= line.trim_start().starts_with("```");
            // Commands, and the pictures of ARCHITECTURE.md.
            let named = if code { vec![line] } else { spans(line).collect() };
            let words = named.into_iter().flat_map(|it| it.split([' ', '(', ')', ',', ';', ':']));
            for path in words.map(|it| it.trim_end_matches('.')).filter(|it| is_path(it)) {
                followed += 1;
                if !BASES.iter().any(|base| root().join(base).join(path).exists()) {
                    wrong.push(format!("{page}:{number}: {path}"));
                }
            }
        }
    }
    assert!(followed > 40, "only {followed} paths were found");
    assert_none(&wrong, "paths that do not exist");
}

#[test]
fn the_cargo_commands_of_all_pages_name_targets_that_exist() {
    let manifests: Vec<_> = files("Cargo.toml").iter().map(read).collect();
    let sources = files(".rs");
    let named = |name: &str| manifests.iter().any(|it| it.contains(&format!("name = \"{name}\"")));
    let source = |folder: &str, name: &str| {
        let endings = [format!("{folder}/{name}.rs"), format!("{folder}/{name}/main.rs")];
        sources.iter().any(|path| endings.iter().any(|it| path.ends_with(it)))
    };
    let mut wrong = Vec::new();
    let mut followed = 0;
    for page in files(".md") {
        for (line, number) in read(&page).lines().zip(1..) {
            let Some((_, command)) = line.split_once("cargo ") else { continue };
            let words: Vec<_> = command.split([' ', '`', ')']).collect();
            for pair in words.windows(2) {
                let name = pair[1].trim_end_matches([',', ';', '.', ':']);
                // A word that stands for any name is in capitals.
                if name.is_empty() || name.chars().all(char::is_uppercase) {
                    continue;
                }
                let there = match pair[0] {
                    "-p" | "--package" => named(name),
                    "--test" => source("tests", name) || named(name),
                    "--bench" => source("benches", name) || named(name),
                    "--example" => source("examples", name),
                    _ => continue,
                };
                followed += 1;
                if !there {
                    wrong.push(format!("{}:{number}: {} {name}", page.display(), pair[0]));
                }
            }
        }
    }
    assert!(followed > 10, "only {followed} targets were found");
    assert_none(&wrong, "targets that do not exist");
}

#[test]
fn every_bound_in_the_security_page_has_a_test_that_exists() {
    let sources = files(".rs").into_iter().filter(|it| it.starts_with("servicekit-health/src"));
    let library: Vec<_> = sources
        .map(|path| format!("mod {};\n{}", path.file_stem().unwrap().display(), read(&path)))
        .collect();
    let library = library.join("\n");
    let page = read("SECURITY.md");
    let (_, rows) = page.split_once("| resource | bound | test |").unwrap();
    let rows: Vec<_> = rows.lines().skip(2).take_while(|it| it.starts_with('|')).collect();
    assert!(rows.len() > 10, "only {} rows were found", rows.len());
    let mut wrong = Vec::new();
    for row in rows {
        let columns: Vec<_> = row.trim_matches('|').split('|').collect();
        let mut tests = spans(columns[2]).peekable();
        if tests.peek().is_none() && !columns[1].contains("not bounded") {
            wrong.push(format!("no test: {row}"));
        }
        for test in tests {
            let filter = test.rsplit(' ').next().unwrap_or_default();
            let is_there = if test.starts_with("cargo test -p servicekit-health --lib ") {
                library.contains(&format!("fn {filter}"))
                    || library.contains(&format!("mod {filter};"))
            } else {
                let file = test.split(' ').next().unwrap_or_default();
                let code = read(format!("servicekit-health/tests/{file}.rs"));
                let name = if file == filter { "" } else { filter };
                (code.contains("#[test]") || code.contains("#[tokio::test"))
                    && code.contains(&format!("fn {name}"))
            };
            if !is_there {
                wrong.push(format!("no such test: {test}"));
            }
        }
    }
    assert_none(&wrong, "bounds of SECURITY.md without a test");
}
