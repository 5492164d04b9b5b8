# SPDX-License-Identifier: Apache-2.0
"""Programs: generated code as a value, which runs only where somebody allows it."""

from __future__ import annotations

import dataclasses
import sys
import threading
import types
from collections.abc import Callable, Collection
from typing import Any

from enact.calls import targets
from enact.calls.lanes import CURRENT
from enact.calls.registration import register
from enact.errors import NoSuchEntry, ProgramNotAllowed, ProgramSyntaxError
from enact.values import ImmutableResource, register_type, resource_digest

_LOCK = threading.RLock()
_loaded: dict[Program, Any] = {}


@dataclasses.dataclass(frozen=True, repr=False)
class Program(ImmutableResource):
    """Source code of a module, and the name of the function in it that is meant.

    A program is a value: it can be stored, compared, hashed and sent on, and nothing
    of that runs it. Only ``load`` does, where its caller allows it.

    Args:
        source: text of a Python module.
        entry: name of a function that it defines.

    Attributes:
        source, entry: as given.

    Example:
        >>> import enact
        >>> program = enact.Program("def solve(n):\\n    return 2 * n\\n")
        >>> solve = program.load(allow={program.code})
        >>> solve(21)
        42
        >>> with enact.InMemoryStore():
        ...     inv = enact.invoke(solve, (21,))
        ...     inv.program() == program
        True
    """

    source: str
    entry: str = "solve"

    def __post_init__(self) -> None:
        if type(self.source) is not str or type(self.entry) is not str:
            raise TypeError("the source and the entry of a program are text")
        if not self.entry.isidentifier():
            raise NoSuchEntry(f"{self.entry!r} is not the name of a function")

    @property
    def code(self) -> str:
        """Digest of source and entry: ``enact.commit(program).digest``."""
        return resource_digest(self)

    @property
    def module(self) -> str:
        """Name of the module that loading it makes."""
        return targets.PROGRAM + self.code

    def load(
        self, *, allow: bool | Callable[[Program], object] | Collection[str] = False
    ) -> Any:
        """Run the body of the module, in a namespace of its own, and give the entry.

        It runs in this process with all rights that the process has: look at the
        source first, or allow what somebody looked at.

        Args:
            allow: ``True``; or a function that is given the program and says whether
                it may run; or a set of digests (``code``) of programs that may.

        Returns:
            The entry, registered under the digest of the program: within invocations
            its calls are recorded, and such a record can be replayed wherever the
            program has been loaded. Loading a program again gives the same function.

        Raises:
            ProgramNotAllowed: nobody said that it may run. Nothing has run.
            ProgramSyntaxError: the source is no Python. Nothing has run.
            NoSuchEntry: it does not define a function of this name.
        """
        self._check(allow)
        with _LOCK:
            if self not in _loaded:
                _loaded[self] = self._load()
            return _loaded[self]

    def _check(self, allow: Any) -> None:
        if allow is True:
            return
        if isinstance(allow, str):
            raise TypeError("allow takes a set of digests, not one text")
        if callable(allow):
            if allow(self):
                return
        elif isinstance(allow, Collection) and self.code in allow:
            return
        raise ProgramNotAllowed(
            f"{self!r} was not loaded, since nobody allowed it: loading runs its code "
            "with all your rights. Next: read `program.source`, then say "
            f"`program.load(allow={{{self.code!r}}})`"
        )

    def _load(self) -> Any:
        import importlib.util
        from importlib.machinery import ModuleSpec

        name = self.module
        file = f"{name}.py"
        code = self._compiled(file)
        loader: Any = _Loader(self)
        module = importlib.util.module_from_spec(ModuleSpec(name, loader))
        module.__file__ = file
        module.__dict__["__enact_program__"] = self
        sys.modules[name] = module
        # Like an import, which is no part of what the caller is recorded to do.
        token = CURRENT.set(None)
        try:
            exec(code, module.__dict__)
            return self._registered(module)
        except BaseException:
            del sys.modules[name]
            raise
        finally:
            CURRENT.reset(token)

    def _compiled(self, file: str) -> types.CodeType:
        try:
            return compile(self.source, file, "exec", dont_inherit=True)
        except SyntaxError as error:
            where = (file, error.lineno, error.offset, error.text)
            raise ProgramSyntaxError(
                f"{error.msg}, in line {error.lineno} of {self!r}", where
            ) from error
        except (ValueError, MemoryError, RecursionError) as error:
            raise ProgramSyntaxError(f"{error}, in {self!r}") from error

    def _registered(self, module: types.ModuleType) -> Any:
        found = vars(module).get(self.entry)
        if not callable(found):
            known = [
                name for name, value in vars(module).items()
                if callable(value) and not name.startswith("__")
            ]  # fmt: skip
            raise NoSuchEntry(
                f"{self!r} defines no function {self.entry!r}; it has "
                f"{', '.join(known) or 'none at all'}"
            )
        if isinstance(found, type):
            return register(found)
        target = targets.target_of(found)
        name = f"{module.__name__}:{self.entry}"
        if target is not None and target.name != name:
            found = target.fn
        return register(found, name=name)

    def __repr__(self) -> str:
        count = len(self.source.splitlines())
        lines = "1 line" if count == 1 else f"{count} lines"
        return f"<program {self.entry}, {lines}, {self.code[:12]}>"


register_type(Program, name="enact/Program")


class _Loader:
    """Gives tracebacks, ``inspect`` and the digests of code the source."""

    def __init__(self, program: Program) -> None:
        self._source = program.source

    def create_module(self, spec: object) -> None:
        """Nothing special."""

    def exec_module(self, module: types.ModuleType) -> None:
        """Never called: a program is loaded by itself alone."""

    def get_source(self, name: str) -> str:
        return self._source


def registered(name: str) -> Any:
    """The function that is registered under a name.

    Args:
        name: as in stored data: ``module:qualname``, or as given to ``register``.

    Returns:
        The registered function.

    Raises:
        UnregisteredType: there is none in this process.

    Example:
        >>> import enact
        >>> @enact.register(name="doc/double")
        ... def double(n):
        ...     return 2 * n
        >>> enact.registered("doc/double")(21)
        42
    """
    return targets.find(name).wrapper
