"""Reloads a model many times while clients ask, and shows that nothing fails and nothing leaks:

    .venv/bin/python bench/reload.py --binary build/release/xcloud

Each cycle has the server take the other of two versions (model.toml says which, then
POST /v2/repository/models/NAME/load), waits until the one before is released, and reads the
server's resident memory. The model is configs/models/imagenet where its weights are installed,
else a small network that torch makes. Exit code: 0 when no answer failed and the memory after the
last cycle is within 5 % of that after the 20th. The report goes to stdout."""
import argparse
import datetime
import json
import os
import pathlib
import platform
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "clients"))
import server  # noqa: E402
from reload_clients import LABELS, Clients, rss_kib, torch_module, wait_released  # noqa: E402

SETTLED = 20  # the cycle whose memory later ones are compared with
ALLOWED = 0.05


def small_model(scratch):
    """A network of 4.6 MB, as both versions."""
    file = pathlib.Path(scratch, "model.pt")
    if not torch_module(file):
        sys.exit("there are no weights of imagenet here and no torch to make a network with")
    return server.Model("m", files={"labels.txt": "\n".join(LABELS) + "\n",
                                    "model.toml": "[batching]\nmax_batch = 4\n"}), file


def imagenet_model():
    """The served weights, as both versions; no latency goal, since loading takes the cores."""
    folder = ROOT / "configs" / "models" / "imagenet"
    file = folder / "1" / "model.pt"
    if not file.exists():
        return None
    toml = (folder / "model.toml").read_text().split("[latency]")[0]
    return server.Model("m", files={"labels.txt": (folder / "labels.txt").read_text(),
                                    "model.toml": toml}), file


def write_versions(running, toml, version):
    text = toml + f'\n[versions]\npolicy = "listed"\nlist = [{version}]\n'
    (running.repository / "m" / "model.toml").write_text(text)


def load(running):
    request = urllib.request.Request(running.url("/v2/repository/models/m/load"), b"{}",
                                     method="POST")
    with urllib.request.urlopen(request, timeout=300) as answer:
        answer.read()


def start(model, file, binary):
    running = server.Server([model], {"repository.control": "explicit"}, binary)
    for version in (1, 2):
        target = running.repository / "m" / str(version)
        target.mkdir()
        (target / "model.pt").write_bytes(file.read_bytes())
    write_versions(running, model.files["model.toml"], 1)
    load(running)
    return running


def run_cycles(running, toml, options, resident, took):
    with Clients(running.port, "/cv/m?explain=1", options.clients) as clients:
        for cycle in range(1, options.cycles + 1):
            write_versions(running, toml, 1 + cycle % 2)
            begun = time.monotonic()
            load(running)
            took.append(time.monotonic() - begun)
            if not wait_released(running, cycle):
                clients.failures.append("the version before was not released")
            if not clients.wait_answered(options.clients):
                clients.failures.append("the clients are not answered any more")
            resident.append(rss_kib(running.pid) / 1024)
            if cycle % 10 == 0:
                print(f"cycle {cycle}: {resident[-1]:.0f} MiB, {clients.answered} answers, "
                      f"{len(clients.failures)} failed", file=sys.stderr, flush=True)
            if clients.failures:
                break
    return clients


def report(options, name, file, resident, took, clients):
    settled = min(SETTLED, len(resident))
    grown = resident[-1] / resident[settled - 1] - 1
    took = sorted(took)
    print(f"reload: {len(resident)} cycles under {options.clients} clients, "
          f"{datetime.date.today()}")
    print(f"model: {name}, {file.stat().st_size / 1e6:.1f} MB, versions 1 and 2 in turn")
    print(f"machine: {platform.platform()}, {os.cpu_count()} cores, load average "
          f"{os.getloadavg()[0]:.1f} at the end")
    print(f"answers: {clients.answered}, by version {json.dumps(clients.versions, sort_keys=True)}")
    print(f"failed: {len(clients.failures)} {clients.failures[:3] or ''}")
    print(f"a load took {took[len(took) // 2]:.2f} s (median), {took[-1]:.2f} s at the most")
    marks = sorted({1, 2, 5, 10, settled, 50, 100, 150, len(resident)})
    for cycle in marks:
        if cycle <= len(resident):
            print(f"resident after cycle {cycle}: {resident[cycle - 1]:.1f} MiB")
    print(f"after the last against cycle {settled}: {100 * grown:+.1f} % (at most "
          f"{100 * ALLOWED:.0f} %); least {min(resident[settled - 1:]):.1f}, "
          f"most {max(resident[settled - 1:]):.1f} MiB")
    return not clients.failures and grown <= ALLOWED


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "build/release/xcloud")
    parser.add_argument("--cycles", type=int, default=200)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--small", action="store_true", help="the small network, in any case")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="xcloud-reload-") as scratch:
        real = None if options.small else imagenet_model()
        model, file = real or small_model(scratch)
        running = start(model, file, options.binary.resolve())
        resident, took = [], []
        try:
            clients = run_cycles(running, model.files["model.toml"], options, resident, took)
        finally:
            running.stop()
        name = "imagenet (EfficientNet-Lite0)" if real else "a small network"
        good = report(options, name, file, resident, took, clients)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
