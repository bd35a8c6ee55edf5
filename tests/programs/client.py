"""A service's health as Python reads it, with the defaults of httpx (5 s of patience among them)."""

import asyncio
import sys
from datetime import datetime

import httpx
from httpx_sse import aconnect_sse, connect_sse


def states(*urls: str) -> None:
    """Three services: healthy, degraded, unhealthy."""
    expected = [("healthy", 200), ("degraded", 200), ("unhealthy", 503)]
    with httpx.Client(trust_env=False) as client:
        for url, (state, code) in zip(urls, expected, strict=True):
            for path in ["/health", "/health/", "/readyz"]:
                answer = client.get(url + path)
                assert answer.status_code == code, answer
                assert answer.is_success == (state != "unhealthy")
                assert answer.headers["content-type"] == "application/json"
                assert answer.headers["x-health-status"] == state
                assert answer.json()["status"] == state
                assert client.head(url + path).status_code == code
                assert client.options(url + path).status_code == code
            assert client.get(url + "/livez").json() == {"status": "healthy"}
        problem = client.get(urls[0] + "/health", params={"check": "rediss"})
        assert problem.status_code == 400
        assert problem.headers["content-type"] == "application/problem+json"
        assert "redis" in problem.json()["detail"]


def verbose(url: str) -> None:
    """A healthy service."""
    params = {"verbose": "", "check": ["redis", "database"], "exclude": "database"}
    with httpx.Client(trust_env=False) as client:
        checks = client.get(url + "/health", params=params).json()["checks"]
    assert list(checks) == ["redis"], checks
    redis = checks["redis"]
    at = datetime.fromisoformat(redis["checked_at"])
    assert at.tzinfo is not None
    assert abs((datetime.now(at.tzinfo) - at).total_seconds()) < 60
    assert redis["duration_ms"] >= 0


def stream(url: str) -> None:
    """A healthy service, each way to write the path."""
    for path in ["/health/$stream", "/health/%24stream"]:
        with (
            httpx.Client(trust_env=False) as client,
            connect_sse(client, "GET", url + path, params={"poll_interval": 0.2}) as source,
        ):
            source.response.raise_for_status()
            events = source.iter_sse()
            for _ in range(5):
                event = next(events)
                assert (event.event, event.id) == ("message", ""), event
                assert event.json()["status"] == "healthy"
        with httpx.Client(trust_env=False) as client:
            refused = client.get(url + path, params={"poll_interval": 0})
        assert refused.status_code == 400
        assert "poll_interval" in refused.json()["detail"]


def changes(url: str) -> None:
    """A healthy service that degrades much later, and then drains."""

    async def listen() -> None:
        params = {"on": "change", "poll_interval": 0.1}
        async with (
            httpx.AsyncClient(trust_env=False) as client,
            aconnect_sse(client, "GET", url + "/health/$stream", params=params) as source,
        ):
            async for event in source.aiter_sse():
                report = event.json()
                draining = "$drain" in report["checks"]
                print(report["status"], "draining" if draining else "serving", flush=True)

    asyncio.run(listen())


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
