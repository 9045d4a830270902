"""bench/accuracy.py counts rightly: against a server that is wrong in known places."""

import contextlib
import http.server
import io
import json
import pathlib
import sys
import tempfile
import threading
import unittest
from unittest import mock
from urllib.parse import unquote, urlsplit

import here

sys.path.insert(0, str(here.ROOT / "bench"))
import accuracy  # noqa: E402


def service(name, **changes):
    plain = {"name": name, "route": f"/cv/{name}", "state": "ready", "reason": "", "version": "1",
             "backend": "auto", "answer": {"label_key": "name"}}
    return plain | changes


class Handler(http.server.BaseHTTPRequestHandler):
    """A photo's text is what the server answers about it; a face's is its place on a line."""

    protocol_version = "HTTP/1.1"

    def reply(self, body, status=200):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()

    def do_GET(self):
        path = urlsplit(self.path).path
        if path == "/api/services":
            self.reply(self.server.services)
        elif path == "/v2":
            self.reply({"name": "made", "version": "0"})
        else:
            entries = sorted(self.server.gallery)
            key = "results" if path.startswith("/cv/facesearch/") else "data"
            self.reply({"code": 0, key: {"entries": entries, "count": len(entries)}})

    def do_POST(self):
        said = self.body()
        if said == "refuse":
            self.reply({"code": 503}, 503)
        elif self.path.startswith("/cv/facesearch"):
            self.search(said)
        elif self.path.startswith("/cv/cbir"):
            known = self.server.gallery
            near = sorted(known, key=lambda identity: abs(known[identity] - float(said)))
            wanted = 1 if "k=1&" in self.path + "&" else 10
            self.reply({"code": 0, "data": near[:wanted]})
        else:
            self.reply({"code": 0, "data": [{"name": name} for name in said.split(",")]})

    def search(self, said):
        if said == "no face":
            self.reply({"code": 3, "results": []})
            return
        near = sorted(self.server.gallery.items(), key=lambda item: abs(item[1] - float(said)))
        self.reply({"code": 0, "results": [[identity, 1] for identity, _ in near]})

    def do_PUT(self):
        identity = unquote(urlsplit(self.path).path.rpartition("/")[2])
        self.server.gallery[identity] = float(self.body())
        self.reply({"code": 0})

    def do_DELETE(self):
        del self.server.gallery[unquote(self.path.rpartition("/")[2])]
        self.reply({"code": 0})

    def log_message(self, *_):
        pass


class AccuracyTest(unittest.TestCase):
    def setUp(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.gallery, self.server.services = {}, []
        thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.data = pathlib.Path(folder.name, "data")
        self.data.mkdir()
        self.out = pathlib.Path(folder.name, "out.txt")

    def photo(self, path, says):
        file = self.data / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(says)

    def imagenet(self, rows):
        """{class index: what the server says of its photo}."""
        lines = ["file,class_index"]
        for index, says in rows.items():
            self.photo(f"imagenet/{index}.JPEG", says)
            lines.append(f"{index}.JPEG,{index}")
        (self.data / "imagenet/labels.csv").write_text("\n".join(lines) + "\n")

    def measure(self, *names):
        url = f"http://127.0.0.1:{self.server.server_address[1]}"
        arguments = ["accuracy.py", *names, "--url", url, "--data", self.data, "--out", self.out]
        with mock.patch.object(sys, "argv", [str(argument) for argument in arguments]):
            with contextlib.redirect_stdout(io.StringIO()) as out:
                status = accuracy.main()
        self.assertEqual(self.out.read_text(), out.getvalue())
        return status, out.getvalue()

    def test_top_1_and_top_5(self):
        self.server.services = [service("imagenet")]
        self.imagenet({1: "goldfish,tench", 0: "goldfish,tench", 963: "espresso"})
        status, out = self.measure()
        self.assertEqual(status, 0)
        self.assertIn("imagenet: top-1 1 of 3 (33.3 %), top-5 2 of 3 (66.7 %)", out)
        self.assertIn("food: not measured: no such service", out)

    def test_a_part_is_wrong_about_its_own_and_about_others(self):
        self.server.services = [service("food")]
        self.imagenet({963: "pizza", 967: "Unknown", 1: "Unknown", 2: "pizza", 3: "Unknown"})
        _, out = self.measure("food")
        self.assertIn("top-1 1 of 2 (50.0 %), top-5 1 of 2 (50.0 %); "
                      "others answered as one: 1 of 3 (33.3 %)", out)

    def test_a_refusal_counts_as_wrong_and_fails(self):
        self.server.services = [service("garbage")]
        self.photo("garbage/val/glass/a.jpg", "glass")
        self.photo("garbage/val/glass/b.jpg", "metal,glass")
        self.photo("garbage/val/metal/c.jpg", "refuse")
        status, out = self.measure("garbage")
        self.assertEqual(status, 1)
        self.assertIn("garbage: top-1 1 of 3 (33.3 %): glass 1/2, metal 0/1", out)
        self.assertIn("1 of 3 without answer: POST /cv/garbage?deadline_ms=60000: 503", out)

    def test_faces(self):
        self.server.services = [service("facesearch")]
        # b's last photo is nearer to a; a's last has no face.
        for path, says in {"a/1": "1", "a/2": "2", "a/3": "1.4", "a/4": "no face", "b/1": "10",
                           "b/2": "11", "b/3": "9", "b/4": "3"}.items():
            self.photo(f"faces/{path}.png", says)
        status, out = self.measure("facesearch", "--enrol", "2")
        self.assertEqual(status, 0)
        self.assertIn("2 people, 2 photos of each enrolled (4 of 4 had a face): rank-1 2 of 4 "
                      "(50.0 %); of the 3 with a face 2 of 3 (66.7 %)", out)
        self.assertEqual(self.server.gallery, {})

    def test_photos_alike(self):
        self.server.services = [service("cbir")]
        # Each question gets ten of the 12: the six of its class, and four others.
        for i in range(6):
            self.photo(f"garbage/train/glass/{i}.jpg", str(i))
            self.photo(f"garbage/train/metal/{i}.jpg", str(100 + i))
        self.photo("garbage/val/glass/x.jpg", "2")
        self.photo("garbage/val/metal/y.jpg", "103")
        status, out = self.measure("cbir")
        self.assertEqual(status, 0)
        self.assertIn("cbir: 12 photos of 2 classes enrolled; finds itself first: 12 of 12 "
                      "(100.0 %); 2 other photos: answers of their class 12 of 20 (60.0 %)", out)
        self.assertEqual(self.server.gallery, {})

    def test_a_gallery_of_somebody_is_left_alone(self):
        self.server.services = [service("facesearch")]
        self.server.gallery = {"mine": 5.0}
        self.photo("faces/a/1.png", "1")
        status, out = self.measure("facesearch")
        self.assertEqual(status, 1)
        self.assertIn("has 1 entries", out)
        self.assertEqual(self.server.gallery, {"mine": 5.0})

    def test_what_is_not_ready_tells_why(self):
        self.server.services = [service("plant", state="no_weights", reason="nobody has any")]
        status, out = self.measure("plant")
        self.assertEqual(status, 0)
        self.assertIn("plant: not measured: nobody has any", out)


if __name__ == "__main__":
    unittest.main()
