#!/usr/bin/env python3
"""Counts how often the bytes of a photo are moved between the socket and the decoder.

    bench/body_copies.py --build build/release

Sends one real JPEG of about 200 KB, 20 times in each form, to the real server (null model, so it is
decoded) and reads xcloud_body_bytes_total: `direct` are bytes that the kernel wrote where the
decoder reads them, `copied` those that were moved or written anew on the way (what came with the
head, chunks, decompressed bytes; text forms decode base64 once more, which stands beside it).
Prints a table; appends it to bench/results/DATE-body-copies.txt. Needs Pillow (.venv).
"""
import argparse
import base64
import datetime
import gzip
import http.client
import io
import json
import pathlib
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from measure import RESULTS, ROOT, Report, Workbench, total  # noqa: E402

REPEAT = 20
WANTED_BYTES = 200_000


class BodyReport(Report):
    def __init__(self, path):
        self.name, self.figures, self.failed, self.conditions_told = "body copies", {}, [], False
        self.file = open(path, "a", encoding="utf-8")

    def close(self):
        self.file.close()


def photo():
    """A photo of the tree's own, scaled up until its JPEG has about 200 KB."""
    from PIL import Image
    image = Image.open(ROOT / "var/photos/rocket.jpg").convert("RGB")
    for quality in range(95, 40, -3):
        out = io.BytesIO()
        image.resize((image.width * 2, image.height * 2)).save(out, "JPEG",
                                                                         quality=quality)
        if out.tell() <= WANTED_BYTES * 1.05:
            return out.getvalue()
    raise SystemExit("no quality gives about 200 KB")


def chunks(data, size=16_384):
    for at in range(0, len(data), size):
        yield data[at:at + size]


def binary_request(jpeg):
    element = len(jpeg).to_bytes(4, "little") + jpeg
    head = json.dumps({"inputs": [{"name": "image", "shape": [1, 1], "datatype": "BYTES",
                                   "parameters": {"binary_data_size": len(element)}}]}).encode()
    return head + element, {"Inference-Header-Content-Length": str(len(head))}


def forms(jpeg):
    """(name, path, body, headers, copies of the photo's bytes by decoding text)"""
    multipart = (b'--B\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n'
                 + jpeg + b"\r\n--B--\r\n")
    text = base64.b64encode(jpeg).decode()
    v2_body, v2_headers = binary_request(jpeg)
    infer = "/v2/models/null/infer"
    return [
        ("raw body (curl -T)", "/cv/null", jpeg, {"Content-Type": "image/jpeg"}, 0),
        ("multipart", "/cv/null", multipart,
         {"Content-Type": "multipart/form-data; boundary=B"}, 0),
        ("v2, binary tensor", infer, v2_body, v2_headers, 0),
        ("v2, raw", infer, jpeg, {"Inference-Header-Content-Length": "0"}, 1),
        ("chunked", "/cv/null", chunks(jpeg), {"Content-Type": "image/jpeg"}, 0),
        ("gzip", "/cv/null", gzip.compress(jpeg, 1),
         {"Content-Type": "image/jpeg", "Content-Encoding": "gzip"}, 0),
        ("JSON, base64", "/cv/null", json.dumps({"image": text}),
         {"Content-Type": "application/json"}, 1),
    ]


def send(server, path, body, headers):
    connection = http.client.HTTPConnection(*server.address, timeout=30)
    try:
        connection.request("POST", path, body=body, headers=headers,
                           encode_chunked=not isinstance(body, (bytes, str)))
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {text[:200]}")
    finally:
        connection.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", help="folder of the build")
    asked = parser.parse_args()
    report = BodyReport(RESULTS / f"{datetime.date.today()}-body-copies.txt")
    jpeg = photo()
    with tempfile.TemporaryDirectory(prefix="xcloud-bench-") as folder:
        bench = Workbench(asked.build, pathlib.Path(folder))
        repository = bench.repository("models")
        bench.null_model(repository, "null", base_ms=0, max_batch=32)
        with bench.server(repository) as server:
            report.say("== body copies ==")
            report.conditions(bench.load(server, "null", 1, "--mode", "poisson", "--rate", 50))
            report.say(f"  one JPEG of {len(jpeg)} bytes, {REPEAT} times in each form; per request:")
            report.say(f"    {'form':20s}{'body bytes':>12s}{'direct':>10s}{'copied':>10s}"
                       f"{'copies of the photo':>22s}")
            for name, path, body, headers, by_text in forms(jpeg):
                before = server.metrics()
                for _ in range(REPEAT):
                    again = chunks(jpeg) if name == "chunked" else body
                    send(server, path, again, headers)
                after = server.metrics()
                moved = [(total(after, "xcloud_body_bytes_total", path=path_)
                          - total(before, "xcloud_body_bytes_total", path=path_)) / REPEAT
                         for path_ in ("direct", "copied")]
                size = len(jpeg) if name == "chunked" else len(body)
                copies = moved[1] / len(jpeg) + by_text
                report.say(f"    {name:20s}{size:12,d}{moved[0]:10,.0f}{moved[1]:10,.0f}"
                           f"{copies:22.2f}")
                report.check(f"copies of the photo, {name}", f"{copies:.2f}", copies <= 1.1,
                             "<= 1, and what came with the head")
    report.close()
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
