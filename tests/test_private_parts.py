"""The private parts of libraries that we use: where one is gone, this test names it and who needs it.

pyproject.toml bounds these libraries from above. To allow a new version, read what has changed there in these parts,
then raise the bound.
"""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import simpy
import typer

_ROOT = Path(__file__).parents[1]
_KERNEL = "panacea_sim/engines/reference/kernel.py"
_COMPILATION = "panacea_sim/engines/compiled/compilation.py"
_DOOR = "panacea_sim/commands/door.py"


def _require(user: str, owner: object, names: Iterable[str]) -> None:
    what = getattr(owner, "__name__", type(owner).__name__)
    gone = [name for name in names if not hasattr(owner, name)]
    assert not gone, f"{what} no longer has {', '.join(gone)}, which {user} uses"


def _require_source(user: str, function: Any, *parts: str) -> None:  # noqa: ANN401  # any function
    source = inspect.getsource(function)
    gone = [part for part in parts if part not in source]
    assert not gone, f"{function.__qualname__} no longer says {' and '.join(map(repr, gone))}, as {user} expects"


def test_simpy() -> None:
    """SimPy keeps its heap, its numbering and the marks of its events."""
    env = simpy.Environment()
    _require(_KERNEL, env, ("_queue", "_eid", "_now"))
    event = env.timeout(3)
    _require(_KERNEL, event, ("_ok", "_value", "callbacks"))
    time, priority, ticket, queued = env._queue[0]
    found = (time, priority, type(ticket), queued)
    assert found == (3, simpy.events.NORMAL, int, event), f"the heap of SimPy is another one than {_KERNEL} fills"
    _require_source(_KERNEL, simpy.Environment.step, "self._now", "event.callbacks = event.callbacks, None", "_defused")
    _require(_KERNEL, simpy.Process, ("_resume",))
    _require_source(_KERNEL, simpy.Process._resume, "self._generator.send(event._value)", "env.schedule(self)")


def test_numba() -> None:
    """Numba keeps the cache of a function, its files, where a dispatcher has it, and how an index is looked at."""
    numba = pytest.importorskip("numba")
    caching = pytest.importorskip("numba.core.caching")
    assert list(inspect.signature(caching.IndexDataCacheFile).parameters) == [
        "cache_path",
        "filename_base",
        "source_stamp",
    ], f"IndexDataCacheFile is made another way than in {_COMPILATION}"
    _require(_COMPILATION, caching.FunctionCache, ("_load_overload", "load_overload", "save_overload", "flush"))
    _require_source(
        _COMPILATION, caching.FunctionCache.__init__, "self._cache_file =", "self._cache_path =", "self._impl ="
    )
    dispatcher = numba.njit(lambda: 0)
    _require(_COMPILATION, dispatcher, ("_cache", "py_func"))
    _require_source(_COMPILATION, type(dispatcher).enable_caching, "self._cache = FunctionCache(self.py_func)")
    arrayobj = pytest.importorskip("numba.np.arrayobj")
    _require_source(_COMPILATION, arrayobj.basic_indexing, "fix_integer_index(context, builder, idxty, indexval,")


def test_typer() -> None:
    """Typer keeps commands that parse and run when they are told to, and the two exceptions that end them."""
    app = typer.Typer()
    app.command()(lambda: None)
    command = typer.main.get_command(app)
    _require(_DOOR, command, ("make_context", "invoke"))
    _require(_DOOR, typer, ("Exit", "TyperException"))
    _require(_DOOR, typer.TyperException, ("format_message",))
    _require(_DOOR, typer.Exit(3), ("exit_code",))


def test_libraries_with_private_parts_are_bounded() -> None:
    """pyproject.toml lets none of these libraries move to a version that nobody has looked at."""
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = [*project["dependencies"], *project["optional-dependencies"]["compiled"]]
    for library in ("simpy", "numba", "typer"):
        (found,) = [each for each in requirements if each.startswith(library)]
        assert re.fullmatch(rf"{library}>=[\d.]+,<[\d.]+", found), found


def test_a_part_that_is_gone_is_named() -> None:
    """The message has the library's name, the part and the file of ours."""
    message = r"^Environment no longer has _heap, which panacea_sim/engines/reference/kernel.py uses"
    with pytest.raises(AssertionError, match=message):
        _require(_KERNEL, simpy.Environment(), ("_queue", "_heap"))
