"""Proves that a converted network gives its source's answers.

Both run side by side on made inputs in several batch sizes; a difference above TOLERANCE is an
error: a wrong network is never installed. Of probabilities the logarithms are compared where the
source gives a softmax, because these networks are so sure that unlike networks may differ by 1e-4
in a probability.
"""

from typing import NamedTuple

import numpy
import torch

# Float32 sums in another order move a logarithm by 2e-6 (measured on 150 photos).
TOLERANCE = 1e-4
BATCHES = (1, 3, 8)
SEED = 3


class ConversionError(RuntimeError):
    """The converted network does not give the source's answers."""


class Converted(NamedTuple):
    network: torch.jit.ScriptModule
    difference: float  # the largest that was measured
    compared: str  # of what: "log-probabilities" or "outputs"


def made_images(count, size, seed=SEED):
    """[count, rows, columns, 3] in 0..255: smooth colour fields with noise, like photos in range.

    `size` is rows and columns, or one number for both.
    """
    rows, columns = (size, size) if isinstance(size, int) else size
    source = numpy.random.default_rng(seed)
    coarse = torch.from_numpy(source.uniform(0, 255, (count, 3, 7, 7)))
    smooth = torch.nn.functional.interpolate(coarse, size=(rows, columns), mode="bicubic")
    noise = torch.from_numpy(source.normal(0, 12, (count, 3, rows, columns)))
    return (smooth + noise).clamp(0, 255).permute(0, 2, 3, 1).float()


def channels_first(images, mean, divisor):
    """[n, h, w, 3] of pixels -> [n, 3, h, w] of (pixel - mean) / divisor."""
    return ((images - torch.tensor(mean)) / divisor).permute(0, 3, 1, 2).contiguous()


def trace(network, example):
    with torch.inference_mode(False), torch.no_grad():
        return torch.jit.trace(network, example, check_trace=False)


def without_gradients(network):
    def run(inputs):
        with torch.no_grad():
            return network(inputs)

    return run


def converted(network, make_batch, reference, through=None):
    """Traces `network` and proves it equal to `reference`, which takes the same inputs.

    `through` is what makes both answers comparable, such as torch.log; their plain values if None.
    """
    traced = trace(network, make_batch(2))
    change = through or (lambda outputs: outputs)
    compared = "log-probabilities" if through else "outputs"
    worst = 0.0
    for batch in BATCHES:
        inputs = make_batch(batch)
        given, wanted = change(without_gradients(traced)(inputs)), change(reference(inputs))
        if given.shape != wanted.shape or not torch.isfinite(given).all():
            raise ConversionError(f"batch {batch}: {tuple(given.shape)} is not the source's output")
        difference = (given - wanted).abs().max().item()
        if not difference <= TOLERANCE:  # so NaN is refused too
            raise ConversionError(f"{compared} differ by {difference:.2g}, over {TOLERANCE:g}")
        worst = max(worst, difference)
    return Converted(traced, worst, compared)
