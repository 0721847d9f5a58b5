"""Typed configuration of each role: a TOML file and the environment, checked before any start.

`load(HubConfig, path)` reads the file, lets `YINXIN__SECTION__KEY` (upper case, sections separated
by two underscores) override it, and either returns a frozen object or raises ConfigError with
every problem at once. Unknown keys are refused. Relative paths are relative to the file's folder,
not to where the process was started. A file that holds a secret must be closed to group and
others; the TOML file itself must be when a password stands in it.
"""

from __future__ import annotations

from node.config.fields import Address, AnyPath, ReadableFile, Seconds, SecretFile
from node.config.loading import load
from node.config.pages import OidcConfig, PagesConfig
from node.config.roles import BankConfig, HolderConfig, HubConfig, NodeConfig, RegulatorConfig
from node.config.sections import (
    ApiConfig,
    ConsentsConfig,
    DatabaseConfig,
    DeadlinesConfig,
    LimitsConfig,
    LogConfig,
    MetricsConfig,
    PeerConfig,
    Section,
    TlsConfig,
    TokenConfig,
    TracingConfig,
)

__all__ = [
    "Address",
    "AnyPath",
    "ApiConfig",
    "BankConfig",
    "ConsentsConfig",
    "DatabaseConfig",
    "DeadlinesConfig",
    "HolderConfig",
    "HubConfig",
    "LimitsConfig",
    "LogConfig",
    "MetricsConfig",
    "NodeConfig",
    "OidcConfig",
    "PagesConfig",
    "PeerConfig",
    "ReadableFile",
    "RegulatorConfig",
    "Seconds",
    "SecretFile",
    "Section",
    "TlsConfig",
    "TokenConfig",
    "TracingConfig",
    "load",
]
