"""What happens to accuracy when a layer's trap is taken out: the run's own data, its network, one part less."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from grokscope.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from grokscope.analysis import Spectra

ACCURACIES = ("train_accuracy", "test_accuracy")


def accuracies_without_trap(
    spectra: Spectra, index: int, number: int, data_dir: Path | None
) -> list[dict[str, Any]]:
    """Evaluate a checkpoint once for every layer that has a trap `number`, with that trap's rank-one part removed.

    Each result is {layer, trap, eigenvalue, train_accuracy, test_accuracy, train_accuracy_without,
    test_accuracy_without}. Raises UsageError where no layer has so many traps or the run's data is not at hand.
    """
    run = spectra.run
    trapped = [
        (layer, spectrum.traps[number - 1])
        for layer in run.layers
        if (spectrum := spectra.layer(index, layer.name)) is not None and len(spectrum.traps) >= number
    ]
    if not trapped:
        raise UsageError(f"no layer of {run.path} has {number} or more traps at step {int(run.steps[index]):,}")
    evaluate = _evaluator(spectra, index, data_dir)
    whole = evaluate({})
    results = []
    for layer, trap in trapped:
        ablated = evaluate({layer.name: _without(spectra, index, layer.name, number)})
        result: dict[str, Any] = {"layer": layer.name, "trap": number, "eigenvalue": trap.eigenvalue}
        result |= {name: whole[name] for name in ACCURACIES}
        results.append(result | {f"{name}_without": ablated[name] for name in ACCURACIES})
    return results


def _without(spectra: Spectra, index: int, layer: str, number: int) -> NDArray[Any]:
    from grokscope.spectra import without_trap

    parameters = spectra.parameters
    return without_trap(
        spectra.run.weight(index, layer),
        layer,
        number,
        step=int(spectra.run.steps[index]),
        seed=parameters.seed,
        permutations=parameters.permutations,
        null_draws=parameters.null_draws,
    )


def _evaluator(
    spectra: Spectra, index: int, data_dir: Path | None
) -> Callable[[dict[str, NDArray[Any]]], dict[str, float]]:
    """Return a function that evaluates the checkpoint with some layers' weights replaced."""
    from grokscope_train.config import TrainConfig
    from grokscope_train.data import load_experiment
    from grokscope_train.engines import make_engine
    from grokscope_train.measures import Evaluator
    from grokscope_train.network import Parameters
    from grokscope_train.recorded import data_folder, train_indices

    run = spectra.run
    if "dataset" not in run.config:
        raise UsageError(f"{run.path} does not say on which data it was trained, so no accuracy can be measured")
    config = TrainConfig.from_mapping(run.config)
    folder = data_folder(run, data_dir)
    experiment = load_experiment(
        config.dataset, config.train_points, config.seed, folder, train_indices(run), config.random_labels
    )
    engine = make_engine("numpy", "float64", "cpu", 1)
    evaluator = Evaluator(engine, experiment.train, experiment.test, config.activation, config.loss, config.seed)
    biases = [run.bias(index, layer.name).astype(float) for layer in run.layers]

    def evaluate(replaced: dict[str, NDArray[Any]]) -> dict[str, float]:
        weights = [replaced.get(layer.name, run.weight(index, layer.name)).astype(float) for layer in run.layers]
        return evaluator.evaluate(Parameters(weights, biases)).metrics

    return evaluate
