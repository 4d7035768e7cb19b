"""The command `view`: a run in the Perfetto UI."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from panacea_sim.commands.options import RunFolderPath, Window
from panacea_sim.report.progress import shown_progress

__all__ = ["view_command"]


def view_command(
    run: RunFolderPath,
    *,
    window: Window = None,
    port: Annotated[int, typer.Option(help="Port on the loopback address; 0: any free one.", min=0, max=65535)] = 0,
    browser: Annotated[bool, typer.Option(help="Open the page in the default browser.")] = True,
) -> None:
    """Show a run in the Perfetto UI until Ctrl-C.

    It is served offline, on the loopback address.
    """
    from panacea_sim.commands.opened_run import opened_run
    from panacea_sim.commands.recorded_path import path_or_note
    from panacea_sim.report.viewer import TraceServer, perfetto_ui
    from panacea_sim.trace.exporters.perfetto import write_perfetto
    from panacea_sim.trace.options import parse_window

    perfetto_ui()
    stored, cycles = opened_run(run), parse_window(window)
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.pftrace.gz"
        with shown_progress(f"{stored.name}: perfetto") as progress:
            write_perfetto(stored, trace, cycles, progress, path_or_note(stored))
        # Ctrl-C is how the user ends this.
        with suppress(KeyboardInterrupt), TraceServer(trace, port) as server:
            print(f"{server.url}   (Ctrl-C ends)", flush=True)  # noqa: T201  # for the user's browser
            if browser:
                typer.launch(server.url)
            server.serve_forever()
