"""Taking something away: a row, a picture with its numbers, or the Python that makes them."""

from __future__ import annotations

from grokscope.app.base import Base


class TakeKeys(Base):
    """Every action that gives the user something to keep."""

    def export_screenshot(self, *, title: str | None = None, simplify: bool = False) -> str:
        """The screen as SVG."""
        from grokscope.app.svg import without_leading_spaces

        return without_leading_spaces(super().export_screenshot(title=title, simplify=simplify))

    def action_copy(self) -> None:
        """Copy the selected layer's row, tab separated with its titles."""
        from grokscope.app.clipboard import copy_within_tmux
        from grokscope.app.export import row_as_text

        if self.state.selected is not None:
            row = row_as_text(self.state)
            self.copy_to_clipboard(row)
            copy_within_tmux(row)
            self.notify(f"copied the row of {self.state.selected.name}", timeout=2, markup=False)

    def action_export(self) -> None:
        """Write the screen as SVG and the view's numbers as CSV."""
        from grokscope.app.export import export
        from grokscope.errors import GrokscopeError

        try:
            paths = export(self.state, self.session.run.path, self.export_screenshot(title=self.session.name))
        except (OSError, GrokscopeError) as error:
            self.notify(f"not written: {error}", severity="error", markup=False)
            return
        folder = paths[0].parent
        self.notify(
            f"wrote {paths[0].name} and {paths[1].suffix[1:].upper()} into {folder}", timeout=5, markup=False
        )

    def action_python(self) -> None:
        """Quit, and print the Python that rebuilds this view."""
        from grokscope.app.export import python_for

        self.exit(python_for(self.state, self.session.run))
