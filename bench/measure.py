"""What bench/scheduler.py needs: a server of its own, `xcloud bench` against it, its metrics, and
a report that checks itself. Standard library only; everything on 127.0.0.1, ports chosen by the
system; every wait is bounded; only processes started here are ended."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 20
NULL_MODEL = """title = "{name} (benchmark)"
description = "Takes {base_ms} ms a batch and {item_ms} ms a photo, without looking at the photo."
source = "none: there are no weights"

[model]
backend = "null"

# The size of the photo that is sent: nothing to resize.
[preprocess]
resize = 32
crop = 32

[answer]
activation = "none"
label_key = "category"
index_key = "category_id"
probability_key = "prob"

[batching]
max_batch = {max_batch}
queue_capacity = 1024

[latency]
goal_ms = {goal_ms}

[null]
base_ms = {base_ms}
item_ms = {item_ms}
"""


class Failed(Exception):
    """An experiment could not be done; the message says why."""


def tiny_png():
    """A 32 x 32 grey PNG: a photo whose decoding costs next to nothing."""
    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
    header = struct.pack(">IIBBBBB", 32, 32, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x80" * 32) * 32)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows)
            + chunk(b"IEND", b""))


class Report:
    """Says each line on stdout and in bench/results/latest-scheduler-NAME.txt; remembers what
    failed. The figures are also in the .json beside it."""

    def __init__(self, name):
        RESULTS.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.file = open(RESULTS / f"latest-scheduler-{name}.txt", "w", encoding="utf-8")
        self.figures = {}
        self.failed = []
        self.conditions_told = False

    def say(self, line=""):
        print(line, flush=True)
        self.file.write(line + "\n")
        self.file.flush()

    def figure(self, key, value):
        self.figures[key] = value

    def check(self, what, value, ok, target, required=True):
        verdict = "ok" if ok else ("FAILED" if required else "not met")
        self.say(f"  {verdict:8s} {what}: {value}  (target {target})")
        self.figures[what] = {"value": value, "target": target, "ok": bool(ok)}
        if not ok and required:
            self.failed.append(f"{self.name}: {what} is {value}, target {target}")

    def conditions(self, run):
        """Once: the machine and the build, from the report of `xcloud bench`."""
        if self.conditions_told:
            return
        self.conditions_told = True
        c = run["conditions"]
        machine = " (virtual machine)" if c["virtual_machine"] else ""
        self.say(f"  date {c['date']}, {c['cpu']}, {c['cores']} cores{machine}, {c['kernel']}, "
                 f"load average {c['load_average']:.2f}")
        gpus = ", ".join(c["gpus"]) or "none"
        self.say(f"  xcloud {c['xcloud']} {revision()}, {c['compiler']}, {c['build_type']}; "
                 f"GPU {gpus}; generator nice {c['generator_nice']}")
        for warning in c["warnings"]:
            self.say(f"  WARNING {warning}")
        self.figure("conditions", {k: v for k, v in c.items() if k != "services"})

    def close(self):
        path = RESULTS / f"latest-scheduler-{self.name}.json"
        whole = {"experiment": self.name, "revision": revision(), "failed": self.failed,
                 "figures": self.figures}
        path.write_text(json.dumps(whole, indent=2) + "\n")
        self.file.close()


def revision():
    done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, text=True,
                          capture_output=True, check=False)
    return done.stdout.strip() or "unknown revision"


class Workbench:
    """One experiment's temporary folder, models and programs."""

    def __init__(self, build, folder):
        self.xcloud = (ROOT / build / "xcloud").resolve()
        self.folder = pathlib.Path(folder)
        self.photo = self.folder / "tiny.png"
        self.photo.write_bytes(tiny_png())
        self.first = ["nice", "-n", "-10"] if may_go_first() else []
        self.count = 0

    def repository(self, name):
        path = self.folder / name
        path.mkdir()
        return path

    def null_model(self, repository, name, base_ms, item_ms=0.0, max_batch=16, goal_ms=0):
        folder = repository / name
        folder.mkdir()
        shutil.copy(ROOT / "bench/models/null/labels.txt", folder / "labels.txt")
        (folder / "model.toml").write_text(NULL_MODEL.format(
            name=name, base_ms=float(base_ms), item_ms=float(item_ms), max_batch=max_batch,
            goal_ms=goal_ms))

    def shipped_model(self, repository, name):
        """True when its weights are there."""
        source = ROOT / "configs/models" / name
        if not list(source.glob("*/model.pt")):
            return False
        (repository / name).symlink_to(source.resolve())
        return True

    @contextlib.contextmanager
    def server(self, repository, devices=(1,)):
        """Serves the repository; `devices` has the number of lanes of each CPU device."""
        self.count += 1
        config = self.folder / f"server{self.count}.toml"
        config.write_text(
            f'[server]\nport = 0\n[repository]\npath = "{repository}"\n'
            f'[storage]\nurl = "sqlite:{self.folder}/calls{self.count}.db"\n'
            '[log]\nlevel = "warn"\n'
            # What one experiment learns must not leak into the next.
            '[scheduler]\nprofile_folder = ""\n'
            + "".join(f'[[device]]\nkind = "cpu"\nlanes = {n}\n' for n in devices))
        out = open(self.folder / f"server{self.count}.out", "w+b")
        err = open(self.folder / f"server{self.count}.err", "w+b")
        process = subprocess.Popen([self.xcloud, "serve", "--config", config], stdout=out,
                                   stderr=err, cwd=ROOT)
        try:
            yield Server(process, self.wait_for_address(process, out.name, err.name))
            if process.poll() is not None:
                raise Failed(f"the server ended by itself, code {process.returncode}: "
                             + tail(err.name))
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(STOP_TIMEOUT_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            out.close()
            err.close()

    @staticmethod
    def wait_for_address(process, out_path, err_path):
        end = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < end and process.poll() is None:
            found = re.search(r"^listening on http://([^\s:]+):(\d+)",
                              pathlib.Path(out_path).read_text(), re.MULTILINE)
            if found:
                return found.group(1), int(found.group(2))
            time.sleep(0.05)
        raise Failed("the server did not start: " + tail(err_path))

    def start_load(self, server, model, seconds, *arguments, photo=True):
        """Starts `xcloud bench`; finish_load waits for it."""
        self.count += 1
        json_path = self.folder / f"load{self.count}.json"
        command = [*self.first, self.xcloud, "bench", "--url", f"{server.url}/cv/{model}",
                   "--server-pid", str(server.process.pid), "--duration-s", str(seconds),
                   "--json", json_path, *map(str, arguments)]
        if photo:
            command += ["--image", self.photo]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, cwd=ROOT)
        return process, json_path, seconds + 90

    @staticmethod
    def finish_load(load):
        process, json_path, limit_s = load
        try:
            _, err = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise Failed("xcloud bench did not end in time") from None
        if not json_path.exists():
            raise Failed("xcloud bench could not start: " + err.strip())
        report = json.loads(json_path.read_text())
        run = report["runs"][0]
        run["conditions"] = report["conditions"]
        return run

    def load(self, server, model, seconds, *arguments, photo=True):
        return self.finish_load(self.start_load(server, model, seconds, *arguments, photo=photo))


class Server:
    def __init__(self, process, address):
        self.process = process
        self.address = address
        self.url = f"http://{address[0]}:{address[1]}"

    def ask(self, method, path, body=None, timeout=30):
        """Status and text of one request."""
        connection = http.client.HTTPConnection(*self.address, timeout=timeout)
        try:
            connection.request(method, path, body=body)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def metrics(self):
        """{name: {labels as a sorted tuple of pairs: value}}"""
        status, text = self.ask("GET", "/metrics")
        if status != 200:
            raise Failed(f"/metrics answered {status}")
        out = {}
        for line in text.splitlines():
            found = re.match(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$", line)
            if line.startswith("#") or not found:
                continue
            labels = tuple(sorted(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', found.group(2) or "")))
            out.setdefault(found.group(1), {})[labels] = float(found.group(3))
        return out


def total(metrics, name, **labels):
    """Sum over every series of that name that has these labels."""
    wanted = set(labels.items())
    return sum(value for key, value in metrics.get(name, {}).items() if wanted <= set(key))


def may_go_first():
    done = subprocess.run(["nice", "-n", "-10", "nice"], text=True, capture_output=True,
                          check=False)
    return done.stdout.strip().startswith("-")


def tail(path):
    return pathlib.Path(path).read_text(errors="replace").strip()[-1500:] or "it said nothing"


def run_experiments(names, experiments, build):
    """Each in a folder of its own; returns the exit code."""
    if not (ROOT / build / "xcloud").is_file() or not os.access(ROOT / build / "xcloud", os.X_OK):
        print(f"no {build}/xcloud: run make build first", file=sys.stderr)
        return 2
    failed = []
    for name in names:
        report = Report(name)
        report.say(f"== {name} ==")
        try:
            with tempfile.TemporaryDirectory(prefix="xcloud-bench-") as folder:
                experiments[name](Workbench(build, folder), report)
        except (Failed, OSError, http.client.HTTPException) as error:
            report.say(f"  FAILED   {error}")
            report.failed.append(f"{name}: {error}")
        report.say(f"  results: bench/results/latest-scheduler-{name}.txt and .json")
        report.close()
        failed += report.failed
    print("\n" + ("\n".join(["FAILED:"] + failed) if failed else "every check passed"))
    return 1 if failed else 0
