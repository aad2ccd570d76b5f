# SPDX-License-Identifier: MIT
"""Machine code of compiled functions on disk: what makes a job start in a second.

numba's own cache is kept next to the sources and is safe for one process at a time. A job on a
cluster needs more, and this cache differs from it in four ways:

- each kind of processor (name and features, which numba may be told by ``NUMBA_CPU_NAME`` and
  ``NUMBA_CPU_FEATURES``) and each version of numba has a folder of its own. In one folder, two
  kinds of processor that begin at the same moment choose the same file name, and one of them would
  then load instructions that it does not have;
- code is stale when any of the modules that a function takes compiled functions from has changed,
  not only its own;
- a damaged or foreign file, or a disk that is full, means that the function is compiled again,
  never an error;
- where the folder of the sources cannot be written it lies in the cache folder of the user
  (:mod:`aiida_alpot.user_cache`).
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm
import numba
from numba.core import config
from numba.core.caching import CompileResultCacheImpl, FunctionCache

from aiida_alpot.user_cache import can_write, user_cache_folder

_PACKAGE = __name__.partition(".")[0]


def keep_machine_code(dispatcher: Any) -> Any:
    """Let a function compiled by ``numba.njit`` keep its machine code on disk; return it.

    Where no folder can be written it is compiled in every process.
    """
    with suppress(RuntimeError, OSError):  # "no locator available"
        dispatcher._cache = MachineCodeCache(dispatcher.py_func)
    return dispatcher


def folder_for(sources: Path) -> Path | None:
    """Return where the code of the functions in a folder of sources is kept, None if nowhere."""
    return _folder_of(sources)


class _Locator:
    """Where the machine code of a function is kept and when it is stale; see the module."""

    def __init__(self, function: Callable[..., Any], file: str, folder: Path) -> None:
        self._line = function.__code__.co_firstlineno
        self._file = file
        self._py_file = file  # numba names it in warnings
        self._folder = folder

    @classmethod
    def from_function(cls, function: Callable[..., Any], file: str) -> _Locator | None:
        if not Path(file).exists():
            return None
        folder = _folder_of(Path(file).parent)
        return cls(function, file, folder) if folder else None

    def ensure_cache_path(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)

    def get_cache_path(self) -> str:
        return str(self._folder)

    def get_source_stamp(self) -> str:
        return _stamp(Path(self._file))

    def get_disambiguator(self) -> str:
        return str(self._line)


class _MachineCodeFiles(CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes = [_Locator]  # noqa: RUF012 - as the base class has it


class MachineCodeCache(FunctionCache):  # type: ignore[misc]
    """numba's cache of one function, in our folders, never in the way of a job."""

    _impl_class = _MachineCodeFiles

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the compiled function for a signature, None unless it is there and whole."""
        try:
            result = super().load_overload(sig, target_context)
        except Exception:  # whatever unpickling a damaged file raises
            with suppress(Exception):
                self.flush()
            return None
        # two processes that begin at the same moment may choose the same file name
        is_wanted = result is None or tuple(result.signature.args) == tuple(_arguments(sig))
        return result if is_wanted else None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled function where that is possible."""
        with suppress(OSError):
            super().save_overload(sig, data)


def _arguments(sig: Any) -> Any:
    return sig.args if hasattr(sig, "args") else sig


@cache
def _folder_of(sources: Path) -> Path | None:
    """Return the folder for the code of the functions in a folder of sources."""
    name = f"machine-code-{_processor_digest()}"
    if config.CACHE_DIR:
        own = Path(config.CACHE_DIR, _short_name(sources), name)
        if can_write(own):
            return own
    beside = sources / "__pycache__" / name
    if can_write(beside):
        return beside
    shared = user_cache_folder()
    if shared is None:
        return None
    own = shared / name / _short_name(sources)
    return own if can_write(own) else None


def _short_name(folder: Path) -> str:
    digest = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()
    return f"{folder.name}-{digest[:12]}"


@cache
def _processor_digest() -> str:
    """Return a name for all that machine code depends on beside its source."""
    name = config.CPU_NAME or llvm.get_host_cpu_name()
    features = config.CPU_FEATURES
    if features is None:
        features = llvm.get_host_cpu_features().flatten()
    parts = (name, features, llvm.get_default_triple(), numba.__version__, llvmlite.__version__)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


@cache
def _stamp(file: Path) -> str:
    """Return a digest of a module and of all modules of this package that it imports from."""
    digest = hashlib.sha256()
    found = {file.resolve()}
    waiting = [file.resolve()]
    while waiting:
        for source in _imported(waiting.pop()):
            if source not in found:
                found.add(source)
                waiting.append(source)
    for source in sorted(found):
        digest.update(source.read_bytes())
    return digest.hexdigest()


@cache
def _imported(file: Path) -> tuple[Path, ...]:
    """Return the modules of this package that a module takes names from when it is loaded."""
    return tuple(_find_imported(ast.parse(file.read_bytes())))


def _find_imported(tree: ast.Module) -> Iterator[Path]:
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{_PACKAGE}."):
            module = str(node.module)
            for name in (module, *(f"{module}.{alias.name}" for alias in node.names)):
                with suppress(ModuleNotFoundError):  # a name in a module is no module
                    spec = find_spec(name)
                    if spec is not None and spec.origin is not None:
                        yield Path(spec.origin).resolve()
