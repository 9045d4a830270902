"""Writes what Pillow and torchvision make of pictures, for tests/models/preprocess_parity_test.cpp.

    torchvision_reference.py OUT [PHOTOS]

Draws pictures of odd sizes, modes and formats into OUT, adds every JPEG of the folder PHOTOS when
it is given, and runs each through torchvision's Resize, CenterCrop, ToTensor and Normalize.
OUT/cases.tsv lists one case a line:
    kind  image  mode  resize_w  resize_h  crop_w  crop_h  width  height  decoded  crop  swap  tensor
kind is "exact" or the name of a lossy format; decoded and crop are raw RGB bytes, tensor raw
little-endian floats in NCHW ("-" where none was written).

Up to version 12 Pillow resized rows first, then columns: so were all published networks trained.
Version 13 takes columns first for some shapes (its pull request 9549). crop is rows first, made
of Pillow's own two passes; swap is how far torchvision's Resize with this Pillow is from it.
"""

import io
import pathlib
import sys

import numpy
import torch
from PIL import Image, ImageOps
from torchvision import transforms

MEAN = [0.485, 0.456, 0.406]
STD = [0.229, 0.224, 0.225]
# mode, resize width, resize height, crop width, crop height
SPECS = [
    ("short", 256, 256, 224, 224),
    ("short", 235, 235, 225, 223),
    ("short", 200, 200, 224, 224),
    ("squash", 256, 256, 224, 224),
    ("squash", 90, 400, 101, 299),
]
SIZES = [(1, 1), (1, 500), (7, 3), (224, 224), (255, 257), (256, 341), (500, 375), (1000, 37),
         (37, 1000), (641, 223), (640, 853)]
ORIENTATION_TAG = 0x0112


def draw(width, height, seed):
    """Smooth colours with noise on top: both edges and slopes."""
    random = numpy.random.default_rng(seed)
    y, x = numpy.mgrid[0:height, 0:width]
    smooth = numpy.stack([
        127 + 120 * numpy.sin(x / 17.0 + seed),
        127 + 120 * numpy.cos(y / 23.0),
        (x * 3 + y * 5 + 40 * seed) % 256,
    ], axis=-1)
    noise = random.normal(0, 25, (height, width, 3))
    return Image.fromarray(numpy.clip(smooth + noise, 0, 255).astype(numpy.uint8))


def with_orientation(picture, orientation):
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=92, exif=exif)
    return data.getvalue()


def saved(picture, fmt, **options):
    data = io.BytesIO()
    picture.save(data, fmt, **options)
    return data.getvalue()


def pictures():
    """Yields (kind, file name, bytes)."""
    for seed, (width, height) in enumerate(SIZES):
        yield "exact", f"rgb_{width}x{height}.png", saved(draw(width, height, seed), "PNG")
    base = draw(331, 247, 99)
    alpha = base.copy()
    alpha.putalpha(Image.linear_gradient("L").resize(base.size))
    palette = base.quantize(64)
    for name, picture in [("grey", base.convert("L")), ("grey_alpha", alpha.convert("LA")),
                          ("alpha", alpha), ("palette", palette), ("bit", base.convert("1"))]:
        yield "exact", f"{name}.png", saved(picture, "PNG")
    yield "exact", "palette_clear.png", saved(palette, "PNG", transparency=3)
    for name, picture in [("rgb", base), ("grey", base.convert("L")), ("palette", palette),
                          ("bit", base.convert("1"))]:
        yield "exact", f"{name}.bmp", saved(picture, "BMP")
    yield "exact", "lossless.webp", saved(base, "WEBP", lossless=True)
    yield "exact", "lossless_alpha.webp", saved(alpha, "WEBP", lossless=True, exact=True)
    yield "webp", "lossy.webp", saved(base, "WEBP", quality=85)
    yield "webp", "lossy_alpha.webp", saved(alpha, "WEBP", quality=85)
    for name, sampling in [("444", 0), ("422", 1), ("420", 2)]:
        yield "jpeg", f"{name}.jpg", saved(base, "JPEG", quality=90, subsampling=sampling)
    yield "jpeg", "progressive.jpg", saved(base, "JPEG", quality=90, progressive=True)
    yield "jpeg", "grey.jpg", saved(base.convert("L"), "JPEG", quality=90)
    yield "jpeg", "cmyk.jpg", saved(base.convert("CMYK"), "JPEG", quality=90)
    for orientation in range(1, 9):
        yield "jpeg", f"orientation_{orientation}.jpg", with_orientation(base, orientation)
        exif = Image.Exif()
        exif[ORIENTATION_TAG] = orientation
        yield "exact", f"orientation_{orientation}.png", saved(base, "PNG", exif=exif)
        yield "exact", f"orientation_{orientation}.webp", saved(
            base, "WEBP", lossless=True, exif=exif)


def reference(picture, spec):
    """torchvision's own crop, and the one with rows resized first."""
    mode, width, height, crop_width, crop_height = spec
    crop = transforms.CenterCrop((crop_height, crop_width))
    resized = transforms.Resize(width if mode == "short" else (height, width))(picture)
    rows_first = picture.resize((resized.width, picture.height), Image.BILINEAR).resize(
        resized.size, Image.BILINEAR)
    return crop(resized), crop(rows_first)


def distance(a, b):
    return int(numpy.abs(numpy.asarray(a, numpy.int16) - numpy.asarray(b, numpy.int16)).max())


def normalize(crop):
    return transforms.Normalize(MEAN, STD)(transforms.ToTensor()(crop))


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    files = []
    for kind, name, data in pictures():
        path = out / name
        path.write_bytes(data)
        files.append((kind, path))
    if len(sys.argv) > 2:
        files += [("photo", path) for path in sorted(pathlib.Path(sys.argv[2]).glob("*.JPEG"))]

    torch.set_num_threads(1)
    lines = []
    for number, (kind, path) in enumerate(files):
        with Image.open(path) as file:
            picture = ImageOps.exif_transpose(file).convert("RGB")
        decoded = out / f"{number}.rgb"
        decoded.write_bytes(picture.tobytes())
        for index, spec in enumerate(SPECS):
            if kind == "photo" and index > 0 and number % 10 != 0:
                continue
            torchvision_crop, crop = reference(picture, spec)
            crop_path = out / f"{number}_{index}.crop"
            crop_path.write_bytes(crop.tobytes())
            tensor_path = "-"
            if index in (0, 1):
                tensor_path = out / f"{number}_{index}.tensor"
                tensor_path.write_bytes(normalize(crop).numpy().astype("<f4").tobytes())
            lines.append("\t".join(map(str, [kind, path, *spec, *picture.size, decoded, crop_path,
                                             distance(torchvision_crop, crop), tensor_path])))
    (out / "cases.tsv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
