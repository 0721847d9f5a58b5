"""The pages' server, in the node's own process and event loop."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from node.errors import NodeError
from node.http_server import HttpServer
from node.pages.site import Site

MOST_REQUESTS: Final = 128


class PagesServer(HttpServer):
    """Bound when it is made; serves until cancelled, then finishes the requests it has."""

    def __init__(
        self,
        site: Site,
        address: str,
        certificate: Path | None,
        key: Path | None,
        shutdown: float,
    ) -> None:
        """`shutdown` is what running requests have to finish, in seconds. Raises NodeError when it
        cannot listen.
        """
        try:
            super().__init__(
                site.app(),
                address,
                shutdown,
                limit_concurrency=MOST_REQUESTS,
                ssl_certfile=certificate,
                ssl_keyfile=key,
            )
        except OSError as error:
            reason = error.strerror or str(error)
            raise NodeError(
                f"pages.listen: cannot listen on {address} ({reason}): is the port in use?"
            ) from error
