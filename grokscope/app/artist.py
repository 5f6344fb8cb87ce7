"""The thread that computes the picture of the traps view: the leading direction of a layer's weight."""

from __future__ import annotations

import threading
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from grokscope.app.news import UNREADABLE, Computed, Post
from grokscope.app.state import Direction
from grokscope.trajectory import Trajectory

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

CACHED = 64
REST_SECONDS = 0.02
"""Before what nobody has asked for yet: the frame of the last key comes first."""

Key = tuple[int, int, int]
"""A run, a checkpoint and a layer, by number."""


class Artist(threading.Thread):
    """Computes the leading direction of the layer that the traps view asks for, the one asked for last."""

    def __init__(self, post: Post) -> None:
        super().__init__(daemon=True, name="grokscope-artist")
        self.post, self._ended = post, False
        self.idle = threading.Event()
        """Set while no direction is waited for."""
        self.idle.set()
        self._asked = threading.Event()
        self._wanted: tuple[Key, Trajectory] | None = None
        self._known: dict[tuple[str, Key], Direction] = {}  # by the run's uuid as well: a file may be replaced

    def direction(self, key: Key, run: Trajectory) -> Direction | None:
        """A direction of a run, where it is known; else None, and it is told of once it is computed."""
        wanted = self._wanted
        if wanted is None or wanted[0] != key or wanted[1].uuid != run.uuid:
            self._wanted = key, run
            self.idle.clear()
            self._asked.set()
        return self._known.get((run.uuid, key))

    def run(self) -> None:
        """Compute what was asked for last until told to end, and meanwhile what a step would ask for."""
        before = 0
        while self._asked.wait() and not self._ended:
            self._asked.clear()
            assert self._wanted is not None
            (number, index, layer), run = self._wanted
            if (run.uuid, (number, index, layer)) not in self._known:
                self.post(Computed(self._computed((number, index, layer), run)))
            if not self._asked.is_set():
                self.idle.set()
            on = -1 if index < before else 1
            before = index
            for near in (index + on, index - on):
                if 0 <= near < run.num_checkpoints and not self._asked.wait(REST_SECONDS):
                    self._computed((number, near, layer), run)

    def _computed(self, key: Key, run: Trajectory) -> Direction:
        known = run.uuid, key
        if known not in self._known:
            while len(self._known) >= CACHED:
                del self._known[next(iter(self._known))]
            self._known[known] = Direction(key, _direction(run, *key[1:]))
        return self._known[known]

    def end(self) -> None:
        """End after the direction that is being computed."""
        self._ended = True
        self._asked.set()
        self.idle.set()


def _direction(run: Trajectory, index: int, layer: int) -> NDArray[np.float64] | None:
    try:
        run.verify(index)
        with _threads().limit(limits=1):  # more would compete with the screen for the processor
            return leading_direction(run.weight(index, run.layers[layer].name))
    except (*UNREADABLE, np.linalg.LinAlgError):
        return None


@cache
def _threads() -> ThreadpoolController:
    """The libraries with threads of their own, looked for once."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def leading_direction(weight: NDArray[np.floating]) -> NDArray[np.float64]:
    """The unit right singular vector v₁ of W [out, in], float64 [in]; its largest component is positive.

    By the eigenvectors of the smaller of WWᵀ and WᵀW. All NaN where W is not finite or zero.
    """
    matrix = np.array(weight, dtype=np.float64).reshape(weight.shape[0], -1)  # a copy, scaled in place below
    unknown = np.full(matrix.shape[1], np.nan)
    scale = max(matrix.max(initial=0.0), -matrix.min(initial=0.0))
    if not np.isfinite(scale) or scale == 0:
        return unknown
    matrix /= scale
    if matrix.shape[0] <= matrix.shape[1]:
        _, vectors = np.linalg.eigh(matrix @ matrix.T)
        direction = matrix.T @ vectors[:, -1]
    else:
        _, vectors = np.linalg.eigh(matrix.T @ matrix)
        direction = vectors[:, -1]
    direction = direction / np.linalg.norm(direction)
    sign = np.sign(direction[np.argmax(np.abs(direction))])
    return np.asarray(direction * sign, dtype=np.float64)
