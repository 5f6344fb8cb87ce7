"""Folders that libraries without PyTorch leave behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.trajectory.saving import Saved


def keras_weights(folder: Path) -> Saved:
    """Keras's `.weights.h5` of each epoch; a kernel is [in, out] there."""
    keras = pytest.importorskip("keras")
    folder.mkdir()
    saved = {}
    for epoch in (1, 2):
        model = keras.Sequential([keras.layers.Input((6,)), keras.layers.Dense(5, name="a")])
        model.save_weights(folder / f"cp-{epoch:04d}.weights.h5")
        saved[epoch] = {"a": keras.ops.convert_to_numpy(model.layers[0].kernel).T}
    return folder, saved


def flax_messages(folder: Path) -> Saved:
    """Flax's `checkpoint_N` of MessagePack."""
    serialization = pytest.importorskip("flax.serialization")
    folder.mkdir()
    saved = {}
    for step in (100, 200):
        kernel = np.random.default_rng(step).normal(size=(6, 5)).astype(np.float32)
        content = serialization.to_bytes({"params": {"Dense_0": {"kernel": kernel}}, "opt_state": {"mu": kernel}})
        (folder / f"checkpoint_{step}").write_bytes(content)
        again = serialization.msgpack_restore(content)
        saved[step] = {"Dense_0": again["params"]["Dense_0"]["kernel"].T}
    return folder, saved


def orbax_manager(folder: Path) -> Saved:
    """Orbax's CheckpointManager: N/default/."""
    orbax = pytest.importorskip("orbax.checkpoint")
    saved = {}
    with orbax.CheckpointManager(folder.absolute()) as manager:
        for step in (100, 200):
            kernel = np.random.default_rng(step).normal(size=(6, 5)).astype(np.float32)
            manager.save(step, args=orbax.args.StandardSave({"params": {"Dense_0": {"kernel": kernel}}}))
            manager.wait_until_finished()
            saved[step] = {"Dense_0": np.asarray(manager.restore(step)["params"]["Dense_0"]["kernel"]).T}
    return folder, saved


def numpy_archives(folder: Path) -> Saved:
    """One `.npz` a step."""
    folder.mkdir()
    saved = {}
    for step in (3, 30):
        weight = np.random.default_rng(step).normal(size=(5, 6))
        np.savez(folder / f"weights_{step}.npz", **{"fc.weight": weight, "fc.bias": weight[:, 0]})
        saved[step] = {"fc": np.load(folder / f"weights_{step}.npz")["fc.weight"]}
    return folder, saved


def onnx_files(folder: Path) -> Saved:
    """One ONNX graph a step."""
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    folder.mkdir()
    saved = {}
    for step in (1, 2):
        weight = np.random.default_rng(step).normal(size=(3, 5)).astype(np.float32)
        node = helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)
        ends = [helper.make_tensor_value_info(name, kind, [1, size]) for name, size in (("x", 5), ("y", 3))]
        graph = helper.make_graph([node], "g", ends[:1], ends[1:], [onnx.numpy_helper.from_array(weight, "w")])
        onnx.save(helper.make_model(graph), folder / f"step{step}.onnx")
        again = onnx.load(folder / f"step{step}.onnx").graph.initializer[0]
        saved[step] = {"w": onnx.numpy_helper.to_array(again)}
    return folder, saved


def gguf_files(folder: Path) -> Saved:
    """One GGUF file a step, of eight-bit blocks that its own library dequantises."""
    gguf = pytest.importorskip("gguf")
    folder.mkdir()
    saved = {}
    for step in (1, 2):
        weight = np.random.default_rng(step).normal(size=(32, 64)).astype(np.float32)
        packed = gguf.quants.quantize(weight, gguf.GGMLQuantizationType.Q8_0)
        writer = gguf.GGUFWriter(folder / f"step{step}.gguf", "llama")
        writer.add_tensor("blk.0.attn_q.weight", packed, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        tensor = gguf.GGUFReader(folder / f"step{step}.gguf").tensors[0]
        saved[step] = {"blk.0.attn_q": gguf.quants.dequantize(tensor.data, tensor.tensor_type)}
    return folder, saved
