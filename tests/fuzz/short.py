"""Some changed files, all that was ever found, and some kills, in one process: `python -m tests.fuzz.short`."""

from __future__ import annotations

import sys

from tests.fuzz.case import case_of
from tests.fuzz.found import FOUND
from tests.fuzz.fuzz import Fuzzer, do_cases
from tests.fuzz.kills import do_kills

CASES = range(300)
KILLS = (16, 27, 29, 77, 110)  # an import, two of compact, an export, an analysis and its workers

if __name__ == "__main__":
    with Fuzzer(light=True) as fuzzer:
        finds = do_cases(fuzzer, [*(case_of(number, light=True) for number in CASES), *FOUND])
        finds += do_kills(fuzzer, KILLS)
    sys.exit(min(finds, 1))
