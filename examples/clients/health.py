"""Asks a service once how it is.

    python health.py http://127.0.0.1:8000

Prints the state, and a line for each check that is not healthy. Exit status: 0 healthy, degraded or
being deployed; 1 unhealthy; 2 no answer, or wrong use. Needs httpx: pip install httpx
"""

import sys

OK, UNHEALTHY, UNKNOWN = 0, 1, 2


def fail(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(UNKNOWN)


try:
    import httpx
except ImportError:
    fail("the Python package httpx is missing: pip install httpx")


def main() -> int:
    if len(sys.argv) != 2 or not sys.argv[1].startswith(("http://", "https://")):
        fail("expected the URL of a service, e.g. python health.py http://127.0.0.1:8000")
    url = sys.argv[1].rstrip("/")
    try:
        # The service answers within 900 ms, its default `deadline`.
        response = httpx.get(url + "/health", timeout=2)
        # Not `raise_for_status()`: a 503 has the same report.
        report = response.json()
        status, checks = report["status"], report.get("checks", {})
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        fail(f"no answer from {url}: {error or type(error).__name__}")
    except (ValueError, KeyError, TypeError, AttributeError):
        fail(f"{url}/health answers {response.status_code} without a health report")

    # The service is being replaced: not healthy, and nothing to be woken for.
    draining = checks.pop("$drain", None)
    print("being deployed" if draining else status)
    for name, check in checks.items():
        if check["state"] != "healthy":
            message = f": {check['message']}" if "message" in check else ""
            print(f"{name} is {check['state']}{message}")
    return UNHEALTHY if status == "unhealthy" and not draining else OK


sys.exit(main())
