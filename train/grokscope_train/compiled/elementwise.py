"""Activations, losses and optimizers, as loops over rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from grokscope_train.compiled.jit import Array, compiled

RELU, TANH, GELU, SIGMOID = range(4)
MSE, CROSS_ENTROPY = range(2)
ADAMW, ADAM, SGD = range(3)


@compiled
def activate(kind: int, values: Array, bias: Array, slopes: Array) -> None:
    """Replace pre-activations [rows, width] without bias by activations; `slopes` keeps the derivative of gelu."""
    zero = values.dtype.type(0)
    for i in range(len(values)):
        row, slope = values[i], slopes[i]
        if kind == RELU:
            for j in range(len(row)):
                row[j] = max(row[j] + bias[j], zero)
        elif kind == TANH:
            for j in range(len(row)):
                row[j] = math.tanh(row[j] + bias[j])
        elif kind == SIGMOID:
            for j in range(len(row)):
                row[j] = 0.5 + 0.5 * math.tanh(0.5 * (row[j] + bias[j]))
        else:
            for j in range(len(row)):
                z = row[j] + bias[j]
                cumulative = 0.5 + 0.5 * math.erf(z * math.sqrt(0.5))
                slope[j] = cumulative + z * math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
                row[j] = z * cumulative


@compiled
def multiply_by_derivative(kind: int, deltas: Array, values: Array, slopes: Array) -> None:
    """Multiply deltas [rows, width] by the derivative of the activation that gave `values`."""
    zero = values.dtype.type(0)
    for i in range(len(deltas)):
        row, h, slope = deltas[i], values[i], slopes[i]
        if kind == RELU:
            for j in range(len(row)):
                row[j] = row[j] if h[j] > zero else zero
        elif kind == TANH:
            for j in range(len(row)):
                row[j] *= 1 - h[j] * h[j]
        elif kind == SIGMOID:
            for j in range(len(row)):
                row[j] *= h[j] * (1 - h[j])
        else:
            for j in range(len(row)):
                row[j] *= slope[j]


@compiled
def loss_gradient(kind: int, outputs: Array, bias: Array, targets: Array, images: Array, batch: int) -> float:
    """Replace outputs [rows, classes] without bias by the gradient of the mean loss over a batch.

    Returns these rows' part of that loss.
    """
    classes, loss = outputs.shape[1], 0.0
    for i in range(len(outputs)):
        row, target = outputs[i], targets[images[i]]
        for j in range(classes):
            row[j] += bias[j]
        if kind == MSE:
            for j in range(classes):
                difference = row[j] - target[j]
                loss += difference * difference / (batch * classes)
                row[j] = difference * (2.0 / (batch * classes))
        else:
            highest, total = max(row), 0.0
            for j in range(classes):
                row[j] -= highest
                loss -= target[j] * row[j] / batch
                row[j] = math.exp(row[j])
                total += row[j]
            loss += math.log(total) / batch
            for j in range(classes):
                row[j] = (row[j] / total - target[j]) / batch
    return loss


@compiled
def step_factors(plan: Any, number: int) -> Any:
    """Return what multiplies what in the optimizer's step `number`, counted from 1, in float64.

    Rate, factor on the parameters, part of them in the gradient, then 1 − β₁, β₂, 1 − β₂, the second moment's
    correction, eps, and the moment below which it counts as zero. AdamW is algorithm 2 of Loshchilov & Hutter
    2019, Adam algorithm 1 of Kingma & Ba 2015.
    """
    lr, decay = plan.lr, plan.weight_decay
    if plan.optimizer == SGD:
        return lr, 1.0, decay, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    shrink, added = (1 - lr * decay, 0.0) if plan.optimizer == ADAMW else (1.0, decay)
    rate, unbias = lr / (1 - plan.beta1**number), 1 / math.sqrt(1 - plan.beta2**number)
    return rate, shrink, added, 1 - plan.beta1, plan.beta2, 1 - plan.beta2, unbias, plan.eps, plan.tiny


@compiled
def update(optimizer: int, factors: Any, gradient: Array, parameters: Array, first: Array, second: Array) -> None:
    """Move a stretch of parameters by its gradient.

    Moments that have faded below the least normal number are put to zero: processors are slow with such numbers,
    and late in training most moments would be among them.
    """
    number = parameters.dtype.type
    rate, shrink, added = number(factors[0]), number(factors[1]), number(factors[2])
    if optimizer == SGD:
        for i in range(len(parameters)):
            parameters[i] -= rate * (gradient[i] + added * parameters[i])
        return
    rest_first, keep_second, rest_second = number(factors[3]), number(factors[4]), number(factors[5])
    unbias, eps, tiny, zero = number(factors[6]), number(factors[7]), number(factors[8]), number(0)
    for i in range(len(parameters)):
        g = gradient[i] + added * parameters[i]
        m = first[i] + (g - first[i]) * rest_first
        v = second[i] * keep_second + g * g * rest_second
        first[i], second[i] = zero if abs(m) < tiny else m, zero if v < tiny else v
        parameters[i] = parameters[i] * shrink - rate * m / (np.sqrt(v) * unbias + eps)


@compiled
def fade(optimizer: int, factors: Any, count: int, first: Array, second: Array) -> None:
    """Do to the moments of a stretch of parameters what `count` updates by a gradient of zero do."""
    if optimizer == SGD:
        return
    number = first.dtype.type
    rest_first, keep_second = number(factors[3]), number(factors[4])
    tiny, zero = number(factors[8]), number(0)
    faded = True
    for i in range(len(first)):
        faded &= (first[i] == 0) & (second[i] == 0)
    if faded:
        return
    for _ in range(count):
        for i in range(len(first)):
            m, v = first[i] + (zero - first[i]) * rest_first, second[i] * keep_second
            first[i], second[i] = zero if abs(m) < tiny else m, zero if v < tiny else v
