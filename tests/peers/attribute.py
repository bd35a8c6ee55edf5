"""What the crate and its attribute cost whoever builds a service: processor time of cargo and all that
it starts, and the size of the program. Builds take turns; nothing else of the machine is counted."""

import os
import resource
import shutil
from pathlib import Path

from measures import figure
from servers import BUILT, HERE, quietly

HOME = BUILT / "attribute"

MANIFEST = """[package]
name = "{name}"
version = "0.0.0"
edition = "2024"

[dependencies]
axum = {{ version = "0.8", default-features = false, features = ["http1", "tokio"] }}
tokio = {{ version = "1", features = ["macros", "net", "rt-multi-thread"] }}
"""

PROGRAM = """use axum::{{Router, routing::get}};

{functions}
#[tokio::main]
async fn main() -> std::io::Result<()> {{
    let app = Router::new().route("/", get(async || "hello")){merged};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    axum::serve(listener, app.into_make_service()).await
}}
"""

FUNCTION = """/// Whether part {index} answers.
{attribute}async fn part_{index}() -> std::io::Result<()> {{
    tokio::net::TcpStream::connect(("127.0.0.1", {index} + 6000)).await.map(drop)
}}

"""

# The functions are used without the crate too: the compiler does not check what nobody calls as it
# checks the rest.
BY_HAND = """
        .route("/health", get(async || {{
            let results = [{calls}];
            if results.iter().all(Result::is_ok) {{ "healthy" }} else {{ "unhealthy" }}
        }}))"""

KINDS = ("with", "without")


def package(kind, checks):
    return f"{kind}-{checks}"


def write(kind, checks, edit=0):
    """A service with so many checks, by the attribute or by hand."""
    attribute = "#[servicekit_health::health_check]\n" if kind == "with" else ""
    functions = "".join(FUNCTION.format(index=index, attribute=attribute) for index in range(checks))
    calls = ", ".join(f"part_{index}().await" for index in range(checks))
    merged = ".merge(servicekit_health::router())" if kind == "with" else BY_HAND.format(calls=calls)
    if checks == 0:
        merged = merged if kind == "with" else ""
    folder = HOME / package(kind, checks)
    (folder / "src").mkdir(parents=True, exist_ok=True)
    manifest = MANIFEST.format(name=folder.name)
    if kind == "with":
        manifest += f'servicekit-health = {{ path = "{HERE.parent.parent / "servicekit-health"}" }}\n'
    (folder / "Cargo.toml").write_text(manifest)
    program = PROGRAM.format(functions=functions, merged=merged)
    (folder / "src/main.rs").write_text(f"{program}\n#[allow(dead_code)]\nconst EDIT: u32 = {edit};\n")


def cargo(*arguments, target="target"):
    """The processor time of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    printed = quietly("cargo", *arguments, cwd=HOME, env=os.environ | {"CARGO_TARGET_DIR": str(HOME / target)})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, printed


def against(times):
    return figure([one / other for one, other in zip(times["with"], times["without"])])


def after_an_edit(checks, count):
    times = {kind: [] for kind in KINDS}
    for turn in range(count + 1):
        for kind in KINDS:
            write(kind, checks, edit=turn + 1)
            taken, _ = cargo("check", "--offline", "--package", package(kind, checks))
            # The first one checks the dependencies too.
            if turn > 0:
                times[kind].append(taken)
    return against(times)


def clean_builds(count):
    times = {kind: [] for kind in KINDS}
    for _ in range(count):
        for kind in KINDS:
            shutil.rmtree(HOME / "clean", ignore_errors=True)
            taken, _ = cargo("build", "--offline", "--package", package(kind, 0), target="clean")
            times[kind].append(taken)
    shutil.rmtree(HOME / "clean", ignore_errors=True)
    return against(times)


def sizes():
    kib = {}
    for kind in KINDS:
        for checks in (0, 50):
            cargo("build", "--offline", "--release", "--package", package(kind, checks))
            size = (HOME / "target/release" / package(kind, checks)).stat().st_size
            kib[package(kind, checks)] = round(size / 1024)
    return kib


def crates(kind):
    _, tree = cargo("tree", "--offline", "--edges", "normal", "--prefix", "none", "--package", package(kind, 0))
    return len({line.split()[0] for line in tree.splitlines() if line})


def attribute(seconds, count):
    members = [(kind, checks) for checks in (0, 10, 50) for kind in KINDS]
    for kind, checks in members:
        write(kind, checks)
    names = ", ".join(f'"{package(*member)}"' for member in members)
    Path(HOME, "Cargo.toml").write_text(
        f'[workspace]\nresolver = "3"\nmembers = [{names}]\n\n[profile.release]\nstrip = true\n'
    )
    cargo("fetch")
    return {
        "crates": {kind: crates(kind) for kind in KINDS},
        "check": {str(checks): after_an_edit(checks, 2 * count - 1) for checks in (0, 10, 50)},
        "clean": clean_builds((count + 1) // 2),
        "kib": sizes(),
    }
