"""OnnxPolicy: a trained policy as an ONNX file, for programs without Python, written and read back.

The file takes `observation`, float32 of shape (N, observations), as the environment shows it: every number is scaled to
about one there already. It gives `action` as the environment takes it: int64 of shape (N,), (N, parts) where an action
has several, or float32 of shape (N, parts) where actions are continuous. N may be any number. The metadata hold the
market, its observations by name, and the version of mm_env that wrote it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from mm_env import __version__
from mm_env.atomic_write import replacing
from mm_env.envs.action import Actions, action_sizes
from mm_env.envs.observation import Observations, observation_names
from mm_env.envs.predictor import Predictor, act_by_rows
from mm_env.extras import needed_for
from mm_env.market.params import MarketParams, params_of
from train.policies.network_policy import NetworkPolicy, check_interface

FORMAT = "mm_env policy 1"
_OPSET, _IR = 17, 8  # of ONNX: old enough for every runtime of the last years


@dataclass(frozen=True, eq=False)
class OnnxPolicy(Predictor):
    """The policy in an ONNX file: a `Policy` as of `baselines.policies.registry`."""

    session: Any
    params: MarketParams

    def __call__(self, observations: Observations) -> Actions:
        """Observations of shape (..., observations) to actions of shape (...), or (..., parts)."""
        return act_by_rows(lambda rows: self.session.run(["action"], {"observation": rows})[0], observations)


def export_onnx(policy: NetworkPolicy, path: str | Path) -> None:
    """Write a trained policy as an ONNX file, whole or not at all."""
    with needed_for("ONNX files"):
        import onnx
    graph = _Graph(onnx)
    outputs = graph.network(policy)
    sizes, kind = action_sizes(policy.params), onnx.TensorProto
    if policy.params.continuous:
        action = graph.add("Clip", outputs, graph.constant(np.float32(-1.0)), graph.constant(np.float32(1.0)))
    elif policy.layers[-1].bias.size == len(sizes):
        action = graph.nearest_levels(outputs, sizes)
    else:
        action = graph.best_levels(outputs, sizes)
    if len(sizes) == 1 and not policy.params.continuous:
        action = graph.add("Reshape", action, graph.constant(np.array([-1], np.int64)))
    graph.add("Identity", action, name="action")
    observed = onnx.helper.make_tensor_value_info("observation", kind.FLOAT, ["batch", policy.sizes()[0]])
    shape = ["batch", len(sizes)] if len(sizes) > 1 or policy.params.continuous else ["batch"]
    acted = onnx.helper.make_tensor_value_info("action", kind.FLOAT if policy.params.continuous else kind.INT64, shape)
    model = onnx.helper.make_model(
        onnx.helper.make_graph(graph.nodes, "policy", [observed], [acted], graph.constants),
        opset_imports=[onnx.helper.make_opsetid("", _OPSET)],
        ir_version=_IR,
        producer_name="mm_env",
        producer_version=__version__,
    )
    about = {"format": FORMAT, "env": policy.env or "", "market": json.dumps(policy.params.to_dict())}
    names = json.dumps(observation_names(policy.params))
    onnx.helper.set_model_props(model, {**about, "observations": names, "mm_env": __version__})
    onnx.checker.check_model(model)
    with replacing(Path(path)) as temporary:
        temporary.write_bytes(model.SerializeToString())


def load_onnx(path: str | Path, params: MarketParams | None = None) -> OnnxPolicy:
    """Read a policy that `export_onnx` wrote. Nothing in the file is run but the operations of ONNX.

    Args:
        path: The file.
        params: The market it is to act in, as of `load_policy`. Default: the one it was trained in.

    Raises:
        ValueError: Not such a file, or not for this market.
    """
    with needed_for("ONNX files"):
        import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        about = session.get_modelmeta().custom_metadata_map
        if about.get("format") != FORMAT:
            raise ValueError(f"its metadata do not say {FORMAT!r}")
        market = params_of(json.loads(about["market"]))
        if params is not None:
            check_interface(market, params)
    except Exception as error:  # the runtime raises many kinds; each means that the file is not such a policy
        raise ValueError(f"{path}: not a policy that mm-env export wrote for this market: {error}") from error
    return OnnxPolicy(session, market)


class _Graph:
    """The operations of a file, added one after another; each returns the name of what it gives."""

    def __init__(self, onnx: Any) -> None:
        self._onnx = onnx
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, operation: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        name = name or f"v{len(self.nodes)}"
        self.nodes.append(self._onnx.helper.make_node(operation, list(inputs), [name], **attributes))
        return name

    def constant(self, value: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(self._onnx.numpy_helper.from_array(np.asarray(value), name))
        return name

    def network(self, policy: NetworkPolicy) -> str:
        values = "observation"
        for place, layer in enumerate(policy.layers):
            if place:
                values = self.add({"tanh": "Tanh", "relu": "Relu"}[policy.activation], values)
            weight, bias = self.constant(layer.weight), self.constant(layer.bias)
            values = self.add("Gemm", values, weight, bias, transB=1)
        return values

    def best_levels(self, scores: str, sizes: tuple[int, ...]) -> str:
        """The level of the largest score in each part, the first of equals; shape (N, parts)."""
        ends = [0, *np.cumsum(sizes).tolist()]
        axis = self.constant(np.array([1], np.int64))
        parts = []
        for start, stop in pairwise(ends):
            bounds = (self.constant(np.array([place], np.int64)) for place in (start, stop))
            part = self.add("Slice", scores, *bounds, axis)
            parts.append(self.add("ArgMax", part, axis=1, keepdims=1))
        return self.add("Concat", *parts, axis=1)

    def nearest_levels(self, numbers: str, sizes: tuple[int, ...]) -> str:
        """`nearest_levels` of numbers from -1 to 1, in double precision; shape (N, parts)."""
        bounds = (self.constant(np.float32(bound)) for bound in (-1.0, 1.0))
        wide = self.add("Cast", self.add("Clip", numbers, *bounds), to=self._onnx.TensorProto.DOUBLE)
        half = self.add("Div", self.add("Add", wide, self.constant(1.0)), self.constant(2.0))
        scaled = self.add("Mul", half, self.constant(np.array(sizes, np.float64) - 1.0))
        return self.add("Cast", self.add("Round", scaled), to=self._onnx.TensorProto.INT64)
