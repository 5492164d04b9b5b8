# SPDX-License-Identifier: Apache-2.0
"""Digests of the code that a function runs.

A digest covers the normalised source of the function, its default and captured values,
and what it uses of its own project by global name, transitively: helpers and classes
by their source, plain constants by value, any other global by the statement that binds
it. Registered functions count by their name; the standard library and installed
packages by the name of the module, except for the package of the function itself: a
program that is deployed as a wheel has the digests of its source tree. A digest is the
same on every supported version of Python, and ignores comments, docstrings, layout,
and where files are.

A function without source (``exec``, an old REPL) counts by its bytecode, which differs
between versions of Python; so does a lambda that cannot be told from others on its
line, as under ``-X no_debug_ranges``.

Not seen: what is found by other means than a name (``getattr``, attributes of
arguments; of ``self`` only what the class itself or its bases hold, not what a subclass
overrides), imports inside of functions, docstrings that a program
reads, changes that are made to classes, modules and mutable globals at run time, the
inside of captured objects that are not plain values, globals of a notebook that are
neither code nor plain constants, and data files.

How it works, from below: ``values`` puts values into words, ``syntax`` does so for
trees, ``sources`` reads, once per code object or class, the digest of its syntax and
the dotted names that it takes from outside, ``uses`` follows these names from object
to object, and ``digest`` starts at any callable. ``listing`` goes the same way and
collects the texts, which ``excerpt`` cuts out of the files.
"""

from enact.calls.code.digest import code_digest

__all__ = ["code_digest"]
