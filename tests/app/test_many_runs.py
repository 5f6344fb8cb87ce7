"""Several runs at once: seeds of one experiment, thirty on one timeline, a branch on its parent's."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grokscope.analysis.timeline import Timeline
from grokscope.app import actions
from grokscope.app.plots.timeline import told_apart
from grokscope.app.session import Session, numbered
from grokscope.app.state import State
from grokscope.app.views.other_runs import Other, others, spelled_at, value_at
from grokscope.app.views.panels import panels
from grokscope.app.views.timeline import draw_timeline
from grokscope.app.views.trajectories import draw_trajectories
from grokscope.figures import PANELS, Axis, Band, Curve, Figure, Line, Panel, over_time
from grokscope.figures.over_time import combined, draws_behind, metric
from grokscope.numbers import UNKNOWN, probability
from grokscope.runfile import Run
from grokscope.spectra.null import ALPHA_DRAWS
from tests.app.conftest import commit, create

STEPS = np.array([0, 10, 100, 1000])


def a_run(name: str, height: float, steps: np.ndarray = STEPS, **more: Any) -> Timeline:
    """A run whose test accuracy has one value from step 10 on."""
    metrics = {"test_accuracy": np.where(steps < 10, 0.0, height)}
    seen: dict[str, Any] = {"layers": ("fc1", "fc2"), "metrics": metrics, "observed": ["grokking"] * len(steps)}
    return Timeline(name, steps, int(steps[-1]), **(seen | more))


SEEDS = (a_run("s0.h5", 0.2), a_run("s1.h5", 0.4, STEPS[1:]), a_run("s2.h5", 0.9))


ACCURACY = Line("test", "test", metric("test_accuracy"))


def drawn(other: Other) -> Figure:
    return over_time(Panel("accuracy", "accuracy", (ACCURACY,)), other.runs)


def test_seeds_of_one_experiment_are_their_mean_and_spread_at_the_steps_that_all_have() -> None:
    state = State((*SEEDS, a_run("other.h5", 0.7)), (0, 0, 0, 3))
    mean, other = others(state)
    (curve,), (band,) = drawn(mean).of(Curve), drawn(mean).of(Band)
    assert isinstance(curve, Curve)
    assert isinstance(band, Band)
    assert curve.x.tolist() == [10, 100, 1000]
    assert curve.y == pytest.approx(np.full(3, 0.5))
    assert band.low == pytest.approx(np.full(3, 0.5 - np.std([0.2, 0.4, 0.9], ddof=1)))
    assert "3" in mean.name
    assert [value_at(ACCURACY, one.runs, 100) for one in (mean, other)] == pytest.approx([0.5, 0.7])
    assert np.isnan(value_at(ACCURACY, mean.runs, 5)), "no step that all have"
    assert np.isnan([value_at(ACCURACY, one.runs, 1001) for one in (mean, other)]).all(), "they have ended"
    from_behind = others(replace(state, front=3))
    assert [one.name for one in from_behind] == [mean.name], "the front run itself is no other"
    assert "mean of 3 50.0 %" in draw_trajectories(replace(state, front=3, index=2, full=True), 80, 24).plain


def test_two_runs_of_one_experiment_are_a_line_each() -> None:
    (other,) = others(State(SEEDS[:2], (0, 0)))
    assert other.runs == (SEEDS[1],)


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
def test_thirty_runs_are_drawn_and_counted(size: tuple[int, int]) -> None:
    late = [{"test_accuracy": np.array([0, 0, 0, k / 30])} for k in range(1, 31)]
    runs = tuple(a_run(f"run-{k}.h5", 0, metrics=one) for k, one in enumerate(late))
    state = State(runs, tuple(range(30)))
    assert len(others(state)) == 29
    assert "+ 29 other runs" in draw_timeline(state, size[0], size[1] // 3).plain
    alone = replace(state, runs=state.runs[:1], experiments=(0,))
    dots = [sum("⠀" < c <= "⣿" for c in draw_trajectories(one, *size).plain) for one in (alone, state)]
    assert dots[1] > 2 * dots[0], "every run is visible"


def test_a_legend_has_what_tells_runs_apart_and_counts_those_of_one_colour() -> None:
    names = ("digits-wd0-s100.h5", "digits-wd0-s101.h5", "digits-wd0.01-s100.h5", "digits-wd0.01-s101.h5")
    late = {"test_accuracy": np.array([0, 0, 0.9, 0.9])}
    runs = tuple(a_run(name, 0, metrics=late) for name in names)
    legend = draw_timeline(State(runs, tuple(range(4))), 100, 10).plain
    assert "train  test  wd0-s101  wd0.01-s100  wd0.01-s101" in legend
    assert "+ 5 other runs" in draw_timeline(State((*runs, *runs[:2]), tuple(range(6))), 200, 10).plain
    assert told_apart(["a.h5", "b.h5"]) == ["a", "b"]
    assert told_apart(["run-1.h5", "run-2.h5", "run.h5"]) == ["run-1", "run-2", "run"]


def test_the_mean_of_several_runs_has_no_curve_where_none_was_measured() -> None:
    steps = np.array([0, 1000, 1500, 2000, 3000, 10_000])
    seeds = tuple(a_run(f"s{k}.h5", k / 4, steps) for k in range(3))
    figure = drawn(others(State(seeds, (0, 0, 0)))[0])
    (curve,), (band,) = figure.of(Curve), figure.of(Band)
    assert isinstance(curve, Curve)
    assert isinstance(band, Band)
    assert np.isnan([curve.y[1], band.low[1], band.high[1]]).all(), "between step 0 and step 1,000"
    assert np.isfinite(curve.y).sum() == len(steps)
    assert "of 3 runs at the 6 steps that all have" in figure.facts[0].text


def test_p_values_of_several_runs_are_called_combined(analysed_run: Path) -> None:
    run = Session.open(analysed_run).timeline
    state = State((run,) * 3, (0, 0, 0), index=11)
    pane = [panel if isinstance(panel, str) else panel.title for panel in panels(state)].index("KS p")
    text = draw_trajectories(replace(state, pane=pane, full=True), 100, 24).plain
    assert "3 combined" in text
    assert "mean of 3" not in text


def test_a_p_value_made_of_bounds_is_smaller_than_each_and_a_bound() -> None:
    """Each by the draws of its own layer in its own run."""
    p, draws, step = np.array([[1 / 101, 0.2], [1 / 401, 0.5]]), np.array([100.0, 400.0]), np.array([10, 20])
    runs = tuple(
        a_run(f"{k}.h5", 0, step, measures={("ks_p", "fc1"): p[k], ("null_draws", "fc1"): np.repeat(draws[k], 2)})
        for k in range(2)
    )
    line, axis = PANELS["ks"](runs[0], ["fc1"]).lines[0], Axis("p", form="p")
    spelled = [spelled_at(line, runs, at, axis) for at in (10, 20, 5)]
    assert spelled == ["≤" + probability(combined(p)[0], 0), probability(combined(p)[1], 0), UNKNOWN]
    assert [spelled_at(line, (run,), 10, axis) for run in runs] == ["<0.01", "<0.0025"]


@pytest.mark.parametrize(("field", "draws"), [("ks_p_bulk", 4000), ("alpha_p", ALPHA_DRAWS), ("ks_p_naive", 0)])
def test_every_p_value_has_the_draws_of_its_own_kind(field: str, draws: int) -> None:
    run = a_run("a.h5", 0, measures={("null_draws", "fc2"): np.full(len(STEPS), 4000.0)})
    assert [set(draws_behind(field, layer, run)) for layer in run.layers] == [{0}, {draws}]


def test_the_other_run_comes_to_the_front_at_the_same_place() -> None:
    swapped = a_run("b.h5", 0.5, STEPS[:3], layers=("fc2", "fc1"))
    runs = (SEEDS[0], swapped, a_run("c.h5", 0.1, layers=("x",)))
    state = State(runs, index=2, layer=1, view="spectrum", pane=1)
    after = actions.other_run(replace(state, filter="fc"))
    assert (after.front, after.step, after.layer) == (1, 100, 0), "fc2, wherever it stands"
    assert (after.view, after.pane, after.filter) == ("spectrum", 1, "fc")
    assert actions.other_run(replace(after, layer=1)).layer == 0, "a run that has fewer layers"


def test_only_runs_that_differ_in_nothing_but_their_seed_are_one_experiment(tmp_path: Path) -> None:
    configs: list[dict[str, object]] = [{"lr": 1, "seed": 0}, {"lr": 2, "seed": 0}, {"lr": 1, "seed": 5}]
    configs += [{"files": 3}, {"files": 3}]  # imported: nothing is known of what made them
    for place, config in enumerate(configs):
        with create(tmp_path / f"{place}.h5", config=config) as writer:
            commit(writer, 0)
    assert numbered([Session(Run.open(tmp_path / f"{place}.h5")) for place in range(5)]) == (0, 1, 0, 3, 4)


def test_a_branch_is_drawn_on_the_timeline_of_its_parent_that_lies_beside_it(
    tmp_path: Path, grokscope_command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    with create(tmp_path / "parent.h5") as writer:
        commit(writer, 0)
    branch = {"parent": Run.open(tmp_path / "parent.h5").uuid, "parent_name": "parent.h5", "step": 1}
    with create(tmp_path / "branch.h5", config={"branch": branch}) as writer:
        commit(writer, 0)
    grokscope_command("view", tmp_path / "branch.h5", "--screenshot", tmp_path / "seen.svg")
    assert "parent.h5" in (tmp_path / "seen.svg").read_text(encoding="utf-8")
    (tmp_path / "parent.h5").unlink()
    grokscope_command("view", tmp_path / "branch.h5", "--screenshot", tmp_path / "seen.svg")
    assert "parent.h5" not in (tmp_path / "seen.svg").read_text(encoding="utf-8")
