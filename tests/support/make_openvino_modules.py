"""Writes the tiny ONNX and IR files that the OpenVINO tests load: make_openvino_modules.py FOLDER

The networks are those of make_test_modules.py, whose answers tests/models/reference_network.h
computes by hand. FOLDER is where that script has written its TorchScript files.
"""
import pathlib
import sys

import openvino
import torch
from make_test_modules import Columns, Double, Flat, Pair, Reference
from torch import nn

HEIGHT, WIDTH = 6, 8
NCHW = [-1, 3, HEIGHT, WIDTH]


class FixedBatch(nn.Module):
    """The reference network as files exported for one item have it: the 1 is in the graph."""

    def __init__(self):
        super().__init__()
        self.reference = Reference(nhwc=False)

    def forward(self, x):
        return self.reference(x).reshape(1, 3)


class Flattened(nn.Module):
    """Takes one size of picture, twice as wide as the tests', and no other."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3 * HEIGHT * 2 * WIDTH, 3)

    def forward(self, x):
        return self.linear(x.flatten(1))


class TwoInputs(nn.Module):
    def forward(self, x, y):
        return (x + y).mean([2, 3])


class NotANumber(nn.Module):
    """Divides by the pixels' sum: not a number on a black picture."""

    def forward(self, x):
        rows = x.mean([2, 3])
        return rows / rows.sum(1, keepdim=True)


class Tensor(nn.Module):
    """Of tensors: five values to two by two."""

    def forward(self, x):
        return torch.stack([x[:, :2], x[:, 3:]], 1)


def save_ir(path, module, *shapes):
    scripted = torch.jit.script(module.eval())
    model = openvino.convert_model(scripted, input=[(s, openvino.Type.f32) for s in shapes])
    openvino.save_model(model, path.with_suffix(".xml"), compress_to_fp16=False)


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    save_ir(folder / "reference", Reference(nhwc=False), NCHW)
    save_ir(folder / "reference_nhwc", Reference(nhwc=True), [-1, HEIGHT, WIDTH, 3])
    save_ir(folder / "fixed_batch", FixedBatch(), [1, 3, HEIGHT, WIDTH])
    save_ir(folder / "columns", Columns(), NCHW)
    save_ir(folder / "flat", Flat(), NCHW)
    save_ir(folder / "pair", Pair(), NCHW)
    save_ir(folder / "double", Double(), NCHW)
    save_ir(folder / "two_inputs", TwoInputs(), NCHW, NCHW)
    save_ir(folder / "larger", Flattened(), [-1, 3, HEIGHT, 2 * WIDTH])
    save_ir(folder / "not_a_number", NotANumber(), NCHW)
    save_ir(folder / "tensor", Tensor(), [-1, 5])
    torch.onnx.export(Reference(nhwc=False).eval(), (torch.zeros(1, 3, HEIGHT, WIDTH),),
                      folder / "reference.onnx", dynamo=False,
                      input_names=["x"], dynamic_axes={"x": {0: "n"}})
    (folder / "text.xml").write_text("these are not weights\n")
    (folder / "text.onnx").write_text("these are not weights\n")
    (folder / "no_bin.xml").write_bytes((folder / "reference.xml").read_bytes())


if __name__ == "__main__":
    main()
