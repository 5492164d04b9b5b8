# SPDX-License-Identifier: Apache-2.0
"""The names under which classes and functions appear in stored data.

A name is ``module:qualname``. The same program has the same names whether it runs as a
script, with ``-m``, in a spawned process, or is imported by a tool: what Python calls
``__main__`` there is recorded under the name by which it could be imported. Only the
REPL, standard input and notebooks keep ``__main__``, having nothing better.
"""

from __future__ import annotations

import builtins
import os.path
import sys
import types
from collections.abc import Mapping
from typing import Any

#: Names that Python gives to the program itself instead of its importable name.
_MAIN = frozenset(("__main__", "__mp_main__", "<run_path>"))

#: Global variables of running programs that no module in ``sys.modules`` has.
_PROGRAMS: dict[str, Mapping[str, Any]] = {}


def module_name(obj: Any) -> str:
    """Return the importable name of the module that defines a class or function.

    Args:
        obj: a class, a function, or anything else with ``__module__``.

    Returns:
        A dotted name; ``__main__`` only where nothing better exists.

    Raises:
        TypeError: the object has no ``__module__``.

    Example:
        >>> import fractions
        >>> module_name(fractions.Fraction)
        'fractions'
    """
    module = getattr(obj, "__module__", None)
    if type(module) is not str:
        raise TypeError(f"{obj!r} does not say which module defines it")
    return importable_name(_globals_of(obj, module)) if module in _MAIN else module


def qualified_name(obj: Any) -> str:
    """Return the name of a class or function in stored data.

    Args:
        obj: a class or a function.

    Returns:
        ``module:qualname``.

    Raises:
        TypeError: the object has no module or no qualified name.

    Example:
        >>> import fractions
        >>> qualified_name(fractions.Fraction.limit_denominator)
        'fractions:Fraction.limit_denominator'
    """
    qualname = getattr(obj, "__qualname__", None)
    if type(qualname) is not str:
        raise TypeError(f"{obj!r} has no name")
    return f"{module_name(obj)}:{qualname}"


def importable_name(module_globals: Mapping[str, Any]) -> str:
    """Return the name under which a program could be imported.

    Args:
        module_globals: the global variables of the program.

    Returns:
        ``__spec__.name`` where the program was found by name, else the stem of its
        file, else its ``__name__``.

    Example:
        >>> importable_name({"__name__": "__main__", "__file__": "/home/me/shop.py"})
        'shop'
    """
    spec_name = getattr(module_globals.get("__spec__"), "name", None)
    if type(spec_name) is str and spec_name not in _MAIN:
        return spec_name
    file = module_globals.get("__file__")
    if type(file) is str:
        stem = os.path.splitext(os.path.basename(file))[0]
        if stem.isidentifier():
            return stem
    return "__main__"


def find_loaded(name: str) -> object | None:
    """Find what a name stands for, in modules that are loaded already.

    Nothing is imported, and no code of modules or classes runs: attributes are looked
    up in their dictionaries, past any ``__getattr__``.

    Args:
        name: ``module:qualname``.

    Returns:
        The object, or None.

    Example:
        >>> find_loaded("builtins:dict.fromkeys") is not None
        True
        >>> find_loaded("antigravity:fly") is None
        True
    """
    module_part, _, qualname = name.partition(":")
    if not module_part or not qualname:
        return None
    module = loaded_module(module_part)
    program = _PROGRAMS.get(module_part, {}) if module is None else vars(module)
    spaces: list[Mapping[str, Any]] = [program]
    found: object = None
    for part in qualname.split("."):
        for space in spaces:
            if part in space:
                found = space[part]
                break
        else:
            return None
        if isinstance(found, type):
            spaces = [vars(base) for base in found.__mro__]
        else:
            spaces = [vars(found)] if isinstance(found, types.ModuleType) else []
    return found


def loaded_module(name: str) -> types.ModuleType | None:
    """Find a module by name, without importing it.

    Args:
        name: as recorded: the name under which the running program could be imported
            finds the running program.

    Returns:
        The module, or None.

    Example:
        >>> loaded_module("sys").__name__
        'sys'
    """
    if name == "builtins":
        return builtins
    module = sys.modules.get(name)
    if module is None:
        main = sys.modules.get("__main__")
        if main is not None and importable_name(vars(main)) == name:
            module = main
    return module if isinstance(module, types.ModuleType) else None


def _globals_of(obj: Any, module: str) -> Mapping[str, Any]:
    """Return the global variables of the program that defines an object.

    Profilers execute a program in a module of their own making, which ``sys.modules``
    does not hold; functions of the program and its running code know better.
    """
    found = _globals_of_functions(obj, module)
    loaded = sys.modules.get(module)
    if found is None:
        found = vars(loaded) if loaded is not None else {}
        frame = sys._getframe()
        while frame.f_back is not None:
            frame = frame.f_back
            if frame.f_globals.get("__name__") == module:
                found = frame.f_globals
                break
    if loaded is None or found is not vars(loaded):
        _PROGRAMS[importable_name(found)] = found
    return found


def _globals_of_functions(obj: Any, module: str) -> dict[str, Any] | None:
    for candidate in (obj, *vars(obj).values()) if isinstance(obj, type) else (obj,):
        space = getattr(candidate, "__globals__", None)
        if isinstance(space, dict) and space.get("__name__") == module:
            # Generated methods (of dataclasses) have made-up file names.
            if not candidate.__code__.co_filename.startswith("<"):
                return space
    return None
