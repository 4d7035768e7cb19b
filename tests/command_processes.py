"""Commands in processes of their own, to which something happens once, at a place that is named."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

__all__ = ["AS_NOBODY", "AT_EVENT", "AT_IMPORT", "Started", "command_line", "ended"]

# A process that a shell has started in the background ignores SIGINT; the tests must not depend on that.
_START = """
import errno, os, shutil, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
where = sys.argv.pop(1)
happened = []
def happen():
    if not happened:
        happened.append(where)
        {happening}
{trap}
from panacea_sim.commands.main import main
sys.exit(main())
"""

AT_IMPORT = """
class Trap:
    def find_spec(self, name, path=None, target=None):
        if name == where:
            happen()
sys.meta_path.insert(0, Trap())
"""
"""It happens when a module is imported: `where` is its name."""

AT_EVENT = """
event, ending = where.split()
def trap(found, arguments):
    if found == event and str(arguments[0]).endswith(ending):
        happen()
sys.addaudithook(trap)
"""
"""It happens when Python audits an event whose first argument ends with a text: `where` is `event text`."""

AS_NOBODY = "os.geteuid() == 0 and os.seteuid(65534)"
"""Let permissions apply from now on: root ignores them."""

_PAUSE = "open('here', 'w').close()\n        while not os.path.exists('go'): time.sleep(0.02)"


def command_line(happening: str, where: str, *arguments: str, trap: str = AT_EVENT) -> list[str]:
    """Return the command line of a command to which something happens, a statement in Python."""
    return [sys.executable, "-c", _START.format(happening=happening, trap=trap), where, *arguments]


def ended(happening: str, where: str, *arguments: str, trap: str = AT_EVENT) -> tuple[int, str]:
    """Run a command to which something happens; return its exit code and what it told on standard error."""
    command = command_line(happening, where, *arguments, trap=trap)
    process = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return process.returncode, process.stderr


class Started:
    """A command that has come to an event and waits there, until it goes on or is killed."""

    def __init__(self, where: str, *arguments: str) -> None:
        for name in ("here", "go"):
            Path(name).unlink(missing_ok=True)
        command = command_line(_PAUSE, where, *arguments)
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 120
        while not Path("here").exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(self.kill())
            time.sleep(0.02)

    def go_on(self) -> tuple[int, str]:
        """Let it go on to its end; return its exit code and what it told on standard error."""
        Path("go").touch()
        told = self.process.communicate(timeout=120)[1]
        return self.process.returncode, told

    def kill(self) -> str:
        """Kill it as the system does where memory runs out; return what it told on standard error."""
        self.process.kill()
        return self.process.communicate(timeout=120)[1]
