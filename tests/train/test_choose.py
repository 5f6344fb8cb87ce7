"""Engine, device and threads are chosen for a run that leaves them open, and only for it."""

from __future__ import annotations

import importlib.util

import pytest
from grokscope_train.choose import available_cores, candidates, fastest, resolve
from grokscope_train.config import TrainConfig
from grokscope_train.data import Experiment

from grokscope.errors import UsageError
from tests.train.conftest import changed


@pytest.fixture
def open_config(small_config: TrainConfig) -> TrainConfig:
    """The small experiment, with everything left to be chosen but the device."""
    return changed(small_config, engine="auto", threads=0)


def test_a_short_run_starts_at_once_on_one_thread(open_config: TrainConfig, digits: Experiment) -> None:
    assert resolve(open_config, digits) == changed(open_config, engine="compiled", threads=1)


def test_a_long_run_gets_what_is_fastest_here(open_config: TrainConfig, digits: Experiment) -> None:
    config = changed(open_config, steps=10**7)
    assert resolve(config, digits) in candidates(config)


def test_what_is_given_is_kept(open_config: TrainConfig, digits: Experiment) -> None:
    config = changed(open_config, steps=10**7, engine="compiled", threads=3)
    assert resolve(config, digits) == config
    assert {candidate.engine for candidate in candidates(changed(config, threads=0))} == {"compiled"}
    assert {candidate.threads for candidate in candidates(changed(config, engine="auto"))} == {3}


def test_every_engine_is_tried_on_all_cores_and_on_fewer(open_config: TrainConfig) -> None:
    tried = [(candidate.engine, candidate.threads) for candidate in candidates(open_config)]
    assert len(set(tried)) == len(tried)
    assert {engine for engine, _ in tried} == {"compiled", "torch"}
    assert {available_cores(), max(available_cores() // 2, 1)} <= {threads for _, threads in tried}


def test_without_any_engine_one_is_left_that_says_what_to_install(
    open_config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert {candidate.engine for candidate in candidates(open_config)} == {"torch"}


def test_the_highest_rate_wins(open_config: TrainConfig) -> None:
    configs = [changed(open_config, threads=threads) for threads in (1, 2, 3)]
    assert fastest(configs, lambda config: -abs(config.threads - 2)).threads == 2


def test_the_engine_of_the_processor_is_not_sent_to_a_gpu() -> None:
    with pytest.raises(UsageError, match="--engine torch"):
        TrainConfig(engine="compiled", device="cuda")
