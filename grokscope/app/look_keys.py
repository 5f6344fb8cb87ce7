"""What is looked at: the view, the layer, the trap, the axes, the mark, the run in front."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from grokscope.app.at_cursor import comparison
from grokscope.app.base import Base
from grokscope.app.messages import SelectLayer, SelectTrap
from grokscope.app.state import State
from grokscope.app.theme import DARK, LIGHT
from grokscope.numbers import whole


class LookKeys(Base):
    """Every action that changes what is shown of a checkpoint."""

    def action_select(self, by: int) -> None:
        """Select another layer; in the list of traps, another trap, past its end the next layer's first."""
        state = self.state
        layer, trap = state.layer, 0
        if state.listing and 0 <= state.trap + by < _num_traps(state, layer):
            trap = state.trap + by
        elif 0 <= layer + by < len(state.timeline.layers):
            layer += by
            trap = max(0, _num_traps(state, layer) - 1) if state.listing and by < 0 else 0
        else:
            return
        self.put(replace(state, layer=layer, trap=trap))

    def on_select_layer(self, message: SelectLayer) -> None:
        """The mouse on the table of layers."""
        self.put(replace(self.state, layer=message.layer, trap=0))

    def on_select_trap(self, message: SelectTrap) -> None:
        """The mouse on the list of traps, which the keys act on from now."""
        self.put(replace(self.state, trap=message.trap, pane=1))

    def action_view(self, view: str) -> None:
        """Show another of the four views."""
        self.put(replace(self.state, view=view, pane=0))

    def action_pane(self, by: int) -> None:
        """Make the next pane the one that the keys act on."""
        count = 2
        if self.state.view == "trajectories":
            from grokscope.app.trajectories import panels

            count = len(panels(self.state))
        self.put(replace(self.state, pane=(self.state.pane + by) % count))

    def action_axis(self, which: str) -> None:
        """Make an axis of the pane logarithmic, or linear again."""
        state = self.state
        if state.view in {"trajectories", "traps"} and which == "x":
            self.put(replace(state, steps_log=not state.steps_log))
        elif state.view == "trajectories":
            self.put(replace(state, values_log=not state.values_log))
        elif state.view == "traps":
            self.notify("no y axis here: 2 shows the spectra, 4 the trajectories", timeout=2)
        elif state.pane % 2:
            self.put(replace(state, randomized_axes=state.randomized_axes.flipped(which)))
        else:
            self.put(replace(state, esd_axes=state.esd_axes.flipped(which)))

    def action_search(self) -> None:
        """Show D(xmin) over the ESD, or the fitted line again."""
        self.put(replace(self.state, search=not self.state.search))

    def action_mark(self) -> None:
        """Mark the checkpoint to compare others with it; on a marked one, take the mark away."""
        mark = None if self.state.mark == self.state.index else self.state.index
        if self.state.frame is None:
            return
        state = replace(self.state, mark=mark)
        self.put(replace(state, comparison=comparison(state, self.sessions)))
        words = (
            "mark taken away" if mark is None else f"step {whole(self.state.frame.step)} marked: move to compare"
        )
        self.notify(words, timeout=2)

    def action_other_run(self) -> None:
        """Put the next run in front, at the same step."""
        if len(self.sessions) < 2:
            self.notify("one run only; `grokscope view a.h5 b.h5` shows two", timeout=3)
            return
        step = 0 if self.state.frame is None else self.state.frame.step
        self.sessions = [*self.sessions[1:], self.sessions[0]]
        self.set_reactive(Base.index, self.session.timeline().nearest(step))
        self.put(self.at_cursor(replace(self.state, mark=None, comparison=None, layer=0, liveness=None)))

    def action_theme(self) -> None:
        """Change between dark and light."""
        palette = LIGHT if self.state.palette.dark else DARK
        self.theme = palette.name
        self.put(replace(self.state, palette=palette))

    def action_leave(self) -> None:
        """One layer out: stop playing, drop the mark, leave D(xmin), return to the overview."""
        state = self.state
        if state.playing:
            self.put(replace(state, playing=False))
        elif state.mark is not None:
            unmarked = replace(state, mark=None, comparison=None)
            self.put(replace(unmarked, comparison=comparison(unmarked, self.sessions)))
        elif state.search:
            self.put(replace(state, search=False))
        else:
            self.action_view("overview")

    def action_help(self) -> None:
        """Show the table of keys."""
        from grokscope.app.help_text import help_text
        from grokscope.app.sheet import Sheet

        self.push_screen(Sheet(partial(help_text, self.state.palette), "question_mark"))

    def action_why(self) -> None:
        """Show why the weights say what they say."""
        from grokscope.app.sheet import Sheet
        from grokscope.app.why_text import why_text

        if self.state.frame is not None:
            self.push_screen(Sheet(partial(why_text, self.state.palette, self.state.frame), "w"))


def _num_traps(state: State, layer: int) -> int:
    spectrum = None if state.frame is None else state.frame.layers[layer].spectrum
    return 0 if spectrum is None else len(spectrum.traps)
