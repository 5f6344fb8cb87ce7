"""What a checkpoint's accuracy would be with one thing changed, measured on the run's own data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grokscope.errors import UsageError

if TYPE_CHECKING:
    from grokscope_train.network import Parameters
    from numpy.typing import NDArray

    from grokscope.analysis import Spectra
    from grokscope.trajectory import Trajectory

ACCURACIES = ("train_accuracy", "test_accuracy")


@dataclass(frozen=True)
class Asked:
    """The interventions that are asked for: the number of a trap, gates opened, readouts, how many to average."""

    without_trap: int | None = None
    open_gates: bool = False
    refit: bool = False
    average: int | None = None

    def __bool__(self) -> bool:
        """Whether anything is."""
        return self != Asked()


def described_interventions(spectra: Spectra, index: int, asked: Asked, data_dir: Path | None) -> dict[str, Any]:
    """Evaluate a checkpoint with each intervention; no more than `{}` where none is asked for.

    `interventions` lists {intervention, train_accuracy, test_accuracy, left_out_accuracy}, the checkpoint as it is
    first; `without_trap` lists {layer, trap, eigenvalue, train_accuracy, test_accuracy, train_accuracy_without,
    test_accuracy_without} for every layer that has so many traps. Raises UsageError where none has, where there
    are too few checkpoints to average, or where the run's data is not at hand.
    """
    if not asked:
        return {}
    from grokscope_train.config import TrainConfig
    from grokscope_train.data import load_experiment
    from grokscope_train.interventions import as_it_is, interventions
    from grokscope_train.network import Parameters
    from grokscope_train.recorded import data_folder, train_indices

    run = spectra.run
    if "dataset" not in run.config:
        raise UsageError(f"{run.path} does not say on which data it was trained, so no accuracy can be measured")
    count = asked.average or 1
    if count > index + 1:
        raise UsageError(f"--average {count} needs as many checkpoints; there are {index + 1} up to this one")
    config = TrainConfig.of_run(run.config)
    if asked.refit and config.depth < 2:
        raise UsageError(f"--refit needs a hidden layer to read from, and {run.path} has none")
    trapped = [] if asked.without_trap is None else _trapped(spectra, index, asked.without_trap)
    experiment = load_experiment(config, data_folder(run, data_dir), train_indices(run))
    last = [_parameters(run, place) for place in range(index + 1 - count, index + 1)]
    outcomes = interventions(
        last, _parameters(run, 0), experiment, config, first_step=int(run.steps[0]), open_gates=asked.open_gates,
        refit=asked.refit, average=asked.average,
    )  # fmt: skip
    without: list[dict[str, Any]] = []
    for layer, eigenvalue, weight in trapped:
        weights = [
            weight if spec.name == layer else old for spec, old in zip(run.layers, last[-1].weights, strict=True)
        ]
        name = f"{layer} without trap {asked.without_trap}"
        outcome = as_it_is(name, Parameters(weights, last[-1].biases), experiment, config.activation)
        outcomes.insert(len(without) + 1, outcome)
        whole = {name: getattr(outcomes[0], name) for name in ACCURACIES}
        changed = {f"{name}_without": getattr(outcome, name) for name in ACCURACIES}
        without.append({"layer": layer, "trap": asked.without_trap, "eigenvalue": eigenvalue} | whole | changed)
    described: dict[str, Any] = {"interventions": [asdict(outcome) for outcome in outcomes]}
    return described | ({"without_trap": without} if asked.without_trap is not None else {})


def _parameters(run: Trajectory, index: int) -> Parameters:
    from grokscope_train.network import Parameters

    run.verify(index)
    return Parameters(
        [run.weight(index, layer.name).astype(float) for layer in run.layers],
        [run.bias(index, layer.name).astype(float) for layer in run.layers],
    )


def _trapped(spectra: Spectra, index: int, number: int) -> list[tuple[str, float, NDArray[Any]]]:
    """Return name, trap's eigenvalue and weight without the trap of every layer that has so many."""
    from grokscope.spectra import without_trap

    run, parameters = spectra.run, spectra.parameters
    found = []
    for layer in run.layers:
        spectrum = spectra.layer(index, layer.name)
        if spectrum is None or len(spectrum.trap_eigenvalues) < number:
            continue
        weight = without_trap(
            run.weight(index, layer.name),
            layer.name,
            number,
            step=int(run.steps[index]),
            seed=parameters.seed,
            permutations=parameters.permutations,
            null_draws=parameters.null_draws,
        )
        found.append((layer.name, float(spectrum.trap_eigenvalues[-number]), weight.astype(float)))
    if not found:
        raise UsageError(f"no layer of {run.path} has {number} or more traps at step {int(run.steps[index]):,}")
    return found
