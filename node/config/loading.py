"""Reads a configuration and reports everything that is wrong with it at once."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError
from pydantic_settings import SettingsError

from node.config.fields import PREFIX, Origin, origin
from node.config.roles import NodeConfig
from node.errors import ConfigError, ConfigProblem
from node.keys import secret_problem

C = TypeVar("C", bound=NodeConfig)


def load(
    role: type[C], path: Path | None = None, environment: Mapping[str, str] | None = None
) -> C:
    """The configuration of `role` from a TOML file, overridden by the environment.

    `environment` defaults to the process's own. Raises ConfigError with every problem found.
    """
    env = dict(os.environ if environment is None else environment)
    source = str(path) if path is not None else f"environment {PREFIX}…"
    document = _read(path, source) if path is not None else {}
    folder = path.absolute().parent if path is not None else Path.cwd()
    problems = _unknown_variables(role, env)
    if path is not None:
        problems += _exposed_password(path, document)
    token = origin.set(Origin(folder, document, env))
    try:
        config = role()
    except ValidationError as error:
        problems = [_problem(role, source, fault) for fault in error.errors()] + problems
        raise ConfigError(source, problems) from None
    except SettingsError as error:
        cause = f" ({error.__cause__})" if error.__cause__ else ""
        problems.append(
            ConfigProblem(f"{PREFIX}…", f"{error}{cause}", "write lists and sections as JSON")
        )
        raise ConfigError(source, problems) from None
    finally:
        origin.reset(token)
    if problems:
        raise ConfigError(source, problems)
    return config


def _read(path: Path, source: str) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        problem = ConfigProblem("file", f"cannot be read ({error.strerror})", "correct the path")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problem = ConfigProblem("file", f"is no TOML: {error}", "correct that line")
    raise ConfigError(source, [problem])


def _exposed_password(path: Path, document: Mapping[str, Any]) -> list[ConfigProblem]:
    database = document.get("database")
    url = database.get("url") if isinstance(database, dict) else None
    if not isinstance(url, str) or not urlsplit(url).password:
        return []
    problem = secret_problem(path.absolute())
    if not problem:
        return []
    remedy = "close the file, or name a database.password_file instead"
    return [ConfigProblem("database.url", f"holds a password, and {problem}", remedy)]


def _unknown_variables(
    role: type[NodeConfig], environment: Mapping[str, str]
) -> list[ConfigProblem]:
    problems = []
    for variable in sorted(environment):
        if not variable.upper().startswith(PREFIX):
            continue
        key = variable[len(PREFIX) :].lower().split("__")[0]
        if key not in role.model_fields:
            remedy = _suggestion(key, role.model_fields)
            problems.append(ConfigProblem(variable, "is no key of this role", remedy))
    return problems


def _problem(role: type[NodeConfig], source: str, fault: Mapping[str, Any]) -> ConfigProblem:
    location = [str(part) for part in fault["loc"]]
    key = ".".join(location)
    variable = PREFIX + "__".join(part.upper() for part in location)
    kind = fault["type"]
    if kind == "extra_forbidden":
        known = _fields_at(role, location[:-1])
        return ConfigProblem(key, "is no key of this role", _suggestion(location[-1], known))
    if kind == "missing":
        return ConfigProblem(key, "is missing", f"add it to {source}, or set {variable}")
    problem, _, remedy = str(fault["msg"]).removeprefix("Value error, ").partition("; ")
    return ConfigProblem(
        key or "configuration", problem, remedy or f"correct it in {source}, or set {variable}"
    )


def _fields_at(role: type[NodeConfig], location: list[str]) -> Mapping[str, Any]:
    model: type[BaseModel] = role
    for part in location:
        field = model.model_fields.get(part)
        if field is None or not isinstance(field.annotation, type):
            return {}
        if not issubclass(field.annotation, BaseModel):
            return {}
        model = field.annotation
    return model.model_fields


def _suggestion(key: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(key, list(known), n=1)
    return f"did you mean {close[0]}?" if close else "remove it"
