//! What an annotated function costs the compiler and the program, against a plain one.
//!
//! `cargo bench -p servicekit-health-tests --bench expansion_cost` builds crates of 0, 100 and
//! 1,000 functions, with the attribute and without, and prints the ratios. Beside them stands what
//! linkme takes: checks by hand with its element and the call alone, with all that the attribute says,
//! and its element alone. Times are medians of runs that take turns, so that a machine that slows down
//! slows all; on Linux they are processor time of cargo and all that it starts.

#![allow(clippy::print_stdout, reason = "that is where the figures go")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const MOST: usize = 1_000;
const COUNTS: [usize; 3] = [0, 100, MOST];
const ROUNDS: usize = 9;

/// What the project aims at, at 1,000 functions: the time of `cargo check` against that of linkme's
/// elements written by hand, which is most of it.
const CHECK_RATIO: f64 = 1.25;

/// The module of the runtime crate that the expansion names, `PRIVATE` in the code below.
const PRIVATE: &str = concat!("__private", env!("CARGO_PKG_VERSION_PATCH"));

/// What every function works with.
const POOL: &str = r#"//! Generated.

pub use std::time::{Duration, Instant};

#[derive(Debug)]
pub enum Error {
    Busy,
    Query { text: String, part: u32 },
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Error {}

pub struct Pool(pub u32);

impl Pool {
    pub async fn acquire(&self, part: u32) -> Result<Vec<String>, Error> {
        std::future::ready(()).await;
        if part == self.0 { Err(Error::Busy) } else { Ok(Vec::new()) }
    }
}
"#;

const ATTRIBUTE: &str = r#"
    #[servicekit_health::health_check(timeout = "300ms", tags = ["storage"])]"#;

/// About what a check does: ask something, name what went wrong, judge the answer.
const FUNCTION: &str = r#"
    /// Asks part INDEX whether it answers, and how far behind it is.
    pub async fn check_INDEX(pool: &Pool) -> Result<(), Error> {
        let started = Instant::now();
        let rows = pool.acquire(INDEX).await?;
        let failed = |text: &str| Error::Query { text: text.to_owned(), part: INDEX };
        let lag = rows.iter().map(|row| row.len()).max().unwrap_or_default();
        let slow = started.elapsed() > Duration::from_millis(50);
        match lag {
            0..100 if !slow => Ok(()),
            0..100 => Err(failed("slow")),
            _ => Err(failed("behind")),
        }
    }
"#;

/// A check without any macro of ours: an element of linkme's, and a closure that makes the call.
const BY_HAND: &str = "
    const _: () = {
        use servicekit_health::PRIVATE as health;
        use health::linkme;

        #[linkme::distributed_slice(crate::CHECKS)]
        #[linkme(crate = health::linkme)]
        static CHECK: crate::Run =
            |provided| health::run(health::future(check_INDEX(provided.borrowed())));
    };
";

/// Where those are gathered.
const CHECKS: &str = "
use servicekit_health::PRIVATE::{Provided, RunFuture, linkme};

pub type Run = for<'p> fn(&'p Provided) -> RunFuture<'p>;

#[linkme::distributed_slice]
#[linkme(crate = linkme)]
pub static CHECKS: [Run];
";

/// The same with all that the attribute says of a check: what it would take to write one by hand.
const COMPLETE: &str = r#"
    const _: () = {
        use servicekit_health::PRIVATE as health;
        use health::linkme;

        const DESCRIPTOR: health::CheckDescriptor = health::Declaration::new(
            "check_INDEX",
            (module_path!(), "check_INDEX"),
            (file!(), line!()),
            &[health::Parameter::required::<Pool>()],
            health::Run::Async(|provided| {
                health::run(health::future(check_INDEX(provided.borrowed())))
            }),
        )
        .timeout(300)
        .tags(&["storage"])
        .description("Asks part INDEX whether it answers, and how far behind it is.")
        .finish();

        #[linkme::distributed_slice(health::SERVICEKIT_HEALTH_CHECKS_V0_1)]
        #[linkme(crate = health::linkme)]
        static CHECK: health::CheckDescriptor = DESCRIPTOR;
    };
"#;

/// The least that linkme takes, which is no check yet: it carries a byte.
const ELEMENT: &str = "
    const _: () = {
        use servicekit_health::PRIVATE::linkme;

        #[linkme::distributed_slice(crate::BYTES)]
        #[linkme(crate = linkme)]
        static BYTE: u8 = 0;
    };
";

/// Where those are gathered.
const BYTES: &str = "
use servicekit_health::PRIVATE::linkme;

#[linkme::distributed_slice]
#[linkme(crate = linkme)]
pub static BYTES: [u8];
";

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Annotated,
    Plain,
    ByHand,
    Complete,
    Element,
}

impl Kind {
    /// Those that become programs.
    const PROGRAMS: [Self; 2] = [Self::Annotated, Self::Plain];

    /// What surrounds the functions once, and what follows each.
    const fn additions(self) -> (&'static str, &'static str) {
        match self {
            Self::Annotated | Self::Plain => ("", ""),
            Self::ByHand => (CHECKS, BY_HAND),
            Self::Complete => ("", COMPLETE),
            Self::Element => (BYTES, ELEMENT),
        }
    }

    fn package(self, count: usize) -> String {
        match self {
            Self::Annotated => format!("annotated-{count}"),
            Self::Plain => format!("plain-{count}"),
            Self::ByHand => format!("by-hand-{count}"),
            Self::Complete => format!("complete-{count}"),
            Self::Element => format!("element-{count}"),
        }
    }

    /// A module for each hundred functions, as a program of that size would have.
    fn library(self, count: usize) -> String {
        let mut code = POOL.to_owned();
        let (once, each) = self.additions();
        code.push_str(once);
        for first in (0..count).step_by(100) {
            let module = first / 100;
            writeln!(code, "\npub mod checks_{module} {{\n    use crate::*;").unwrap();
            for index in first..count.min(first + 100) {
                if self == Self::Annotated {
                    code.push_str(ATTRIBUTE);
                }
                let index = index.to_string();
                code.push_str(&FUNCTION.replace("INDEX", &index));
                code.push_str(&each.replace("INDEX", &index));
            }
            code.push_str("}\n");
        }
        code.replace("PRIVATE", PRIVATE)
    }

    /// The plain program keeps its functions in a table, as one does by hand.
    fn program(self, count: usize) -> String {
        let krate = self.package(count).replace('-', "_");
        match self {
            Self::Annotated => format!(
                "use {krate} as _;\nuse servicekit_health::{{CheckDescriptor, {PRIVATE}::Parameter}};\n\n\
                 fn main() {{\n    let count = servicekit_health::registered().count();\n    \
                 assert_eq!(count, {count});\n    println!(\"{{}}\", \
                 size_of::<CheckDescriptor>() + size_of::<Parameter>());\n}}\n"
            ),
            Self::Plain => {
                let mut code = format!(
                    "use std::pin::Pin;\nuse {krate}::Pool;\n\ntype Run = for<'a> fn(&'a Pool) -> \
                     Pin<Box<dyn Future<Output = Result<(), {krate}::Error>> + Send + 'a>>;\n\n\
                     static TABLE: [(&str, Run); {count}] = [\n"
                );
                for index in 0..count {
                    let module = index / 100;
                    writeln!(
                        code,
                        "    (\"check_{index}\", |pool| Box::pin({krate}::checks_{module}::check_{index}(pool))),"
                    )
                    .unwrap();
                }
                // The engine of the other program is in this one too, for a fair difference.
                code.push_str(
                    "];\n\nfn main() {\n    let _ = servicekit_health::registered().count();\n    \
                     for (name, run) in std::hint::black_box(&TABLE) {\n        \
                     println!(\"{name}{}\", size_of_val(&run(&Pool(1))));\n    }\n}\n",
                );
                code
            }
            Self::ByHand | Self::Complete | Self::Element => {
                unreachable!("only the library is built")
            }
        }
    }
}

/// Processor time of the processes that this one has started and that have ended; `None` where
/// there is no `/proc`. Counted in hundredths of a second.
fn spent_by_children() -> Option<Duration> {
    let status = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program, in brackets, may hold anything.
    let (_, fields) = status.rsplit_once(") ")?;
    let fields: Vec<_> = fields.split(' ').collect();
    let ticks = |field: usize| fields.get(field)?.parse::<u64>().ok();
    let (user, system) = (ticks(13)?, ticks(14)?);
    Some(Duration::from_millis((user + system) * 10))
}

struct Workspace {
    root: PathBuf,
}

impl Workspace {
    fn generate() -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("expansion-cost");
        let runtime = Path::new(env!("CARGO_MANIFEST_DIR")).join("../servicekit-health");
        let mut members = Vec::new();
        let programs = COUNTS.into_iter().flat_map(|count| Kind::PROGRAMS.map(|it| (count, it)));
        let others = [Kind::ByHand, Kind::Complete, Kind::Element].map(|kind| (MOST, kind));
        for (count, kind) in programs.chain(others) {
            let name = kind.package(count);
            let source = root.join(&name).join("src");
            fs::create_dir_all(&source).unwrap();
            let manifest = format!(
                "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
                     [dependencies]\nservicekit-health = {{ path = {:?} }}\n",
                runtime.to_str().unwrap()
            );
            fs::write(root.join(&name).join("Cargo.toml"), manifest).unwrap();
            fs::write(source.join("lib.rs"), kind.library(count)).unwrap();
            if Kind::PROGRAMS.contains(&kind) {
                fs::write(source.join("main.rs"), kind.program(count)).unwrap();
            }
            members.push(name);
        }
        let manifest = format!(
            "[workspace]\nresolver = \"3\"\nmembers = {members:?}\n\n[profile.release]\nstrip = true\n"
        );
        fs::write(root.join("Cargo.toml"), manifest).unwrap();
        let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
        let _: Result<u64, _> = fs::copy(lock, root.join("Cargo.lock"));
        Self { root }
    }

    fn cargo(&self, arguments: &[&str]) -> Duration {
        let (start, spent_before) = (Instant::now(), spent_by_children());
        let output = Command::new(env!("CARGO"))
            .current_dir(&self.root)
            .args(arguments)
            .args(["--offline", "--target-dir", "target"])
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        match (spent_before, spent_by_children()) {
            (Some(before), Some(after)) => after.saturating_sub(before),
            _ => start.elapsed(),
        }
    }

    /// The time that `command` takes after one line of the library has changed.
    fn after_an_edit(&self, kind: Kind, count: usize, round: usize, command: &str) -> Duration {
        let package = kind.package(count);
        let library = self.root.join(&package).join("src/lib.rs");
        let edited = format!("{}\npub const EDIT: usize = {round};\n", kind.library(count));
        fs::write(library, edited).unwrap();
        self.cargo(&[command, "--lib", "-p", &package])
    }

    /// The median of each kind, from runs that take turns.
    fn medians<const N: usize>(&self, kinds: [Kind; N], count: usize, command: &str) -> [f64; N] {
        for kind in kinds {
            self.after_an_edit(kind, count, ROUNDS, command);
        }
        let mut times = [const { Vec::new() }; N];
        for round in 0..ROUNDS {
            for (kind, times) in kinds.into_iter().zip(&mut times) {
                times.push(self.after_an_edit(kind, count, round, command));
            }
        }
        times.map(|mut times| {
            times.sort();
            times[ROUNDS / 2].as_secs_f64() * 1_000.0
        })
    }

    fn program(&self, kind: Kind, count: usize) -> PathBuf {
        let name = kind.package(count) + std::env::consts::EXE_SUFFIX;
        self.root.join("target/release").join(name)
    }

    fn program_size(&self, kind: Kind, count: usize) -> u64 {
        fs::metadata(self.program(kind, count)).unwrap().len()
    }
}

fn main() {
    let workspace = Workspace::generate();
    workspace.cargo(&["check", "--workspace", "--lib"]);

    println!("functions  cargo         attribute     plain  ratio");
    for count in COUNTS {
        for command in ["check", "build"] {
            let [annotated, plain] = workspace.medians(Kind::PROGRAMS, count, command);
            let ratio = annotated / plain;
            println!("{count:9}  {command:<6} {annotated:13.0} ms {plain:6.0} ms  {ratio:5.2}");
        }
    }

    let kinds = [Kind::Annotated, Kind::ByHand, Kind::Complete, Kind::Element, Kind::Plain];
    let [annotated, by_hand, complete, element, plain] = workspace.medians(kinds, MOST, "check");
    for (what, time) in [
        ("by hand: linkme's element with the call, nothing else", by_hand),
        ("by hand, with all that the attribute says", complete),
        ("an element of linkme's with one byte, no check", element),
    ] {
        let ratio = time / plain;
        println!("{MOST:9}  check  {time:13.0} ms {plain:6.0} ms  {ratio:5.2}  {what}");
    }
    let against_by_hand = annotated / by_hand;
    println!("`cargo check` against by hand: {against_by_hand:.2}, aimed at {CHECK_RATIO}");
    println!("and with all that the attribute says: {:.2}", annotated / complete);

    workspace.cargo(&["build", "--workspace", "--release"]);
    println!("\nfunctions  program       attribute     plain  ratio  bytes more per function");
    let [empty, empty_table] = Kind::PROGRAMS.map(|kind| workspace.program_size(kind, 0));
    for count in COUNTS {
        let [annotated, plain] = Kind::PROGRAMS.map(|kind| workspace.program_size(kind, count));
        print!("{count:9}  release {annotated:14} {plain:9}  ");
        #[expect(clippy::cast_precision_loss, reason = "of no matter to a ratio")]
        let ratio = annotated as f64 / plain as f64;
        match count {
            0 => println!("{ratio:5.2}"),
            count => {
                let count = count as u64;
                let each = (annotated - empty) / count;
                let each_of_table = (plain - empty_table) / count;
                println!("{ratio:5.2}  {each} against {each_of_table}");
            }
        }
    }

    let program = workspace.program(Kind::Annotated, MOST);
    let printed = Command::new(program).output().unwrap().stdout;
    let bytes: usize = String::from_utf8(printed).unwrap().trim().parse().unwrap();
    println!("\nstatic data of a check with one dependency, without strings: {bytes} bytes");
    println!("aimed at: 256 bytes a check");
}
