"""`yinxin enterprise serve`: the pages of the firm's own agent, on its own machine."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Annotated

import typer

from node.cli.enterprise_shared import HERE, Directory
from node.cli.output import AsJson
from node.observability import logging


def serve(
    directory: Directory = HERE,
    listen: Annotated[
        str, typer.Option(help="127.0.0.1:PORT; 0 takes a free port. / 本机监听地址")
    ] = "127.0.0.1:8450",
    as_json: AsJson = False,
) -> None:
    """Serve the firm's pages on this machine until told to stop. / 启动企业端网页"""
    from node.enterprise.serving import serve_agent

    logging.configure("warning", "console")

    def tell(address: str) -> None:
        # One line at once: whoever started it reads the port from it.
        sys.stdout.write(f"{json.dumps({'address': address}) if as_json else address}\n")
        sys.stdout.flush()

    asyncio.run(serve_agent(directory, listen, tell))
