"""gRPC between nodes: TLS 1.3 with client certificates, one SPIFFE id a peer, one error mapping.

Importing this package fixes what gRPC reads from the environment, so it has to come before the
first import of `grpc` in a process; every module of the project that needs `grpc` imports
something of `node.rpc` first.

gRPC's Python interface cannot set a minimum TLS version and accepts 1.2. The one cipher suite
named here exists in TLS 1.2 only and needs an RSA key, while every certificate of a chain has a
P-256 key: no 1.2 handshake can succeed, and the suites of 1.3 are not affected by the variable.
"""

from __future__ import annotations

import os
import sys

from node.errors import NodeError

CIPHER_VARIABLE = "GRPC_SSL_CIPHER_SUITES"
CIPHER_SUITES = "ECDHE-RSA-AES256-GCM-SHA384"
FORK_VARIABLE = "GRPC_ENABLE_FORK_SUPPORT"
TRACE_VARIABLES = ("GRPC_TRACE", "GRPC_EXPERIMENTAL_TRACE")


class UnsafeEnvironment(NodeError):
    """The process environment would weaken or expose the connections of this node."""


def _fix_environment() -> None:
    found = os.environ.get(CIPHER_VARIABLE)
    if found is not None and found != CIPHER_SUITES:
        raise UnsafeEnvironment(
            f"{CIPHER_VARIABLE} is set in the environment; unset it, the node chooses it itself"
        )
    if found is None and "grpc" in sys.modules:
        raise UnsafeEnvironment(
            "grpc was imported before node.rpc and may accept TLS 1.2; import node.rpc first"
        )
    for name in TRACE_VARIABLES:
        if os.environ.get(name):
            raise UnsafeEnvironment(f"{name} writes message bytes to standard error; unset it")
    os.environ[CIPHER_VARIABLE] = CIPHER_SUITES
    # Nothing here uses gRPC in a forked child. Its handlers start threads there again, which use
    # descriptors that are closed by then: one in five programs that are started as another user
    # dies before it begins (grpc/grpc#43055).
    os.environ[FORK_VARIABLE] = "0"
    # Otherwise every lost connection is a line of gRPC's own on standard error.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")


_fix_environment()
