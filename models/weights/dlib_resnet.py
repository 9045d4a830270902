"""dlib's face embedding network as a torch module, filled from dlib's file of weights.

A ResNet of 29 convolutions without batch norm (its scale and offset are "affine" layers): a stem,
five levels of residual blocks, the mean of each channel, and a matrix. Faces of one person lie
within 0.6 of each other (Euclidean), as dlib's authors trained it.
"""

import dlib_file
import torch
from torch import nn
from torch.nn import functional

INPUT_SHAPE = (3, 150, 150)
EMBEDDING = 128
STEM_CHANNELS = 32
# What the input layer takes off each colour, before it divides by 256.
MEAN = (122.782, 117.001, 104.298)
# (channels, whether the first block halves the picture, blocks) of each level.
LEVELS = ((32, False, 3), (64, True, 4), (128, True, 3), (256, True, 3), (256, True, 1))


class ScaledConv(nn.Module):
    """A convolution, then each channel times its scale plus its offset (dlib's affine)."""

    def __init__(self, inputs, outputs, kernel, stride):
        super().__init__()
        # dlib pads only what keeps its size.
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2 if stride == 1 else 0)
        self.scale = nn.Parameter(torch.ones(outputs, 1, 1))
        self.offset = nn.Parameter(torch.zeros(outputs, 1, 1))

    def forward(self, x):
        return self.conv(x) * self.scale + self.offset


class Block(nn.Module):
    """Two convolutions beside the input, or beside its 2x2 means where the block halves it.

    dlib adds pictures of unlike sizes as if the smaller had zeros after its last column, row and
    channel: the means have fewer channels than the convolutions, or a row and a column more.
    """

    def __init__(self, inputs, outputs, halves):
        super().__init__()
        self.halves = halves
        self.more_channels = outputs - inputs
        self.first = ScaledConv(inputs, outputs, 3, 2 if halves else 1)
        self.second = ScaledConv(outputs, outputs, 3, 1)

    def forward(self, x):
        y = self.second(functional.relu(self.first(x)))
        if self.halves:
            x = functional.avg_pool2d(x, 2)
            x = functional.pad(x, (0, 0, 0, 0, 0, self.more_channels))
            y = functional.pad(y, (0, x.shape[3] - y.shape[3], 0, x.shape[2] - y.shape[2]))
        return functional.relu(x + y)


class FaceEmbedding(nn.Module):
    """[n, 3, 150, 150] of (RGB - MEAN) / 256 -> [n, 128]."""

    def __init__(self):
        super().__init__()
        self.stem = ScaledConv(INPUT_SHAPE[0], STEM_CHANNELS, 7, 2)
        self.blocks = nn.ModuleList()
        inputs = STEM_CHANNELS
        for channels, halves, blocks in LEVELS:
            for position in range(blocks):
                self.blocks.append(Block(inputs, channels, halves and position == 0))
                inputs = channels
        self.matrix = nn.Linear(inputs, EMBEDDING, bias=False)

    def forward(self, x):
        x = functional.max_pool2d(functional.relu(self.stem(x)), 3, 2)
        for block in self.blocks:
            x = block(x)
        return self.matrix(x.mean((2, 3)))


def expected_layers():
    """(kind, sizes) of each layer that the file must hold for FaceEmbedding to be its network."""
    relu = ("relu_", ())

    def scaled_conv(inputs, outputs, kernel, stride):
        pad = kernel // 2 if stride == 1 else 0
        window = (outputs, kernel, kernel, stride, stride, pad, pad)
        yield "con_4", window + (outputs, inputs, kernel, kernel) + (1, outputs, 1, 1)
        yield "affine_", (1, outputs, 1, 1) * 2 + (0,)

    yield from scaled_conv(INPUT_SHAPE[0], STEM_CHANNELS, 7, 2)
    yield relu
    yield "max_pool_2", (3, 3, 2, 2, 0, 0)
    inputs = STEM_CHANNELS
    for channels, halves, blocks in LEVELS:
        for position in range(blocks):
            halve = halves and position == 0
            yield from scaled_conv(inputs, channels, 3, 2 if halve else 1)
            yield relu
            yield from scaled_conv(channels, channels, 3, 1)
            if halve:
                yield "avg_pool_2", (2, 2, 2, 2, 0, 0)
            yield "add_prev_", ()
            yield relu
            inputs = channels
    yield "avg_pool_2", (0, 0, 1, 1, 0, 0)  # of the whole picture
    yield "fc_2", (EMBEDDING, inputs, inputs, EMBEDDING, 1, 1, 0, 0, 0, 0, 1)


def fill(network, layers):
    """Copies the parameters of `layers`, in their order, into the network's modules."""
    parameters = iter([layer.values for layer in layers if layer.values is not None])
    convs = [network.stem] + [conv for b in network.blocks for conv in (b.first, b.second)]
    with torch.no_grad():
        for module in convs:
            weights, affine = next(parameters), next(parameters)
            bias = module.conv.bias
            module.conv.weight.copy_(weights[: -len(bias)].reshape(module.conv.weight.shape))
            bias.copy_(weights[-len(bias) :])
            scale, offset = affine.chunk(2)
            module.scale.copy_(scale.reshape(-1, 1, 1))
            module.offset.copy_(offset.reshape(-1, 1, 1))
        matrix = next(parameters).reshape(LEVELS[-1][0], EMBEDDING)  # dlib: x times matrix
        network.matrix.weight.copy_(matrix.T)


def load(data):
    """The network of dlib_face_recognition_resnet_model_v1.dat, given the file's bytes."""
    mean, size, layers = dlib_file.read_network(data)
    if max(abs(m - wanted) for m, wanted in zip(mean, MEAN)) > 1e-3 or size != INPUT_SHAPE[1:]:
        raise dlib_file.FormatError(f"the input layer has means {mean} and size {size}")
    if [(layer.kind, layer.numbers) for layer in layers] != list(expected_layers()):
        raise dlib_file.FormatError("the layers are not those of the face embedding network")
    network = FaceEmbedding()
    fill(network, layers)
    return network.eval()
