"""Names from files, made safe to print: one place cleans what reaches a terminal, a page or a picture."""

from __future__ import annotations

import unicodedata


def safe_name(name: str) -> str:
    """The name with everything that could move the cursor or reorder the line made visible as `·`."""
    return "".join(
        "·" if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} else c for c in name
    )
