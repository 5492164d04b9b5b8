# SPDX-License-Identifier: Apache-2.0
"""Values of the standard library."""

from __future__ import annotations

import datetime
import pathlib
import re
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from enact.errors import MalformedBlock, UnregisteredType, UnstorableValue
from enact.values.adapted import adapter
from enact.values.plain import lower_items, lower_sequence, paired
from enact.values.registry import (
    LOADERS,
    LOWERERS,
)

if TYPE_CHECKING:
    from enact.values.cbor import Form
    from enact.values.coders import Loader, Lowerer, Lowering, Raising
    from enact.values.paths import Frame

Fields = Mapping[str, Any]


def _lower_ordered_dict(encoder: Lowering, value: Any, frame: Frame) -> Form:
    return lower_items("enact/OrderedDict", encoder, value, frame)


def _lower_counter(encoder: Lowering, value: Any, frame: Frame) -> Form:
    return lower_items("enact/Counter", encoder, value, frame)


def _lower_default_dict(encoder: Lowering, value: Any, frame: Frame) -> Form:
    form = lower_items("enact/DefaultDict", encoder, value, frame)
    part = (frame[0] + 1, frame, None, ".default_factory")
    form["factory"] = encoder.lower(value.default_factory, part)
    return form


def _lower_deque(encoder: Lowering, value: deque[Any], frame: Frame) -> Form:
    items = lower_sequence(encoder, value, frame)
    return {"$": "enact/Deque", "items": items, "maxlen": value.maxlen}


def _load_ordered_dict(decoder: Raising, form: dict[str, Form], depth: int) -> object:
    return OrderedDict(paired(decoder.exactly(list, form, "items", depth)))


def _load_counter(decoder: Raising, form: dict[str, Form], depth: int) -> object:
    return Counter(paired(decoder.exactly(list, form, "items", depth)))


def _load_default_dict(decoder: Raising, form: dict[str, Form], depth: int) -> object:
    decoder.only(form, 3)
    factory = decoder.value(form.get("factory"), depth + 1)
    if factory is not None and not callable(factory):
        raise MalformedBlock("the factory of a defaultdict cannot be called")
    return defaultdict(factory, paired(decoder.part(list, form, "items", depth)))


def _load_deque(decoder: Raising, form: dict[str, Form], depth: int) -> object:
    decoder.only(form, 3)
    items: list[Any] = decoder.part(list, form, "items", depth)
    maxlen: Any = decoder.value(form.get("maxlen"), depth + 1)
    loaded = deque(items, maxlen)
    if len(loaded) != len(items):
        raise MalformedBlock("a deque holds more than its length allows")
    return loaded


LOWERERS.update(
    {
        OrderedDict: _lower_ordered_dict,
        Counter: _lower_counter,
        defaultdict: _lower_default_dict,
        deque: _lower_deque,
    }
)
LOADERS.update(
    {
        "enact/OrderedDict": _load_ordered_dict,
        "enact/Counter": _load_counter,
        "enact/DefaultDict": _load_default_dict,
        "enact/Deque": _load_deque,
    }
)


def _dump_complex(value: complex) -> Fields:
    return {"real": value.real, "imag": value.imag}


def _load_complex(fields: Fields) -> complex:
    real, imag = fields["real"], fields["imag"]
    if type(real) is not float or type(imag) is not float:
        raise MalformedBlock("parts of a complex number are floats")
    return complex(real, imag)


def _dump_slice(value: Any) -> Fields:
    return {"start": value.start, "stop": value.stop, "step": value.step}


def _load_range(fields: Fields) -> range:
    return range(fields["start"], fields["stop"], fields["step"])


def _load_slice(fields: Fields) -> slice:
    return slice(fields["start"], fields["stop"], fields["step"])


def _dump_pattern(value: re.Pattern[Any]) -> Fields:
    if value.flags & re.DEBUG:
        raise UnstorableValue("a pattern with re.DEBUG prints wherever it is loaded")
    return {"pattern": value.pattern, "flags": value.flags}


def _load_pattern(fields: Fields) -> re.Pattern[Any]:
    if fields["flags"] & re.DEBUG:
        raise MalformedBlock("a pattern with re.DEBUG")
    try:
        return re.compile(fields["pattern"], fields["flags"])
    except (re.error, RecursionError) as error:
        raise MalformedBlock(f"not a regular expression: {error}") from error


def _dump_timedelta(value: datetime.timedelta) -> Fields:
    return {
        "days": value.days,
        "seconds": value.seconds,
        "microseconds": value.microseconds,
    }


def _load_timedelta(fields: Fields) -> datetime.timedelta:
    return datetime.timedelta(fields["days"], fields["seconds"], fields["microseconds"])


def _dump_date(value: datetime.date) -> Fields:
    return {"iso": value.isoformat()}


def _load_date(fields: Fields) -> datetime.date:
    return datetime.date.fromisoformat(fields["iso"])


def _dump_time(value: Any) -> Fields:
    naive = value.replace(tzinfo=None, fold=0)
    return {"iso": naive.isoformat(), "fold": value.fold, "zone": value.tzinfo}


def _load_datetime(fields: Fields) -> datetime.datetime:
    naive = datetime.datetime.fromisoformat(fields["iso"])
    return naive.replace(tzinfo=fields["zone"], fold=fields["fold"])


def _load_time(fields: Fields) -> datetime.time:
    naive = datetime.time.fromisoformat(fields["iso"])
    return naive.replace(tzinfo=fields["zone"], fold=fields["fold"])


def _dump_timezone(value: Any) -> Fields:
    offset, *name = value.__getinitargs__()
    return {"offset": offset, "name": name[0] if name else None}


def _load_timezone(fields: Fields) -> datetime.timezone:
    if fields["name"] is None:
        return datetime.timezone(fields["offset"])
    return datetime.timezone(fields["offset"], fields["name"])


def _dump_path(value: pathlib.PurePath) -> Fields:
    return {"path": str(value)}


def _register_paths() -> None:
    def loader(cls: Any) -> Any:
        def load(fields: Fields) -> object:
            if type(fields["path"]) is not str:
                raise MalformedBlock("a path is text")
            try:
                return cls(fields["path"])
            except NotImplementedError as error:
                raise UnregisteredType(
                    f"a {cls.__name__} cannot be made on {sys.platform}; store "
                    f"Pure{cls.__name__} to exchange it between systems"
                ) from error

        return load

    for name in ("PurePosixPath", "PureWindowsPath", "PosixPath", "WindowsPath"):
        cls = getattr(pathlib, name)
        adapter(f"enact/{name}", [cls], _dump_path, loader(cls))


def _register() -> None:
    adapter("enact/Complex", [complex], _dump_complex, _load_complex)
    adapter("enact/Range", [range], _dump_slice, _load_range)
    adapter("enact/Slice", [slice], _dump_slice, _load_slice)
    adapter("enact/Pattern", [re.Pattern], _dump_pattern, _load_pattern)
    adapter("enact/TimeDelta", [datetime.timedelta], _dump_timedelta, _load_timedelta)
    adapter("enact/Date", [datetime.date], _dump_date, _load_date)
    adapter("enact/Time", [datetime.time], _dump_time, _load_time)
    adapter("enact/DateTime", [datetime.datetime], _dump_time, _load_datetime)
    adapter("enact/TimeZone", [datetime.timezone], _dump_timezone, _load_timezone)
    _register_paths()


# Modules that take long to import are imported when a value of theirs is met.


def _register_decimal() -> None:
    from decimal import Decimal

    adapter(
        "enact/Decimal",
        [Decimal],
        lambda value: {"value": str(value)},
        lambda fields: Decimal(_text(fields["value"])),
    )


def _register_fraction() -> None:
    from fractions import Fraction

    def load(fields: Fields) -> Fraction:
        numerator, denominator = fields["numerator"], fields["denominator"]
        if type(numerator) is not int or type(denominator) is not int:
            raise MalformedBlock("parts of a fraction are integers")
        return Fraction(numerator, denominator)

    def dump(value: Fraction) -> Fields:
        return {"numerator": value.numerator, "denominator": value.denominator}

    adapter("enact/Fraction", [Fraction], dump, load)


def _register_uuid() -> None:
    from uuid import UUID

    adapter(
        "enact/UUID",
        [UUID],
        lambda value: {"hex": value.hex},
        lambda fields: UUID(hex=_text(fields["hex"])),
    )


def _register_zone() -> None:
    from zoneinfo import ZoneInfo

    def dump(value: ZoneInfo) -> Fields:
        if value.key is None:
            raise UnstorableValue("a time zone that was read from a file has no name")
        return {"key": value.key}

    def load(fields: Fields) -> ZoneInfo:
        return ZoneInfo(_text(fields["key"]))

    adapter("enact/ZoneInfo", [ZoneInfo], dump, load)


def _text(value: object) -> str:
    if type(value) is not str:
        raise MalformedBlock("something else where a text should be")
    return value


_LATE = {
    ("decimal", "Decimal"): _register_decimal,
    ("fractions", "Fraction"): _register_fraction,
    ("uuid", "UUID"): _register_uuid,
    ("zoneinfo", "ZoneInfo"): _register_zone,
}


def resolve(cls: type) -> Lowerer | None:
    register = _LATE.get((cls.__module__, cls.__qualname__))
    if register is None:
        return None
    register()
    return LOWERERS.get(cls)


def resolve_loader(name: str) -> Loader | None:
    for (_, qualname), register in _LATE.items():
        if name == f"enact/{qualname}":
            register()
            return LOADERS.get(name)
    return None


_register()
