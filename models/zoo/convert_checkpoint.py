"""Turns a PyTorch checkpoint of any age into a safetensors file that XCloud reads.

    python models/zoo/convert_checkpoint.py IN.pth OUT.safetensors

For files of torch.save before version 1.6 ("legacy"), which the server refuses. Opened only with
weights_only=True, so nothing that the file names is run: a checkpoint that holds other Python
objects than tensors, numbers and texts is refused. Run once, at build time.
"""

import argparse
import pathlib
import sys

import torch
from safetensors.torch import save_file

WRAPPINGS = ("state_dict", "model_state_dict", "model", "net", "ema")
PREFIXES = ("module.", "_orig_mod.")


def is_state_dict(value):
    return isinstance(value, dict) and value and all(map(torch.is_tensor, value.values()))


def find_state_dict(value):
    """The names and tensors that a checkpoint holds, directly or under one of the usual keys."""
    for _ in range(4):
        if is_state_dict(value):
            return dict(value)
        if not isinstance(value, dict):
            break
        value = next((value[key] for key in WRAPPINGS if isinstance(value.get(key), dict)), None)
    raise ValueError("it holds no state dict, that is names with tensors")


def without_prefix(state):
    """Takes off what torch.nn.DataParallel and torch.compile put before every name."""
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in state):
            return without_prefix({name[len(prefix):]: state[name] for name in state})
    return state


def convert(source, target):
    checkpoint = torch.load(source, map_location="cpu", weights_only=True)
    state = without_prefix(find_state_dict(checkpoint))
    # Copies: tensors that share memory are no safetensors.
    save_file({name: tensor.detach().clone().contiguous() for name, tensor in state.items()}, target)
    return state


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("target", type=pathlib.Path)
    arguments = parser.parse_args()
    try:
        state = convert(arguments.source, arguments.target)
    except Exception as error:  # whatever torch finds wrong with a file: one line, no traceback
        why = (str(error).splitlines() or [""])[0]
        sys.exit(f"{arguments.source}: {type(error).__name__}: {why}")
    values = sum(tensor.numel() for tensor in state.values())
    print(f"{arguments.target}: {len(state)} tensors, {values} values")


if __name__ == "__main__":
    main()
