"""In place of the OTLP exporter: a node's spans as JSON, in a file of its process's own.

Put this folder's root on PYTHONPATH and name a folder, file:///…, as the tracing endpoint.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult


class OTLPSpanExporter(SpanExporter):
    """Appends to FOLDER/PID.jsonl."""

    def __init__(self, endpoint: str) -> None:
        self._path = Path(urlsplit(endpoint).path) / f"{os.getpid()}.jsonl"

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines(span.to_json(indent=None) + "\n" for span in spans)
        return SpanExportResult.SUCCESS
