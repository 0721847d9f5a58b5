"""The application log: JSON on one line, and no firm or secret in it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from federation.uscc import ALPHABET, Uscc
from node.observability.logging import BLANK, configure, get_logger, redact

CODE = "914403001922038216"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    target = io.StringIO()
    configure("info", "json", stream=target, node="spiffe://x.example/hub/h")
    yield target
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def records(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def blanked(value: object) -> Any:
    return redact(None, "info", {"field": value})["field"]


def test_a_record_is_one_line_of_json(stream: io.StringIO) -> None:
    get_logger("node.test").info("epoch opened", number=3, title="长三角\nsecond line")
    (record,) = records(stream)
    assert record["event"] == "epoch opened"
    assert record["number"] == 3
    assert record["title"] == "长三角\nsecond line"
    assert record["level"] == "info"
    assert record["logger"] == "node.test"
    assert record["node"] == "spiffe://x.example/hub/h"
    assert record["timestamp"].endswith("Z")


def test_the_level_filters_both_kinds(stream: io.StringIO) -> None:
    get_logger("a").debug("quiet")
    logging.getLogger("b").debug("quiet")
    get_logger("a").warning("loud")
    logging.getLogger("b").warning("loud %s", "too")
    assert [record["event"] for record in records(stream)] == ["loud", "loud too"]


def test_a_library_cannot_log_a_code(stream: io.StringIO) -> None:
    logging.getLogger("grpc").error("bad request for %s", CODE)
    logging.getLogger("uvicorn.access").info("GET /v1/firms/%s", CODE)
    logging.getLogger("uvicorn.error").warning("path /v1/firms/%s?x=1", CODE)
    assert CODE not in stream.getvalue()
    assert len(records(stream)) == 2


def test_an_exception_cannot_log_a_code(stream: io.StringIO) -> None:
    try:
        raise KeyError(CODE)
    except KeyError:
        get_logger("a").exception("failed")
        logging.getLogger("b").exception("failed too")
    first, second = records(stream)
    assert "KeyError" in first["exception"]
    assert "KeyError" in second["exception"]
    assert CODE not in stream.getvalue()


@given(st.integers(0, 31**8 - 1), st.sampled_from(["", " ", "-", "."]), st.booleans())
def test_a_code_is_blanked_however_it_is_written(serial: int, gap: str, lower: bool) -> None:
    code = str(Uscc.generate(serial))
    written = gap.join(code).lower() if lower else gap.join(code)
    for text in (
        written,
        f"firm {written}: refused",
        f"/firms/{written}/score",
        f"企业{written}。",
    ):
        assert BLANK in blanked(text)
        assert written not in blanked(text)


@given(st.text(ALPHABET, min_size=18, max_size=18))
def test_a_mistyped_code_is_blanked_too(code: str) -> None:
    assert blanked(f"uscc={code}") == f"uscc={BLANK}"


def test_a_code_is_found_wherever_it_hides() -> None:
    uscc = Uscc.parse(CODE)
    hidden = [uscc, [CODE], {"a": {"b": (CODE,)}}, {CODE: 1}, {CODE}, int(CODE), ValueError(CODE)]
    for value in hidden:
        assert CODE not in json.dumps(blanked(value)), value
    assert CODE not in json.dumps(redact(None, "info", {CODE: 1}))


def test_digests_ids_numbers_and_times_stay_readable() -> None:
    for value in (
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg",
        "spiffe://csj.yinxin.example/holder/tax-bureau-of-jiangsu",
        "2026-11-24T06:30:00.123456Z",
        "node.storage.committer",
        8192,
        1_700_000_000,
        3.25,
        True,
        None,
    ):
        assert blanked(value) == value


def test_secrets_are_blanked_by_name_and_by_shape() -> None:
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    body = pem.splitlines()[1]
    assert body not in blanked(f"key:\n{pem}")
    assert body not in blanked(pem[: len(pem) - 30])
    jwk = json.dumps({"kty": "OKP", "x": "A" * 43, "d": "B" * 43})
    assert "B" * 43 not in blanked(jwk)
    assert "B" * 43 not in blanked(json.dumps(jwk))
    assert "A" * 43 in blanked(jwk)
    url = "postgresql+pg8000://yinxin:hunter2@db/hub"
    assert blanked(url) == f"postgresql+pg8000://yinxin:{BLANK}@db/hub"
    assert blanked(b"\x01" * 32) == "[32 bytes]"
    event = {"password": "x", "oprf_secret": "x", "score": 612, "inner": {"weights": [1]}}
    assert redact(None, "info", event) == {
        "password": BLANK,
        "oprf_secret": BLANK,
        "score": BLANK,
        "inner": {"weights": BLANK},
    }
    assert redact(None, "info", {"scorecard": "sme-1"}) == {"scorecard": "sme-1"}


def test_the_console_is_redacted_too(stream: io.StringIO) -> None:
    target = io.StringIO()
    configure("info", "console", stream=target)
    get_logger("a").warning("refused", firm=CODE)
    assert "refused" in target.getvalue()
    assert CODE not in target.getvalue()
