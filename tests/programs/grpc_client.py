"""A service's health as the official gRPC client for Python reads it."""

import json
import sys
import time

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

# Longer than anything here takes on a busy machine.
PATIENCE = 30
Status = health_pb2.HealthCheckResponse.ServingStatus


def say(line: str) -> None:
    print(line, flush=True)


def check(health: health_pb2_grpc.HealthStub, service: str) -> str:
    request = health_pb2.HealthCheckRequest(service=service)
    return Status.Name(health.Check(request, timeout=PATIENCE).status)


def ask(address: str) -> None:
    """A service that is healthy but for `redis`."""
    with grpc.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        # What `grpc_health_probe` asks.
        assert check(health, "") == "NOT_SERVING"
        for service in ["liveness", "startup", "database", "shop.v1.Orders"]:
            assert check(health, service) == "SERVING", service
        assert check(health, "redis") == "NOT_SERVING"
        try:
            check(health, "shop.v1.Carts")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.NOT_FOUND, error
        else:
            raise AssertionError("an unknown service was found")

        answer = health.List(health_pb2.HealthListRequest(), timeout=PATIENCE)
        listed = {name: Status.Name(it.status) for name, it in answer.statuses.items()}
        assert listed == {
            "": "NOT_SERVING",
            "liveness": "SERVING",
            "readiness": "NOT_SERVING",
            "startup": "SERVING",
            "database": "SERVING",
            "redis": "NOT_SERVING",
            "shop.v1.Orders": "SERVING",
        }, listed


def watch(address: str, service: str) -> None:
    """Says every status until the stream ends."""
    with grpc.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest(service=service)
        for answer in health.Watch(request, timeout=PATIENCE):
            say(Status.Name(answer.status))
        say("end")


def balance(address: str, service: str) -> None:
    """Says the state of a channel that balances by health, whenever it changes."""
    config = {
        "loadBalancingConfig": [{"round_robin": {}}],
        "healthCheckConfig": {"serviceName": service},
    }
    options = [("grpc.service_config", json.dumps(config))]
    with grpc.insecure_channel(address, options=options) as channel:
        channel.subscribe(lambda state: say(state.name), try_to_connect=True)
        time.sleep(PATIENCE)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
