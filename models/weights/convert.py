"""Turns a published weights file into TorchScript, and proves that nothing changed on the way.

Each converter takes the weights file's bytes and returns a traced module, after running it and
its source side by side on made images in several batch sizes. A difference above TOLERANCE is an
error: a wrong network is never installed. Logarithms of probabilities are compared, because these
networks are so sure that unlike networks may differ by 1e-4 in a probability. Imported only when
something has to be converted, since torch takes seconds to load.
"""

import io

import efficientnet_lite
import numpy
import onnx_to_torch
import openvino
import torch

# Of a probability's logarithm, so of the probability too. Float32 sums in another order move it by
# 2e-6 (measured on 150 photos).
TOLERANCE = 1e-4
BATCHES = (1, 3, 8)
SEED = 3


class ConversionError(RuntimeError):
    """The converted network does not give the source's answers."""


def made_images(count, size, seed):
    """[count, size, size, 3] in 0..255: smooth colour fields with noise, like photos in range."""
    source = numpy.random.default_rng(seed)
    coarse = torch.from_numpy(source.uniform(0, 255, (count, 3, 7, 7)))
    smooth = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bicubic")
    noise = torch.from_numpy(source.normal(0, 12, (count, 3, size, size)))
    return (smooth + noise).clamp(0, 255).permute(0, 2, 3, 1).float()


def trace(network, example):
    with torch.inference_mode(False), torch.no_grad():
        return torch.jit.trace(network, example, check_trace=False)


def require_equal(make_batch, reference, traced):
    """Runs both, which give log-probabilities, on each batch size; returns the difference."""
    worst = 0.0
    for batch in BATCHES:
        images = make_batch(batch)
        with torch.no_grad():
            given = traced(images)
        wanted = reference(images)
        if given.shape != wanted.shape or not torch.isfinite(given).all():
            raise ConversionError(f"batch {batch}: {tuple(given.shape)} is not the source's output")
        worst = max(worst, (given - wanted).abs().max().item())
    if worst > TOLERANCE:
        raise ConversionError(f"log-probabilities differ by {worst:.2g}, over {TOLERANCE:g}")
    return worst


def imagenet(weights):
    """EfficientNet-Lite0, from a state dict: eager and traced must agree."""
    network = efficientnet_lite.load(io.BytesIO(weights))
    _, size, _ = efficientnet_lite.INPUT_SHAPE

    def make_batch(count):
        return ((made_images(count, size, SEED) - 127) / 128).permute(0, 3, 1, 2).contiguous()

    traced = trace(network, make_batch(2))

    def eager(images):
        with torch.no_grad():
            return network(images).log_softmax(1)

    worst = require_equal(make_batch, eager, lambda images: traced(images).log_softmax(1))
    return traced, worst


def nsfw(weights):
    """Open NSFW, from ONNX: the file itself, run by OpenVINO, is the reference."""
    network = onnx_to_torch.load(weights)
    core = openvino.Core()
    source = core.compile_model(core.read_model(weights), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    mean = torch.tensor((104.0, 117.0, 123.0))

    def make_batch(count):
        return made_images(count, 224, SEED) - mean

    def run_source(images):
        return torch.from_numpy(source(images.numpy())[0]).log()

    traced = trace(network, make_batch(2))
    return traced, require_equal(make_batch, run_source, lambda images: traced(images).log())


CONVERTERS = {"imagenet": imagenet, "nsfw": nsfw}
