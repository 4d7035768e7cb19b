"""How numba compiles the functions of the compiled engine, and how what it has compiled is kept.

numba's own cache knows of the file of a function only: it would go on with old device timing after a change in
banked_timing.py, and it ends a run when a file of it is broken or cannot be written. It also numbers its files, so that
of two processes that compile at the same time one may find the code of other types, or of older sources, under the name
that it has read. The cache here holds for all sources that are compiled, gives each code a name of its own, and where
it fails the function is compiled again.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from functools import cache
from glob import escape
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import numba
from numba.core import types
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.np import arrayobj

from panacea_sim.engines.first_use import will_compile
from panacea_sim.errors import CacheWarning

__all__ = ["compiled_functions", "entry", "inner"]

Function = Callable[..., Any]

_PACKAGE = Path(__file__).parents[2]
_ENGINE = ("memory", "engines", "trace/schema.py")
"""Where functions and constants that the engine compiles stand: rooms with all their folders, and single files."""
_CHECKS = ("machines", "engines/compiled/compilation.py")
"""The same for what machines compile, so that a change of a machine leaves the engine as it is."""
_EXPLANATION = ("explanation", "engines/compiled/compilation.py", "trace/schema.py")
"""The same for the walk and the sweep of an explanation."""

_UNKEPT = "compiled code cannot be kept"

_njit: Callable[..., Any] = numba.njit  # its types do not know all of its options


_any_index: Callable[..., Any] = arrayobj.fix_integer_index


def _plain_index(context: Any, builder: Any, kind: Any, index: Any, size: Any) -> Any:  # noqa: ANN401  # numba has no types
    """Return an index of an array for the machine.

    numba asks at each access whether an index counts from the end, which takes a sixth of the engine's time. In
    functions here, which alone do without its counting of references, none does.
    """
    if context.enable_nrt or not kind.signed:
        return _any_index(context, builder, kind, index, size)
    return context.cast(builder, index, kind, types.intp)


arrayobj.fix_integer_index = _plain_index


def entry(function: Function) -> Function:
    """Compile a function that Python calls, without negative indices; other threads may run meanwhile."""
    return _cached(_njit(error_model="numpy", _nrt=False, nogil=True)(function))


def inner(function: Function) -> Function:
    """Compile a function that only compiled ones call, into them: a call would hand over each field of each array.

    It has no negative indices either. Without a way in from Python compiling takes less time.
    """
    options = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "forceinline": True}
    return _cached(_njit(error_model="numpy", _nrt=False, **options)(function))


def compiled_functions(module: ModuleType, shared: dict[str, Any]) -> dict[str, Any]:
    """Return the names of a module with its functions compiled, calls among them included.

    The functions stay plain Python for the reference engine, so they cannot be decorated where they stand. `shared` are
    names of other modules that are compiled already.
    """
    names = dict(vars(module)) | shared
    for name, value in vars(module).items():
        if isinstance(value, FunctionType) and value.__module__ == module.__name__:
            copy = FunctionType(value.__code__, names, name, value.__defaults__, value.__closure__)
            copy.__module__ = module.__name__
            copy.__qualname__ = name
            names[name] = inner(copy)
    return names


class _CacheFile(IndexDataCacheFile):
    """The files of a function's code: each has a name that follows from types and sources, and is whole when listed.

    Whatever other processes do meanwhile, what is read is what was asked for.
    """

    def save(self, key: object, data: object) -> None:
        """Keep the code for a key, then list it; of two processes that list at once one compiles again some day."""
        digest = hashlib.sha256(repr((key, self._source_stamp)).encode()).hexdigest()
        name = self._data_name(int(digest[:12], 16))
        overloads = self._load_index()
        if not overloads:
            self._drop_old_code()
        self._save_data(name, data)
        self._save_index({**overloads, key: name})

    def _drop_old_code(self) -> None:
        """Remove the code of older sources, which nothing lists any more."""
        before, after = map(escape, self._data_name_pattern.split("{number:d}"))
        for path in Path(self._cache_path).glob(f"{before}*{after}"):
            path.unlink(missing_ok=True)


class _Cache(FunctionCache):
    """The cache of a function: fresh while the sources around it are the same, and never the end of a run."""

    def __init__(self, function: Function) -> None:
        super().__init__(function)
        self._cache_file = _CacheFile(self._cache_path, self._impl.filename_base, _sources_stamp(_places(function)))

    def load_overload(self, sig: object, target_context: object) -> object:
        """Return the compiled function, None if there is none that can be read."""
        found = self._read_overload(sig, target_context)
        if found is None:
            will_compile()
        return found

    def _read_overload(self, sig: object, target_context: object) -> object:
        try:
            # numba would fill its registries before, which takes longer than the rest and matters to compiling only.
            return self._load_overload(sig, target_context)
        except Exception as error:  # noqa: BLE001  # a pickle of another version can raise anything
            _warn("what was compiled before cannot be read", error)
            try:
                self.flush()  # an index that cannot be read would stay so
            except Exception as failed:  # noqa: BLE001  # the same
                _warn(_UNKEPT, failed)
            return None

    def save_overload(self, sig: object, data: object) -> None:
        """Keep the compiled function if that is possible."""
        try:
            super().save_overload(sig, data)
        except Exception as error:  # noqa: BLE001  # the same
            _warn(_UNKEPT, error)


def _cached(dispatcher: Any) -> Function:  # noqa: ANN401  # numba has no types
    try:
        dispatcher._cache = _Cache(dispatcher.py_func)  # noqa: SLF001  # what numba's own enable_caching sets
    except Exception as error:  # noqa: BLE001  # no folder can be written
        _warn(_UNKEPT, error)
    compiled: Function = dispatcher
    return compiled


def _places(function: Function) -> tuple[str, ...]:
    """Return where everything stands that is compiled into this function."""
    stands = Path(function.__code__.co_filename).resolve()
    rooms = (_CHECKS, _EXPLANATION)
    return next((places for places in rooms if stands.is_relative_to(_PACKAGE / places[0])), _ENGINE)


@cache
def _sources_stamp(places: tuple[str, ...]) -> str:
    sources = [path for place in places for path in _python_files(_PACKAGE / place)]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()


def _python_files(place: Path) -> list[Path]:
    return [place] if place.is_file() else sorted(place.rglob("*.py"))


def _warn(what: str, error: Exception) -> None:
    """Say once in a process that the cache does not work."""
    if not _has_warned:
        _has_warned.append(True)
        message = f"{what} ({type(error).__name__}: {error}), so the compiled engine is compiled, which takes some 15 s"
        warnings.warn(message, CacheWarning, stacklevel=3)


_has_warned: list[bool] = []
