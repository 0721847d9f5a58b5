"""The application log: one JSON object a line on standard error, with what must not leave blanked.

No credit code, private key or secret may reach a log file. Callers do not log them; this is the
net below: the last processor before rendering looks into every string, key and nested value,
exception texts included, and blanks what looks like one. Records of the standard library's
logging, such as gRPC's and uvicorn's, take the same way.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from federation.uscc import ALPHABET, LENGTH

BLANK = "[redacted]"

# A credit code as it is written: spaces, hyphens or dots between the characters, either case. Its
# check character is not asked for, a mistyped code identifies a firm all the same. Hexadecimal
# digests and base64url ids are longer runs of letters and digits, and stay readable.
_LETTER = f"[{ALPHABET}{ALPHABET.lower()}]"
_CODE = re.compile(rf"(?<![A-Za-z0-9])(?:{_LETTER}[ .\-]?){{{LENGTH - 1}}}{_LETTER}(?![A-Za-z0-9])")
_PEM = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
)
# The private part of a JSON Web Key, and a password in an URL.
_JWK = re.compile(r"(\\*[\"']d\\*[\"']\s*:\s*\\*[\"'])[A-Za-z0-9_-]{20,}")
_URL = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s/@]+@")
_SECRET_KEY = re.compile(
    r"uscc|password|passphrase|secret|private_?key|seed|scalar|weight|score(?!card)|consent_jws",
    re.IGNORECASE,
)


def redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Blanks whatever looks like a credit code, a private key, a password or a score."""
    return {str(_blank_text(str(key))): _blank(value, str(key)) for key, value in event.items()}


def printable(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Writes out whatever would begin a line or speak to the terminal: JSON does so by itself."""
    return {key: _written(value, key) for key, value in event.items()}


def configure(
    level: Literal["debug", "info", "warning", "error"] = "info",
    output: Literal["json", "console"] = "json",
    *,
    stream: TextIO | None = None,
    **context: str,
) -> None:
    """Sends structlog's and the standard library's records to `stream` (standard error).

    `context` goes into every record: `configure("info", "json", node=str(config.spiffe_id))`.
    Call it once a process, first thing in a spawned worker too.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False, default=_plain)
        if output == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.PositionalArgumentsFormatter()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            redact,
            *([] if output == "json" else [printable]),
            renderer,
        ],
    )
    handler = logging.StreamHandler(stream if stream is not None else sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    # Libraries that set up handlers of their own would go around the redaction.
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
    # A line for every request of the mirror and of witnesses tells nothing.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    # uvicorn's access lines quote the path of every request, and a path may name a firm.
    logging.getLogger("uvicorn.access").disabled = True
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**context)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module: `log = get_logger(__name__)`, then `log.info("event", key=value)`."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def _blank(value: Any, key: str = "") -> Any:
    if key and _SECRET_KEY.search(key):
        return BLANK
    if isinstance(value, str):
        return _blank_text(value)
    if isinstance(value, bytes | bytearray | memoryview):
        # Bytes in a log are keys, elements or documents; their length says enough.
        return f"[{len(value)} bytes]"
    if isinstance(value, Mapping):
        return {_blank_text(str(name)): _blank(item, str(name)) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_blank(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        # A code of digits alone may be passed as a number.
        return BLANK if isinstance(value, int) and _CODE.fullmatch(str(value)) else value
    return _blank_text(_plain(value))


def _written(value: Any, key: str) -> Any:
    if not isinstance(value, str):
        # Lists and mappings are rendered by `repr`, which writes them out.
        return value
    kept = "\n\t" if key in ("exception", "stack") else ""
    return "".join(
        one if one.isprintable() or one in kept else one.encode("unicode_escape").decode()
        for one in value
    )


def _blank_text(text: str) -> str:
    text = _PEM.sub(BLANK, text)
    text = _JWK.sub(rf"\g<1>{BLANK}", text)
    text = _URL.sub(rf"\g<1>{BLANK}@", text)
    return _CODE.sub(BLANK, text)


def _plain(value: object) -> str:
    return str(value)


def fault(error: BaseException) -> str:
    """What an error that nobody foresaw was and where: its text may quote what a request or a file
    brought, so it stays out of logs.
    """
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return type(error).__name__
    last = frames[-1]
    return f"{type(error).__name__} in {last.name}, {PurePath(last.filename).name}:{last.lineno}"
