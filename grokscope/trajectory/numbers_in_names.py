"""The numbers in a checkpoint's name, each with the word that it stands by: which of them could be a step?"""

from __future__ import annotations

import re
from dataclasses import dataclass

from grokscope.steps import parse_number

NUMBER = re.compile(r"(?<![\d.])(?:\d{1,3}(?:[,']\d{3})+(?!\d)|\d+(?:\.\d+)?(?:e[+-]?\d+)?)", re.IGNORECASE)
THOUSANDS = re.compile(r"[1-9]\d{0,2}((?:_\d{3})+|(?: \d{3})+)?(?!\d)")
WORD_BEFORE = re.compile(r"([a-z]+)[=_\-. :]*$", re.IGNORECASE)
BELOW_ZERO = re.compile(r"[=_ :]-$")  # a mere hyphen stands between: checkpoint-500
UNIT = re.compile(r"([kmg])(?![a-z])", re.IGNORECASE)
WORD_AFTER = re.compile(r"[_\-. ]?([a-z]+)(?![a-z]|[=_\-. :]*\d)", re.IGNORECASE)  # not that of the next number
DATE = re.compile(
    r"(?<!\d)(?:19|20)\d\d([-_.]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])"
    r"(?:[T_\- ]?[0-2]\d[-_.:h]?[0-5]\d(?:[-_.:m]?[0-5]\d)?)?(?!\d)"
)
STEPS = frozenset({"step", "steps", "globalstep"})
ITERATIONS = frozenset({"iter", "iters", "iteration", "iterations", "it", "update", "updates"})
EPOCHS = frozenset({"epoch", "epochs", "ep"})
NO_STEP = frozenset({
    "v", "ver", "version", "seed", "rng", "token", "tokens", "tok", "loss", "acc", "accuracy", "err", "error",
    "ppl", "auc", "score", "lr", "wd", "bs", "dim", "width", "depth", "layer", "layers", "head", "heads", "top",
    "rank", "gpu", "gpus", "world", "of", "run", "trial", "fold", "split",
})  # fmt: skip
FLOATS = frozenset({"fp", "bf", "f", "float", "bfloat", "int", "uint", "i", "u", "q", "bit", "bits"})


@dataclass(frozen=True)
class Number:
    """A number in a name: its value, the words before and after it, and its place among the name's numbers.

    `joined` is its value with the groups of three digits behind it, as in 10_000; -1 where it is not written so.
    """

    value: int
    before: str
    after: str
    place: int
    joined: int = -1

    def stands_by(self, words: frozenset[str]) -> bool:
        """Tell whether one of the words labels this number: `step=1000`, `1000_steps`."""
        return self.before in words or self.after in words


def numbers_in(name: str) -> list[Number]:
    """List the numbers of a name that could be steps: no decimals, dates, versions, seeds, tokens or dtypes.

    1e5, 10k, 1.5M are read as `--steps` reads them; labelled by `step`, even eight digits are no date.
    """
    dates = [match.span() for match in DATE.finditer(name)]
    found = []
    for place, match in enumerate(NUMBER.finditer(name)):
        number = _number(name, match, place)
        in_date = any(start <= match.start() < end for start, end in dates)
        if number is not None and (not in_date or number.stands_by(STEPS)):
            found.append(number)
    return found


def skeleton(name: str) -> str:
    """Return a name with its numbers taken out: equal for checkpoints that one program has named."""
    return NUMBER.sub("#", DATE.sub("#", name))


def _number(name: str, match: re.Match[str], place: int) -> Number | None:
    word = WORD_BEFORE.search(name[: match.start()])
    before = word.group(1).lower() if word else ""
    text, rest = match.group(), name[match.end() :]
    if unit := UNIT.match(rest):
        text, rest = text + unit.group(1), rest[1:]
    follows = WORD_AFTER.match(rest)
    after = follows.group(1).lower() if follows else ""
    value = None if BELOW_ZERO.search(name[: match.start()]) else parse_number(text.replace("'", ""))
    if value is None or value != int(value) or ("." in match.group() and not unit):
        return None
    if (before in FLOATS and value in (4, 8, 16, 32, 64)) or before in NO_STEP or after in NO_STEP or after == "b":
        return None
    grouped = THOUSANDS.match(name, match.start()) if text.isdigit() else None
    whole = int(re.sub("[_ ]", "", grouped.group())) if grouped else -1
    return Number(int(value), before, after, place, whole)
