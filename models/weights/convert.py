"""Turns each published weights file into TorchScript, proven equal to its source (proof.py).

A converter takes the weights file's bytes and a function that reads another file of the same
package, and returns a Converted. Imported only when something has to be converted, since torch
takes seconds to load.
"""

import ast
import io
import os
import tempfile

import dlib_resnet
import efficientnet_lite
import imagenet_parts
import mtcnn
import mtnet
import numpy
import onnx_to_torch
import openvino
import torch
from proof import channels_first, converted, made_images, without_gradients


def lite0_batch(count):
    return channels_first(made_images(count, 224), (127.0, 127.0, 127.0), 128)


def imagenet(weights, _):
    """EfficientNet-Lite0, from a state dict: eager and traced must agree."""
    network = efficientnet_lite.load(io.BytesIO(weights))

    def log_softmax(logits):
        return logits.log_softmax(1)

    return converted(network, lite0_batch, without_gradients(network), log_softmax)


def imagenet_part(rows):
    """The same network's probabilities of some classes: those rows of its whole softmax."""

    def convert(weights, _):
        network = efficientnet_lite.load(io.BytesIO(weights))

        def reference(images):
            probabilities = without_gradients(network)(images).softmax(1)
            return torch.stack([probabilities[:, row] for row in rows], 1)

        part = imagenet_parts.Part(network, rows).eval()
        return converted(part, lite0_batch, reference, torch.log)

    return convert


def image_embedding(weights, _):
    """What reaches the same network's last layer, of length 1."""
    network = efficientnet_lite.load(io.BytesIO(weights))

    def reference(images):
        seen = []
        hook = network._fc.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        without_gradients(network)(images)
        hook.remove()
        return seen[0] / seen[0].pow(2).sum(1, keepdim=True).sqrt()

    return converted(imagenet_parts.Embedding(network).eval(), lite0_batch, reference)


def run_by_openvino(onnx_bytes):
    """The ONNX file itself as a reference."""
    core = openvino.Core()
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    source = core.compile_model(core.read_model(onnx_bytes), "CPU", exact)
    return lambda inputs: torch.from_numpy(source(inputs.numpy())[0])


def nsfw(weights, _):
    """Open NSFW: photos less the mean of blue, green and red, channels last."""
    mean = torch.tensor((104.0, 117.0, 123.0))

    def make_batch(count):
        return made_images(count, 224) - mean

    network = onnx_to_torch.load(weights)
    return converted(network, make_batch, run_by_openvino(weights), torch.log)


def dlib_batch(size):
    return lambda count: channels_first(made_images(count, size), dlib_resnet.MEAN, 256)


def dlib_classifier(size):
    """dlib's age and gender networks, from ONNX; they end in a softmax of their own."""

    def convert(weights, _):
        network = onnx_to_torch.load(weights)
        return converted(network, dlib_batch(size), run_by_openvino(weights), torch.log)

    return convert


def face_embedding(weights, _):
    """dlib's face network from dlib's own file, which dlib itself runs as the reference."""
    import dlib

    with tempfile.NamedTemporaryFile(suffix=".dat") as file:
        file.write(weights)
        file.flush()
        source = dlib.face_recognition_model_v1(file.name)
    mean = torch.tensor(dlib_resnet.MEAN)

    def reference(inputs):
        # dlib takes bytes: the inputs are whole pixels, so nothing is lost on the way back.
        pixels = (inputs.permute(0, 2, 3, 1) * 256 + mean).round().to(torch.uint8).numpy()
        chips = [numpy.ascontiguousarray(chip) for chip in pixels]
        return torch.tensor([list(source.compute_face_descriptor(chip, 0)) for chip in chips])

    def make_batch(count):
        pixels = made_images(count, dlib_resnet.INPUT_SHAPE[1]).round()
        return channels_first(pixels, dlib_resnet.MEAN, 256)

    return converted(dlib_resnet.load(weights), make_batch, reference)


def published_network(source, name, weights):
    """The class `name` of facenet-pytorch's mtcnn.py, filled. Only its networks are run: the rest
    of the package needs libraries, and a torch, that are not here."""
    tree = ast.parse(source)
    tree.body = [part for part in tree.body if getattr(part, "name", "") == name]
    names = {"torch": torch, "nn": torch.nn, "os": os}
    exec(compile(tree, "facenet_pytorch/models/mtcnn.py", "exec"), names)  # of the pinned wheel
    network = names[name](pretrained=False)
    state = torch.load(io.BytesIO(weights), map_location="cpu", weights_only=True)
    network.load_state_dict(state, strict=True)
    return without_gradients(network.eval())


def face_detection(name, size):
    """A network of MTCNN; facenet-pytorch's own module is the reference."""

    def convert(weights, read):
        source = published_network(read("facenet_pytorch/models/mtcnn.py"), name, weights)

        def reference(inputs):
            *corrections, face = source(inputs)
            return torch.cat((face[:, -1:] if name == "PNet" else face, *corrections), 1)

        def make_batch(count):
            return channels_first(made_images(count, size), (127.5, 127.5, 127.5), 128)

        return converted(mtcnn.load(name, weights), make_batch, reference)

    return convert


def zhihu_mtnet(weights, _):
    """MTNet: its layers written out in numpy are the reference."""
    state = {name: tensor.numpy() for name, tensor in mtnet.read_safetensors(weights).items()}

    def layer(x, name):
        return x @ state[name + ".weight"].T + state[name + ".bias"]

    def reference(inputs):
        x = inputs.numpy()
        for position in (1, 2, 3):
            x = numpy.maximum(layer(x, f"layers.fc{position}.0"), 0)
        branches = [
            layer(numpy.clip(layer(x, f"branch{b}.bf1"), 0, 6), f"branch{b}.bf2") for b in (1, 2, 3)
        ]
        return torch.from_numpy(sum(branches) / 3)

    def make_batch(count):
        # Small, as min-max scaled counts are: of 23 large inputs every rating is the same, 4.7297.
        made = numpy.random.default_rng(count).random((count, mtnet.INPUTS), "float32")
        return torch.from_numpy(made * 0.1)

    return converted(mtnet.load(weights), make_batch, reference)


CONVERTERS = {
    "imagenet": imagenet,
    "nsfw": nsfw,
    "food": imagenet_part(imagenet_parts.FOOD),
    "insect": imagenet_part(imagenet_parts.INSECTS),
    "image_embedding": image_embedding,
    "mtcnn_pnet": face_detection("PNet", mtcnn.CANVAS),
    "mtcnn_rnet": face_detection("RNet", 24),
    "mtcnn_onet": face_detection("ONet", 48),
    "face_embedding": face_embedding,
    "age": dlib_classifier(64),
    "gender": dlib_classifier(32),
    "zhihu_mtnet": zhihu_mtnet,
}
