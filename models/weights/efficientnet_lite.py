"""EfficientNet-Lite0 as a torch module whose state dict has the published file's keys.

Lite0 is EfficientNet-B0 without squeeze-and-excitation and with ReLU6. The published weights were
trained in TensorFlow, which fixes two details: batch norm's epsilon is 1e-3, and a stride-2
convolution pads one pixel more at the bottom and right ("SAME").
"""

import torch
from torch import nn
from torch.nn import functional

# (blocks, kernel, stride of the first, expansion, channels) of each stage.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM_CHANNELS = 32
HEAD_CHANNELS = 1280
CLASSES = 1000
INPUT_SHAPE = (3, 224, 224)


class SameConv(nn.Conv2d):
    """A convolution without bias, padded as TensorFlow pads an input of even size."""

    def __init__(self, inputs, outputs, kernel, stride=1, groups=1):
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)
        before = (kernel - stride) // 2
        after = kernel - stride - before
        self.margins = (before, after, before, after)

    def forward(self, x):
        return super().forward(functional.pad(x, self.margins) if any(self.margins) else x)


def batch_norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-3)


class Block(nn.Module):
    """Inverted residual: widen, filter each channel, narrow; added to its input if it fits."""

    def __init__(self, inputs, outputs, kernel, stride, expansion):
        super().__init__()
        wide = inputs * expansion
        self.widens = expansion > 1
        self.adds = stride == 1 and inputs == outputs
        if self.widens:
            self._expand_conv = SameConv(inputs, wide, 1)
            self._bn0 = batch_norm(wide)
        self._depthwise_conv = SameConv(wide, wide, kernel, stride, groups=wide)
        self._bn1 = batch_norm(wide)
        self._project_conv = SameConv(wide, outputs, 1)
        self._bn2 = batch_norm(outputs)

    def forward(self, x):
        y = x
        if self.widens:
            y = functional.relu6(self._bn0(self._expand_conv(y)))
        y = functional.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.adds else y


class EfficientNetLite0(nn.Module):
    """[n, 3, 224, 224] of (pixel - 127) / 128 -> [n, 1000] logits."""

    def __init__(self):
        super().__init__()
        self._conv_stem = SameConv(INPUT_SHAPE[0], STEM_CHANNELS, 3, 2)
        self._bn0 = batch_norm(STEM_CHANNELS)
        self._blocks = nn.ModuleList()
        inputs = STEM_CHANNELS
        for blocks, kernel, stride, expansion, outputs in STAGES:
            for position in range(blocks):
                self._blocks.append(
                    Block(inputs, outputs, kernel, stride if position == 0 else 1, expansion)
                )
                inputs = outputs
        self._conv_head = SameConv(inputs, HEAD_CHANNELS, 1)
        self._bn1 = batch_norm(HEAD_CHANNELS)
        self._fc = nn.Linear(HEAD_CHANNELS, CLASSES)

    def features(self, x):
        """[n, 1280]: the mean of each of the last convolution's channels."""
        x = functional.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        x = functional.relu6(self._bn1(self._conv_head(x)))
        return x.mean((2, 3))

    def forward(self, x):
        return self._fc(self.features(x))


def load(state_file):
    """Builds the network from the published state dict (an open file or a path)."""
    state = torch.load(state_file, map_location="cpu", weights_only=True)
    network = EfficientNetLite0()
    network.load_state_dict(state, strict=True)
    return network.eval()
