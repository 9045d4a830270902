"""What PyTorch itself answers for photos: the other half of `xcloud publish`.

    check_answers.py JOB.json

The job names a model's file, how photos are prepared, the photos, and where the answer goes:
{"rows": probabilities of each photo, "reference": what ran, "sha256": of the file}. Photos are
decoded by Pillow and prepared by torchvision, so nothing here is shared with the C++ path but
the file. A state dict runs in torchvision's network of its name where there is one, else in the
TorchScript file that C++ has made of it; ONNX runs in OpenVINO. Build time only.
"""

import hashlib
import json
import pathlib
import sys

import torch
import torchvision
from PIL import Image, ImageOps
from torchvision.transforms import functional

ROOT = pathlib.Path(__file__).resolve().parents[2]
OF_TORCHVISION = (
    "resnet18", "resnet50", "resnet152", "densenet121", "densenet161", "densenet169",
    "mobilenet_v2", "shufflenet_v2_x1_0",
)


def read_weights(file):
    sys.path.insert(0, str(ROOT / "models/zoo"))
    import convert_checkpoint

    if file.endswith(".safetensors"):
        from safetensors.torch import load_file

        return convert_checkpoint.without_prefix(load_file(file))
    checkpoint = torch.load(file, map_location="cpu", weights_only=True)
    return convert_checkpoint.without_prefix(convert_checkpoint.find_state_dict(checkpoint))


def load_network(job):
    """A function from a batch to its outputs, and what it is in words."""
    file, network = job["file"], job["network"]
    if file.endswith(".onnx"):
        import openvino

        core = openvino.Core()
        settings = {"INFERENCE_PRECISION_HINT": "f32"}
        compiled = core.compile_model(core.read_model(file), "CPU", settings)
        return lambda batch: torch.from_numpy(compiled(batch.numpy())[0]), "OpenVINO, from the ONNX file"
    if network in OF_TORCHVISION:
        module = getattr(torchvision.models, network)(num_classes=job["outputs"])
        module.load_state_dict(read_weights(file), strict=True)
        return module.eval(), f"torchvision's {network}"
    if network == "efficientnet_lite0" and job["outputs"] == 1000:
        sys.path.insert(0, str(ROOT / "models/weights"))
        import efficientnet_lite

        module = efficientnet_lite.EfficientNetLite0()
        module.load_state_dict(read_weights(file), strict=True)
        return module.eval(), "efficientnet_lite.py"
    if network:
        return torch.jit.load(job["trace"]).eval(), f"PyTorch running the trace of {network}"
    return torch.jit.load(file, map_location="cpu").eval(), "PyTorch, from the TorchScript file"


def prepare(photo, how):
    image = ImageOps.exif_transpose(Image.open(photo)).convert("RGB")
    size = how["resize"] if how["squash"] else how["resize"][1]
    image = functional.center_crop(functional.resize(image, size), how["crop"])
    values = functional.pil_to_tensor(image).double() * how["scale"]
    if how["bgr"]:
        values = values.flip(0)
    values = functional.normalize(values, how["mean"], how["std"]).float()
    return (values.permute(1, 2, 0) if how["nhwc"] else values)[None].contiguous()


def main():
    job = json.loads(pathlib.Path(sys.argv[1]).read_text())
    run, reference = load_network(job)
    rows = []
    for photo in job["photos"]:
        with torch.no_grad():
            outputs = run(prepare(photo, job["preprocess"])).double()
        probabilities = outputs.softmax(1) if job["softmax"] else outputs
        rows.append(probabilities[0].tolist())
    with open(job["file"], "rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    answer = {"rows": rows, "reference": reference, "sha256": sha256}
    pathlib.Path(job["answer"]).write_text(json.dumps(answer))


if __name__ == "__main__":
    try:
        main()
    except Exception as error:  # one line for the operator, who has given the files
        sys.exit(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
