"""What is measured. Every figure is a ratio of two measurements in the same round, or a count; rounds
take turns among the servers, so that a machine that slows down slows all."""

import contextlib
import json
import subprocess
import sys
import time
from statistics import median

from servers import BUILT, MOST_FILES, STREAM_PATHS, Server, available

PEERS = [
    "static route", "servicekit-health", "by hand, cached", "by hand, join_all", "axum-health",
    "alexliesenfeld/health (Go)", "hellofresh/health-go (Go)", "terminus (Node)", "servicekit (Python)",
]


def figure(values):
    """The median, and between what the rounds were."""
    rounded = [float(f"{value:.4g}") for value in (median(values), min(values), max(values))]
    return dict(zip(("median", "least", "most"), rounded))


def started(stack, names, **setup):
    return [stack.enter_context(Server(name, **setup)) for name in available(names)]


def rounds(servers, count, measure):
    """The values of `measure(server)`, by server, in rounds that take turns; one before warms up."""
    values = {server.name: [] for server in servers}
    for turn in range(count + 1):
        for server in servers:
            value = measure(server)
            if turn > 0:
                values[server.name].append(value)
    return values


def ratios(values, base, key=lambda value: value):
    """Against the base's value of the same round."""
    against = [key(value) for value in values[base]]
    return {
        name: figure([key(value) / other for value, other in zip(all_values, against)])
        for name, all_values in values.items()
    }


def busy_each(result):
    return result["busy"] / result["answered"]


def requests(seconds, count):
    """Processor time of the server for a request on a kept connection, 32 at a time."""
    with contextlib.ExitStack() as stack:
        values = rounds(started(stack, PEERS), count, lambda server: server.load("requests", 32, seconds))
    return ratios(values, "static route", busy_each)


def connections(seconds, count):
    """The same for a request on a connection of its own."""
    with contextlib.ExitStack() as stack:
        values = rounds(started(stack, PEERS), count, lambda server: server.load("connections", 2000 * seconds))
    return ratios(values, "static route", busy_each)


def latency(seconds, count):
    """At 400 requests a second, from the moment at which each was due."""
    with contextlib.ExitStack() as stack:
        values = rounds(started(stack, PEERS), count, lambda server: server.load("latency", 400, 2 * seconds))
    return {p: ratios(values, "static route", lambda result: result[p]) for p in ("p50", "p99")}


def cold(seconds, count):
    """One request after another to five checks of 50 ms without a cache, against one such check."""
    with contextlib.ExitStack() as stack:
        servers = started(stack, PEERS[1:], check_ms=50, cache=False)
        # Its cache has no switch.
        servers = [server for server in servers if server.name != "by hand, cached"]
        values = rounds(servers, count, lambda server: server.load("requests", 1, seconds))
    each = lambda result: result["seconds"] / result["answered"] / 0.05
    return {name: figure([each(result) for result in results]) for name, results in values.items()}


def checks(seconds, count):
    """Processor time for a request by the number of checks, against a static route of the same bytes."""
    names = ["static route", "servicekit-health", "by hand, cached", "by hand, join_all", "axum-health"]
    by_count = {}
    for number in (1, 10, 100, 1000, 10_000):
        with contextlib.ExitStack() as stack:
            servers = started(stack, names, checks=number)
            values = rounds(servers, count, lambda server: server.load("requests", 8, seconds))
        by_count[str(number)] = ratios(values, "static route", busy_each)
    return by_count


def idle(seconds, count):
    """Nobody asks: wake-ups a second, and processor time in millionths of the time that passes."""
    names = [name for name in PEERS if name != "static route"]
    names += ["servicekit-health, background", "by hand, a loop each"]
    period = 5 * seconds
    with contextlib.ExitStack() as stack:
        servers = started(stack, names, checks=100)
        for server in servers:
            # The first request starts what runs in the background.
            server.load("connections", 1)
        values = {server.name: [] for server in servers}
        for turn in range(count):
            time.sleep(2)
            before = {server.name: (server.sleeps(), server.busy()) for server in servers}
            time.sleep(period)
            for server in servers:
                sleeps, busy = before[server.name]
                values[server.name].append(((server.sleeps() - sleeps) / period, (server.busy() - busy) / period * 1e6))
    of = lambda index: {name: figure([pair[index] for pair in pairs]) for name, pairs in values.items()}
    return {"wake_ups": of(0), "busy": of(1)}


def hold(server, number, period):
    """Streams that are open together for a while: KiB each, processor time for an event, lateness."""
    before = server.resident_kib()
    command = [BUILT / "release" / "load", "streams", server.address, STREAM_PATHS[server.name], str(number), str(period)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as load:
        opened = load.stdout.readline()
        busy = server.busy()
        result = load.stdout.readline() if opened else ""
        busy = server.busy() - busy
        resident = server.resident_kib()
    if not result:
        sys.exit(f"{server.name}: {number} streams could not be held, see above")
    result = json.loads(result)
    return {
        "kib": (resident - before) / number,
        "busy": busy / result["events"],
        # Of the second between two ticks.
        "late": result["p99"] * 100,
        "sent": result["events"] / number / period * 100,
    }


def streams(seconds, count):
    """Ten checks, an event a second: every figure against the events that axum's `Sse` sends by hand."""
    by_count = {}
    for number in (100, 1000, 10_000):
        if number + 100 > MOST_FILES:
            print(f"skipped: {number} streams: the limit of open files is {MOST_FILES}; raise it with `ulimit -Hn`")
            continue
        # A process of the original has one thread, which 10,000 events a second are too much for.
        names = [name for name in STREAM_PATHS if number <= 1000 or "Python" not in name]
        values = {name: [] for name in available(names)}
        for _ in range((count + 1) // 2):
            for name, results in values.items():
                # A new process each time: memory that streams leave behind is used again by the next.
                with Server(name, checks=10) as server:
                    server.load("requests", 1, 1)
                    results.append(hold(server, number, 4 * seconds))
        by_count[str(number)] = {
            "kib": {name: figure([result["kib"] for result in results]) for name, results in values.items()},
            "busy": ratios(values, "by hand, cached", lambda result: result["busy"]),
            "late": {name: figure([result["late"] for result in results]) for name, results in values.items()},
            "sent": {name: figure([result["sent"] for result in results]) for name, results in values.items()},
        }
    return by_count


PARTS = {
    "requests": requests, "connections": connections, "latency": latency, "cold": cold, "checks": checks,
    "idle": idle, "streams": streams,
}
