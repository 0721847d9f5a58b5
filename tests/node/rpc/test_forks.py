"""Programs that are started by fork, as those of another user are, while calls are under way."""

from __future__ import annotations

import asyncio
import os
import subprocess

import node.rpc  # noqa: F401

import grpc  # isort: skip  # after node.rpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc  # isort: skip

PROGRAMS = 40


async def test_a_program_started_by_fork_is_not_killed_by_grpc() -> None:
    server = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = health_pb2_grpc.HealthStub(channel)

            async def call() -> None:
                while True:
                    await stub.Check(health_pb2.HealthCheckRequest())

            calls = [asyncio.create_task(call()) for _ in range(4)]
            # A program of another user, even of the same one, is forked; others are not.
            codes = [
                await asyncio.to_thread(started_by_fork, ["/bin/true"]) for _ in range(PROGRAMS)
            ]
            for one in calls:
                one.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
    finally:
        await server.stop(None)
    assert codes == [0] * PROGRAMS


def started_by_fork(command: list[str]) -> int:
    return subprocess.run(command, user=os.geteuid()).returncode
