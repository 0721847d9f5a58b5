"""What the REST interface's description says, tried on the interface by schemathesis."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from node.bank.tokens import Tokens
from tests.node.bank.test_api import serving
from tests.node.bank.test_queries import ready
from tests.node.bank.world import World

CHECKS = ",".join(
    (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "negative_data_rejection",
        "missing_required_header",
        "unsupported_method",
        "ignored_auth",
    )
)


async def test_the_interface_is_as_described(bank_world: World, tmp_path: Path) -> None:
    """One fixed set of examples and edge cases: what it finds, it finds at every run."""
    async with bank_world.bank() as bank:
        await ready(bank_world, bank)
        token = Tokens.of(bank.agent.config).add("schemathesis")
        async with serving(bank) as address:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "schemathesis.cli", "run"),
                *(f"{address}/v1/openapi.json", "--header", f"Authorization:Bearer {token}"),
                *("--phases", "examples,coverage,fuzzing", "--checks", CHECKS),
                *("--max-examples", "8", "--seed", "1", "--generation-deterministic"),
                *("--continue-on-failure", "--warnings", "off"),
                cwd=tmp_path,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()
        assert b"passed" in output, output.decode()
