"""Why the weights say what they say of a checkpoint: every reason whole, and the rule."""

from __future__ import annotations

import textwrap

from rich.style import Style
from rich.text import Text

from grokscope.app.frame import Frame
from grokscope.app.plots.timeline import NOT_MEASURED, NOT_OBSERVED
from grokscope.app.theme import Palette, phase_letter
from grokscope.numbers import whole

RULE = (
    "The rule: without eigenvalues of W beyond the edge of its own shuffled entries it is pre-grokking, with them "
    "grokking. Two of three signs make it anti-grokking, one alone is undecided: traps made by large entries; α "
    "whose whole interval is below 2; one direction that dominates a layer. The last two count only while the "
    "norm grows."
)


def why_text(palette: Palette, frame: Frame, width: int) -> Text:
    """The two verdicts on a checkpoint, the reasons of the weights' one, and the rule."""
    text = Text(end="")
    text.append(f"step {whole(frame.step)}".ljust(width - 3), Style(color=palette.cursor, bold=True))
    text.append("esc\n", Style(color=palette.accent))
    for who, phase, unknown in (
        ("accuracies say", frame.observed, NOT_OBSERVED),
        ("weights say", frame.inferred, NOT_MEASURED),
    ):
        text.append(f"{who:<16}", Style(color=palette.muted))
        word = unknown if phase == "unknown" else phase
        text.append(f"{phase_letter(phase)} {word}\n", Style(color=palette.phase(phase), bold=True))
    for reason in frame.reasons:
        lines = textwrap.wrap(reason, width, initial_indent="  • ", subsequent_indent="    ")
        text.append("\n".join(lines) + "\n", Style(color=palette.text))
    text.append("\n" + "\n".join(textwrap.wrap(RULE, width)), Style(color=palette.muted))
    return text
