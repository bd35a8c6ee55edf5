"""Follows a service by its event stream, until it is deployed anew.

    python monitor.py http://127.0.0.1:8000

Prints a line for each change; one that begins with ALARM is for a person. Exit status: 0 the service
is being deployed, so start again; 1 the stream broke off without a word; 2 it could not begin. Needs
httpx and httpx-sse: pip install httpx httpx-sse
"""

import sys

DEPLOYED, LOST, UNKNOWN = 0, 1, 2

# The service writes at least every 4 s.
SILENCE = 10


def fail(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(UNKNOWN)


try:
    import httpx
    from httpx_sse import SSEError, connect_sse
except ImportError as error:
    fail(f"the Python package {error.name} is missing: pip install httpx httpx-sse")


def line(report: dict) -> str:
    status, checks = report["status"], report.get("checks", {})
    # A deploy looks unhealthy to a balancer, and must not ring the alarm.
    if "$drain" in checks:
        return "being deployed"
    failing = [
        f"{name} ({check['message']})" if "message" in check else name
        for name, check in checks.items()
        if check["state"] != "healthy"
    ]
    text = f"{status}: {', '.join(failing)}" if failing else status
    return f"ALARM {text}" if status == "unhealthy" else text


def main() -> int:
    if len(sys.argv) != 2 or not sys.argv[1].startswith(("http://", "https://")):
        fail("expected the URL of a service, e.g. python monitor.py http://127.0.0.1:8000")
    url = sys.argv[1].rstrip("/")
    last = None
    try:
        with (
            httpx.Client(timeout=SILENCE) as client,
            connect_sse(client, "GET", url + "/health/$stream?on=change") as source,
        ):
            if source.response.status_code != 200:
                # 503: `max_streams` are open, or a balancer has no instance.
                fail(f"{url}/health/$stream answers {source.response.status_code}")
            for event in source.iter_sse():
                last = line(event.json())
                print(last, flush=True)
    except SSEError:
        fail(f"{url}/health/$stream is not an event stream")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        if last is None:
            fail(f"no answer from {url}: {error or type(error).__name__}")
    if last == "being deployed":
        return DEPLOYED
    print(f"ALARM {url} has ended its stream without a word", flush=True)
    return LOST


try:
    sys.exit(main())
except KeyboardInterrupt:
    sys.exit(130)
