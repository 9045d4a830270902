#!/usr/bin/env python3
"""How fast this CPU runs torchvision's classifiers, by what runs them. One command, one table.

    bench/backends/table.py                              everything, 25 minutes at most
    bench/backends/table.py --networks densenet169 --minutes 8
    bench/backends/table.py --only agreement,served --networks resnet50

For each network (seeded random weights, 3 x 224 x 224, batches of 1 and 8):
  times      eager PyTorch (naive: as torchvision gives it, in no_grad), frozen TorchScript,
             OpenVINO fp32 and INT8, AOTInductor; all in turns in one Python process, with 1 and 2
             threads; and what `xcloud model optimize` measured in C++ and chose
  served     the real server over HTTP, closed loop with JPEGs, against OpenVINO's own rate on the
             file that the server runs, with the same lanes and threads (no HTTP, no decoding)
and once:
  agreement  of the imagenet service's INT8 variant with its own weights, on photos that did not
             calibrate it

Networks are taken in their order while there is time (--minutes); what was left out is said. Random
weights time as trained ones do, but agree on nothing: only `agreement` judges INT8. Everything is
made in a temporary folder. Nothing is built; needs build/release/xcloud, the environment of `make
setup`, and for `agreement` a folder of photos. Exit code: 0 done; 1 something failed; 2 no build.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent))
import measure  # noqa: E402

NETWORKS = ["densenet169", "resnet50", "resnet18", "densenet121", "resnet152"]
BATCHES = (1, 8)
PYTHON = ROOT / ".venv/bin/python"
MODEL_TOML = """title = "{name} (benchmark)"
description = "Random weights, seed 0: its labels mean nothing."
source = "torchvision, not trained"

[batching]
max_batch = 8
queue_capacity = 1024
"""


class Table:
    """Says each line on stdout and in the results' file."""

    def __init__(self, path):
        self.file = open(path, "w", encoding="utf-8")

    def say(self, line=""):
        print(line, flush=True)
        self.file.write(line + "\n")
        self.file.flush()


def conditions(table, arguments):
    cpuinfo = pathlib.Path("/proc/cpuinfo").read_text()
    model = next(line.split(": ")[1] for line in cpuinfo.splitlines()
                 if line.startswith("model name"))
    flags = next(line.split(": ")[1].split() for line in cpuinfo.splitlines()
                 if line.startswith("flags"))
    known = [f for f in ("avx", "fma", "avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8")
             if f in flags]
    versions = subprocess.run(
        [PYTHON, "-c", "import torch, torchvision, openvino, nncf, logging; "
         "print('torch', torch.__version__, 'torchvision', torchvision.__version__, 'openvino', "
         "openvino.__version__.split('-')[0], 'nncf', nncf.__version__)"],
        capture_output=True, text=True, check=False).stdout.strip().splitlines()
    table.say(f"date {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}, {model}, "
              f"{os.cpu_count()} cores, {' '.join(known)}")
    table.say(f"xcloud {measure.revision()}; {versions[-1] if versions else 'versions unknown'}")
    table.say(f"rounds {arguments.rounds}, {arguments.seconds} s of each in a round; ms are the "
              "median over all runs, (best)")
    busy(table)


def busy(table):
    load = os.getloadavg()[0]
    table.say(f"load average {load:.2f}" + ("  WARNING: the machine is busy; figures are unsteady"
                                            if load > 0.5 * os.cpu_count() else ""))


# --- the part that runs in the environment with PyTorch (table.py --worker ...) ------------------

def save_network(name, path):
    import torch
    import torchvision

    torch.manual_seed(0)
    network = getattr(torchvision.models, name)(weights=None).eval()
    with torch.no_grad():
        torch.jit.trace(network, torch.randn(1, 3, 224, 224)).save(str(path))


def contestants(name, folder, reference, threads):
    """Name: a function of a batch, in the order of the table."""
    import openvino
    import torch
    import torchvision

    torch.manual_seed(0)
    eager = getattr(torchvision.models, name)(weights=None).eval()
    frozen = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.load(reference).eval()))
    found = {"eager": eager, "torchscript": frozen}
    core = openvino.Core()
    for file, label in (("openvino-fp32.xml", "openvino fp32"),
                        ("openvino-int8.xml", "openvino int8")):
        if not (folder / file).exists():
            continue
        requests = {}

        def run(batch, file=file, requests=requests):
            items = batch.shape[0]
            if items not in requests:  # static shapes: what OpenVINO does best
                model = core.read_model(folder / file)
                model.reshape(list(batch.shape))
                requests[items] = core.compile_model(model, "CPU", {
                    "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": threads,
                    "INFERENCE_PRECISION_HINT": "f32",
                    "ENABLE_CPU_PINNING": False}).create_infer_request()
            requests[items].infer([batch.numpy()], share_inputs=True)

        found[label] = run
    if (folder / "aotinductor.pt2").exists():
        package = torch._inductor.aoti_load_package(str(folder / "aotinductor.pt2"))
        free = package.loader.get_metadata().get("xcloud_batch") != "1"
        found["aotinductor"] = package if free else (
            lambda batch: [package(batch[i:i + 1]) for i in range(batch.shape[0])])
    return found


def time_in_turns(arguments):
    """One JSON line: {name: {batch: [ms, ...]}} for one number of threads."""
    import torch

    torch.set_num_threads(arguments.threads)
    found = contestants(arguments.network, arguments.folder, arguments.reference,
                        arguments.threads)
    times = {name: {batch: [] for batch in BATCHES} for name in found}
    with torch.no_grad():
        inputs = {batch: torch.randn(batch, 3, 224, 224) for batch in BATCHES}
        for run in found.values():
            for batch in BATCHES:
                for _ in range(2):
                    run(inputs[batch])
        for _ in range(arguments.rounds):
            for batch in BATCHES:
                for name, run in found.items():
                    end = time.perf_counter() + arguments.seconds
                    while True:
                        start = time.perf_counter()
                        run(inputs[batch])
                        now = time.perf_counter()
                        times[name][batch].append(1e3 * (now - start))
                        if now > end:
                            break
    print(json.dumps(times))


def own_rate(arguments):
    """One JSON line: items/s of OpenVINO alone, with as many streams as the server has lanes."""
    import numpy
    import openvino

    core = openvino.Core()
    model = core.read_model(arguments.reference)
    model.reshape([1, 3, 224, 224])
    compiled = core.compile_model(model, "CPU", {
        "NUM_STREAMS": arguments.lanes,
        "INFERENCE_NUM_THREADS": arguments.lanes * arguments.threads,
        "INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": False})
    queue = openvino.AsyncInferQueue(compiled, arguments.lanes)
    batch = numpy.random.default_rng(0).standard_normal((1, 3, 224, 224)).astype(numpy.float32)
    for _ in range(4 * arguments.lanes):
        queue.start_async([batch], share_inputs=True)
    queue.wait_all()
    start = time.perf_counter()
    count = 0
    while time.perf_counter() - start < arguments.seconds:
        queue.start_async([batch], share_inputs=True)
        count += 1
    queue.wait_all()
    print(json.dumps(count / (time.perf_counter() - start)))


def worker(kind, **options):
    """Runs one of the functions above in the environment; its last line, read as JSON."""
    command = [PYTHON, "-W", "ignore", __file__, "--worker", kind]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode != 0:
        raise measure.Failed(f"{kind}: " + done.stderr.strip()[-600:])
    lines = done.stdout.strip().splitlines()
    return json.loads(lines[-1]) if lines else None


# --- the table ----------------------------------------------------------------------------------

def make_model(repository, name):
    folder = repository / name
    (folder / "1").mkdir(parents=True)
    (folder / "model.toml").write_text(MODEL_TOML.format(name=name))
    (folder / "labels.txt").write_text("".join(f"class {i}\n" for i in range(1000)))
    worker("save", network=name, reference=folder / "1/model.pt")
    return folder / "1"


def optimize(bench, repository, name, *options):
    """The report of `xcloud model optimize`, and the folder with its variants."""
    done = subprocess.run([bench.xcloud, "model", "optimize", name, "--repository", repository,
                           "--keep-all", "--allow-int8", *map(str, options)],
                          capture_output=True, text=True, cwd=ROOT, check=False)
    reports = list((repository / name).glob("1/optimized/*/report.json"))
    if done.returncode != 0 or len(reports) != 1:
        raise measure.Failed(f"xcloud model optimize {name}: " + done.stderr.strip()[-600:])
    return json.loads(reports[0].read_text()), reports[0].parent


def show_times(table, name, arguments, report, folder, reference):
    for variant in report["variants"]:
        if "trouble" in variant:
            table.say(f"  {variant['name']} was not built: {variant['trouble']}")
    for threads in (1, 2):
        times = worker("times", network=name, folder=folder, reference=reference, threads=threads,
                       rounds=arguments.rounds, seconds=arguments.seconds)
        for batch in map(str, BATCHES):
            base = statistics.median(times["eager"][batch])
            base_best = min(times["eager"][batch])
            for runner, runs in times.items():
                median, best = statistics.median(runs[batch]), min(runs[batch])
                table.say(f"  {name:12s} {threads} threads  batch {batch}  {runner:14s} "
                          f"{median:8.1f} ms ({best:7.1f})  {base / median:5.2f} x eager "
                          f"({base_best / best:5.2f})")
    table.say(f"  in C++, as served ({report['reference']['name']} and its variants); "
              f"auto serves: {report['chosen']}. {report['why']}")
    for variant in [report["reference"], *report["variants"]]:
        for t in variant.get("timings", []):
            table.say(f"  {name:12s} {t['lanes']} lanes x {t['threads']}  batch {t['batch']}  "
                      f"{variant['name']:16s} {t['ms']:8.1f} ms  {t['items_per_second']:7.1f} "
                      "items/s of all lanes")


def show_served(table, bench, repository, name, report, folder, arguments):
    chosen = next((v for v in report["variants"] if v["name"] == report["chosen"]), None)
    if chosen is None or chosen["backend"] != "openvino":
        table.say(f"  served: auto serves {report['chosen']}, not compared with OpenVINO")
        return
    file = folder / chosen["files"][0]["name"]
    for lanes, threads in ((2, 1), (1, 2)):
        ours, own = [], []
        with bench.server(repository, devices=(lanes,)) as server:
            backend = json.loads(server.ask("GET", f"/v2/models/{name}/config")[1])["backend"]
            for _ in range(arguments.rounds):  # in turns: the server idles while OpenVINO runs
                run = bench.load(server, name, max(3, 4 * arguments.seconds), "--clients",
                                 4 * lanes, "--slo-ms", 5000, "--warmup-s", 1, photo=False)
                ours.append(run["achieved_per_s"])
                own.append(worker("own", reference=file, lanes=lanes, threads=threads,
                                  seconds=max(3, 4 * arguments.seconds)))
        ratios = [a / b for a, b in zip(ours, own)]
        table.say(f"  served {name}, {backend}, {lanes} lanes x {threads}: "
                  f"{statistics.median(ours):.1f} answers/s over HTTP (best {max(ours):.1f}); "
                  f"OpenVINO alone {statistics.median(own):.1f} items/s (best {max(own):.1f}); "
                  f"ratio {statistics.median(ratios):.3f} median of pairs, "
                  f"{max(ours) / max(own):.3f} best to best (goal 0.9)")


def show_agreement(table, bench, folder, arguments):
    if not list((ROOT / "configs/models/imagenet").glob("1/model.pt")) or not arguments.photos:
        table.say("agreement: needs the weights of imagenet (make weights) and --photos")
        return
    repository = folder / "real"
    shutil.copytree(ROOT / "configs/models/imagenet", repository / "imagenet",
                    ignore=shutil.ignore_patterns("optimized"))
    report, _ = optimize(bench, repository, "imagenet", "--photos", arguments.photos,
                         "--variants", "openvino-fp32,openvino-int8", "--rounds", 3)
    table.say(f"agreement of the imagenet service's variants with its own weights, on "
              f"{report['photos']} photos that calibrated nothing "
              f"({report['conditions']['items']})")
    for variant in report["variants"]:
        if "trouble" in variant:
            table.say(f"  {variant['name']}: {variant['trouble']}")
            continue
        table.say(f"  {variant['name']:14s} same likeliest label "
                  f"{100 * variant['top1_agreement']:.2f} %, largest error of a probability "
                  f"{variant['max_error']:.1e}")
    table.say(f"  auto serves {report['chosen']}. {report['why']}")


def run_all(table, bench, folder, arguments, parts):
    failed = False
    end = time.monotonic() + 60 * arguments.minutes
    conditions(table, arguments)
    steps = [("agreement", None)] if "agreement" in parts else []
    if parts & {"times", "served"}:
        steps += [("network", name) for name in arguments.networks]
    for kind, name in steps:
        table.say("")
        if time.monotonic() > end:
            table.say(f"{name}: left out, the {arguments.minutes:g} minutes are over")
            continue
        try:
            if kind == "agreement":
                show_agreement(table, bench, folder, arguments)
                continue
            table.say(f"== {name} ==")
            repository = folder / f"repository-{name}"
            version = make_model(repository, name)
            photos = ["--photos", arguments.photos, "--most-photos", 90] if arguments.photos else []
            variants = ["--variants", arguments.variants] if arguments.variants else []
            report, folder_of = optimize(bench, repository, name, "--min-agreement", 0, "--rounds",
                                        arguments.rounds, "--seconds", arguments.seconds,
                                        *variants, *photos)
            if "times" in parts:
                show_times(table, name, arguments, report, folder_of, version / "model.pt")
            if "served" in parts:
                show_served(table, bench, repository, name, report, folder_of, arguments)
            busy(table)
            shutil.rmtree(repository)
        except (measure.Failed, OSError, KeyError) as error:
            table.say(f"  FAILED {name or kind}: {error}")
            failed = True
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    words = lambda text: text.split(",")  # noqa: E731
    parser.add_argument("--networks", type=words, default=NETWORKS)
    parser.add_argument("--only", type=words, default=["times", "served", "agreement"],
                        help="parts, separated by commas")
    parser.add_argument("--variants", help="as of `xcloud model optimize`; AOTInductor compiles "
                        "for minutes: openvino-fp32,openvino-int8 leaves it out")
    parser.add_argument("--minutes", type=float, default=25, help="begin no network after it")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--photos", type=pathlib.Path,
                        default=next((p for p in (ROOT.parent / "shared/data/imagenet",
                                                  ROOT / "shared/data/imagenet") if p.is_dir()),
                                     None))
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--out", type=pathlib.Path, default=measure.RESULTS / "latest-backends.txt")
    for hidden, kind in (("worker", str), ("network", str), ("folder", pathlib.Path),
                         ("reference", str), ("threads", int), ("lanes", int)):
        parser.add_argument(f"--{hidden}", type=kind, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        {"save": lambda a: save_network(a.network, a.reference), "times": time_in_turns,
         "own": own_rate}[arguments.worker](arguments)
        return 0
    if not (ROOT / arguments.build / "xcloud").is_file():
        print(f"no {arguments.build}/xcloud: run make build first", file=sys.stderr)
        return 2
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    table = Table(arguments.out)
    with tempfile.TemporaryDirectory(prefix="xcloud-backends-") as folder:
        bench = measure.Workbench(arguments.build, folder)
        return run_all(table, bench, pathlib.Path(folder), arguments, set(arguments.only))


if __name__ == "__main__":
    sys.exit(main())
