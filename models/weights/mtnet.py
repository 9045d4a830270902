"""MTNet, the first XCloud's rating of a Zhihu Live from 23 numbers about it, and its weights file.

The network is 715 numbers, which lie in mtnet/mtnet.safetensors; mtnet/README.md says from where.
That file was made, and can be made again, from the published state dict:

  cd models/weights && ../../.venv/bin/python mtnet.py ZhihuLive_MTNet.pth mtnet/mtnet.safetensors
"""

import json
import pathlib
import struct
import sys

import numpy
import torch
from torch import nn
from torch.nn import functional

INPUTS = 23
BRANCHES = (4, 3, 5)  # hidden units of each


class Branch(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.bf1 = nn.Linear(8, hidden)
        self.bf2 = nn.Linear(hidden, 1)

    def forward(self, x):
        return self.bf2(functional.relu6(self.bf1(x)))


class MTNet(nn.Module):
    """[n, 23] inputs of 0 to 1 -> [n, 1], a rating of about 1 to 5: the mean of three branches."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleDict(
            {
                f"fc{position}": nn.Sequential(nn.Linear(inputs, outputs), nn.ReLU())
                for position, (inputs, outputs) in enumerate(((INPUTS, 16), (16, 8), (8, 8)), 1)
            }
        )
        self.branch1, self.branch2, self.branch3 = (Branch(hidden) for hidden in BRANCHES)

    def forward(self, x):
        for layer in self.layers.values():
            x = layer(x)
        return (self.branch1(x) + self.branch2(x) + self.branch3(x)) / 3


def read_safetensors(data):
    """{name: tensor} of a safetensors file that holds float32 alone."""
    (size,) = struct.unpack_from("<Q", data)
    tensors = json.loads(data[8 : 8 + size])
    tensors.pop("__metadata__", None)
    state = {}
    for name, tensor in tensors.items():
        if tensor["dtype"] != "F32":
            raise ValueError(f"{name} is {tensor['dtype']}, not F32")
        begin, end = (8 + size + offset for offset in tensor["data_offsets"])
        values = numpy.frombuffer(data[begin:end], "<f4").reshape(tensor["shape"])
        state[name] = torch.from_numpy(values.copy())
    return state


def write_safetensors(state):
    header, blocks, at = {}, [], 0
    for name, tensor in state.items():
        block = tensor.numpy().astype("<f4").tobytes()
        offsets = [at, at + len(block)]
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": offsets}
        blocks.append(block)
        at += len(block)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors start at a multiple of eight bytes
    return struct.pack("<Q", len(text)) + text + b"".join(blocks)


def load(data):
    """The network of a safetensors file's bytes."""
    network = MTNet()
    network.load_state_dict(read_safetensors(data), strict=True)
    return network.eval()


def main():
    source, target = (pathlib.Path(argument) for argument in sys.argv[1:])
    state = torch.load(source, map_location="cpu", weights_only=True)
    MTNet().load_state_dict(state, strict=True)
    target.write_bytes(write_safetensors(state))
    print(f"{target}: {sum(tensor.numel() for tensor in state.values())} numbers of {source}")


if __name__ == "__main__":
    main()
