# SPDX-License-Identifier: Apache-2.0
"""Classes of users: registering, names, and how they may change over time."""

from __future__ import annotations

import array
import collections
import dataclasses
import enum
from typing import Any, ClassVar, Generic, TypeVar

import pytest

import enact.values as values
from enact.errors import (
    DuplicateName,
    MalformedBlock,
    SchemaMismatch,
    UnregisteredType,
    UnstorableValue,
)
from enact.values import ImmutableResource, Resource, TypeWrapper, register_type
from tests.values.blocks import Blocks, encode, roundtrip

T = TypeVar("T")


@register_type
@dataclasses.dataclass
class Poem(Resource):
    title: str
    lines: list[str] = dataclasses.field(default_factory=list)
    words: int = dataclasses.field(init=False, default=0)


@dataclasses.dataclass
@register_type
class Below:
    x: int


@dataclasses.dataclass(slots=True)
@register_type
class Slotted:
    x: int
    y: list[int]


@register_type
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Frozen(ImmutableResource):
    x: int
    y: Any = None


@register_type
@dataclasses.dataclass
class Counted:
    made: ClassVar[int] = 0
    x: int

    def __post_init__(self) -> None:
        type(self).made += 1
        self.x += 1


@register_type
@dataclasses.dataclass
class Box(Resource, Generic[T]):
    content: T


@register_type
class Empty(Resource):
    pass


def test_registered_dataclasses_come_back() -> None:
    poem = Poem("Sea", ["salt"])
    poem.words = 7
    for value in (
        poem,
        Below(1),
        Slotted(1, [2]),
        Frozen(x=1, y=(2,)),
        Box(Box("x")),
        Box[int](3),
        [poem, {"p": poem}],
    ):
        back = roundtrip(value)
        assert back == value and type(back) is type(value)
    assert roundtrip(poem).words == 7
    assert type(roundtrip(Empty())) is Empty


def test_loading_calls_init_then_sets_every_stored_field() -> None:
    value = Counted(1)
    made = Counted.made
    assert roundtrip(value).x == 2
    assert Counted.made == made + 1


def test_a_field_that_was_never_set_stays_unset() -> None:
    @register_type
    @dataclasses.dataclass
    class Lazy:
        x: int
        cache: Any = dataclasses.field(init=False)

    back = roundtrip(Lazy(1))
    assert back.x == 1 and not hasattr(back, "cache")


def test_a_name_is_where_the_class_is_defined_or_what_it_is_registered_as() -> None:
    @register_type
    @dataclasses.dataclass
    class Local:
        x: int

    @dataclasses.dataclass
    class Named:
        x: int

    register_type(Named, name="test/Named")
    assert values.decode_form(encode(Named(1))) == {"$": "test/Named", "x": 1}
    assert values.type_name(Local).endswith(
        ":test_a_name_is_where_the_class_is_defined_or_what_it_is_registered_as"
        ".<locals>.Local"
    )
    assert values.lookup_type("test/Named") is Named
    assert roundtrip(Local(1)) == Local(1)


def test_former_names_load_and_are_not_written() -> None:
    @dataclasses.dataclass
    class Order:
        amount: int

    register_type(Order, name="test/Order2", former=["test/Order", "old.shop:Order"])
    for name in ("test/Order", "old.shop:Order", "test/Order2"):
        data = values.encode_form({"$": name, "amount": 3})
        assert values.decode(data) == values.decode_foreign(data) == Order(3)
    assert b"test/Order2" in encode(Order(3))


def test_registering_twice_does_nothing() -> None:
    assert register_type(Poem) is Poem is register_type(Poem)


def test_one_class_cannot_have_two_names() -> None:
    with pytest.raises(DuplicateName, match="former"):
        register_type(Poem, name="test/AnotherPoem")


def test_two_classes_cannot_have_one_name() -> None:
    @dataclasses.dataclass
    class First:
        pass

    @dataclasses.dataclass
    class Second:
        pass

    register_type(First, name="test/Same")
    with pytest.raises(DuplicateName, match=r"First.*Second"):
        register_type(Second, name="test/Same")
    with pytest.raises(DuplicateName):
        register_type(Second, former=["test/Same"])
    with pytest.raises(DuplicateName):
        values.adapter("test/Same", [], dict, dict)


@pytest.mark.parametrize("name", ["", "enact/Mine", 3])
def test_names_must_be_sensible(name: Any) -> None:
    class Odd:
        pass

    with pytest.raises(ValueError, match="name"):
        register_type(Odd, name=name)
    with pytest.raises(TypeError):
        register_type(3)  # type: ignore[type-var]


def test_instances_of_a_redefined_class_load_as_the_newest() -> None:
    def define(**fields: Any) -> Any:
        cls = dataclasses.make_dataclass(
            "Redefined", [("x", int), *((k, Any, v) for k, v in fields.items())]
        )
        cls.__module__ = __name__
        return register_type(cls)

    old = define()
    instance = old(1)
    assert type(roundtrip(instance)) is old
    new = define(y=2)
    back = roundtrip(instance)
    assert type(back) is new and (back.x, back.y) == (1, 2)


def stored(cls: type, **fields: Any) -> bytes:
    return values.encode_form({"$": values.type_name(cls), **fields})


def test_a_class_that_gained_a_field_with_a_default_loads_old_data() -> None:
    data = stored(Poem, title="Sea")
    assert values.decode(data) == values.decode_foreign(data) == Poem("Sea")


def test_a_class_that_lost_a_field_says_which() -> None:
    with pytest.raises(SchemaMismatch, match=r"metre.*__enact_upgrade__"):
        values.decode(stored(Poem, title="Sea", lines=[], words=0, metre=5))


def test_a_class_that_gained_a_field_without_default_says_which() -> None:
    with pytest.raises(SchemaMismatch, match="no field title"):
        values.decode(stored(Poem, lines=[]))


def test_upgrade_says_what_became_of_old_fields() -> None:
    @register_type
    @dataclasses.dataclass
    class Person:
        name: str

        @classmethod
        def __enact_upgrade__(cls, fields: dict[str, Any]) -> dict[str, Any]:
            return {"name": f"{fields.pop('first')} {fields.pop('last')}"}

    data = stored(Person, first="Ada", last="Lovelace")
    assert values.decode(data) == Person("Ada Lovelace")
    assert roundtrip(Person("Ada")) == Person("Ada")


def test_load_replaces_how_an_instance_is_made() -> None:
    @register_type
    @dataclasses.dataclass
    class Doubled:
        x: int
        source: dataclasses.InitVar[str]

        @classmethod
        def __enact_load__(cls, fields: dict[str, Any]) -> Doubled:
            return cls(fields["x"], "loaded")

        def __post_init__(self, source: str) -> None:
            self.source_length = len(source)

    assert roundtrip(Doubled(2, "x")).source_length == len("loaded")


def test_errors_of_user_classes_say_that_the_data_does_not_fit() -> None:
    @register_type
    @dataclasses.dataclass
    class Positive:
        x: int

        def __post_init__(self) -> None:
            if self.x < 0:
                raise ValueError("negative")

    with pytest.raises(SchemaMismatch, match=r"Positive.*ValueError: negative"):
        values.decode(stored(Positive, x=-1))


def reason(value: object) -> str:
    with pytest.raises(UnstorableValue) as error:
        encode(value)
    return str(error.value)


def test_a_class_that_is_not_registered_cannot_be_stored() -> None:
    @dataclasses.dataclass
    class Stranger:
        x: int

    class Derived(Poem):
        pass

    class Unregistered(Resource):
        pass

    for value in (Stranger(1), Derived("x"), Unregistered()):
        assert "@enact.register" in reason(value)
    register_type(Stranger)
    assert roundtrip(Stranger(1)) == Stranger(1)


def test_an_immutable_resource_must_be_frozen() -> None:
    @register_type
    @dataclasses.dataclass
    class Thawed(ImmutableResource):
        x: int

    assert "frozen=True" in reason(Thawed(1))


def test_an_init_variable_needs_a_default() -> None:
    @register_type
    @dataclasses.dataclass
    class Needy:
        x: dataclasses.InitVar[int]

    assert "InitVar 'x'" in reason(Needy(1))


def test_a_resource_without_decorator_does_not_lose_attributes_silently() -> None:
    @register_type
    class Loose(Resource):
        def __init__(self) -> None:
            self.x = 1

    assert "attribute 'x' is no field" in reason(Loose())


def test_subclasses_of_builtins_are_not_their_builtin() -> None:
    class Name(str):
        pass

    class Bag(dict):
        pass

    for value in (Name("x"), Bag(), [Name("x")], {"a": Name("x")}, {Name("x"): 1}):
        assert "subclass" in reason(value)


def test_registered_subclasses_of_builtins_come_back() -> None:
    class Name(str):
        shown: bool

        def __str__(self) -> str:
            return "hidden"

    class Ints(list):
        def __iter__(self) -> Any:
            return iter(())

    kinds: list[Any] = [Name, Ints]
    for base in (int, float, bytes, bytearray, dict, set, frozenset, tuple):
        kinds.append(type(f"My{base.__name__}", (base,), {"__module__": __name__}))
    samples = [
        "x",
        [1, (2,)],
        2**70,
        -0.0,
        b"\x01",
        b"\x00",
        {"b": 1, 2: 3},
        {1},
        {2},
        (1,),
    ]
    for cls, content in zip(kinds, samples, strict=True):
        register_type(cls)
        value = cls(content)
        value.note = ["attribute"]
        back = roundtrip(value)
        assert type(back) is cls and back == value and back.note == ["attribute"]
        assert encode(value) != encode(content)

    class Kept(collections.OrderedDict):
        pass

    register_type(Kept)
    assert "TypeWrapper" in reason(Kept())


def test_a_dataclass_does_not_lose_the_content_of_a_builtin() -> None:
    @register_type
    @dataclasses.dataclass
    class Both(dict):
        x: int

    assert "only one can be stored" in reason(Both(1))


def test_enums_and_named_tuples_of_functions_must_be_registered() -> None:
    class Local(enum.Enum):
        A = 1

    pair = collections.namedtuple("pair", "a b", defaults=[5])
    pair.__qualname__ = "f.<locals>.pair"
    for value in (Local.A, Local, pair(1, 2)):
        assert "register" in reason(value)
    register_type(Local)
    register_type(pair, name="test/pair")
    assert roundtrip(Local.A) is Local.A and roundtrip(Local) is Local
    assert roundtrip(pair(1, 2)) == (1, 2)
    old = {"$": "enact/NamedTuple", "type": "test/pair", "fields": {"a": 1}}
    assert values.decode(values.encode_form(old)) == pair(1, 5)
    for fields in ({}, {"a": 1, "c": 2}):
        with pytest.raises(SchemaMismatch):
            values.decode(values.encode_form({**old, "fields": fields}))
    gone = {"$": "enact/Enum", "type": values.type_name(Local), "name": "B"}
    with pytest.raises(SchemaMismatch, match="no member 'B'"):
        values.decode(values.encode_form(gone))


@register_type
@dataclasses.dataclass
class ArrayWrapper(TypeWrapper[array.array]):
    code: str
    items: list[Any]

    @classmethod
    def wrap(cls, value: array.array) -> ArrayWrapper:  # type: ignore[type-arg]
        return cls(value.typecode, list(value))

    def unwrap(self) -> array.array:  # type: ignore[type-arg]
        return array.array(self.code, self.items)

    @classmethod
    def set_wrapped_value(cls, target: Any, src: Any) -> None:
        target[:] = src


def test_wrapped_values_come_back_wherever_they_stand() -> None:
    value = {"a": [array.array("i", [1, 2])], "t": (array.array("d", [0.5]),)}
    assert roundtrip(value) == value
    assert roundtrip(array.array) is array.array
    wrapper = values.wrap(array.array("i", [1]))
    assert type(wrapper) is ArrayWrapper and roundtrip(wrapper) == wrapper
    assert values.unwrap(wrapper) == array.array("i", [1])


def test_subclasses_of_a_wrapped_type_are_only_wrapped_when_asked_for() -> None:
    class Special(array.array):
        pass

    assert "TypeWrapper" in reason(Special("i"))
    ArrayWrapper.wraps_subclasses = True
    try:
        assert roundtrip(Special("i", [1])) == array.array("i", [1])
    finally:
        ArrayWrapper.wraps_subclasses = False
        from enact.values.registry import LOWERERS

        LOWERERS.pop(Special)


def test_adapters_teach_kinds_of_values() -> None:
    class Celsius:
        def __init__(self, degrees: object) -> None:
            self.degrees = degrees

    def dump(value: Celsius) -> dict[str, object]:
        if value.degrees is None:
            raise UnstorableValue("no degrees")
        return {"degrees": value.degrees}

    values.adapter("test/Celsius", [Celsius], dump, lambda f: Celsius(f["degrees"]))
    assert roundtrip([Celsius((1, 2))])[0].degrees == (1, 2)
    assert reason({"t": Celsius(None)}) == "no degrees - at $.t"
    assert reason({"t": Celsius([object()])}).endswith("at $.t.degrees[0]")
    with pytest.raises(MalformedBlock):
        values.decode(values.encode_form({"$": "test/Celsius", "d": 1}))


def test_a_type_that_is_gone_names_its_package() -> None:
    values.register_distribution("left-pad", "0.1")
    with pytest.raises(UnregisteredType, match=r"left-pad 0\.1: import left_pad\.core"):
        values.lookup_type("left_pad.core:Pad")
    with pytest.raises(UnregisteredType, match="registers nothing"):
        values.lookup_type(f"{__name__}:Nothing")
    assert values.distribution_of("pytest:Item") == ("pytest", pytest.__version__)
    assert values.distribution_of("builtins:int") is None
    assert values.distribution_of("nobody/Nothing") is None


def test_types_of_functions_are_found_by_name_only_if_registered() -> None:
    class Local:
        pass

    assert "register" in reason(Local)
    assert Blocks().commit(Poem).checkout() is Poem
