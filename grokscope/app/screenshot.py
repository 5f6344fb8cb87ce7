"""One picture of the app without a terminal, for documentation, bug reports and tests."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from grokscope.analysis.caveats import caveats
from grokscope.app import arrivals
from grokscope.app.app import Microscope
from grokscope.app.keys import KEYS
from grokscope.app.session import Session
from grokscope.errors import UsageError
from grokscope.files import write_result
from grokscope.names import pasted
from grokscope.trajectory import Trajectory


def take(
    runs: Sequence[Trajectory],
    output: Path,
    columns: int,
    rows: int,
    press: Sequence[str],
    *,
    theme: str = "dark",
    folder: Path | None = None,
) -> list[str]:
    """Write the app's screen after the given keys as SVG; returns a sentence for each run not wholly analysed.

    Nothing is analysed for it. Raises UsageError for a key that there is none of and a name that does not end in
    .svg, StorageError where the picture cannot be written.
    """
    if output.suffix.lower() != ".svg":
        raise UsageError(f"--screenshot {output}: the picture is SVG; give a name that ends in .svg")
    keys = [key_named(word) for word in press]
    sessions = [Session.whole(run, range(run.num_checkpoints)) for run in runs]
    svg = asyncio.run(picture_of(sessions, columns, rows, keys, theme=theme, folder=folder))
    write_result(output, svg)
    return [sentence for session in sessions if (sentence := _not_analysed(session))]


async def picture_of(
    sessions: Sequence[Session],
    columns: int,
    rows: int,
    press: Sequence[str],
    *,
    theme: str = "dark",
    folder: Path | None = None,
) -> str:
    """The screen after the keys, by Textual's names, as SVG."""
    app = Microscope(sessions, folder=folder, theme=theme, analysis=False, watching=False)
    async with app.run_test(size=(columns, rows)) as pilot:
        for number, session in enumerate(sessions):
            app.put(arrivals.warned(app.state, number, caveats(session.run)))
        if folder is not None:
            await app.settled()
        for key in press:
            await pilot.press(key)
        await app.settled()
        await pilot.pause()
        return app.export_screenshot(title=sessions[0].name if sessions else app.state.folder)


def key_named(word: str) -> str:
    """Textual's name of a key as the table of keys writes it, as Textual does, or as the character that it types.

    Raises UsageError where it names none.
    """
    from textual.keys import Keys

    written = {shown.lower(): name for key in KEYS for shown, name in _spellings(key.shown, key.keys)}
    if len(word) == 1 and word.isprintable():
        return written.get(word, word)
    name = written.get(word.lower(), word.lower())
    if name not in {key.value for key in Keys} | {name for key in KEYS for name in key.keys}:
        raise UsageError(f"--press {word} names no key; give keys such as right, Home, ⇧tab, esc, enter, G or 2")
    return name


def _spellings(shown: str, names: Sequence[str]) -> list[tuple[str, str]]:
    """How the table writes keys beside Textual's names of them, letters left out: their case matters."""
    pairs = zip(shown.split(), names, strict=True)
    return [(word, name) for word, name in pairs if not (len(word) == 1 and word.isalpha())]


def _not_analysed(session: Session) -> str:
    measured = session.spectra is None or session.spectra.done.all(axis=1)
    missing = np.setdiff1d(np.flatnonzero(np.logical_not(measured)), session.damaged).size
    if not missing:
        return ""
    path = session.run.path
    return (
        f"note: {missing} of {session.num_checkpoints} checkpoints of {session.name} are not analysed, and the "
        f"picture is empty there; `grokscope analyze {pasted(path)}` measures them"
    )
