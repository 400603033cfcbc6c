"""How flowcore keeps a Quantity: known once it is registered, which a user asks for by its name."""

from typing import Any

import flowcore as fc
from flowcore_units import Quantity


def apart(quantity: Quantity) -> dict[str, Any]:
    """Take a value apart, into things that flowcore can keep; an array stays an array."""
    return {"numbers": quantity.numbers, "unit": quantity.unit}


def together(parts: Any) -> Quantity:
    """Put the parts together again."""
    return Quantity(parts["numbers"], parts["unit"])


def register() -> None:
    """Tell flowcore. The name and the version enter the identity of every value."""
    fc.register_codec(Quantity, name="flowcore-units.Quantity", version="1", to=apart, back=together)
