"""Publishes a live PyTorch module as an XCloud service. Copy it, or put its folder on the path.

    from publish_module import publish
    publish(network, "flowers", labels, photos=["some/photos"], repository="configs/models",
            preprocess="imagenet", size=(3, 224, 224))
"""

import copy
import pathlib
import subprocess
import tempfile

import torch


def publish(network, name, labels, photos, repository, preprocess="imagenet", size=(3, 224, 224),
            options=(), xcloud="build/release/xcloud"):
    """Traces the network, then lets 'xcloud publish' compare its answers and make the folder.
    `options`: more of its options, as ["--version", "2"]. Raises CalledProcessError if it refuses."""
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        model, names = pathlib.Path(folder, "model.pt"), pathlib.Path(folder, "labels.txt")
        # A copy, so that yours stays as it is: its device, its mode and that of each layer.
        traced = torch.jit.trace(copy.deepcopy(network).cpu().eval(), torch.rand(2, *size),
                                 check_trace=False)
        traced.save(str(model))
        names.write_text("".join(label + "\n" for label in labels), encoding="utf-8")
        subprocess.run([xcloud, "publish", name, "--file", model, "--labels", names, "--photos",
                        *photos, "--repository", repository, "--preprocess", preprocess, *options],
                       check=True)
