"""The layers of all checkpoints together: some begin later, some end, one that changes its shape becomes two."""

from __future__ import annotations

from collections.abc import Sequence

from grokscope.runfile import LayerSpec
from grokscope.trajectory.contents import Layer


class Union:
    """The layers of a trajectory, and which of them each checkpoint has."""

    def __init__(self, checkpoints: Sequence[tuple[Layer, ...]]) -> None:
        """Join the layers of the checkpoints, given in order of their steps."""
        self._first: dict[str, tuple[int, ...]] = {}
        specs: dict[str, LayerSpec] = {}
        order: list[str] = []
        self._at: list[dict[str, Layer]] = []
        seen: dict[tuple[Layer, ...], dict[str, Layer]] = {}
        for layers in checkpoints:
            if layers not in seen:
                seen[layers] = self._add(layers, specs, order)
            self._at.append(seen[layers])
        self.layers = tuple(specs[name] for name in order)
        self._specs = specs
        self.notes = tuple(self._changes())

    def _add(self, layers: tuple[Layer, ...], specs: dict[str, LayerSpec], order: list[str]) -> dict[str, Layer]:
        """Add a checkpoint's layers; a new one stands behind the one that it follows in its network."""
        there: dict[str, Layer] = {}
        place = 0
        for layer in layers:
            shape = self._first.setdefault(layer.name, layer.shape)
            name = layer.name if shape == layer.shape else f"{layer.name} ({'×'.join(map(str, layer.shape))})"
            if name not in specs:
                specs[name] = LayerSpec(name, layer.shape, layer.kind, layer.bias, note=layer.note)
                order.insert(place, name)
            place = order.index(name) + 1
            there[name] = layer
        return there

    def spec(self, name: str) -> LayerSpec:
        """Return a layer; raises KeyError where there is none of that name."""
        return self._specs[name]

    def at(self, index: int, name: str) -> Layer | None:
        """Return what a layer is at a checkpoint, None where that checkpoint does not have it."""
        found = self._at[index].get(name)
        if found is None and name not in self._specs:
            raise KeyError(f"there is no layer {name}; the layers are {', '.join(self._specs)}")
        return found

    def _changes(self) -> list[str]:
        partly = [name for name in self._specs if not all(name in there for there in self._at)]
        if not partly:
            return []
        shown = ", ".join(partly[:3]) + (f" and {len(partly) - 3} more" if len(partly) > 3 else "")
        return [f"not in every checkpoint: {shown}"]
