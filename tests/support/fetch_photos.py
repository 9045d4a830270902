"""Fetches a few real photos, once, out of a pinned Python package into var/photos.

They are the sample pictures of scikit-image (each with its licence in that package's own notes):
a cat, a cup of coffee, a rocket, an astronaut. Tests use them where the larger photo sets of a
developer are not at hand; 'make run' prints a curl line with one of them.

  .venv/bin/python tests/support/fetch_photos.py [--folder var/photos]
"""

import argparse
import hashlib
import pathlib
import subprocess
import sys
import tempfile
import zipfile

PACKAGE = "scikit-image==0.26.0"
WHEEL_SHA256 = "74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af"
PHOTOS = ["chelsea.png", "coffee.png", "rocket.jpg", "astronaut.png"]


def download(folder):
    """The wheel's path; always the same build, whatever Python runs this."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
               "--disable-pip-version-check", "--only-binary=:all:", "--python-version=311",
               "--platform=manylinux_2_28_x86_64", "--dest", folder, PACKAGE]
    subprocess.run(command, check=True)
    (wheel,) = pathlib.Path(folder).glob("*.whl")
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != WHEEL_SHA256:
        sys.exit(f"{PACKAGE}: sha256 is {found}, expected {WHEEL_SHA256}: nothing was installed")
    return wheel


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("var/photos"))
    folder = parser.parse_args().folder
    if all((folder / name).is_file() for name in PHOTOS):
        return
    print(f"photos: fetching {', '.join(PHOTOS)} out of {PACKAGE}")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        with zipfile.ZipFile(download(temporary)) as wheel:
            for name in PHOTOS:
                partial = folder / (name + ".part")
                partial.write_bytes(wheel.read(f"skimage/data/{name}"))
                partial.rename(folder / name)


if __name__ == "__main__":
    main()
