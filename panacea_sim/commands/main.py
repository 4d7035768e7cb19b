"""The command line: where a process begins and ends. Only two modules are imported before it answers signals."""

import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType


def _quit(_number: int, _frame: "FrameType | None") -> None:
    """End the process while it only starts: there is nothing to clean up, and half an import cannot be unwound."""
    import os  # nothing may be imported before this function is in place

    if sys.stderr is not None:
        sys.stderr.write("interrupted: nothing was written\n")
        sys.stderr.flush()
    os._exit(130)


def _answer_signals() -> None:
    """Answer SIGINT and SIGTERM from here on, unless somebody has decided what they do."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _quit)
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _quit)


# In a process that is this command the promise holds from here. Worker processes import this too, and their parent
# ends them; in a script it holds from the call below.
if (
    sys.argv[0].endswith(("panacea-sim", "__main__.py", "commands/main.py"))
    and sys.orig_argv[-1] != "--multiprocessing-fork"
):
    _answer_signals()

__all__ = ["main", "run_script"]


def main(arguments: "Sequence[str] | None" = None) -> int:
    """Run the command line and return its exit code: 0 good, 1 failed checks, 2 bad input, 130 interrupted.

    Without arguments it runs those of this process, which is then about to end.
    """
    return _run_process(sys.argv[1:]) if arguments is None else _run(arguments)


def run_script() -> None:
    """Let a scenario script that is started with python run as `panacea-sim run SCRIPT` does, options included."""
    sys.exit(_run_process(["run", *sys.argv]))


def _run_process(arguments: "Sequence[str]") -> int:
    """Run the command line of this process, whose signals are answered from its beginning to its end."""
    _answer_signals()
    code = _run(arguments)
    # What was asked for is done and told, and the exit code is known: Python only has to end.
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is _quit:
            signal.signal(number, signal.SIG_IGN)
    # Python remembers an interrupt that has left evaluated text, of which a namedtuple is made, and dies by SIGINT at
    # its end, whatever the exit code, unless other text has been evaluated since.
    eval("0")  # noqa: S307  # a constant
    return code


def _run(arguments: "Sequence[str]") -> int:
    from panacea_sim.commands.door import run_command_line  # the rest takes long to import

    return run_command_line(arguments, frozenset({_quit, signal.default_int_handler, signal.SIG_DFL}))


if __name__ == "__main__":
    sys.exit(main())
