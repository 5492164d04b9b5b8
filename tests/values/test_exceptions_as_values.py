# SPDX-License-Identifier: Apache-2.0
"""Exceptions are values: type, args, notes and attributes come back."""

from __future__ import annotations

import dataclasses
import json
import threading
from typing import Any

import pytest

import enact.errors
import enact.values as values
from enact.errors import MalformedBlock, UnregisteredType, UnstorableValue
from tests.values.blocks import encode, roundtrip


class Plain(Exception):
    pass


class Picky(ValueError):
    def __init__(self, code: int, *, where: str) -> None:
        super().__init__(f"{code} in {where}")
        self.code = code
        self.where = where


class Denied(PermissionError):
    def __init__(self, name: str) -> None:
        super().__init__(13, "denied", name)


def caught(function: Any, *args: Any) -> BaseException:
    try:
        function(*args)
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def test_exceptions_come_back_with_type_args_and_text() -> None:
    for error in (
        ValueError(),
        ValueError("a", 1, [2]),
        Plain("x"),
        KeyError("k"),
        Picky(3, where="here"),
        Denied("f.txt"),
        OSError(2, "gone", "a.txt", None, "b.txt"),
        OSError("odd"),
        StopIteration(5),
        SystemExit(3),
        KeyboardInterrupt(),
        ImportError("no", name="n", path="p"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
        SyntaxError("bad", ("f.py", 1, 2, "text", 1, 3)),
        ExceptionGroup("several", [ValueError(1), ExceptionGroup("in", [Plain("y")])]),
        BaseExceptionGroup("base", [KeyboardInterrupt()]),
        enact.errors.UnstorableValue("why", "$.a"),
        caught(json.loads, "{"),
        caught(int, "x"),
        caught(open, "/nonexistent/file"),
    ):
        back = roundtrip(error)
        assert type(back) is type(error)
        assert repr(back) == repr(error) and str(back) == str(error)
        for name in (
            "errno",
            "filename",
            "filename2",
            "value",
            "code",
            "name",
            "reason",
        ):
            assert getattr(back, name, None) == getattr(error, name, None)
        assert encode(back) == encode(error)


def test_attributes_and_notes_come_back() -> None:
    error = Picky(3, where="here")
    error.add_note("a note")
    error.extra = {"x": (1,)}  # type: ignore[attr-defined]
    back = roundtrip(error)
    assert back.__notes__ == ["a note"]
    assert (back.code, back.where, back.extra) == (3, "here", {"x": (1,)})


def test_what_belongs_to_the_run_is_left_out() -> None:
    def fail() -> None:
        try:
            raise KeyError("inner")
        except KeyError as inner:
            raise Plain("outer") from inner

    assert encode(caught(fail)) == encode(Plain("outer"))


def test_attributes_that_cannot_be_stored_are_left_out_args_are_not() -> None:
    error = Plain("x")
    error.lock = threading.Lock()  # type: ignore[attr-defined]
    assert not hasattr(roundtrip(error), "lock")
    with pytest.raises(UnstorableValue, match=r"\$\.args\[0\]"):
        encode(Plain(threading.Lock()))


def test_loading_runs_no_code_of_the_class() -> None:
    class Loud(Exception):
        def __new__(cls, *args: Any) -> Loud:
            raise AssertionError("__new__ ran")

        def __init__(self, *args: Any) -> None:
            raise AssertionError("__init__ ran")

    values.register_type(Loud, name="test/Loud")
    form = {"$": "enact/Exception", "type": "test/Loud", "args": [1]}
    loaded = values.decode(values.encode_form(form))
    assert type(loaded) is Loud and loaded.args == (1,)


def test_an_unknown_type_of_exception_is_never_another_one() -> None:
    form = {"$": "enact/Exception", "type": "shop:Sold", "args": []}
    with pytest.raises(UnregisteredType, match="shop:Sold"):
        values.decode(values.encode_form(form))
    form["type"] = "builtins:dict"
    with pytest.raises(UnregisteredType):
        values.decode(values.encode_form(form))


def test_special_attributes_are_not_loaded() -> None:
    form = {
        "$": "enact/Exception",
        "type": "builtins:ValueError",
        "args": [],
        "attributes": {"__class__": 1},
    }
    with pytest.raises(MalformedBlock):
        values.decode(values.encode_form(form))


def test_exceptions_of_functions_must_be_registered() -> None:
    class Local(Exception):
        pass

    with pytest.raises(UnstorableValue, match="register"):
        encode(Local())
    values.register_type(Local)
    assert type(roundtrip(Local("x"))) is Local


def test_a_registered_dataclass_that_is_an_exception_keeps_its_fields() -> None:
    @values.register_type
    @dataclasses.dataclass
    class Refused(values.Resource, Exception):
        why: str
        by: list[str]

    back = roundtrip(Refused("x", ["y"]))
    assert type(back) is Refused and (back.why, back.by) == ("x", ["y"])
    assert back.args == ("x", ["y"]) and str(back) == str(Refused("x", ["y"]))
    by_name = roundtrip(Refused(why="x", by=[]))
    assert by_name.args == () and by_name == Refused(why="x", by=[])
