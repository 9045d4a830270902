"""Writes the tiny TorchScript files that the torch tests load: make_test_modules.py FOLDER

Weights follow formulas, repeated in tests/models/reference_network.h, so a test can compute what
a network must answer. Inputs are [n, 3, h, w] (or [n, h, w, 3]) with values of 0 to 1.
"""
import pathlib
import sys

import torch
from torch import nn

CHANNELS, CLASSES = 4, 3


class Reference(nn.Module):
    """1x1 convolution, batch norm, ReLU, mean over the pixels, linear."""

    def __init__(self, nhwc: bool):
        super().__init__()
        self.nhwc = nhwc
        self.conv = nn.Conv2d(3, CHANNELS, 1)
        self.norm = nn.BatchNorm2d(CHANNELS)
        self.linear = nn.Linear(CHANNELS, CLASSES)
        with torch.no_grad():
            for o in range(CHANNELS):
                for c in range(3):
                    self.conv.weight[o, c, 0, 0] = ((o * 3 + c) % 5 - 2) * 0.5
                self.conv.bias[o] = 0.1 * o - 0.1
                self.norm.running_mean[o] = 0.1 * o
                self.norm.running_var[o] = 1.0 + o
            for k in range(CLASSES):
                for o in range(CHANNELS):
                    self.linear.weight[k, o] = ((k * CHANNELS + o) % 7 - 3) * 0.25
                self.linear.bias[k] = 0.5 * k

    def forward(self, x):
        if self.nhwc:
            x = x.permute(0, 3, 1, 2)
        x = torch.relu(self.norm(self.conv(x)))
        return self.linear(x.mean([2, 3]))


class ThrowsOnWhite(nn.Module):
    def forward(self, x):
        if bool(x.max() > 0.999):
            raise RuntimeError("secret detail: a white pixel")
        return x.mean([2, 3])


class ThrowsOnFlat(nn.Module):
    """Runs pictures, but not a photo of one colour, such as the self test's grey one."""

    def forward(self, x):
        if bool(x.max() - x.min() < 0.01):
            raise RuntimeError("flat")
        return x.mean([2, 3])


class LosesRows(nn.Module):
    """Right for two items, one row short for three."""

    def forward(self, x):
        rows = x.size(0)
        if rows == 3:
            rows = 2
        return x.mean([2, 3])[:rows]


class SumsBatch(nn.Module):
    """Adds the sum over all rows to each row, so that a row shows what the others hold."""

    def forward(self, x):
        rows = x.mean([2, 3])
        return rows + rows.sum(0)


class Columns(nn.Module):
    def forward(self, x):
        return x.mean([2])[:, :, :5].mean(1)


class Flat(nn.Module):
    def forward(self, x):
        return x.mean([1, 2, 3])


class Pair(nn.Module):
    def forward(self, x):
        return x.mean([2, 3]), x


class Double(nn.Module):
    def forward(self, x):
        return x.mean([2, 3]).double()


class AlwaysThrows(nn.Module):
    def forward(self, x):
        if bool(x.max() > -1.0):
            raise RuntimeError("never runs")
        return x.mean([2, 3])


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    modules = {
        "reference": Reference(nhwc=False),
        "reference_nhwc": Reference(nhwc=True),
        "throws_on_white": ThrowsOnWhite(),
        "throws_on_flat": ThrowsOnFlat(),
        "loses_rows": LosesRows(),
        "sums_batch": SumsBatch(),
        "columns": Columns(),
        "flat": Flat(),
        "pair": Pair(),
        "double": Double(),
        "always_throws": AlwaysThrows(),
    }
    for name, module in modules.items():
        torch.jit.script(module.eval()).save(str(folder / f"{name}.pt"))
    (folder / "text.pt").write_text("these are not weights\n")


if __name__ == "__main__":
    main()
