"""What is in each figure, as plain data; it is drawn in the app's cells, by plotext or by matplotlib.

Functions of a layer's spectrum or of a run through time; they know no file and no screen.
"""

from grokscope.figures.axis import Axis, Scale, axis_over
from grokscope.figures.branch import on_parent
from grokscope.figures.data import (
    Band,
    Bars,
    Curve,
    Fact,
    Figure,
    Heatmap,
    HLine,
    Mark,
    Points,
    Span,
    VLine,
)
from grokscope.figures.history import History, on_axis, on_common_axes, phase_spans, step_axis
from grokscope.figures.maps import WORDS, classes, form_of, heatmap, spectrogram
from grokscope.figures.over_time import Line, Panel, over_time
from grokscope.figures.panels import MEASURES, PANELS, of_measure, of_metric
from grokscope.figures.profile import profile
from grokscope.figures.spectrum import CAUSE_LETTERS, Scales, dxmin, esd, randomised

__all__ = [
    "CAUSE_LETTERS",
    "MEASURES",
    "PANELS",
    "WORDS",
    "Axis",
    "Band",
    "Bars",
    "Curve",
    "Fact",
    "Figure",
    "HLine",
    "Heatmap",
    "History",
    "Line",
    "Mark",
    "Panel",
    "Points",
    "Scale",
    "Scales",
    "Span",
    "VLine",
    "axis_over",
    "classes",
    "dxmin",
    "esd",
    "form_of",
    "heatmap",
    "of_measure",
    "of_metric",
    "on_axis",
    "on_common_axes",
    "on_parent",
    "over_time",
    "phase_spans",
    "profile",
    "randomised",
    "spectrogram",
    "step_axis",
]
