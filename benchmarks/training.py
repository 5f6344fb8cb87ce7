"""Steps a second of the paper's experiment: the published style, the best plain PyTorch loop, ours, and the bound.

    python benchmarks/training.py [--threads 2] [--dtype float64] [--device cpu] [--seconds 1.0] [--rounds 5]
        [--data-dir FOLDER] [--run sample_runs/mnist-wd0.h5]

All are measured in turn, round after round, in one process, so that whatever else the machine does meets them
alike; the medians over the rounds and the ratios are printed. The bound is the rate at which the faster of
PyTorch's and NumPy's BLAS multiplies the step's largest product, its operands in the caches, applied to all
products of a step, the pixels that are black in every image left out. It counts a product with zeros as work,
which the compiled step does not do. On a GPU there is no bound, and the time of the paper's 10⁷ steps is printed
with that of their checkpoints. Without --data-dir the images are random, with as many zeros as MNIST's. JAX, whose
XLA compiles a whole epoch, is measured where it is installed.

With --run all go on from that run's weights at several checkpoints, with moments of zero: late in training most
units are at rest, and the compiled step sums over the others alone. How long 10⁷ steps take is summed up from the
compiled step's rates at every other checkpoint.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import time
import timeit
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from grokscope_train.engines import spin_briefly

spin_briefly()

import torch  # noqa: E402  (after the threads' waiting has been set)
from grokscope_train.choose import available_cores  # noqa: E402
from grokscope_train.config import TrainConfig  # noqa: E402
from grokscope_train.data import Experiment, Images, load_experiment  # noqa: E402
from grokscope_train.network import Parameters, step_operations  # noqa: E402
from grokscope_train.recorded import train_indices  # noqa: E402
from grokscope_train.training import Training  # noqa: E402
from scipy.integrate import trapezoid  # noqa: E402
from threadpoolctl import threadpool_limits  # noqa: E402

from grokscope.runfile import Run, log_steps  # noqa: E402

try:
    import jax
    import jax.numpy as jnp
except ImportError:  # the extra "bench" brings it
    jax = None

SIZES = (784, 200, 200, 10)
BLACK = 195  # pixels that are black in all of 1,000 of MNIST's images; the others are nonzero in 0 to 50 % of them
IMAGES, BATCH = 1000, 200
PLACES = (10_000, 1_000_000, 3_162_278)  # steps of the sample run, early, at the peak's end and in the collapse
COMPILED = "grokscope, compiled"  # its threads are its own, each with a BLAS of one
Steps = Iterator[int]  # takes steps at every `next`, and says how many


def random_experiment() -> Experiment:
    """Return random images with the zeros of MNIST's."""
    generator = np.random.default_rng(0)
    density = np.append(np.zeros(BLACK), np.linspace(0, 0.5, SIZES[0] - BLACK))
    pixels = generator.random((IMAGES, SIZES[0])) * (generator.random((IMAGES, SIZES[0])) < density)
    images = Images(pixels, generator.integers(0, 10, IMAGES))
    return Experiment(images, images, np.arange(IMAGES))


def tensors(experiment: Experiment, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Return images [1000, 784] and one-hot targets [1000, 10]."""
    train = experiment.train
    return torch.from_numpy(train.pixels).to(dtype), torch.from_numpy(train.one_hot()).to(dtype)


def network(dtype: torch.dtype, device: str) -> torch.nn.Sequential:
    """Return the paper's network."""
    layers: list[torch.nn.Module] = []
    for inputs, outputs in pairwise(SIZES):
        layers += [torch.nn.Linear(inputs, outputs, dtype=dtype), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1]).to(device)


def flat_parameters(start: Parameters | None) -> list[np.ndarray[Any, Any]]:
    """Return weight [out, in] and bias [out] of each layer in turn, PyTorch's initial ones without a start."""
    if start is None:
        return [tensor.detach().numpy() for tensor in network(torch.float64, "cpu").parameters()]
    return [array for layer in zip(start.weights, start.biases, strict=True) for array in layer]


def load(model: torch.nn.Module, start: Parameters | None) -> None:
    """Put a checkpoint's parameters into a network."""
    with torch.no_grad():
        for parameter, values in zip(model.parameters(), flat_parameters(start), strict=True):
            parameter.copy_(torch.from_numpy(values))


def published_style(images: torch.Tensor, targets: torch.Tensor, device: str, start: Parameters | None) -> Steps:
    """DataLoader, autograd, AdamW; the images stay on the host."""
    model, criterion = network(images.dtype, device), torch.nn.MSELoss()
    load(model, start)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4, weight_decay=0.0)
    dataset = torch.utils.data.TensorDataset(images, targets)
    loader = torch.utils.data.DataLoader(dataset, batch_size=BATCH, shuffle=True)
    while True:
        for batch_images, batch_targets in loader:
            optimizer.zero_grad()
            criterion(model(batch_images.to(device)), batch_targets.to(device)).backward()
            optimizer.step()
            yield 1


def best_plain_loop(images: torch.Tensor, targets: torch.Tensor, device: str, start: Parameters | None) -> Steps:
    """Tensors in the device's memory, autograd, fused AdamW."""
    images, targets = images.to(device), targets.to(device)
    model, criterion = network(images.dtype, device), torch.nn.MSELoss()
    load(model, start)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4, weight_decay=0.0, fused=True)
    while True:
        for rows in torch.randperm(IMAGES, device=device).split(BATCH):
            optimizer.zero_grad(set_to_none=True)
            criterion(model(images[rows]), targets[rows]).backward()
            optimizer.step()
            yield 1


def xla(experiment: Experiment, dtype: str, start: Parameters | None) -> Steps:
    """An epoch compiled by JAX: its gradients, AdamW written out, all buffers given away. It uses every core."""
    jax.config.update("jax_enable_x64", True)
    images, targets = jnp.asarray(experiment.train.pixels, dtype), jnp.asarray(experiment.train.one_hot(), dtype)
    parameters = [jnp.asarray(values, dtype) for values in flat_parameters(start)]
    state = parameters, [0 * values for values in parameters], [0 * values for values in parameters]

    def loss(parameters: list[Any], x: Any, y: Any) -> Any:
        *hidden, (weight, bias) = zip(parameters[::2], parameters[1::2], strict=True)
        for inner, inner_bias in hidden:
            x = jax.nn.relu(x @ inner.T + inner_bias)
        return jnp.mean((x @ weight.T + bias - y) ** 2)

    def step(carried: Any, rows: Any) -> Any:
        (parameters, first, second), number = carried
        gradients = jax.grad(loss)(parameters, images[rows], targets[rows])
        first = [0.9 * m + 0.1 * g for m, g in zip(first, gradients, strict=True)]
        second = [0.999 * v + 0.001 * g * g for v, g in zip(second, gradients, strict=True)]
        rate, unbias = 5e-4 / (1 - 0.9**number), 1 / jnp.sqrt(1 - 0.999**number)
        parameters = [
            p - rate * m / (jnp.sqrt(v) * unbias + 1e-8) for p, m, v in zip(parameters, first, second, strict=True)
        ]
        return ((parameters, first, second), number + 1), None

    @functools.partial(jax.jit, donate_argnums=0)
    def epoch(state: Any, number: Any, order: Any) -> Any:
        (state, number), _ = jax.lax.scan(step, (state, number), order)
        return state, number

    generator, number = np.random.default_rng(0), jnp.asarray(1.0, dtype)
    while True:
        state, number = epoch(state, number, jnp.asarray(generator.permutation(IMAGES).reshape(-1, BATCH)))
        number.block_until_ready()
        yield IMAGES // BATCH


def grokscope_train(experiment: Experiment, config: TrainConfig, start: Parameters | None, step: int) -> Steps:
    """What `grokscope train` does between two checkpoints."""
    training = Training(config, experiment)
    if start is not None:
        zeros = Parameters([0 * array for array in start.weights], [0 * array for array in start.biases])
        training.put_parameters(start, zeros, zeros)
        training.seek(step)
    while True:
        before = training.step
        training.advance(config.steps)
        yield training.step - before


def largest_product(multiply: Callable[..., object], a: object, b: object, out: object) -> Steps:
    """The first layer's product, in place, its operands in the caches."""
    while True:
        multiply(a, b, out=out)
        yield 1


def rate(steps: Steps, seconds: float, device: str) -> float:
    """Count how many steps a second an iterator takes; what was only launched on a GPU is waited for."""
    for _ in range(5):
        next(steps)
    _finish(device)
    started, done = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        done += next(steps)
    _finish(device)
    return done / (time.perf_counter() - started)


def _finish(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize(device)


def ways_to_train(
    options: argparse.Namespace, experiment: Experiment, start: Parameters | None = None, step: int = 0
) -> dict[str, Steps]:
    """Return every way of training on the device, by name; ours last, the fastest of ours at the very end."""
    images, targets = tensors(experiment, getattr(torch, options.dtype))
    config = TrainConfig(dtype=options.dtype, device=options.device, threads=options.threads, steps=10**9)
    engines = ("torch", "compiled") if options.device == "cpu" else ("torch",)
    return {
        "published style": published_style(images, targets, options.device, start),
        "best plain loop": best_plain_loop(images, targets, options.device, start),
        **({"JAX/XLA": xla(experiment, options.dtype, start)} if jax and options.device == "cpu" else {}),
        **{
            f"grokscope, {name}": grokscope_train(experiment, replace(config, engine=name), start, step)
            for name in engines
        },
    }


def products(options: argparse.Namespace, experiment: Experiment) -> dict[str, Steps]:
    """Return the largest product of a step by each BLAS of the processor, by name."""
    images, _ = tensors(experiment, getattr(torch, options.dtype))
    kept = experiment.train.pixels.any(axis=0)
    a, b = images[:BATCH, kept].contiguous(), torch.rand(SIZES[1], int(kept.sum()), dtype=images.dtype)
    out = torch.empty(BATCH, SIZES[1], dtype=images.dtype)
    return {
        "PyTorch": largest_product(torch.mm, a, b.T, out),
        "NumPy": largest_product(np.matmul, a.numpy(), b.numpy().T, out.numpy()),
    }


def measure(options: argparse.Namespace, runs: Mapping[str, Steps]) -> dict[str, float]:
    """Return how many steps a second each iterator takes: the median over the rounds."""
    measured: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(options.rounds):
        for name, steps in runs.items():
            threads = 1 if name == COMPILED else options.threads
            with threadpool_limits(threads):
                torch.set_num_threads(threads)
                measured[name].append(rate(steps, options.seconds, options.device))
    return {name: statistics.median(values) for name, values in measured.items()}


def print_bound(options: argparse.Namespace, experiment: Experiment, ours: float) -> None:
    """Print the rate at which the processor could train if all products ran as fast as the largest."""
    kept = (int(experiment.train.pixels.any(axis=0).sum()), *SIZES[1:])
    operations = 2.0 * BATCH * kept[0] * kept[1]
    rates = {name: value * operations for name, value in measure(options, products(options, experiment)).items()}
    figures = ", ".join(f"{name} {value / 1e9:.0f}" for name, value in rates.items())
    bound = max(rates.values()) / step_operations(kept, BATCH)
    print(f"{'bound':20}  {bound:7.0f} steps/s   ours is {ours / bound:.2f} of it")
    print(f"GFLOP/s of the largest product: {figures}")


def print_whole_run(options: argparse.Namespace, experiment: Experiment, ours: float) -> None:
    """Print how long the paper's experiment takes with its checkpoints."""
    config = TrainConfig(dtype=options.dtype, device=options.device, engine="torch", threads=options.threads)
    training = Training(config, experiment)
    seconds = [timeit.timeit(training.checkpoint, number=1) for _ in range(options.rounds + 1)]
    checkpoints = len(log_steps(config.steps, config.checkpoints_per_decade))
    whole = config.steps / ours + checkpoints * statistics.median(seconds[1:])
    print(f"{config.steps:,} steps and {checkpoints} checkpoints: {whole / 60:.1f} minutes")


def print_rates(rates: Mapping[str, float]) -> float:
    """Print all rates beside ours, the last one, and return it."""
    ours = list(rates.values())[-1]
    for name, value in rates.items():
        print(f"{name:20}  {value:7.0f} steps/s   ours is {ours / value:.2f} of it")
    return ours


def parameters_of(run: Run, index: int) -> Parameters:
    """Return a checkpoint's weights and biases in float64."""
    return Parameters(
        [run.weight(index, layer.name).astype(float) for layer in run.layers],
        [run.bias(index, layer.name).astype(float) for layer in run.layers],
    )


def print_places(options: argparse.Namespace, experiment: Experiment) -> None:
    """Print the rates from several checkpoints of a run on."""
    run = Run.open(options.run)
    sparsity = run.metrics()["activation_sparsity_1e-6"]
    for place in PLACES:
        index = int(np.argmin(np.abs(run.steps - place)))
        step = int(run.steps[index])
        print(f"from step {step:,}, where {sparsity[index]:.1%} of the units are at rest")
        print_rates(measure(options, ways_to_train(options, experiment, parameters_of(run, index), step)))
    if options.device == "cpu":
        print_long_run(options, experiment, run)


def print_long_run(options: argparse.Namespace, experiment: Experiment, run: Run) -> None:
    """Print how long 10⁷ steps take at the compiled step's rates along a shorter run, then at its last one."""
    config = TrainConfig(
        dtype=options.dtype, device="cpu", threads=options.threads, engine="compiled", steps=10**9
    )
    rates = {}
    for index in range(len(run.steps) - 1, 0, -2)[::-1]:
        step = int(run.steps[index])
        steps = grokscope_train(experiment, config, parameters_of(run, index), step)
        rates[step] = statistics.median(rate(steps, options.seconds, "cpu") for _ in range(options.rounds))
        print(f"compiled, from step {step:,}: {rates[step]:.0f} steps/s")
    print(f"10⁷ steps at these rates: {seconds_to(10**7, [*rates], [*rates.values()]) / 60:.0f} minutes")


def seconds_to(end: int, steps: Sequence[int], rates: Sequence[float]) -> float:
    """Return how long it takes to a step, at rates [steps a second] that hold at some steps, ascending."""
    pace = 1 / np.array([rates[0], *rates, rates[-1]])
    return float(trapezoid(pace, [0, *steps, end]))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=available_cores())
    parser.add_argument("--dtype", choices=("float64", "float32"), default="float64")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data-dir", type=Path, help="folder with MNIST, in torchvision's layout")
    parser.add_argument("--run", type=Path, help="go on from checkpoints of this run; needs --data-dir")
    options = parser.parse_args()
    if options.run and not options.data_dir:
        parser.error("--run needs --data-dir")
    experiment = random_experiment()
    if options.data_dir:
        chosen = train_indices(Run.open(options.run)) if options.run else None
        experiment = load_experiment(TrainConfig(train_points=IMAGES), options.data_dir, chosen)
    where = f"{options.threads} threads" if options.device == "cpu" else torch.cuda.get_device_name(options.device)
    print(f"{options.dtype}, {where}")
    if options.run:
        print_places(options, experiment)
        return
    ours = print_rates(measure(options, ways_to_train(options, experiment)))
    (print_bound if options.device == "cpu" else print_whole_run)(options, experiment, ours)


if __name__ == "__main__":
    main()
