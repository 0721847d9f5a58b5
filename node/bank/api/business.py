"""Applications, loans and registered batches over REST; see `node.bank.business`."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import FastAPI
from pydantic import Field

from node.bank.api.schemas import Body, Pseudonym
from node.bank.bank import Bank
from node.bank.business import MOST_QUERIES, BatchPlan, Matter

_TITLES: Final = {
    Matter.APPLICATION: ("an application / 业务申请", "the application / 业务申请"),
    Matter.LOAN: ("a loan / 贷款", "the loan / 贷款"),
}
_SECONDS: Final = {"ge": 1_000_000_000, "lt": 10_000_000_000}

Reference = Annotated[
    Pseudonym,
    Field(
        description="The bank's own number; it names no enterprise. 业务编号",
        examples=["A2027-00118"],
    ),
]
Officer = Annotated[
    Pseudonym, Field(description="Pseudonym of the officer. 经办人化名", examples=["officer-7"])
]


class MatterBody(Body):
    """An application or a loan, and who opens or closes it."""

    reference: Reference
    officer: Officer


class RegisterBody(Body):
    """A post-loan batch that is to run, at night say. Times in unix seconds."""

    batch: Annotated[
        Pseudonym, Field(description="The batch's name. 批次名", examples=["monthly-2027-01"])
    ]
    officer: Officer
    begins: Annotated[int, Field(alias="from", **_SECONDS, examples=[1_800_018_000])]
    ends: Annotated[int, Field(alias="until", **_SECONDS, examples=[1_800_036_000])]
    size: Annotated[int, Field(ge=1, le=MOST_QUERIES, description="How many queries it has.")]
    purpose: Annotated[
        str, Field(max_length=32, description="01: batches are for post-loan. 贷后管理")
    ] = "01"

    def plan(self) -> BatchPlan:
        """The batch in the agent's own form."""
        return BatchPlan(self.batch, self.officer, self.begins, self.ends, self.size, self.purpose)


BUSINESS_EXAMPLE: Final[dict[str, Any]] = {
    "kind": "application",
    "reference": "A2027-00118",
    "state": "open",
    "opened": 1_800_000_000,
}
REGISTERED_EXAMPLE: Final[dict[str, Any]] = {
    "batch": "monthly-2027-01",
    "officer": "officer-7",
    "purpose": "01",
    "from": 1_800_018_000,
    "until": 1_800_036_000,
    "size": 1200,
    "registered": 1_800_000_000,
}


def add_business(app: FastAPI, bank: Bank) -> None:
    """Adds the routes."""
    for matter in Matter:
        _add_matter(app, bank, matter)

    @app.post("/v1/registered-batches", status_code=201,
              summary="Register a post-loan batch before it runs / 登记贷后批次",
              responses=_example(201, REGISTERED_EXAMPLE))  # fmt: skip
    async def register(body: RegisterBody) -> dict[str, Any]:
        return await bank.business.register(body.plan())


def _add_matter(app: FastAPI, bank: Bank, matter: Matter) -> None:
    example = {**BUSINESS_EXAMPLE, "kind": matter.value}
    closed = {**example, "state": "closed", "closed": 1_800_086_400}
    (one, the), path = _TITLES[matter], f"/v1/{matter.value}s"

    @app.post(path, status_code=201, summary=f"Open {one}", responses=_example(201, example))
    async def open_(body: MatterBody) -> dict[str, Any]:
        return await bank.business.open(matter, body.reference, body.officer)

    @app.post(f"{path}/close", summary=f"Close {the}", responses=_example(200, closed))
    async def close(body: MatterBody) -> dict[str, Any]:
        return await bank.business.close(matter, body.reference, body.officer)


def _example(status: int, value: object) -> dict[int | str, dict[str, Any]]:
    return {status: {"content": {"application/json": {"example": value}}}}
