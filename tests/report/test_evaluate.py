"""Detectors scored: AUROC against other programs, the bootstrap against a closed case, cuts, alarms and leads."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu
from typer.testing import Result

from grokscope.analysis import analyze
from grokscope.errors import UsageError
from grokscope.phases import Thresholds
from grokscope.report.auroc import (
    Classified,
    Pairs,
    bootstrap,
    interval,
    interval_over_runs,
    matched_pairs,
    pooled_pairs,
)
from grokscope.report.detectors import Reading
from grokscope.report.evaluate import DetectorScore, ScoredRun, evaluate, read_run, scored_run
from grokscope.report.evaluation_text import evaluation_rows
from grokscope.runfile import LayerSpec, Run, RunWriter

Command = Callable[..., Result]
STEPS = np.array([1, 2, 3, 4, 5, 6, 7, 8], dtype=np.int64)
FALLING = [0.2, 0.2, 0.5, 0.9, 0.88, 0.8, 0.7, 0.6]  # the fall begins at step 6
HEALTHY = [0.2, 0.2, 0.5, 0.9, 0.92, 0.92, 0.91, 0.9]


def some_runs(seed: int = 0, count: int = 4) -> list[Classified]:
    """Runs with ties, an infinity and an unknown score, and some steps that are not those of the others."""
    rng = np.random.default_rng(seed)
    runs = []
    for _ in range(count):
        steps = np.sort(rng.choice(30, 20, replace=False)).astype(np.int64)
        positive = rng.random(20) < steps / 40
        score = np.round(rng.normal(size=20) + positive, 1)
        score[rng.integers(20)], score[rng.integers(20)] = np.inf, np.nan
        runs.append(Classified(steps, score, positive, ~positive & (rng.random(20) < 0.9)))
    return runs


def together(runs: list[Classified]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """All known scores of the positive and of the negative checkpoints."""
    known = [~np.isnan(run.score) for run in runs]
    pairs = list(zip(runs, known, strict=True))
    return tuple(np.concatenate([run.score[there & getattr(run, name)] for run, there in pairs])  # type: ignore[return-value]
                 for name in ("positive", "negative"))  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_the_pooled_auroc_is_mann_and_whitneys(seed: int) -> None:
    runs = some_runs(seed)
    positive, negative = together(runs)
    wins = mannwhitneyu(positive, negative).statistic
    assert pooled_pairs(runs).auroc() == pytest.approx(wins / len(positive) / len(negative), abs=1e-12)


def test_the_pooled_auroc_is_scikit_learns() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    positive, negative = (np.minimum(part, 99.0) for part in together(some_runs()))
    labels = np.repeat([1, 0], [len(positive), len(negative)])
    expected = metrics.roc_auc_score(labels, np.concatenate([positive, negative]))
    assert pooled_pairs(some_runs()).auroc() == pytest.approx(expected, abs=1e-12)


def test_matched_pairs_are_those_of_one_step() -> None:
    runs, won, total = some_runs(7), 0.0, 0
    for one in runs:
        for other in runs:
            for i, step in enumerate(one.steps):
                for j in np.flatnonzero(other.steps == step):
                    high, low = one.score[i], other.score[j]
                    if one.positive[i] and other.negative[j] and not np.isnan([high, low]).any():
                        won, total = won + float(high > low) + 0.5 * float(high == low), total + 1
    assert total > 20
    assert matched_pairs(runs).all.sum() == total
    assert matched_pairs(runs).auroc() == pytest.approx(won / total, abs=1e-12)


def test_time_alone_knows_nothing_at_matched_steps() -> None:
    late = np.arange(8) > 4
    collapse, healthy = (Classified(STEPS, STEPS * 1.0, now, ~now) for now in (late, np.zeros(8, dtype=bool)))
    assert pooled_pairs([collapse, healthy]).auroc() > 0.8
    assert matched_pairs([collapse, healthy]).auroc() == 0.5


def test_runs_without_one_of_the_classes_have_no_auroc() -> None:
    nobody = np.zeros(8, dtype=bool)
    for pairs in (pooled_pairs, matched_pairs):
        assert np.isnan(pairs([Classified(STEPS, STEPS * 1.0, nobody, ~nobody)]).auroc())
        assert np.isnan(pairs([]).auroc())


def test_a_bootstrap_of_two_runs_has_three_outcomes() -> None:
    """Run a tells perfectly, run b the wrong way round; of pairs across them three quarters are won.

    Drawn are aa, ab and bb with chances ¼, ½, ¼; ab weighs each of the four tables once.
    """
    pairs = Pairs(np.array([[4.0, 3.0], [3.0, 0.0]]), np.full((2, 2), 4.0))
    samples = bootstrap(pairs, 40_000, np.random.default_rng(0))
    assert set(np.unique(samples)) == {0.0, 0.625, 1.0}
    assert [np.mean(samples == value) for value in (0.0, 0.625, 1.0)] == pytest.approx([0.25, 0.5, 0.25], abs=0.01)
    assert pairs.auroc() == 0.625
    assert interval(samples) == (0.0, 1.0)


def test_an_interval_needs_samples() -> None:
    assert np.isnan(interval(np.array([0.5, np.nan, np.nan]))).all()
    assert interval(np.array([0.5, 0.5, np.nan])) == (0.5, 0.5)
    assert interval(np.linspace(0, 1, 41)) == pytest.approx((0.025, 0.975))
    assert np.isnan(bootstrap(pooled_pairs([]), 5, np.random.default_rng(0))).all()


def test_an_interval_over_runs_needs_three_with_either_class() -> None:
    def ends(count: int) -> tuple[float, float]:
        return interval_over_runs(pooled_pairs(some_runs(count=count)), 200, np.random.default_rng(0))

    assert np.isnan(ends(2)).all()
    low, high = ends(3)
    assert low < pooled_pairs(some_runs(count=3)).auroc() < high


def a_run(test: list[float], train: list[float] | None = None, name: str = "run", **said: object) -> ScoredRun:
    """A run of eight checkpoints; `said` gives a detector's alarms (0 or 1 each), `score` has no rule."""
    readings = {}
    for detector, values in said.items():
        score = np.array(values, dtype=float)
        labels = (
            tuple("anti-grokking" if value else "grokking" for value in score) if detector != "score" else None
        )
        readings[detector] = Reading(score, labels)
    return scored_run(name, STEPS, np.array(train or [1.0] * 8), np.array(test), readings)


def score_of(runs: list[ScoredRun], name: str) -> DetectorScore:
    return next(score for score in evaluate(runs, draws=100) if score.name == name)


def test_a_run_is_cut_where_it_is_no_longer_memorised() -> None:
    run = a_run(FALLING, [0.5, 0.995, 1, 1, 1, 1, 0.985, 1], rule=[1] * 8)
    assert run.cut == 7
    assert run.steps.tolist() == [1, 2, 3, 4, 5, 6]
    assert len(run.readings["rule"].score) == len(run.readings["rule"].labels or ()) == 6
    assert run.observed.collapse is None  # one fallen checkpoint has not lasted
    assert a_run(FALLING, [0.5, 0.99, *[1.0] * 6]).cut is None
    assert a_run(FALLING, [0.5] * 8).cut is None  # never memorised
    assert a_run(FALLING, [1.0, np.nan, *[1.0] * 6]).cut is None  # unknown is not below


def test_thresholds_decide_what_counts_as_a_collapse() -> None:
    train, test = np.ones(8), np.array(FALLING)
    deep = scored_run("run", STEPS, train, test, {}, Thresholds(fall=0.15))
    assert [a_run(FALLING).observed.collapse, deep.observed.collapse] == [5, 6]


@pytest.mark.parametrize(
    ("alarms", "found", "early", "lead", "fallen"),
    [
        ([0, 0, 0, 0, 1, 1, 1, 1], 3, 1, 1, 0.02),
        ([0, 0, 0, 0, 0, 1, 1, 1], 3, 0, 0, 0.1),
        ([0, 0, 0, 0, 0, 0, 0, 1], 1, 0, -2, 0.3),
        ([1, 0, 0, 0, 0, 0, 1, 0], 1, 1, -1, 0.2),  # early, but before the network generalised: no warning
        ([0, 0, 0, 0, 0, 0, 0, 0], 0, 0, np.nan, np.nan),
    ],
)
def test_alarms_are_counted_before_and_after_the_fall(
    alarms: list[int], found: int, early: int, lead: float, fallen: float
) -> None:
    [run] = score_of([a_run(FALLING, rule=alarms)], "rule").runs
    assert (run.collapsed, run.found, run.early, run.fall) == (3, found, early, 6)
    assert [run.lead, run.fallen] == pytest.approx([lead, fallen], nan_ok=True)


def test_false_alarms_are_those_of_runs_that_do_not_collapse() -> None:
    runs = [
        a_run(FALLING, name="a", rule=[0, 0, 0, 1, 1, 1, 1, 1]),
        a_run(HEALTHY, name="b", rule=[1, 0, 0, 1, 1, 0, 0, 0]),
        a_run(HEALTHY, name="c", rule=[0] * 8),
    ]
    score = score_of(runs, "rule")
    assert [run.run for run in score.healthy] == ["b", "c"]
    assert score.false_alarms == 1.5
    assert score.lead == 2
    # at which step each table's two classes stand: 3 collapsed of a, 3 + 6 + 6 grokking ones, alarms as above
    assert score.confusion == {
        ("pre-grokking", "grokking"): 5, ("pre-grokking", "anti-grokking"): 1,
        ("grokking", "grokking"): 11, ("grokking", "anti-grokking"): 4, ("anti-grokking", "anti-grokking"): 3,
    }  # fmt: skip


def test_a_score_without_a_rule_gets_its_threshold_from_the_other_runs() -> None:
    runs = [
        a_run(FALLING, name="a", score=[0, 0, 1, 2, 3, 9, 9, 9]),
        a_run(HEALTHY, name="b", score=[0, 0, 1, 2, 3, 4, 4, 4]),
        a_run(HEALTHY, name="c", score=[0, 0, 1, 2, 3, 4, 4, 5]),
    ]
    score = score_of(runs, "score")
    assert not score.own_rule
    assert [run.found for run in score.runs] == [3, 0, 0]
    assert [run.early for run in score.runs] == [0, 0, 1]  # c's own 5 is no part of its threshold
    many = [a_run(HEALTHY, name=str(k), score=[0, 0, k, k, k, k, k, k]) for k in range(30)]
    assert [run.run for run in score_of(many, "score").runs if run.early] == [
        "28",
        "29",
    ]  # 5 % of 29 are below two
    alone = score_of(runs[:1], "score")
    assert not alone.alarms
    assert alone.confusion == {}


def test_checkpoints_without_a_score_are_counted() -> None:
    score = score_of([a_run(FALLING, score=[0, 0, np.nan, 2, 3, 9, np.nan, 9])], "score")
    assert (score.known, score.num_scored) == (4, 6)
    assert score.auroc == 1


def test_nothing_is_found_or_missed_by_a_detector_that_says_nothing() -> None:
    silent = {"rule": Reading(np.full(8, np.nan), ("unknown",) * 8)}
    score = score_of([replace(a_run(values), readings=silent) for values in (FALLING, HEALTHY)], "rule")
    assert [(run.found, run.early) for run in score.runs] == [(None, None), (0, None)]
    assert (score.alarms, score.healthy) == (False, ())
    cells = [row[9:11] for row in evaluation_rows([score])]
    assert cells == [("found", "early"), [0, ""], ["", ""], [0, ""]]


def test_a_run_of_embeddings_alone_has_nothing_to_be_scored(tmp_path: Path) -> None:
    layers, accuracies = (
        [LayerSpec("wte", (9, 2), "embedding", bias=False)],
        {"train_accuracy": 1, "test_accuracy": 1},
    )
    with RunWriter.create(
        tmp_path / "run.h5", steps=[0], layers=layers, metrics=list(accuracies), config={}, origin="t"
    ) as writer:
        writer.commit(0, {"wte": np.ones((9, 2))}, {}, accuracies)
    with pytest.raises(UsageError, match="no layers but embeddings"):
        read_run(analyze(Run(tmp_path / "run.h5")))


@pytest.fixture(scope="module")
def analysed(
    trained_run: Path, tmp_path_factory: pytest.TempPathFactory, grokscope_here: Command
) -> tuple[Path, Path]:
    """A small trained run that is analysed, and a copy that is not."""
    folder = tmp_path_factory.mktemp("evaluated")
    done, bare = (Path(shutil.copy(trained_run, folder / name)) for name in ("done.h5", "bare.h5"))
    result = grokscope_here("analyze", "-j", 1, "--permutations", 2, "--null-draws", 100, done)
    assert result.exit_code == 0, result.stderr
    return done, bare


def test_the_command_scores_detectors_and_columns(analysed: tuple[Path, Path], grokscope_here: Command) -> None:
    both = sorted(analysed[0].parent.glob("done*.h5"))  # the spectra file as well
    assert len(both) == 2
    text = grokscope_here("evaluate", *both, "--column", "-fc1 lit", "--column", "train_loss")
    assert text.exit_code == 0, text.stderr
    for words in ("ours", "paper", "step *", "-fc1 lit *", "train_loss *", "`step` is time alone"):
        assert words in text.stdout
    found = json.loads(grokscope_here("evaluate", analysed[0], "--json", "--fall", 0.1).stdout)
    rules = ["ours", "gates", "capacity", "paper"]
    names = [*rules, "alpha", "traps", "norm", "entropy", "sparsity", "complexity", "step"]
    assert [one["detector"] for one in found["detectors"]] == names
    assert found["thresholds"]["fall"] == 0.1
    assert found["detectors"][0]["auroc"] is None  # nothing collapsed
    rows = list(csv.DictReader(io.StringIO(grokscope_here("evaluate", analysed[0], "--csv").stdout)))
    assert [(row["detector"], row["run"]) for row in rows[:2]] == [("ours", ""), ("ours", "done.h5")]
    assert len(rows) == 2 * len(names)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["{bare}"], "no checkpoint of"),
        (["{done}", "{done}"], "are the same run"),
        (["{done}", "--column", "fc9 alpha"], "fc9 alpha is no column of"),
        (["{done}", "--column", "colour"], "colour is no column of"),
        (["{done}", "--json", "--csv"], "give one"),
    ],
)
def test_the_command_refuses_in_one_line(
    analysed: tuple[Path, Path], grokscope_here: Command, options: list[str], words: str
) -> None:
    done, bare = analysed
    result = grokscope_here("evaluate", *[one.format(done=done, bare=bare) for one in options])
    assert result.exit_code == 2
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1
