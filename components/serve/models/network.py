"""Turns a model that train wrote into what answers questions: its encoder as an OpenVINO graph, its head as NumPy arrays.

Neither Keras nor TensorFlow is needed for that, which take longer to import than everything else here takes together. Of the file
only names, shapes and weights are used; arithmetic is float32 throughout, whatever precision the model was trained in.

N images, H, W; P pairs; D features; U units of the LSTM. The graph has OpenVINO's order of axes: channels, rows, columns.
"""

import dataclasses
import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from components.serve.models.runtime import openvino, ops

ENCODER, HEAD, HEAD_LAYERS = "encoder", "head", ("lstm", "hidden", "days")  # as components/network/model.py names them
CONFIG, WEIGHTS = "config.json", "model.weights.h5"  # in a .keras file
IDENTITY = ("Dropout",)  # while predicting
ACTIVATIONS = {"linear": lambda node: node, "silu": ops.swish, "swish": ops.swish, "sigmoid": ops.sigmoid}
Layer = Mapping[str, Any]
Weights = Sequence[np.ndarray]


@dataclasses.dataclass(frozen=True)
class Head:
    """The weights of the head, float32: of the LSTM [D, 4U], [U, 4U], [4U], and of the two dense layers."""

    kernel: np.ndarray
    recurrent_kernel: np.ndarray
    bias: np.ndarray
    hidden: np.ndarray
    hidden_bias: np.ndarray
    days: np.ndarray
    days_bias: np.ndarray

    def halves(self, features: Any) -> Any:
        """What each photo brings to its pairs, as a graph: features [N, D] to [N, 9U].

        As in components/network/infer.py: its gates [4U] as the later one; its gates [4U] and its cell [U] as the earlier one.
        All large matrix products are here, once for a photo, however many pairs it is in. They are OpenVINO's, whose threads do
        not wait for each other's share of a small product by turning in circles, as those of NumPy's library do.
        """
        projected = ops.add(ops.matmul(features, self.kernel, False, False), self.bias)
        entering, _, candidate, leaving = ops.split(projected, 1, 4).outputs()  # of the first step, which has no cell to keep
        cell = ops.multiply(ops.sigmoid(entering), ops.tanh(candidate))
        state = ops.multiply(ops.sigmoid(leaving), ops.tanh(cell))
        return ops.concat([projected, ops.matmul(state, self.recurrent_kernel, False, False), cell], 1)

    def pair_days(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Days of pairs, by the halves of their photos: [P, 9U] and [P, 9U] to [P] float32."""
        units = before.shape[-1] // 9
        state, _ = lstm_step(after[:, : 4 * units] + before[:, 4 * units : 8 * units], before[:, 8 * units :])
        hidden = np.maximum(state @ self.hidden + self.hidden_bias, 0)
        return (hidden @ self.days + self.days_bias)[:, 0].astype(np.float32)


@dataclasses.dataclass(frozen=True)
class DatesHead:
    """The weights of a head that dates each photo, float32: what a photo brings to its pairs is its date alone."""

    hidden: np.ndarray
    hidden_bias: np.ndarray
    days: np.ndarray

    def halves(self, features: Any) -> Any:
        """The date of each photo, as a graph: features [N, D] to [N, 1]."""
        hidden = ops.relu(ops.add(ops.matmul(features, self.hidden, False, False), self.hidden_bias))
        return ops.matmul(hidden, self.days, False, False)

    def pair_days(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Days of pairs, by the dates of their photos: [P, 1] and [P, 1] to [P] float32."""
        return (after - before)[:, 0].astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Network:
    """A trained model."""

    dim: int  # H and W of its input, px
    graph: openvino.Model  # [N, dim, dim, 3] float32 in [0, 255] to what each photo brings to its pairs, [N, 9U] or [N, 1]
    head: Head | DatesHead  # what turns that into days


def lstm_step(gates: np.ndarray, cell: Any) -> tuple[np.ndarray, np.ndarray]:
    """One step of a Keras LSTM after its matrix products: gates [B, 4U] and the cell so far, to the state and the cell [B, U]."""
    entering, kept, candidate, leaving = np.split(gates, 4, axis=-1)
    cell = sigmoid(kept) * cell + sigmoid(entering) * np.tanh(candidate)
    return sigmoid(leaving) * np.tanh(cell), cell


def sigmoid(values: np.ndarray) -> np.ndarray:
    """The logistic function, which overflows for no value."""
    return 0.5 * (1 + np.tanh(0.5 * values))


def read_network(path: Path) -> Network:
    """Returns the network in a .keras file. Raises FileNotFoundError: no such file; ValueError: no model that train wrote."""
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read(CONFIG))
            with h5py.File(io.BytesIO(archive.read(WEIGHTS))) as file:
                layers = {layer["name"]: layer for layer in config["config"]["layers"]}
                places = containers(config["config"]["layers"])
                head = weights_by_layer(layers[HEAD]["config"]["layers"], file[places[HEAD]]["layers"])
                encoder = layers[ENCODER]["config"]
                arrays = [array for name in HEAD_LAYERS for array in head.get(name, ())]
                days = Head(*arrays) if HEAD_LAYERS[0] in head else DatesHead(*arrays)
                graph = build_graph(encoder, weights_by_layer(encoder["layers"], file[places[ENCODER]]["layers"]), days)
                return Network(encoder["layers"][0]["config"]["batch_shape"][1], graph, days)
    except FileNotFoundError:
        raise
    except (OSError, zipfile.BadZipFile, KeyError, IndexError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: no model that can be asked ({type(error).__name__}: {error}). Expected the model.keras that train writes."
        ) from error


def containers(layers: Sequence[Layer]) -> dict[str, str]:
    """Returns name of a layer to its group in the weights' file: Keras numbers the layers of each class there."""
    numbered, found = Counter[str](), {}
    for layer in layers:
        kind = snake_case(layer["class_name"])
        place = f"layers/{kind}_{numbered[kind]}" if numbered[kind] else f"layers/{kind}"
        found[layer["name"] if "name" in layer else layer["config"]["name"]] = place
        numbered[kind] += 1
    return found


def snake_case(name: str) -> str:
    """Returns a class's name as Keras writes it in a file of weights: BatchNormalization is batch_normalization."""
    name = re.sub(r"\W+", "", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)).lower()


def weights_by_layer(layers: Sequence[Layer], group: Any) -> dict[str, list[np.ndarray]]:
    """Returns name of a layer to its weights, float32, in Keras's order; those of an LSTM are its cell's."""
    found = {}
    for name, place in containers(layers).items():
        here = group.get(place.removeprefix("layers/"))
        if here is not None:
            here = here["cell"]["vars"] if "cell" in here else here.get("vars", {})
            found[name] = [np.asarray(here[str(number)], np.float32) for number in range(len(here))]
    return found


def build_graph(config: Mapping[str, Any], weights: Mapping[str, Weights], head: Head | DatesHead) -> openvino.Model:
    """Returns the graph of an encoder by Keras's functional config and weights by layer, and of what the head makes of a photo.

    Raises ValueError: a layer of a kind that no EfficientNet has.
    """
    nodes: dict[str, Any] = {}
    (first, *layers) = config["layers"]
    _, height, width, channels = first["config"]["batch_shape"]
    images = ops.parameter([-1, height, width, channels], np.float32, name="images")
    nodes[first["name"]] = ops.transpose(images, np.array([0, 3, 1, 2]))
    for layer in layers:
        inputs = [nodes[name] for name in inbound(layer["inbound_nodes"])]
        kind = layer["class_name"]
        if kind not in LAYERS and kind not in IDENTITY:
            raise ValueError(f"layer {layer['name']} is a {kind}; expected an EfficientNet's: {', '.join((*LAYERS, *IDENTITY))}")
        node = inputs[0] if kind in IDENTITY else LAYERS[kind](layer["config"], inputs, weights.get(layer["name"], ()))
        nodes[layer["name"]] = node
    output = nodes[config["output_layers"][0] if isinstance(config["output_layers"][0], str) else config["output_layers"][0][0]]
    features = ops.reshape(output, np.array([0, -1]), special_zero=True)
    return openvino.Model([head.halves(features)], [images], ENCODER)


def inbound(node: Any) -> Iterator[str]:
    """Yields the names of the layers that a layer's input comes from."""
    if isinstance(node, dict) and "keras_history" in node:
        yield node["keras_history"][0]
    elif isinstance(node, dict | list):
        for value in node.values() if isinstance(node, dict) else node:
            yield from inbound(value)


def along_channels(values: np.ndarray) -> np.ndarray:
    """A vector of channels so that it broadcasts over [N, channels, H, W]."""
    return np.reshape(values, (1, -1, 1, 1)).astype(np.float32)


def rescaling(config: Layer, inputs: list[Any], _weights: Weights) -> Any:
    """As Keras's layer: x * scale + offset."""
    return ops.add(ops.multiply(inputs[0], np.float32(config["scale"])), np.float32(config["offset"]))


def normalization(_config: Layer, inputs: list[Any], weights: Weights) -> Any:
    """As Keras's layer: (x - mean) / standard deviation."""
    mean, variance, *_ = weights
    return ops.divide(ops.subtract(inputs[0], along_channels(mean)), along_channels(np.maximum(np.sqrt(variance), 1e-7)))


def zero_padding(config: Layer, inputs: list[Any], _weights: Weights) -> Any:
    """As Keras's layer: zeros around rows and columns."""
    (top, bottom), (left, right) = config["padding"]
    return ops.pad(inputs[0], np.array([0, 0, top, left]), np.array([0, 0, bottom, right]), "constant", np.float32(0))


def convolution(config: Layer, inputs: list[Any], weights: Weights) -> Any:
    """As Keras's layer, its kernel [rows, columns, in, out]."""
    return activated(config, ops.convolution(inputs[0], weights[0].transpose(3, 2, 0, 1), **strides(config)), weights)


def depthwise(config: Layer, inputs: list[Any], weights: Weights) -> Any:
    """As Keras's layer, its kernel [rows, columns, channels, 1]: a convolution of as many groups as channels."""
    kernel = weights[0].transpose(2, 3, 0, 1)[:, :, np.newaxis]
    return activated(config, ops.group_convolution(inputs[0], kernel, **strides(config)), weights)


def strides(config: Layer) -> dict[str, Any]:
    """Returns how a convolution walks; `same` puts what is odd of its padding after, as TensorFlow does."""
    padding = {"same": "same_upper", "valid": "valid"}[config["padding"]]
    dilations = config["dilation_rate"]
    return {"strides": config["strides"], "pads_begin": [0, 0], "pads_end": [0, 0], "dilations": dilations, "auto_pad": padding}


def activated(config: Layer, node: Any, weights: Weights) -> Any:
    """Returns what follows a convolution: its bias, its activation."""
    if config["use_bias"]:
        node = ops.add(node, along_channels(weights[1]))
    return ACTIVATIONS[config["activation"]](node)


def batch_normalization(config: Layer, inputs: list[Any], weights: Weights) -> Any:
    """As Keras's layer with its moving statistics: one factor and one term for each channel."""
    gamma, beta, mean, variance = weights
    factor = gamma / np.sqrt(variance + np.float32(config["epsilon"]))
    return ops.add(ops.multiply(inputs[0], along_channels(factor)), along_channels(beta - mean * factor))


def pooling(_config: Layer, inputs: list[Any], _weights: Weights) -> Any:
    """As Keras's layer, the mean over rows and columns, which are kept as one of each."""
    return ops.reduce_mean(inputs[0], np.array([2, 3]), keep_dims=True)


LAYERS: dict[str, Callable[[Layer, list[Any], Weights], Any]] = {
    "Rescaling": rescaling,
    "Normalization": normalization,
    "ZeroPadding2D": zero_padding,
    "Conv2D": convolution,
    "DepthwiseConv2D": depthwise,
    "BatchNormalization": batch_normalization,
    "Activation": lambda config, inputs, _: ACTIVATIONS[config["activation"]](inputs[0]),
    "GlobalAveragePooling2D": pooling,
    "Reshape": lambda _, inputs, __: inputs[0],  # of what is pooled, whose rows and columns are kept
    "Multiply": lambda _, inputs, __: ops.multiply(*inputs),
    "Add": lambda _, inputs, __: ops.add(*inputs),
}
