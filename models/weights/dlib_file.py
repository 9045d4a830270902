"""Reads the layers of a network out of dlib's own file.

A dlib file is a nest of layers, written from the outermost in: each writes its version, then the
layer below it, then what it holds. Read front to back that is a run of versions down to the input
layer, then the layers' contents from the input up. Numbers are packed: a byte with the count of
bytes that follow (and the sign in its top bit), then these, little end first; a float is two such
numbers, mantissa and exponent of two; a tensor's values are raw float32.

Format: dlib/serialize.h and dlib/dnn/{core,layers,input,loss}.h of dlib 19.24 (BSL-1.0). Only the
layers of its published face networks are known; any other is refused by name.
"""

from typing import NamedTuple

import numpy
import torch

LAYER, WRAPPER, INPUT = 2, 1, 3  # versions: a layer with content, a tag or skip, the innermost


class FormatError(ValueError):
    """The file is not a dlib network of the kinds that are known here."""


class LayerContent(NamedTuple):
    kind: str  # "con_4", "affine_", "relu_", ...
    numbers: tuple  # its sizes, in the order of the file
    values: object  # float32 tensor of all its parameters; None when it has none


class Reader:
    """The primitives of dlib's serialisation, over bytes."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, count):
        if count < 0 or self.at + count > len(self.data):
            raise FormatError("the file ends too early")
        self.at += count
        return self.data[self.at - count : self.at]

    def integer(self):
        head = self.take(1)[0]
        size = head & 0x0F
        if size == 0 or size > 8 or head & 0x70:
            raise FormatError(f"byte {self.at - 1} starts no packed number")
        value = int.from_bytes(self.take(size), "little")
        return -value if head & 0x80 else value

    def integers(self, count):
        return tuple(self.integer() for _ in range(count))

    def number(self):
        mantissa, exponent = self.integers(2)
        if abs(exponent) > 1100:  # dlib's marks of infinity and NaN lie above
            raise FormatError("a number is not finite")
        return mantissa * 2.0**exponent

    def boolean(self):
        mark = self.take(1)
        if mark not in (b"0", b"1"):
            raise FormatError(f"byte {self.at}: no boolean")
        return mark == b"1"

    def text(self):
        return self.take(self.integer()).decode("ascii")

    def tensor(self):
        """A tensor's values, flat."""
        if self.integer() != 2:
            raise FormatError(f"byte {self.at}: unknown version of a tensor")
        count = 1
        for size in self.integers(4):
            count *= size
        return torch.from_numpy(numpy.frombuffer(self.take(4 * count), "<f4").copy())

    def alias(self):
        """The shape under which a part of a parameter tensor is seen."""
        if self.integer() != 1:
            raise FormatError(f"byte {self.at}: unknown version of an alias")
        return self.integers(4)


def read_content(reader):
    """What one layer holds. The learning rates that end con and fc are read and dropped."""
    kind = reader.text()
    if kind == "con_4":
        values = reader.tensor()
        numbers = reader.integers(7)  # filters, kernel rows and columns, strides, padding
        numbers += reader.alias() + reader.alias()
        [reader.number() for _ in range(4)]
    elif kind == "affine_":
        values = reader.tensor()
        numbers = reader.alias() + reader.alias() + (reader.integer(),)
    elif kind == "fc_2":
        numbers = reader.integers(2)  # outputs, inputs
        values = reader.tensor()
        numbers += reader.alias() + reader.alias() + (reader.integer(),)
        [reader.number() for _ in range(4)]
    elif kind in ("max_pool_2", "avg_pool_2"):
        numbers, values = reader.integers(6), None  # window, strides, padding
    elif kind in ("relu_", "add_prev_"):
        numbers, values = (), None
    else:
        raise FormatError(f"unknown layer '{kind}'")
    return LayerContent(kind, numbers, values)


def read_state(reader):
    """Drops what a layer kept of its training run: three flags and three empty tensors."""
    for _ in range(3):
        reader.boolean()
    for _ in range(3):
        reader.tensor()


def read_input(reader):
    """The means that the input layer takes off red, green and blue, and its rows and columns."""
    if reader.text() != "input_rgb_image_sized":
        raise FormatError("the input layer is not that of an RGB picture of one size")
    return tuple(reader.number() for _ in range(3)), reader.integers(2)


def read_network(data):
    """A loss_metric network: (means, rows and columns, layers from the input to the output)."""
    reader = Reader(data)
    if reader.integer() != 1 or reader.text() != "loss_metric_2":
        raise FormatError("not a network of dlib's loss_metric")
    reader.number()  # margin and distance of the loss
    reader.number()
    nest = []
    while not nest or nest[-1] != INPUT:
        nest.append(reader.integer())
        if nest[-1] not in (LAYER, WRAPPER, INPUT):
            raise FormatError(f"byte {reader.at}: unknown version of a layer")
    mean, size = read_input(reader)
    layers = [read_content(reader)]
    read_state(reader)
    reader.integer()  # of the innermost: how many samples an input makes
    for version in reversed(nest[:-1]):
        if version == LAYER:
            layers.append(read_content(reader))
            read_state(reader)
    if reader.at != len(data):
        raise FormatError(f"{len(data) - reader.at} bytes follow the network")
    return mean, size, layers
