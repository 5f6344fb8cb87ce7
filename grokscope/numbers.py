"""Every number that is shown to a person is spelled here: short, exact, one way for one thing."""

from __future__ import annotations

import math

UNKNOWN = "–"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float, digits: int = 3) -> str:
    """The value to `digits` significant digits, in the shortest usual notation; `–` where unknown."""
    if math.isnan(value):
        return UNKNOWN
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e7 or size < 1e-3:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    decimals = max(0, digits - 1 - math.floor(math.log10(size)))
    return f"{value:,.{decimals}f}"


def fixed(value: float, decimals: int) -> str:
    """The value with a fixed number of decimals, so that a column of them lines up."""
    if math.isnan(value):
        return UNKNOWN
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{value:,.{decimals}f}"


def percent(fraction: float) -> str:
    """A fraction as a percentage with one decimal and no sign."""
    return fixed(100 * fraction, 1)


def whole(value: float) -> str:
    """A count or a step, with thousands separated."""
    return UNKNOWN if math.isnan(value) else f"{round(value):,}"


def count(value: float) -> str:
    """A count, or a median of counts, in as few digits as it has."""
    return UNKNOWN if math.isnan(value) else f"{value:g}"


def probability(p: float, draws: int) -> str:
    """A p-value: three decimals, below 0.001 in powers of ten; what is known only as a bound is shown as one.

    `draws` Monte-Carlo draws (0: a formula) can give no less than 1 / (draws + 1), which is rounded up.
    """
    if math.isnan(p):
        return UNKNOWN
    if draws > 0 and p <= 1.0000001 / (draws + 1):
        return "<" + _rounded_up(1 / (draws + 1))
    if p < 1e-99:
        return "<1e-99"
    return f"{p:.3f}" if p >= 9.5e-4 else _in_powers_of_ten(p, 0)


def _rounded_up(bound: float) -> str:
    """A bound below 1 to two significant digits, no less than it is."""
    unit = 10.0 ** (math.floor(math.log10(bound)) - 1)
    raised = math.ceil(bound / unit - 1e-9) * unit
    return f"{raised:.2g}" if raised >= 9.5e-4 else _in_powers_of_ten(raised, 1)


def _in_powers_of_ten(value: float, decimals: int) -> str:
    return f"{value:.{decimals}e}".replace(".0e", "e").replace("e-0", "e-")


def power_of_ten(exponent: int) -> str:
    """10 to the exponent, with a superscript."""
    return "10" + str(exponent).translate(_SUPERSCRIPTS)


def compact(value: float) -> str:
    """A round number for a tick label: 200, 5k, 1M, 10⁻⁴."""
    if value == 0:
        return "0"
    size = abs(value)
    for unit, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if unit <= size < unit * 1000:
            return f"{value / unit:.4g}{suffix}"
    if 1e-3 <= size < 1e3:
        return f"{value:.4g}"
    exponent = math.floor(math.log10(size) + 1e-9)
    mantissa = value / 10**exponent
    power = power_of_ten(exponent)
    return power if abs(mantissa - 1) < 1e-6 else f"{mantissa:.3g}·{power}"


def duration(seconds: float) -> str:
    """A length of time in its two largest units."""
    if not math.isfinite(seconds) or seconds < 0:
        return UNKNOWN
    total = round(seconds)
    if total < 60:
        return f"{total}s"
    if total < 3600:
        return f"{total // 60}m{total % 60:02d}s"
    if total < 86400:
        return f"{total // 3600}h{total % 3600 // 60:02d}m"
    return f"{total // 86400}d{total % 86400 // 3600:02d}h"
