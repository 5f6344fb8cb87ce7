"""Models of hundreds of layers: short names, a filter, orders, and reasons that count instead of listing."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from grokscope.analysis.timeline import Timeline
from grokscope.app import actions, prompt
from grokscope.app.frame import Frame, Layer
from grokscope.app.layer_names import matches, shortened, telling
from grokscope.app.layout import Place
from grokscope.app.state import ORDERS, State
from grokscope.app.views.help import why_text
from grokscope.app.views.maps import draw_spectrogram
from grokscope.app.views.spectrum import draw_esd, draw_randomised
from grokscope.app.views.table import hit_table, table
from grokscope.app.views.traps import draw_traps
from grokscope.figures.colors import DARK
from grokscope.phases import NO_PHASE
from grokscope.phases.evidence import COLUMNS, LayerEvidence
from grokscope.phases.inferred import BIAS_HALVING, CLOSED, CONFIRM
from grokscope.phases.signs import named
from grokscope.spectra import LayerSpectrum, analyze_layer

PARTS = ("self_attn.q_proj", "self_attn.o_proj", "mlp.up_proj")
NAMES = tuple(f"model.layers.{block}.{part}.weight" for block in range(12) for part in PARTS)
ALPHAS = {name: np.array([3.0, 40.0 - place]) for place, name in enumerate(NAMES)}


def many() -> State:
    """36 layers at the second of two checkpoints: the later the layer the smaller its alpha; the last has none."""
    measures = {("alpha", name): values for name, values in ALPHAS.items()}
    measures["alpha", NAMES[-1]] = np.array([3.0, np.nan])
    measures |= {("num_traps", name): np.array([0.0, float(place == 5)]) for place, name in enumerate(NAMES)}
    timeline = Timeline("a.h5", np.array([0, 10]), 10, layers=NAMES, measures=measures)
    layers = tuple(
        Layer(name, (8, 8), partial(LayerSpectrum, name, (8, 8)), short=short)
        for name, short in zip(NAMES, telling(NAMES), strict=True)
    )
    return State((timeline,), index=1, frame=Frame("a.h5", 1, 2, 10, layers))


def typed(state: State, text: str) -> State:
    """The filter asked for, and something typed."""
    state = actions.ask(state, "layers")
    for character in text:
        state = prompt.type_in(state, character, character)
    return state


def test_what_all_layers_share_is_left_out() -> None:
    assert telling(NAMES)[:3] == ("0.self_attn.q_proj", "0.self_attn.o_proj", "0.mlp")
    assert telling((*NAMES, "lm_head.weight"))[-2:] == ("model.11.mlp", "lm_head")
    assert telling(("fc1", "fc2")) == ("fc1", "fc2")
    assert telling(("a.b",)) == ("a.b",)


@pytest.mark.parametrize("width", [9, 12, 16, 20])
def test_names_in_a_narrow_column_still_tell_layers_apart(width: int) -> None:
    shown = [shortened(name, width) for name in telling((*NAMES, "lm_head.weight"))]
    assert {len(name) for name in shown} == {width}
    assert len(set(shown)) == len(shown)
    assert shown[-3].startswith(("11.s.o_p", "…11.self_attn.o_proj"))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("attn", True),
        ("ATTN", True),
        ("mlp", False),
        ("*.3.*", True),
        ("3.*", False),
        ("model.*q_proj.weigh?", True),
    ],
)
def test_a_filter_is_a_part_of_the_name_or_a_pattern_of_the_whole(wanted: str, found: bool) -> None:
    assert matches("model.layers.3.self_attn.q_proj.weight", wanted) is found


@pytest.mark.parametrize(("width", "name"), [(39, "3.s.q_proj"), (80, "3.self_attn.q_proj")])
def test_the_titles_of_plots_have_the_telling_part_of_a_long_name(width: int, name: str) -> None:
    state, place = many(), NAMES.index("model.layers.3.self_attn.q_proj.weight")
    weight = np.random.default_rng(0).normal(size=(40, 64))
    spectrum = analyze_layer(weight, NAMES[place], step=0, permutations=2, null_draws=100)
    assert state.frame is not None
    layers = list(state.frame.layers)
    layers[place] = replace(layers[place], read=lambda: spectrum)
    runs = (replace(state.timeline, spectra={NAMES[place]: [spectrum, spectrum]}),)
    state = replace(state, runs=runs, frame=replace(state.frame, layers=tuple(layers)), layer=place)
    titles = {"ESD": draw_esd, "randomised": draw_randomised, "traps": draw_traps}
    for title, draw in titles.items():
        assert draw(state, width, 12).plain.startswith(("▌" if title == "ESD" else " ") + f"{title} {name}  "), (
            title
        )
        assert draw(replace(state, layer=0), width, 12).plain.split("\n")[0][1:].startswith(f"{title} 0."), title
    assert f"randomised {name}  " in draw_traps(state, width, 30).plain, "below the list"
    assert "α " in draw_esd(state, width, 12).plain.split("\n")[0]
    assert draw_spectrogram(state, 2 * width, 12).plain.startswith(" spectrogram 3.self_attn.q_proj  ")


def test_a_filter_works_while_it_is_typed_is_shown_and_esc_clears_it() -> None:
    state = typed(many(), "mlp")
    assert [NAMES[place] for place in state.rows] == [name for name in NAMES if "mlp" in name]
    assert state.layer == 2, "the selected layer is one of those shown"
    assert "/mlp" in table(state, 120, 6).plain
    kept = prompt.type_in(state, "enter", None)
    assert (kept.prompt, kept.rows) == ("", state.rows)
    assert len(actions.leave(kept).rows) == len(NAMES)
    assert len(prompt.type_in(state, "escape", None).rows) == len(NAMES)


def test_a_filter_that_nothing_matches_says_so_and_breaks_nothing() -> None:
    state = typed(many(), "xyz")
    assert state.rows == ()
    assert "none of 36 layers has a name with xyz" in table(state, 120, 6).plain
    assert hit_table(state, Place(3, 1, 120, 6)) is None
    assert actions.select(state, 1) is state
    assert actions.order(state).rows == ()
    assert len(prompt.type_in(state, "ctrl+u", None).rows) == len(NAMES)


def test_layers_are_sorted_by_a_measure_at_the_cursor_and_those_without_come_last() -> None:
    state = replace(many(), order="alpha")
    assert state.rows == (*reversed(range(35)), 35)
    assert replace(state, index=0).rows == tuple(range(36))
    assert replace(state, order="traps").rows[:2] == (5, 0)
    assert "▾α [95 %]" in table(state, 120, 6).plain
    assert [actions.order(replace(state, order=name)).order for name in ORDERS] == [*list(ORDERS)[1:], "depth"]
    assert not any("▾" in table(replace(state, order=name), 120, 6).plain for name in ("depth", "worst"))


def test_the_first_and_the_last_layer_and_pages_of_them_are_a_key_away() -> None:
    state = actions.keep(many(), "q_proj")
    assert actions.select(state, 9999).layer == 33
    assert actions.select(actions.select(state, 9999), -10).layer == 3
    assert actions.select(actions.select(state, 9999), -9999).layer == 0


def test_reasons_count_layers_where_they_are_many_and_name_them_where_they_are_few() -> None:
    layers = [LayerEvidence(f"fc{place}", 64, **dict.fromkeys(COLUMNS, np.ones(1))) for place in range(288)]
    many_layers = named("a sign", layers, lambda layer: "7" if layer.name != "fc0" else "")
    assert many_layers == ["a sign: 287 of 288 layers, the first fc1 7, fc2 7"]
    assert named("a sign", layers[:3], lambda _: "7") == ["a sign: fc0 7, fc1 7, fc2 7"]


def test_why_tells_the_rule_that_decides() -> None:
    frame = Frame("a.h5", 1, 2, 10, (), inferred="grokking", reasons=("the first layer's gates are open",))
    text = " ".join(why_text(DARK, frame, 75).plain.split())
    for words in (f"{CLOSED:g} halvings", f"for {CONFIRM} checkpoints", f"{BIAS_HALVING:g} of a row's norm"):
        assert words in text
    assert "decide nothing" in text
    assert "Two of three" not in text


def test_why_tells_what_is_undecided_in_the_accuracies() -> None:
    frame = Frame("a.h5", 1, 2, 10, (), observed="undecided", inferred="grokking")
    assert f"accuracies say ? undecided weights say G grokking • {NO_PHASE}" in " ".join(
        why_text(DARK, frame, 150).plain.split()
    )
