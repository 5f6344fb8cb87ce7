"""One picture of the app without a terminal, for documentation, bug reports and tests."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from grokscope.app.app import Microscope
from grokscope.app.session import Session
from grokscope.errors import StorageError


def take(
    runs: Sequence[Path], output: Path, columns: int, rows: int, press: Sequence[str], *, theme: str = "dark"
) -> None:
    """Write the app's screen after the given keys as SVG; nothing is analysed for it.

    Raises BadRunFile for a run that is none, StorageError where the picture cannot be written.
    """
    svg = asyncio.run(picture_of([Session.open(run) for run in runs], columns, rows, press, theme=theme))
    try:
        output.write_text(svg, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"the picture cannot be written to {output}: {error.strerror}") from None


async def picture_of(
    sessions: Sequence[Session], columns: int, rows: int, press: Sequence[str], *, theme: str = "dark"
) -> str:
    """The screen after the keys, as SVG."""
    app = Microscope(sessions, theme=theme, analysis=False, watching=False)
    async with app.run_test(size=(columns, rows)) as pilot:
        for key in press:
            await pilot.press(key)
        await app.workers.wait_for_complete()
        await pilot.pause()
        return app.export_screenshot(title=sessions[0].name)
