"""Several chains over REST: which there are, and one question to several of them."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request

from node.bank.api.requests import Identifier, Key, example, identifier_of, key_of
from node.bank.api.schemas import CHAIN_EXAMPLE, JOINT_EXAMPLE, JointBody
from node.bank.bank import Bank
from node.bank.chains.listing import chain_views
from node.bank.texts import Code


def add_joint(app: FastAPI, bank: Bank) -> None:
    """Adds the routes."""

    @app.get("/v1/chains", summary="The chains the bank can ask in / 征信链",
             responses=example(200, {"chains": [CHAIN_EXAMPLE]}))  # fmt: skip
    async def chains() -> dict[str, Any]:
        return {"chains": await chain_views(bank.agent)}

    @app.post("/v1/joint", summary="Ask several chains about one enterprise / 多链联合查询",
              description="One record a chain. A chain without a result is named, and the request "
              "fails unless `partial` is true. The same key with the same body, with or without "
              "`partial`, asks again only the chains that are missing, until the result is whole.",
              responses=example(200, JOINT_EXAMPLE))  # fmt: skip
    async def ask(request: Request, body: JointBody, key: Key = "") -> dict[str, Any]:
        return await bank.joint.ask(body.ask(), key_of(request, key))

    @app.get("/v1/joint/{joint}", summary="Its result / 联合查询结果",
             responses=example(200, JOINT_EXAMPLE))  # fmt: skip
    async def result(joint: Identifier) -> dict[str, Any]:
        return await bank.joint.result(identifier_of(joint, Code.QUERY_UNKNOWN))

    @app.get("/v1/joint/{joint}/evidence", summary="Evidence, chain by chain / 可验证证据")
    async def evidence(joint: Identifier, full: bool = False) -> dict[str, Any]:
        identifier = identifier_of(joint, Code.QUERY_UNKNOWN)
        return await bank.evidence.export_joint(identifier, full=full)
