"""Prints "file<TAB>label" for each photo of a folder: the served imagenet model, run in PyTorch on
torchvision's own preprocessing. The numbers of the preprocessing come from the same model.toml.

  .venv/bin/python tests/support/imagenet_reference.py FOLDER
"""

import pathlib
import sys
import tomllib

import torch
from PIL import Image
from torchvision import transforms

MODEL = pathlib.Path(__file__).parents[2] / "configs/models/imagenet"
SUFFIXES = {".jpg", ".jpeg", ".png"}


def make_preprocess(spec):
    """torchvision's resize, crop, ToTensor and Normalize for the [preprocess] section."""
    to_tensor_scale = 1 / 255  # what ToTensor multiplies by; ours multiplies by `scale`
    factor = to_tensor_scale / spec["scale"]
    return transforms.Compose([
        transforms.Resize(spec["resize"]),
        transforms.CenterCrop(spec["crop"]),
        transforms.ToTensor(),
        transforms.Normalize([m * factor for m in spec["mean"]], [s * factor for s in spec["std"]]),
    ])


def main():
    torch.set_num_threads(2)
    definition = tomllib.loads((MODEL / "model.toml").read_text(encoding="utf-8"))
    labels = (MODEL / "labels.txt").read_text(encoding="utf-8").splitlines()
    preprocess = make_preprocess(definition["preprocess"])
    network = torch.jit.load(MODEL / "1/model.pt").eval()
    folder = pathlib.Path(sys.argv[1])
    with torch.inference_mode():
        for path in sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES):
            photo = preprocess(Image.open(path).convert("RGB"))
            print(f"{path.name}\t{labels[int(network(photo[None])[0].argmax())]}")


if __name__ == "__main__":
    main()
