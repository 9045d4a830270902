"""MTCNN's three networks as torch modules whose state dicts have facenet-pytorch's keys.

MTCNN (Zhang et al. 2016) finds faces in three steps: P-Net looks at every place of a pyramid of
small pictures, R-Net at 24x24 crops of what it found, O-Net at 48x48 crops of what is left. Each
takes RGB as (pixel - 127.5) / 128, channels first, and gives in this order: the probability of no
face and of a face (P-Net: of a face only), four corrections of the box (left, top, right, bottom,
in parts of its size), and for O-Net five points (left eye, right eye, nose, left and right corner
of the mouth as seen: their five x, then their five y, in parts of the box).
"""

import io

import torch
from torch import nn

# P-Net's fixed input: a canvas that holds all levels of one photo, so that photos can be batched.
# Rows, columns: even places of the canvas are the cells of its output, two pixels apart.
CANVAS = (576, 256)
CANVAS_OUTPUT = (5, 283, 123)


def conv(inputs, outputs, kernel):
    return nn.Conv2d(inputs, outputs, kernel)


def max_pool(kernel):
    return nn.MaxPool2d(kernel, 2, ceil_mode=True)


class PNet(nn.Module):
    """[n, 3, h, w] -> [n, 5, h/2 - 5, w/2 - 5] of even h, w; cell (y, x) sees 12x12 at 2y, 2x."""

    def __init__(self):
        super().__init__()
        self.conv1, self.prelu1 = conv(3, 10, 3), nn.PReLU(10)
        self.conv2, self.prelu2 = conv(10, 16, 3), nn.PReLU(16)
        self.conv3, self.prelu3 = conv(16, 32, 3), nn.PReLU(32)
        self.conv4_1 = conv(32, 2, 1)
        self.conv4_2 = conv(32, 4, 1)
        self.pool = max_pool(2)

    def forward(self, x):
        x = self.pool(self.prelu1(self.conv1(x)))
        x = self.prelu3(self.conv3(self.prelu2(self.conv2(x))))
        face = torch.softmax(self.conv4_1(x), 1)[:, 1:]
        return torch.cat((face, self.conv4_2(x)), 1)


class RNet(nn.Module):
    """[n, 3, 24, 24] -> [n, 6]."""

    def __init__(self):
        super().__init__()
        self.conv1, self.prelu1 = conv(3, 28, 3), nn.PReLU(28)
        self.conv2, self.prelu2 = conv(28, 48, 3), nn.PReLU(48)
        self.conv3, self.prelu3 = conv(48, 64, 2), nn.PReLU(64)
        self.dense4, self.prelu4 = nn.Linear(576, 128), nn.PReLU(128)
        self.dense5_1 = nn.Linear(128, 2)
        self.dense5_2 = nn.Linear(128, 4)
        self.pool = max_pool(3)

    def forward(self, x):
        x = self.pool(self.prelu1(self.conv1(x)))
        x = self.pool(self.prelu2(self.conv2(x)))
        x = self.prelu3(self.conv3(x))
        x = self.prelu4(self.dense4(columns_first(x)))
        return torch.cat((torch.softmax(self.dense5_1(x), 1), self.dense5_2(x)), 1)


class ONet(nn.Module):
    """[n, 3, 48, 48] -> [n, 16]."""

    def __init__(self):
        super().__init__()
        self.conv1, self.prelu1 = conv(3, 32, 3), nn.PReLU(32)
        self.conv2, self.prelu2 = conv(32, 64, 3), nn.PReLU(64)
        self.conv3, self.prelu3 = conv(64, 64, 3), nn.PReLU(64)
        self.conv4, self.prelu4 = conv(64, 128, 2), nn.PReLU(128)
        self.dense5, self.prelu5 = nn.Linear(1152, 256), nn.PReLU(256)
        self.dense6_1 = nn.Linear(256, 2)
        self.dense6_2 = nn.Linear(256, 4)
        self.dense6_3 = nn.Linear(256, 10)
        self.pool, self.last_pool = max_pool(3), max_pool(2)

    def forward(self, x):
        x = self.pool(self.prelu1(self.conv1(x)))
        x = self.pool(self.prelu2(self.conv2(x)))
        x = self.last_pool(self.prelu3(self.conv3(x)))
        x = self.prelu4(self.conv4(x))
        x = self.prelu5(self.dense5(columns_first(x)))
        face = torch.softmax(self.dense6_1(x), 1)
        return torch.cat((face, self.dense6_2(x), self.dense6_3(x)), 1)


def columns_first(x):
    """Flattens [n, c, h, w] as the weights, which came from Matlab, want it: x, y, channel."""
    return x.permute(0, 3, 2, 1).flatten(1)


NETWORKS = {"PNet": PNet, "RNet": RNet, "ONet": ONet}


def load(name, weights):
    """The network `name` of NETWORKS, from the bytes of its published state dict."""
    network = NETWORKS[name]()
    state = torch.load(io.BytesIO(weights), map_location="cpu", weights_only=True)
    network.load_state_dict(state, strict=True)
    return network.eval()
