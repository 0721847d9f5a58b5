"""The REST interface, version 1. Times are unix seconds, texts come in both languages.

Errors are problem documents (RFC 9457) in the language of Accept-Language. A query needs an
Idempotency-Key: the same key with the same body has the same result for ever, so that a client
repeats whatever it did not hear the end of.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import Body, FastAPI, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from federation.errors import FederationError
from node.bank.api.business import add_business
from node.bank.api.gate import answer, header, language_of
from node.bank.api.joint import add_joint
from node.bank.api.requests import Identifier, Key, caller_of, example, identifier_of, key_of
from node.bank.api.runs import BatchRuns
from node.bank.api.schemas import (
    BATCH_EXAMPLE,
    JOB_EXAMPLE,
    MODEL_EXAMPLE,
    RESULT_EXAMPLE,
    BatchBody,
    CertifyBody,
    PrepareBody,
    ProblemDocument,
    QueryBody,
)
from node.bank.bank import Bank
from node.bank.errors import BankError
from node.bank.jobs import Jobs
from node.bank.ledger import State
from node.bank.problems import Problem, problem_of
from node.bank.texts import Code, Said
from node.bank.tokens import Tokens
from node.bank.views import model_view, model_views
from node.errors import NodeError
from scoring.errors import ScoringError

_PROBLEM: Final[Mapping[int | str, dict[str, Any]]] = {
    "default": {
        "description": "A problem document, RFC 9457",
        # Beside a `model` FastAPI would say application/json.
        "content": {
            "application/problem+json": {
                "schema": {"$ref": "#/components/schemas/ProblemDocument"},
            }
        },
    }
}
Reference = Annotated[str, Path(max_length=128, description="Hash of the model's certificate.")]


def build_app(bank: Bank, jobs: Jobs, runs: BatchRuns, tokens: Tokens) -> FastAPI:
    """The application. The gate (token, size, log) goes around it, see `node.bank.api.server`."""
    app = FastAPI(
        title="Yinxin bank agent · 隐信银行端",
        version="1",
        description=__doc__ or "",
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        responses=dict(_PROBLEM),
    )
    _describe_security(app)
    _add_errors(app)
    _add_models(app, bank, jobs)
    _add_queries(app, bank)
    _add_batches(app, bank, runs)
    add_business(app, bank)
    add_joint(app, bank)

    @app.get("/v1/health", summary="Whether the agent works / 运行状态")
    async def health(request: Request) -> JSONResponse:
        language = language_of(request.headers.get("accept-language", ""))
        runtime = bank.agent.runtime
        healthy = runtime.store.healthy and runtime.transparency.publisher.answers
        found: dict[str, Any] = {"status": "ok" if healthy else "unavailable"}
        try:
            usable = tokens.usable()
        except NodeError:
            usable = False
        if not usable:
            missing = BankError(Code.TOKENS_MISSING, "api.tokens")
            found |= {"tokens": missing.problem(language), "remedy": missing.remedy(language)}
        return JSONResponse(found, 200 if healthy else 503)

    return app


def _add_models(app: FastAPI, bank: Bank, jobs: Jobs) -> None:
    @app.get("/v1/models", summary="Certified models / 已认证模型",
             responses=example(200, {"models": [MODEL_EXAMPLE]}))  # fmt: skip
    async def models() -> dict[str, Any]:
        return {"models": await model_views(bank)}

    @app.get("/v1/models/{model}", summary="One model / 单个模型",
             responses=example(200, MODEL_EXAMPLE))  # fmt: skip
    async def model(model: Reference) -> dict[str, Any]:
        return await model_view(bank, await bank.agent.model(model))

    @app.post("/v1/models", status_code=201, summary="Have a scorecard certified / 认证评分卡",
              responses=example(201, MODEL_EXAMPLE))  # fmt: skip
    async def certify(request: Request, body: CertifyBody) -> dict[str, Any]:
        made = await bank.certification.certify(
            json.dumps(body.scorecard),
            disclosed=body.disclosed,
            days=body.days,
            form=body.form,
            by=caller_of(request),
            chain=body.chain,
        )
        return await model_view(bank, made)

    @app.post("/v1/models/{model}/prepare", status_code=202,
              summary="Install where missing, and prepare / 安装并准备",
              responses=example(202, JOB_EXAMPLE))  # fmt: skip
    async def prepare(
        request: Request,
        response: Response,
        model: Reference,
        body: Annotated[PrepareBody | None, Body()] = None,
    ) -> dict[str, Any]:
        wanted = body or PrepareBody()
        found = await bank.agent.model(model)
        job = await jobs.prepare(found, wanted.epoch, wanted.buckets)
        response.headers["location"] = f"/v1/jobs/{job.id}"
        return job.to_dict(_language(request))

    @app.get("/v1/jobs/{job}", summary="How far a job is / 任务进度",
             responses=example(200, JOB_EXAMPLE))  # fmt: skip
    async def job(request: Request, job: Identifier) -> dict[str, Any]:
        return jobs.get(job).to_dict(_language(request))


def _add_queries(app: FastAPI, bank: Bank) -> None:
    @app.post("/v1/queries", summary="Ask about an enterprise / 查询企业",
              responses=example(200, RESULT_EXAMPLE))  # fmt: skip
    async def ask(request: Request, body: QueryBody, key: Key = "") -> dict[str, Any]:
        found = await bank.queries.ask(body.ask(), key_of(request, key))
        return found.result

    @app.get("/v1/queries/{query}", summary="A query's result / 查询结果",
             responses=example(200, RESULT_EXAMPLE))  # fmt: skip
    async def result(query: Identifier) -> dict[str, Any]:
        row = await bank.queries.row(identifier_of(query, Code.QUERY_UNKNOWN))
        if row.state is State.OPEN:
            return {"id": query, "state": row.state.value}
        return (await bank.queries.answer(row.id)).result

    @app.get("/v1/queries/{query}/evidence", summary="Evidence to verify / 可验证证据")
    async def evidence(query: Identifier, full: bool = False) -> dict[str, Any]:
        identifier = identifier_of(query, Code.QUERY_UNKNOWN)
        return await bank.evidence.export(identifier, full=full)


def _add_batches(app: FastAPI, bank: Bank, runs: BatchRuns) -> None:
    @app.post("/v1/batches", status_code=202, summary="Ask many questions / 批量查询",
              responses=example(202, BATCH_EXAMPLE))  # fmt: skip
    async def begin(
        request: Request, response: Response, body: BatchBody, key: Key = ""
    ) -> dict[str, Any]:
        asks = [item.ask() for item in body.items]
        batch = await bank.batches.begin(asks, key_of(request, key))
        response.headers["location"] = f"/v1/batches/{batch.id.hex()}"
        return (await runs.start(batch)).to_dict(_language(request))

    @app.get("/v1/batches/{batch}", summary="A batch's results so far / 批次结果",
             responses=example(200, BATCH_EXAMPLE))  # fmt: skip
    async def found(request: Request, batch: Identifier) -> dict[str, Any]:
        identifier = identifier_of(batch, Code.BATCH_UNKNOWN)
        return (await runs.get(identifier)).to_dict(_language(request))


def _add_errors(app: FastAPI) -> None:
    async def told(request: Request, error: Exception) -> Response:
        return _response(problem_of(error), request)

    async def invalid(request: Request, error: Exception) -> Response:
        faults = error.errors() if isinstance(error, RequestValidationError) else []
        first: Mapping[str, Any] = faults[0] if faults else {"loc": (), "msg": ""}
        # The input itself is not repeated: it may hold a consent.
        path = ".".join(str(part) for part in first["loc"] if part != "body") or "body"
        return _response(
            problem_of(BankError(Code.BODY_INVALID, path, reason=first["msg"])), request
        )

    async def http(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        remedy = Said("见 /v1/openapi.json", "see /v1/openapi.json")
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            problem = Said("该接口不支持此方法", "the resource has no such method")
            allowed = (
                (error.headers or {}).get("Allow", "") if isinstance(error, HTTPException) else ""
            )
            return _response(
                Problem("method_unknown", status, problem, remedy), request, allow=allowed
            )
        problem = Said("没有该接口", "there is no such resource")
        return _response(Problem("not_found", status, problem, remedy), request)

    for kind in (NodeError, FederationError, ScoringError):
        app.add_exception_handler(kind, told)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, told)


def _response(problem: Problem, request: Request, **more: str) -> Response:
    """A problem as a response, with more headers; sent by the same code that the gate uses."""

    class ProblemResponse(Response):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await answer(problem, scope, send, more)

    return ProblemResponse(status_code=problem.status)


def _language(request: Request) -> str:
    return language_of(header(request.scope, b"accept-language"))


def _describe_security(app: FastAPI) -> None:
    """Says in the OpenAPI document that all but health needs a bearer token."""
    original = app.openapi

    def described() -> dict[str, Any]:
        document = original()
        components = document.setdefault("components", {})
        components.setdefault("schemas", {})["ProblemDocument"] = (
            ProblemDocument.model_json_schema()
        )
        schemes = components.setdefault("securitySchemes", {})
        schemes["token"] = {"type": "http", "scheme": "bearer"}
        document["security"] = [{"token": []}]
        for operations in document.get("paths", {}).values():
            for operation in operations.values():
                # FastAPI's own: here what does not fit is a problem document, too.
                operation["responses"].pop("422", None)
        health = document.get("paths", {}).get("/v1/health", {})
        for operation in health.values():
            operation["security"] = []
        return document

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's documented way
