"""Every number that is shown to a person is spelled here: short, exact, one way for one thing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

UNKNOWN = "–"
SIGNIFICANT = 4
"""Digits of a mean and of its standard deviation."""

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def json_value(value: Any) -> Any:
    """A value as JSON knows it, to its depths: arrays are lists, and numbers that are not finite None."""
    if isinstance(value, dict):
        return {key: json_value(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_value(one) for one in value]
    if hasattr(value, "tolist"):  # of NumPy
        return json_value(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def number_text(value: float | None, form: str) -> str:
    """Format a number; an en dash where it is not known."""
    return UNKNOWN if value is None or math.isnan(value) else format(value, form)


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


def with_interval(value: float, low: float, high: float) -> str:
    """A value with the interval that it is known within: `2.31 [1.9, 2.8]`; `–` where unknown."""
    return UNKNOWN if math.isnan(value) else f"{fixed(value, 2)} [{fixed(low, 1)}, {fixed(high, 1)}]"


def interval(low: float | None, high: float | None, decimals: int = 2) -> str:
    """An interval by itself: `1.90–2.80`; `–` where unknown."""
    if low is None or high is None or math.isnan(low):
        return UNKNOWN
    return f"{fixed(low, decimals)}–{fixed(high, decimals)}"


def with_range(words: str, low: float | None, high: float | None) -> str:
    """A count in words with the least and the greatest that it is made of: `7 (5–9)`; alone where they are one."""
    if low is None or high is None or math.isnan(low) or low == high:
        return words
    return f"{words} ({count(low)}–{count(high)})"


def percent(fraction: float) -> str:
    """A fraction as a percentage with one decimal and no sign."""
    return fixed(100 * fraction, 1)


def percent_sign(fraction: float) -> str:
    """A fraction as a percentage with one decimal and its sign; `–` where unknown."""
    return f"{percent(fraction)} %" if math.isfinite(fraction) else percent(fraction)


def whole(value: float) -> str:
    """A count or a step, with thousands separated."""
    return UNKNOWN if math.isnan(value) else f"{round(value):,}"


def count(value: float) -> str:
    """A count, or a median of counts, in as few digits as it has."""
    return UNKNOWN if math.isnan(value) else f"{value:g}"


def counted(number: int, noun: str) -> str:
    """How many of something there are: "1 trap", "2 traps"."""
    return f"{whole(number)} {noun}{'' if number == 1 else 's'}"


def probability(p: float | None, draws: int) -> str:
    """A p-value: three decimals, below 0.001 in powers of ten; what is known only as a bound is shown as one.

    `draws` Monte-Carlo draws (0: a formula) can give no less than 1 / (draws + 1), which is rounded up.
    """
    if p is None or math.isnan(p):
        return UNKNOWN
    if _is_bound(p, draws):
        return "<" + _rounded_up(1 / (draws + 1))
    if p < 1e-99:
        return "<1e-99"
    return f"{p:.3f}" if p >= 9.5e-4 else _in_powers_of_ten(p, 0)


def combined_probability(p: float, smallest: float, draws: int) -> str:
    """A p-value made of several, each of so many draws: a bound where the smallest of them is one."""
    words = probability(p, 0)
    return f"≤{words}" if _is_bound(smallest, draws) and not words.startswith("<") else words


def _is_bound(p: float, draws: int) -> bool:
    return draws > 0 and p <= 1.0000001 / (draws + 1)


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


def mean_text(values: Sequence[float], *, whole: bool = False) -> str:
    """Format a number, or the mean ± standard deviation of several, both with the same decimals.

    Four significant digits, or none behind the point where the numbers are `whole`.
    """
    if not values:
        return UNKNOWN
    mean = sum(values) / len(values)
    if len(values) == 1:
        return format(mean, ",.0f" if whole or 1e4 <= abs(mean) < 1e7 else ".4g")
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    form = ",.0f" if whole else _common_form(max(abs(mean), deviation))
    return " ± ".join(_without_common_zeros([format(mean, form), format(deviation, form)]))


def _common_form(largest: float) -> str:
    """Return the format in which a number of the size of `largest` has four significant digits."""
    if largest and not 1e-3 <= largest < 1e7:
        return f".{SIGNIFICANT - 1}e"
    decimals = SIGNIFICANT - 1 - math.floor(math.log10(largest)) if largest else 0
    return f",.{max(decimals, 0)}f"


def _without_common_zeros(texts: list[str]) -> list[str]:
    """Drop the decimals that are zero in all of the texts."""
    while all("." in text and text[-1] in "0." for text in texts):
        texts = [text[:-1] for text in texts]
    return texts
