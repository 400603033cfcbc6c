"""Which functions draw from a random stream that the whole process shares (contract K21).

Owns the names: the functions of `random` and of `numpy.random` that have a hidden
generator, which no key knows of. Never imports either module.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Sequence
from typing import Final

from flowcore.plan.extension import kind_name

_OF_NUMPY: Final = frozenset(
    "beta binomial bytes chisquare choice dirichlet exponential f gamma geometric get_state gumbel hypergeometric "
    "laplace logistic lognormal logseries multinomial multivariate_normal negative_binomial noncentral_chisquare "
    "noncentral_f normal pareto permutation poisson power rand randint randn random random_integers random_sample "
    "ranf rayleigh sample seed set_state shuffle standard_cauchy standard_exponential standard_gamma "
    "standard_normal standard_t triangular uniform vonmises wald weibull zipf".split()
)
_OF_RANDOM: Final = frozenset(
    "betavariate binomialvariate choice choices expovariate gammavariate gauss getrandbits getstate "
    "lognormvariate normalvariate paretovariate randbytes randint random randrange sample seed setstate shuffle "
    "triangular uniform vonmisesvariate weibullvariate".split()
)
_HOLDERS: Final = {"random.Random": "random", "numpy.random.mtrand.RandomState": "np.random"}


def global_draw(thing: object, attributes: Sequence[str]) -> str:
    """Tell which such function a global and the attributes read from it are; empty if none.

    Parameters
    ----------
    thing : object
        What a name stands for: a module, or what was imported from one.
    attributes : sequence of str
        Read from it at once, in order.
    """
    if isinstance(thing, types.ModuleType):
        chain = ".".join((thing.__name__, *attributes))
        module, _, name = chain.rpartition(".")
        if (module == "numpy.random" and name in _OF_NUMPY) or (module == "random" and name in _OF_RANDOM):
            return f"{module.replace('numpy', 'np')}.{name}"
        return ""
    holder = _HOLDERS.get(kind_name(type(getattr(thing, "__self__", None))), "")
    name = getattr(thing, "__name__", "")
    known = _OF_NUMPY if holder == "np.random" else _OF_RANDOM
    return f"{holder}.{name}" if holder and name in known and _shared(thing) else ""


def _shared(bound: object) -> bool:
    """Tell whether a bound method is one of the functions themselves, and not of a generator of the user's own."""
    name = getattr(bound, "__name__", "")
    return any(getattr(sys.modules.get(module), name, None) == bound for module in ("random", "numpy.random"))
