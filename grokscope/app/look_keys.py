"""What is looked at: the view, the layer, the trap, the axes, the mark, the run in front."""

from __future__ import annotations

from dataclasses import replace

from grokscope.app.at_cursor import comparison
from grokscope.app.base import Base
from grokscope.app.messages import SelectLayer, SelectTrap
from grokscope.app.text import whole
from grokscope.app.theme import DARK, LIGHT


class LookKeys(Base):
    """Every action that changes what is shown of a checkpoint."""

    def action_select(self, by: int) -> None:
        """Select another layer; in the list of traps, another trap."""
        state, layer = self.state, self.state.selected
        if state.view == "traps" and state.pane == 1 and layer is not None and layer.spectrum is not None:
            last = max(0, len(layer.spectrum.traps) - 1)
            self.put(replace(state, trap=min(last, max(0, min(last, state.trap) + by))))
            return
        last = max(0, len(state.timeline.layers) - 1)
        self.put(replace(state, layer=min(last, max(0, state.layer + by)), trap=0))

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
        if len(self.screen_stack) > 1:
            return
        count = 2
        if self.state.view == "trajectories":
            from grokscope.app.trajectories import panels

            count = len(panels(self.state))
        self.put(replace(self.state, pane=(self.state.pane + by) % count))

    def action_axis(self, which: str) -> None:
        """Make an axis of the pane logarithmic, or linear again."""
        state = self.state
        if state.view in {"trajectories", "traps"}:
            if which == "x":
                self.put(replace(state, steps_log=not state.steps_log))
            else:
                self.put(replace(state, values_log=not state.values_log))
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
        from grokscope.app.help_screen import HelpScreen

        self.push_screen(HelpScreen(self.state.palette))
