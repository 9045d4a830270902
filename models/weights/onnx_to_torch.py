"""Rebuilds an ONNX image classifier as a torch module, node by node.

Knows the operators that the published classifiers use and refuses any other by name: a
conversion is either exact or not made. The graph is static, so tracing the module gives a
TorchScript file without Python in it; only the batch size stays free.
"""

import numpy
import onnx
import torch
from onnx import numpy_helper
from torch import nn
from torch.nn import functional


# Operators whose constants are inside what operation() returns.
KEEPS_CONSTANTS = ("Conv", "Reshape", "Pad", "Gemm")


class UnsupportedNode(ValueError):
    """The graph holds an operator, or an attribute of one, that is not translated."""


def attributes_of(node):
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def require(node, condition, what):
    if not condition:
        raise UnsupportedNode(f"{node.op_type} '{node.output[0]}': {what} is not translated")


def padding(attributes):
    """ONNX pads (top, left, bottom, right) in the order of functional.pad."""
    top, left, bottom, right = attributes.get("pads", (0, 0, 0, 0))
    return (left, right, top, bottom)


def convolution(node, constants):
    attributes = attributes_of(node)
    weight = constants[node.input[1]]
    bias = constants[node.input[2]] if len(node.input) > 2 else None
    top, left, bottom, right = attributes.get("pads", (0, 0, 0, 0))
    require(node, attributes.get("auto_pad", b"NOTSET") == b"NOTSET", "auto_pad")
    require(node, (top, left) == (bottom, right), "uneven padding")
    groups = attributes.get("group", 1)
    layer = nn.Conv2d(
        weight.shape[1] * groups,
        weight.shape[0],
        tuple(weight.shape[2:]),
        stride=tuple(attributes.get("strides", (1, 1))),
        padding=(top, left),
        dilation=tuple(attributes.get("dilations", (1, 1))),
        groups=groups,
        bias=bias is not None,
    )
    with torch.no_grad():
        layer.weight.copy_(weight)
        if bias is not None:
            layer.bias.copy_(bias)
    return layer


def pooling(node):
    attributes = attributes_of(node)
    kernel = tuple(attributes["kernel_shape"])
    strides = tuple(attributes.get("strides", (1, 1)))
    margins = padding(attributes)
    require(node, attributes.get("auto_pad", b"NOTSET") == b"NOTSET", "auto_pad")
    require(node, attributes.get("ceil_mode", 0) == 0, "ceil_mode")
    if node.op_type == "MaxPool":
        lowest = float("-inf")
        return lambda x: functional.max_pool2d(
            functional.pad(x, margins, value=lowest), kernel, strides
        )
    require(node, not any(margins), "padding")
    return lambda x: functional.avg_pool2d(x, kernel, strides)


def reshape(node, constants):
    shape = [int(size) for size in constants[node.input[1]]]
    require(node, 0 not in shape, "a copied dimension")
    return lambda x: x.reshape(shape)


def pad(node, constants):
    """Zeros before and after each dimension; what is taken off, or filled otherwise, is refused."""
    attributes = attributes_of(node)
    require(node, attributes.get("mode", b"constant") == b"constant", "this mode")
    filling = [constants[name] for name in node.input[2:3] if name]
    require(node, not any(value.any() for value in filling), "a filling that is not 0")
    require(node, len(node.input) <= 3, "a choice of axes")
    sizes = [int(size) for size in constants[node.input[1]]]
    require(node, min(sizes) >= 0, "a negative size")
    half = len(sizes) // 2
    # ONNX: all begins, then all ends, first dimension first. Torch: pairs, last dimension first.
    pairs = [size for d in reversed(range(half)) for size in (sizes[d], sizes[half + d])]
    return lambda x: functional.pad(x, pairs)


def matrix(node, constants):
    """Gemm of an input and constants: a linear layer."""
    attributes = attributes_of(node)
    plain = attributes.get("alpha", 1.0) == 1.0 and attributes.get("beta", 1.0) == 1.0
    require(node, plain and not attributes.get("transA", 0), "a scale or a transposed input")
    weight = constants[node.input[1]]
    weight = weight if attributes.get("transB", 0) else weight.T
    bias = constants[node.input[2]] if len(node.input) > 2 else None
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    with torch.no_grad():
        layer.weight.copy_(weight)
        if bias is not None:
            layer.bias.copy_(bias.expand(weight.shape[0]))
    return layer


def operation(node, constants):
    """What `node` does, as a function or module of its inputs that are not constants."""
    kind = node.op_type
    attributes = attributes_of(node)
    if kind == "Conv":
        return convolution(node, constants)
    if kind in ("MaxPool", "AveragePool"):
        return pooling(node)
    if kind == "Reshape":
        return reshape(node, constants)
    if kind == "Pad":
        return pad(node, constants)
    if kind == "Gemm":
        return matrix(node, constants)
    if kind == "GlobalAveragePool":
        return lambda x: x.mean((2, 3), keepdim=True)
    if kind == "Flatten":
        require(node, attributes.get("axis", 1) == 1, "this axis")
        return lambda x: x.flatten(1)
    if kind == "Transpose":
        order = tuple(attributes["perm"])
        return lambda x: x.permute(order)
    if kind == "Softmax":
        axis = attributes.get("axis", -1)
        require(node, axis in (1, -1), f"axis {axis}")
        return lambda x: torch.softmax(x, axis)
    simple = {"Relu": torch.relu, "Add": torch.add, "Mul": torch.mul, "MatMul": torch.matmul}
    require(node, kind in simple, "this operator")
    return simple[kind]


class OnnxGraph(nn.Module):
    """Runs the graph's nodes in their order, which ONNX requires to be topological."""

    def __init__(self, graph):
        super().__init__()
        constants = {
            tensor.name: torch.from_numpy(numpy.array(numpy_helper.to_array(tensor)))
            for tensor in graph.initializer
        }
        inputs = [value.name for value in graph.input if value.name not in constants]
        if len(inputs) != 1 or len(graph.output) != 1:
            raise UnsupportedNode("the graph must have one input and one output")
        self.input_name = inputs[0]
        self.output_name = graph.output[0].name
        self.layers = nn.ModuleList()
        self.steps = []
        for node in graph.node:
            run = operation(node, constants)
            if isinstance(run, nn.Module):
                self.layers.append(run)
            taken = node.input[:1] if node.op_type in KEEPS_CONSTANTS else node.input
            self.steps.append((run, tuple(taken), node.output[0]))
        self.keep_operands(constants)

    def keep_operands(self, constants):
        """Registers the constants that steps take as operands (matrices, biases)."""
        self.operands = {}
        for position, (_, taken, _) in enumerate(self.steps):
            for name in taken:
                if name in constants:
                    self.register_buffer(f"operand_{position}", constants[name])
                    self.operands[name] = f"operand_{position}"

    def forward(self, x):
        values = {name: getattr(self, buffer) for name, buffer in self.operands.items()}
        values[self.input_name] = x
        for run, taken, output in self.steps:
            values[output] = run(*(values[name] for name in taken))
        return values[self.output_name]


def load(onnx_bytes):
    """Rebuilds the serialised ONNX model `onnx_bytes`; UnsupportedNode when it cannot."""
    return OnnxGraph(onnx.load_model_from_string(onnx_bytes).graph).eval()
