"""Steps as people write them: 500000, 500,000, 500k, 2.2e5 or 1M."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

_UNITS = {"k": 10**3, "m": 10**6, "g": 10**9}
LARGEST = 10**18


def parse_number(text: str) -> Decimal | None:
    """The number that a text names, exactly; None where it names none. Commas and underscores are skipped."""
    plain = text.strip().lower().replace(",", "").replace("_", "")
    unit = _UNITS.get(plain[-1:], 1)
    try:
        number = Decimal(plain[:-1] if unit > 1 else plain) * unit
    except (InvalidOperation, ValueError):
        return None
    return number if number.is_finite() and abs(number) < LARGEST else None


def parse_step(text: str) -> float | None:
    """The step that a text names, None where it names none."""
    number = parse_number(text)
    return None if number is None or number < 0 else float(number)
