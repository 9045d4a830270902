"""Services made of EfficientNet-Lite0: its features, and its ImageNet classes of one kind.

A part keeps the probabilities that the whole network gives: they are of all 1000 classes, so that
a car among foods gets low ones instead of the likeliest cake. Each list below is of rows of
configs/models/imagenet/labels.txt, picked by their names; configs/models/PART/labels.txt repeats
the names in this order.
"""

import torch
from torch import nn
from torch.nn import functional

# Guacamole to eggnog, which ImageNet numbers in a row, and corn; not hay (958) and cup (968), which
# stand among them, nor ear (998), a second name of corn.
FOOD = tuple(row for row in range(924, 970) if row not in (958, 968)) + (987,)
# Tiger beetle to lycaenid: beetles, flies, bees, ants, bugs, dragonflies, butterflies.
INSECTS = tuple(range(300, 327))


class Part(nn.Module):
    """[n, 3, 224, 224] as the whole network takes it -> [n, len(rows)] probabilities."""

    def __init__(self, network, rows):
        super().__init__()
        self.network = network
        self.register_buffer("rows", torch.tensor(rows))

    def forward(self, x):
        return torch.softmax(self.network(x), 1).index_select(1, self.rows)


class Embedding(nn.Module):
    """[n, 3, 224, 224] -> [n, 1280]: what the last layer classifies, of length 1."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return functional.normalize(self.network.features(x), dim=1)
