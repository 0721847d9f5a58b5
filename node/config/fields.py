"""Kinds of configuration values: paths, addresses, and where the values come from."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from node.keys import secret_problem

PREFIX = "YINXIN__"


@dataclass(frozen=True)
class Origin:
    """Where the configuration being validated comes from."""

    folder: Path
    document: Mapping[str, Any]
    environment: Mapping[str, str]


NOWHERE = Origin(Path(), {}, {})
origin: ContextVar[Origin] = ContextVar("yinxin_config_origin", default=NOWHERE)


def _absolute(path: Path) -> Path:
    return (origin.get().folder / path.expanduser()).absolute()


def _readable(path: Path) -> Path:
    path = _absolute(path)
    if not path.is_file():
        raise ValueError(f"{path} does not exist; create it or correct the path")
    if not os.access(path, os.R_OK):
        raise ValueError(f"{path} cannot be read; check its owner and mode")
    return path


def _secret(path: Path) -> Path:
    path = _absolute(path)
    problem = secret_problem(path)
    if problem:
        raise ValueError(problem)
    return path


def _address(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError("is no address; write HOST:PORT, such as 127.0.0.1:7443 or [::1]:7443")
    if host.startswith("[") and host.endswith("]"):
        try:
            ipaddress.IPv6Address(host[1:-1])
        except ValueError as error:
            raise ValueError("holds no IPv6 address in [ ]; write [::1]:7443") from error
    elif not re.fullmatch(r"[A-Za-z0-9.-]+", host):
        raise ValueError("names no host; write HOST:PORT, such as 127.0.0.1:7443 or [::1]:7443")
    return text


def is_address(text: str) -> bool:
    """Whether a text is HOST:PORT as configurations write it."""
    try:
        _address(text)
    except ValueError:
        return False
    return True


AnyPath = Annotated[Path, AfterValidator(_absolute)]
"""A path that need not exist."""
ReadableFile = Annotated[Path, AfterValidator(_readable)]
"""A file that must exist."""
SecretFile = Annotated[Path, AfterValidator(_secret)]
"""A file that must exist and be closed to group and others."""
Address = Annotated[str, AfterValidator(_address)]
"""HOST:PORT."""
Seconds = Annotated[float, Field(gt=0, le=86_400)]
