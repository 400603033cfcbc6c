"""Claims about classes of attrs: values as dataclasses are, and code like that of any class."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from flowcore.plan.code import class_identity
from flowcore.plan.encode import BadRecord, NoEncoding, PlainRecord, decode, encode, no_fetch
from flowcore.plan.extension import DATACLASS, array_digest, extension, pack


@attrs.define
class Layer:
    """With slots, a private name, a validator and a default that is made."""

    depth: float = attrs.field(validator=attrs.validators.instance_of(float))
    _name: str = "sand"
    parts: list[int] = attrs.Factory(list)


@attrs.frozen
class Soil:
    top: Layer
    wet: bool = False


@attrs.define(slots=False)
class Open:
    x: int = 1


@attrs.define
class Closing:
    x: int = 1

    def __del__(self) -> None:
        """Do nothing: that it is there is what counts."""


def component(value: object) -> bytes:
    """Give the identity of a value."""
    return encode(value, put=array_digest).component


@pytest.mark.contract("K13", "K20")
def test_there_and_back() -> None:
    """Fields are filled without calling anything, a frozen class's too; names with an underscore are fields."""
    value = Soil(Layer(1.5, "clay", [1, 2]), wet=True)
    encoded = encode(value, put=array_digest, class_identity=lambda kind: b"")
    found = decode(encoded.record, fetch=no_fetch)

    assert (value, type(value)) == (found, type(found))
    assert [f"{__name__}:Layer", f"{__name__}:Soil"] == [name for name, _ in encoded.classes]


@pytest.mark.contract("K13")
def test_values_of_other_fields_and_classes_differ() -> None:
    """As those of dataclasses do."""
    values = [Layer(1.5), Layer(2.5), Layer(1.5, "clay"), Open(1), Open(2), Soil(Layer(1.5)), {"x": 1}]

    assert len(values) == len({component(value) for value in values})


@pytest.mark.contract("K13")
def test_what_is_no_field_is_refused() -> None:
    """An attribute beside the fields, and a class whose instances run code when they go."""
    more: Any = Open(1)
    more.y = 2

    for value in (more, Closing()):
        with pytest.raises(NoEncoding):
            component(value)


@pytest.mark.contract("S1")
def test_a_crafted_record_fills_nothing_else() -> None:
    """Fields that the class has not, and classes that run code, give a plain record."""
    for name, field in (("Open", "y"), ("Closing", "x")):
        record = pack(extension(DATACLASS, [f"{__name__}:{name}", field, 1]))

        assert isinstance(decode(record, fetch=no_fetch), PlainRecord)
    with pytest.raises(BadRecord):
        decode(pack(extension(DATACLASS, [f"{__name__}:Open", 1, 1])), fetch=no_fetch)


def made(**options: Any) -> type:
    """Give a class of attrs of which one thing may differ."""
    bound = options.pop("bound", 3)
    unit = options.pop("unit", 1)

    def below(instance: object, attribute: object, value: int) -> None:
        if value > bound:
            raise ValueError(value)

    def scaled(value: int) -> int:
        return value * unit

    fields: dict[str, Any] = {"x": attrs.field(default=options.pop("default", 1), validator=below, converter=scaled)}
    if options.pop("factory", False):
        fields["x"] = attrs.field(factory=list)
    return attrs.make_class("Made", fields, **options)


@pytest.mark.contract("K10")
def test_the_code_of_a_class_is_what_its_fields_do() -> None:
    """Validators, converters, defaults and options enter its identity; nothing of how attrs makes its methods does."""
    variants = [{}, {"bound": 4}, {"unit": 2}, {"default": 2}, {"factory": True}, {"frozen": True}, {"eq": False}]

    assert class_identity(made()) == class_identity(made())
    assert len(variants) == len({class_identity(made(**options)) for options in variants})
