"""servicekit, the Python original, from PyPI: served by uvicorn, as its documentation says."""

import asyncio
import os
import socket

import uvicorn
from servicekit.api import BaseServiceBuilder, HealthState, ServiceInfo

# What it logs while it starts goes elsewhere: the address is this program's only line.
address = os.fdopen(os.dup(1), "w")
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

TAKES = int(os.environ["CHECK_MS"]) / 1000


async def check():
    if TAKES:
        await asyncio.sleep(TAKES)
    return HealthState.HEALTHY, None


checks = {f"check-{index}": check for index in range(int(os.environ["CHECKS"]))}
app = (
    BaseServiceBuilder(info=ServiceInfo(id="peer", display_name="Peer"))
    .with_monitoring(enabled=False)
    .with_health(checks=checks, include_database_check=False)
    .build()
)
listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
print("%s:%d" % listener.getsockname(), file=address, flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run(sockets=[listener])
