"""The command line: the doors to the commands, each in a module of its own."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module

import typer
from rich.console import Console

from panacea_sim.errors import PanaceaError

__all__ = ["main", "run_script"]

USAGE = 2

DOORS = {
    "run": "run",
    "gemm": "run",
    "map": "map",
    "dram": "dram",
    "inspect": "inspect",
    "timeline": "timeline",
    "picture": "picture",
    "report": "report",
    "export": "export",
    "view": "view",
    "list": "list",
}
"""Name of a command to its module, in the order of --help; the function there is NAME_command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 good, 1 failed checks, 2 bad input, 130 interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning  # type: ignore[assignment]  # it takes all that comes
            code = _app(given)(given, standalone_mode=False)
    except typer.TyperException as error:
        # The terminal may be in any state, and usage errors of typer know no markup.
        print(f"error: {_usage_message(error)}\nTry: {_help_command(given)}", file=sys.stderr)  # noqa: T201
        return USAGE
    except PanaceaError as error:
        text = "\n".join([f"error: {error}", *getattr(error, "__notes__", ())])
        Console(stderr=True).print(text, style="red", markup=False, highlight=False, soft_wrap=True)
        return error.exit_code
    return int(code or 0)


def _show_warning(message: Warning | str, *_: object) -> None:
    """Print a warning as a message to a user, without the line of our code that gave it."""
    print(f"warning: {message}", file=sys.stderr)  # noqa: T201  # the terminal may be in any state


def run_script() -> None:
    """Let a scenario script that is started with python run as `panacea-sim run SCRIPT` does, options included."""
    sys.exit(main(["run", *sys.argv]))


def _app(arguments: Sequence[str]) -> typer.Typer:
    """Return the application with the command that is asked for, or with all of them: imports take time."""
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help="Simulate a Panacea-like DNN accelerator, cycle by cycle, with exact values and explained stalls.",
    )
    app.callback()(_no_common_options)
    asked = [name for name in arguments[:1] if name in DOORS]
    for name in asked or DOORS:
        module = import_module(f"panacea_sim.commands.{DOORS[name]}")
        app.command(name)(getattr(module, f"{name}_command"))
    return app


def _usage_message(error: typer.TyperException) -> str:
    """Return what is wrong in one line, without the words with which typer's own checks begin."""
    return " ".join(error.format_message().replace("Value error, ", "").split())


def _help_command(arguments: Sequence[str]) -> str:
    asked = [name for name in arguments[:1] if name in DOORS]
    return " ".join(["panacea-sim", *asked, "--help"])


def _no_common_options() -> None:
    """Keep commands by their names, also where there is only one."""


if __name__ == "__main__":
    sys.exit(main())
