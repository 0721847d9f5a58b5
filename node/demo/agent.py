"""The bank's own systems, as the demo plays them: clients of the agent's REST interface."""

from __future__ import annotations

import asyncio
import secrets
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx

from node.demo.errors import AgentError, DemoError

OFFICER = "officer-7"
JOINT_MODEL = "sample"
"""The name that the models of a bank share in all chains."""
OFFICER_QUERIES = 40
"""Queries an officer makes: an inspector asks about more than 50 in an hour."""
POLL_SECONDS = 0.3
KNOWN_SECONDS = 20.0
"""How long an epoch may take from the hub to the bank."""
TIMEOUT = 120.0


class AgentClient:
    """Calls one bank's agent."""

    def __init__(self, address: str, token: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=f"http://{address}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=TIMEOUT,
            trust_env=False,
        )

    async def close(self) -> None:
        """Lets go of the connections."""
        await self._http.aclose()

    async def certify(self, scorecard: Mapping[str, Any], chain: str = "") -> dict[str, Any]:
        """Has a scorecard certified, in another chain if given; the model as the agent lists it."""
        body = {"scorecard": scorecard, **({"chain": chain} if chain else {})}
        return await self._call("POST", "/v1/models", body)

    async def prepare(
        self, model: str, tell: Callable[[int, int], None], epoch: int | None = None
    ) -> dict[str, Any]:
        """Prepares every bucket, of the newest epoch that the bank knows unless one is given;
        `tell` hears how far it is. Returns the finished job.
        """
        job = await self._begin_prepare(model, epoch)
        while job["state"] in {"waiting", "running"}:
            await asyncio.sleep(POLL_SECONDS)
            job = await self._call("GET", f"/v1/jobs/{job['id']}")
            tell(job["done"], job["total"])
        if job["state"] != "done":
            problem = job["error"]
            raise AgentError("prepare", problem["status"], problem)
        return job

    async def _begin_prepare(self, model: str, epoch: int | None) -> dict[str, Any]:
        """The bank looks at what its hub publishes every few seconds: an epoch that was opened just
        now it may not know yet.
        """
        path, body = f"/v1/models/{model}/prepare", {} if epoch is None else {"epoch": epoch}
        for _ in range(round(KNOWN_SECONDS / POLL_SECONDS)):
            try:
                return await self._call("POST", path, body)
            except AgentError as error:
                if epoch is None or not str(error.problem.get("type")).endswith("no_open_epoch"):
                    raise
            await asyncio.sleep(POLL_SECONDS)
        return await self._call("POST", path, body)

    async def query(
        self,
        model: str,
        consent: str,
        purpose: str,
        key: str | None = None,
        officer: str = OFFICER,
        reference: str = "",
    ) -> dict[str, Any]:
        """One query; the result with its profile. Under a `key` that was used, the same query."""
        body = {
            "model": model,
            "consent": consent,
            "purpose": purpose,
            "officer": officer,
            "reference": reference or f"A{zlib.crc32(consent.encode()):010d}",
        }
        headers = {"Idempotency-Key": key or secrets.token_urlsafe(16)}
        return await self._call("POST", "/v1/queries", body, headers)

    async def open(self, matter: str, reference: str, officer: str) -> None:
        """Opens an application or a loan (`matter`) in the bank's books."""
        body = {"reference": reference, "officer": officer}
        await self._call("POST", f"/v1/{matter}s", body)

    async def joint(
        self, consent: str, purpose: str, key: str, *, partial: bool = False
    ) -> dict[str, Any]:
        """One query in every chain that enrols the firm; with `partial` also when one is away."""
        body = {
            "model": JOINT_MODEL,
            "consent": consent,
            "purpose": purpose,
            "officer": OFFICER,
            "reference": f"A{zlib.crc32(consent.encode()):010d}",
            "partial": partial,
        }
        return await self._call("POST", "/v1/joint", body, {"Idempotency-Key": key})

    async def batch(self, asks: Sequence[Mapping[str, Any]], key: str) -> dict[str, Any]:
        """Begins a batch of questions (bodies of queries), or finds the one under that key."""
        body = {"items": asks}
        return await self._call("POST", "/v1/batches", body, {"Idempotency-Key": key})

    async def batch_state(self, batch: str) -> dict[str, Any]:
        """How far a batch is, what it waits for, and the results so far."""
        return await self._call("GET", f"/v1/batches/{batch}")

    async def open_chains(self) -> set[str]:
        """The other chains in which the bank can ask."""
        found = await self._call("GET", "/v1/chains")
        return {one["chain"] for one in found["chains"] if one["usable"] and one["state"] != "own"}

    async def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        try:
            response = await self._http.request(method, path, json=body, headers=headers)
        except httpx.HTTPError as error:
            raise DemoError(f"bank agent: {method} {path}: {error!r}") from error
        if response.is_error:
            raise AgentError(f"{method} {path}", response.status_code, _problem(response))
        found: dict[str, Any] = response.json()
        return found


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        found = response.json()
    except ValueError:
        return {"detail": response.text}
    return found if isinstance(found, dict) else {"detail": response.text}
