"""A gRPC server with the official health service, for the faults that an upstream has.

    python3 upstream.py PORT DIRECTORY

`DIRECTORY/down` makes it NOT_SERVING, `DIRECTORY/locked` lets it ask for credentials that nobody
has. It takes four calls at a time.
"""
import pathlib
import sys
import time
from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

port, directory = int(sys.argv[1]), pathlib.Path(sys.argv[2])
Status = health_pb2.HealthCheckResponse


class Lock(grpc.ServerInterceptor):
    def intercept_service(self, continuation, details):
        if (directory / "locked").exists():
            def refuse(request, context):
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "token expired")
            return grpc.unary_unary_rpc_method_handler(refuse)
        return continuation(details)


pool = futures.ThreadPoolExecutor(max_workers=8)
server = grpc.server(pool, interceptors=[Lock()], maximum_concurrent_rpcs=4)
servicer = health.HealthServicer(experimental_non_blocking=False)
health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
server.add_insecure_port(f"127.0.0.1:{port}")
server.start()
while True:
    down = (directory / "down").exists()
    servicer.set("readiness", Status.NOT_SERVING if down else Status.SERVING)
    time.sleep(0.02)
