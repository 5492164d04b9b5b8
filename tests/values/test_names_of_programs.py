# SPDX-License-Identifier: Apache-2.0
"""The same program has the same names however it is run, and importing is cheap."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import enact.values as values

PROGRAM = """
import dataclasses, enum, multiprocessing, sys
import enact.values as values
import enact

@dataclasses.dataclass
class Order:
    amount: int

class Size(enum.Enum):
    BIG = 1

def work():
    pass

values.register_type(Order)

def digests():
    parts = [Order(3), Size.BIG, Size, ValueError("x"), Order]
    names = [values.qualified_name(work), values.type_name(Order)]
    data = [values.resource_digest(part) for part in parts]
    back = [values.deepcopy(part) for part in parts]
    assert back[:3] == parts[:3] and back[4] is Order, back
    return names + data

def child(queue):
    queue.put(digests())

if __name__ != "shop" and "spawn" in sys.argv:
    if __name__ == "__main__":
        context = multiprocessing.get_context("spawn")
        queue = context.Queue()
        process = context.Process(target=child, args=(queue,))
        process.start()
        print(queue.get(timeout=60))
        process.join()
elif __name__ == "__main__" or __name__ == "shop":
    print(digests())
"""


@pytest.fixture
def run(tmp_path: Path):  # type: ignore[no-untyped-def]
    (tmp_path / "shop.py").write_text(PROGRAM)
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").write_text("")
    (tmp_path / "pkg" / "__main__.py").write_text(PROGRAM)
    source = str(Path(values.__file__).parents[2])

    def run(*args: str, given: str | None = None) -> str:
        done = subprocess.run(
            [sys.executable, *args],
            cwd=tmp_path,
            input=given,
            env={**os.environ, "PYTHONPATH": source},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


def test_a_program_has_the_same_names_however_it_is_run(run) -> None:  # type: ignore[no-untyped-def]
    expected = run("shop.py")
    assert expected.startswith("['shop:work', 'shop:Order', ")
    assert run("-m", "shop") == expected
    assert run("./shop.py") == expected
    assert run("-c", "import shop") == expected
    assert run("shop.py", "spawn") == expected
    assert run("-m", "shop", "spawn") == expected
    assert run("-m", "cProfile", "-o", os.devnull, "shop.py") == expected
    assert (
        run("-c", "import runpy; runpy.run_path('shop.py', run_name='__main__')")
        == expected
    )


def test_a_package_that_is_run_has_its_importable_name(run) -> None:  # type: ignore[no-untyped-def]
    assert run("-m", "pkg").startswith("['pkg.__main__:work', 'pkg.__main__:Order'")


def test_what_cannot_be_imported_keeps_the_name_of_main(run) -> None:  # type: ignore[no-untyped-def]
    code = (
        "import enact.values as v\n"
        "class A: pass\n"
        "def f(): pass\n"
        "print(v.qualified_name(A), v.qualified_name(f))\n"
    )
    assert run("-c", code) == "__main__:A __main__:f"
    assert run("-", given=code) == "__main__:A __main__:f"
    typed = code.replace("pass\n", "pass\n\n")
    assert run("-i", "-q", given=typed) == "__main__:A __main__:f"


def test_importing_values_imports_nothing_slow(run) -> None:  # type: ignore[no-untyped-def]
    heavy = [
        "asyncio",
        "decimal",
        "fractions",
        "zoneinfo",
        "uuid",
        "importlib.metadata",
    ]
    code = (
        "import sys, types\n"
        "package = types.ModuleType('enact')\n"
        f"package.__path__ = [{str(Path(values.__file__).parents[1])!r}]\n"
        "sys.modules['enact'] = package\n"
        "before = set(sys.modules)\n"
        "import enact.values\n"
        "added = set(sys.modules) - before\n"
        f"print([name for name in {heavy!r} if name in added])"
    )
    assert run("-S", "-c", f"import sys; sys.path += {sys.path!r}\n{code}") == "[]"


def test_names_are_module_and_qualified_name() -> None:
    assert values.qualified_name(Path) == "pathlib:Path" or sys.version_info >= (3, 13)
    assert values.qualified_name(subprocess.run) == "subprocess:run"
    assert values.qualified_name(str) == "builtins:str"
    with pytest.raises(TypeError, match="name"):
        values.qualified_name(3)


def test_names_are_found_without_running_code(monkeypatch: pytest.MonkeyPatch) -> None:
    import types

    module = types.ModuleType("lazy")

    def __getattr__(name: str) -> object:
        raise AssertionError("code ran")

    module.__getattr__ = __getattr__  # type: ignore[method-assign]
    monkeypatch.setitem(sys.modules, "lazy", module)
    assert values.find_loaded("lazy:Thing") is None
    assert (
        values.find_loaded("lazy:") is None
        and values.find_loaded("os:path.sep.x") is None
    )
    assert values.find_loaded("os:path.sep") == os.path.sep
