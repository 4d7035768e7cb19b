"""The door to the commands, each in a module of its own: finding the one that is asked for, and telling what failed."""

from __future__ import annotations

import reprlib
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

from panacea_sim.commands import interrupts, opened_run, output
from panacea_sim.engines.first_use import told_of_compiling
from panacea_sim.errors import ConfigError, PanaceaError

__all__ = ["COMMANDS", "run_command_line"]

_NAME = "panacea-sim"
_FAILED, _USAGE = 1, 2

COMMANDS = (
    "run",
    "gemm",
    "sweep",
    "optimize",
    "quantize",
    "calibrate",
    "map",
    "whatif",
    "why",
    "energy",
    "network",
    "dram",
    "convert",
    "inspect",
    "compare",
    "versus",
    "timeline",
    "picture",
    "report",
    "export",
    "view",
    "list",
)
"""The commands in the order of --help: each is the function NAME_command of the module NAME."""


def run_command_line(arguments: Sequence[str], handlers: frozenset[object]) -> int:
    """Run a command and return its exit code; signals with one of these handlers are answered.

    No error and no state of standard output leads to a traceback, faults of our own excepted.
    """
    try:
        with (
            interrupts.answered(handlers),
            output.fitted_streams(),
            told_of_compiling(_tell_of_compiling),
            warnings.catch_warnings(),
        ):
            warnings.showwarning = _show_warning  # type: ignore[assignment]  # it takes all that comes
            code = _code(arguments)
    except BaseException as error:
        # An interrupt in the middle of an import may have become another error.
        if not isinstance(error, KeyboardInterrupt) and not interrupts.is_asked_to_stop():
            raise
        output.tell(interrupts.stopped_text(error))
        return interrupts.INTERRUPTED
    return code


def _code(arguments: Sequence[str]) -> int:
    opened_run.forget_opened_runs()
    try:
        try:
            code = _call(arguments)
        except PanaceaError as error:
            code = _tell_error(error)
        except output.UnwritableError:
            raise
        except MemoryError:
            code = _tell_error(ConfigError("memory", "less than this takes", "smaller sizes, or a machine with more"))
        except Exception as error:  # noqa: BLE001  # it goes on unless the files of a run explain it
            code = _tell_error(_unusable_path(error) or opened_run.told_damage(error))
        sys.stdout.flush()
    except output.UnwritableError as error:
        output.silence(sys.stdout)
        # The reader of a pipe, say `head`, may have had enough.
        if isinstance(error.reason, BrokenPipeError):
            return 0
        output.tell(f"error: {ConfigError('standard output', error, 'an output that can be written')}")
        return _FAILED
    return code


def _unusable_path(error: Exception) -> ConfigError | None:
    """Return what the system says of a path that cannot be used, such as one whose name is too long."""
    if not isinstance(error, OSError) or error.filename is None:
        return None
    return ConfigError(reprlib.repr(str(error.filename)), error.strerror or error, "a path that can be used")


def _call(arguments: Sequence[str]) -> int:
    """Call the command; what typer does beyond that, it does for programs that leave their ends to it."""
    command = typer.main.get_command(_app(arguments))
    try:
        with command.make_context(_NAME, list(arguments or ["--help"])) as context:  # typer empties the list
            command.invoke(context)
    except typer.Exit as ended:
        return ended.exit_code if arguments else _USAGE
    except typer.TyperException as error:
        output.tell(f"error: {_usage_message(error)}\nTry: {_help_command(arguments)}")
        return _USAGE
    return 0


def _app(arguments: Sequence[str]) -> typer.Typer:
    """Return the application with the command that is asked for, or with all of them: imports take time."""
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # frames would double the time that --help takes
        context_settings={"help_option_names": ["-h", "--help"]},
        help="Simulate a Panacea-like DNN accelerator, cycle by cycle, with exact values and explained stalls.",
    )
    app.callback()(_common_options)
    for name in _asked(arguments) or COMMANDS:
        module = import_module(f"panacea_sim.commands.{name}")
        app.command(name)(getattr(module, f"{name}_command"))
    return app


def _show_version(asked: bool) -> None:  # noqa: FBT001  # typer's form of a callback
    if asked:
        from panacea_sim import __version__

        print(f"{_NAME} {__version__}")  # noqa: T201  # nothing else is printed
        raise typer.Exit


def _common_options(
    *,
    version: Annotated[  # its callback does it
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Keep commands by their names, also where there is only one."""


def _asked(arguments: Sequence[str]) -> list[str]:
    return [name for name in arguments[:1] if name in COMMANDS]


def _help_command(arguments: Sequence[str]) -> str:
    return " ".join([_NAME, *_asked(arguments), "--help"])


def _usage_message(error: typer.TyperException) -> str:
    """Return what is wrong in one line, without the words with which typer's own checks begin."""
    return " ".join(error.format_message().replace("Value error, ", "").split())


def _tell_of_compiling() -> None:
    """Say at a terminal why nothing seems to happen."""
    if sys.stderr.isatty():
        output.tell("Compiling the engine, once: it can take 20 s")


def _show_warning(message: Warning | str, *_: object) -> None:
    """Print a warning as a message to a user, without the line of our code that gave it."""
    output.tell(f"warning: {message}")


def _tell_error(error: PanaceaError) -> int:
    text = "\n".join([f"error: {error}", *getattr(error, "__notes__", ())])
    if sys.stderr.isatty():
        from rich.console import Console

        Console(stderr=True).print(text, style="red", markup=False, highlight=False, soft_wrap=True)
    else:
        output.tell(text)
    return error.exit_code
