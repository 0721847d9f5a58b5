"""TLS contexts of the log's server and clients: mutual, 1.3 only, the chain's authority alone.

The rules are those of `node.rpc.tls`, whose files and checks these contexts use; only the library
differs. A server is known by the host name that stands for its SPIFFE id.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable

from federation.identity import SpiffeId
from node.rpc.tls import Reloader, TlsError, TlsFiles


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """For a client. The name that it demands of the server is given with each request.

    Raises TlsError.
    """
    return _context(ssl.PROTOCOL_TLS_CLIENT, files)


def server_context(
    files: TlsFiles, own: SpiffeId, on_error: Callable[[TlsError], None]
) -> ssl.SSLContext:
    """For a server of `own`; a new connection sees the files as they are then. Raises TlsError."""
    reloader = Reloader(files, on_error)
    reloader.material.check_server(own)
    first = _server(files)
    latest = first

    def renew(connection: ssl.SSLObject | ssl.SSLSocket, *_: object) -> None:
        nonlocal latest
        if reloader.changed() is not None:
            try:
                latest = _server(files)
            except TlsError as error:  # replaced again between the two looks
                on_error(error)
        connection.context = latest

    # Called at the beginning of every handshake: a listening socket keeps its first context.
    first.sni_callback = renew
    return first


def _server(files: TlsFiles) -> ssl.SSLContext:
    context = _context(ssl.PROTOCOL_TLS_SERVER, files)
    context.verify_mode = ssl.CERT_REQUIRED
    # A resumed session would skip the look at the client's certificate.
    context.num_tickets = 0
    return context


def _context(protocol: int, files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_cert_chain(files.certificates, files.private_key)
        context.load_verify_locations(files.authorities)
    except (ssl.SSLError, OSError) as error:
        raise TlsError(f"{files.certificates}: TLS cannot use it with its key") from error
    return context
