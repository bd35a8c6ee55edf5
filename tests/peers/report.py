"""The figures as tables of the page, and the page's plots."""

import json
import re

import plot
from servers import HERE

RESULTS = HERE / "results.json"
PAGE = HERE.parent.parent / "docs/performance.md"
IMAGES = PAGE.parent / "images"


def read():
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def write(results):
    # A line a part.
    lines = ",\n".join(f"{json.dumps(part)}: {json.dumps(result)}" for part, result in results.items())
    RESULTS.write_text(f"{{\n{lines}\n}}\n")


def number(value):
    """Three digits, which is more than most machines can tell apart."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def cell(figure):
    if figure is None:
        return ""
    middle, least, most = (number(figure[key]) for key in ("median", "least", "most"))
    return middle if least == most else f"{middle} ({least} to {most})"


def rows(head, lines):
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def by_server(columns, what=""):
    """A line a server, a column a measure: `{title: {server: figure}}`."""
    names = list(dict.fromkeys(name for figures in columns.values() for name in figures))
    lines = [[name] + [cell(figures.get(name)) for figures in columns.values()] for name in names]
    return rows([what, *columns], lines)


def by_number(what, by_count):
    """A line a server, a column a number of something."""
    return by_server({f"{int(count):,}": figures for count, figures in by_count.items()}, f"number of {what}")


def attribute(figures):
    kib, crates = figures["kib"], figures["crates"]
    grown = lambda checks: f"{kib[f'with-{checks}'] / kib[f'without-{checks}']:.2f}"
    sizes = lambda checks: f"{kib[f'with-{checks}']:,} : {kib[f'without-{checks}']:,} KiB"
    lines = [["clean build, processor time", cell(figures["clean"]), f"{crates['with']} : {crates['without']} crates"]]
    lines += [[f"`cargo check` after an edit, {checks} checks", cell(ratio), ""] for checks, ratio in figures["check"].items()]
    lines += [[f"release program, stripped, {checks} checks", grown(checks), sizes(checks)] for checks in (0, 50)]
    return rows(["", "with : without", ""], lines)


def table(part, figures):
    match part:
        case "requests" | "connections":
            return by_server({"processor time": figures})
        case "latency":
            return by_server(figures)
        case "cold":
            return by_server({"one check": figures})
        case "checks":
            return by_number("checks", figures)
        case "idle":
            return by_server({"wake-ups a second": figures["wake_ups"], "millionths of a core": figures["busy"]})
        case "streams":
            measures = {
                "kib": "KiB of memory for each stream",
                "busy": "Processor time for an event, against axum's `Sse` by hand",
                "late": "The p99 of the distance from the tick, percent of the second between two",
                "sent": "Events that came, percent of those that were due",
            }
            of = lambda measure: {count: all_figures[measure] for count, all_figures in figures.items()}
            return "\n\n".join(f"{title}:\n\n{by_number('streams', of(measure))}" for measure, title in measures.items())
        case "attribute":
            return attribute(figures)


def draw(results):
    """Writes what stands between the page's marks, and the plots."""
    page = PAGE.read_text()
    for part, result in results.items():
        note = f"{result['machine']}; rounds: {result['rounds']}, seconds of a turn: {result['seconds']}."
        if part == "requests":
            note += f" Versions: {result['versions']}."
        text = f"<!-- {part} -->\n{table(part, result['figures'])}\n\n{note}\n<!-- end -->"
        page, found = re.subn(rf"<!-- {part} -->.*?<!-- end -->", lambda _: text, page, flags=re.DOTALL)
        if found != 1:
            raise SystemExit(f"{PAGE} must have `<!-- {part} -->` and `<!-- end -->` once")
    PAGE.write_text(page)
    figures = {part: result["figures"] for part, result in results.items()}
    series = lambda by_count: {
        name: {int(count): all_figures[name]["median"] for count, all_figures in by_count.items() if name in all_figures}
        for name in dict.fromkeys(name for all_figures in by_count.values() for name in all_figures)
    }
    if "requests" in figures:
        values = {name: figure["median"] for name, figure in figures["requests"].items()}
        plot.bars(IMAGES / "peers-requests.svg", "Processor time of a request, static route = 1", values)
    if "checks" in figures:
        title = "Processor time of a request, static route of the same bytes = 1"
        plot.lines(IMAGES / "peers-checks.svg", title, "checks", series(figures["checks"]))
    if "streams" in figures:
        of = lambda measure: series({count: all_figures[measure] for count, all_figures in figures["streams"].items()})
        plot.lines(IMAGES / "peers-streams-memory.svg", "Memory of a stream, KiB", "streams", of("kib"))
        title = "Processor time of a stream's event, axum's Sse by hand = 1"
        plot.lines(IMAGES / "peers-streams-time.svg", title, "streams", of("busy"))
