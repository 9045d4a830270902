#!/usr/bin/env python3
"""Measures what the scheduler promises, on the real server, and checks it.

    bench/scheduler.py all                     every experiment, about eight minutes
    bench/scheduler.py overload expiry         some of them
    bench/scheduler.py --build build/release --seconds 10 fairness

overload         null model, then imagenet if its weights are there: closed loop finds the capacity,
                 then Poisson at 130 %: >= 75 % of all and >= 95 % of the admitted in SLO
expiry           504s while batches of 500 ms run: P99 <= 2 ms after the deadline
devices          two equal CPU devices against one, in pairs: >= 1.9 x the throughput
fairness         three models on one lane, equal and unequal batch times: lane time within 10 %
isolation        A's P99 while B is loaded and unloaded in a loop, against A alone, in turn: moves
                 < 10 %; imagenet as A beside it, for the figure only
null-throughput  small body, kept connections: requests/s a core of the server, and the profile

Builds nothing. Starts servers on 127.0.0.1 with ports of the system's choice and ends them. Each
experiment's text and figures go to bench/results/latest-scheduler-NAME.txt and .json. Busy machines
spoil figures: the conditions are printed. Exit code: 0 every check passed, 1 one failed, 2 no build.
"""
import argparse
import http.client
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from measure import Failed, run_experiments, total  # noqa: E402

SECONDS = 10.0  # of one load; --seconds
TICKS = os.sysconf("SC_CLK_TCK")


def percent(share):
    return f"{share * 100:.2f} %"


def percentile(values, share):
    """Nearest rank, as `xcloud bench` has it."""
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * share // 1))
    return ordered[int(rank) - 1]


def expect_valid(report, run, what, required=True):
    if not run["valid"]:
        report.check(f"{what} is valid", "; ".join(run["invalid"]), False, "the generator kept up",
                     required=required)


def late_ms(slo_ms):
    """A send is late when it takes more than a hundredth of the SLO."""
    return max(1, slo_ms / 100)


def describe(report, what, run):
    latency = run["latency_ms"]
    refused = ", ".join(f"http {status}: {took['count']} (P99 {took['p99']:.2f} ms)"
                        for status, took in run["refusal_latency_ms"].items())
    report.say(f"  {what}: offered {run['offered_per_s']:.1f}/s, answered "
               f"{run['achieved_per_s']:.1f}/s, P50 {latency['p50']:.2f} ms, P99 "
               f"{latency['p99']:.2f} ms; {refused or 'none refused'}")


# --- overload ---------------------------------------------------------------------------------

def measure_overload(bench, report, server, model, slo_ms, clients, photo):
    # With a long deadline of their own the clients are not refused while the capacity is found.
    closed = bench.load(server, model, SECONDS, "--slo-ms", slo_ms, "--clients", clients,
                        "--deadline-ms", 9000, photo=photo)
    report.conditions(closed)
    describe(report, f"{model}, closed loop of {clients} clients", closed)
    capacity = closed["achieved_per_s"]
    if capacity <= 0:
        raise Failed(f"{model} answered nothing in closed loop")
    before = server.metrics()
    run = bench.load(server, model, 2 * SECONDS, "--slo-ms", slo_ms, "--mode", "poisson", "--rate",
                     f"{1.3 * capacity:.2f}", "--connections", 4000, "--late-ms", late_ms(slo_ms),
                     photo=photo)
    after = server.metrics()
    describe(report, f"{model}, Poisson at 130 % ({1.3 * capacity:.1f}/s), SLO {slo_ms} ms", run)
    expect_valid(report, run, f"{model} at 130 %")
    report.figure(f"{model} capacity_per_s", capacity)
    report.check(f"{model}: in SLO, of all", percent(run["goodput_share"]),
                 run["goodput_share"] >= 0.75, ">= 75 %")
    # A request that was let in and then shed for others is answered 429 as well: count it as
    # admitted, and as missed.
    shed = (total(after, "xcloud_refused_total", model=model, reason="shed")
            - total(before, "xcloud_refused_total", model=model, reason="shed"))
    good = run["goodput_share"] * run["offered"]
    admitted = good / run["admitted_share"] + shed if run["admitted_share"] > 0 else 0
    share = good / admitted if admitted > 0 else 0
    report.say(f"  {model}: {shed:.0f} of {run['offered']} were let in and shed for others")
    report.check(f"{model}: in SLO, of the admitted", percent(share), share >= 0.95, ">= 95 %")
    refused = run["refusal_latency_ms"].get("429")
    if refused:
        # The slow ones are not of the door: they were let in, waited, and were shed.
        report.check(f"{model}: 429 within", f"P50 {refused['p50']:.3f} ms, P99 "
                     f"{refused['p99']:.3f} ms", refused["p50"] < 1, "P50 < 1 ms")


def overload(bench, report):
    repository = bench.repository("models")
    # A batch of 16 takes 60 ms, one alone 22.5: about 267/s at most, which costs little CPU.
    bench.null_model(repository, "null60", base_ms=20, item_ms=2.5, max_batch=16, goal_ms=250)
    with bench.server(repository) as server:
        measure_overload(bench, report, server, "null60", 250, 32, photo=True)
    real = bench.repository("real")
    if not bench.shipped_model(real, "imagenet"):
        report.say("  imagenet: no weights (make weights), not measured")
        return
    with bench.server(real) as server:
        measure_overload(bench, report, server, "imagenet", 500, 8, photo=False)


# --- expiry -----------------------------------------------------------------------------------

DEADLINES_MS = (50, 100, 150, 200, 250, 300)
SLOW_MODELS = 4  # each has a lane; warm-up runs every model on every lane, one after the other


def expire_in_turn(server, model, photo, seconds, out):
    """Requests with deadlines shorter than the model's 500 ms batch, one at a time, each when the
    model has been idle for a while: admission lets such a one through to see whether the profile
    still holds, so its deadline passes while its batch runs. Appends (status, lateness in ms)."""
    connection = http.client.HTTPConnection(*server.address, timeout=10)
    end = time.monotonic() + seconds
    turn = 0
    try:
        while time.monotonic() < end:
            deadline_ms = DEADLINES_MS[turn % len(DEADLINES_MS)]
            turn += 1
            sent = time.perf_counter()
            connection.request("POST", f"/cv/{model}", body=photo, headers={
                "Content-Type": "image/png", "X-Deadline-Ms": str(deadline_ms)})
            answer = connection.getresponse()
            took_ms = (time.perf_counter() - sent) * 1e3
            answer.read()
            out.append((answer.status, took_ms - deadline_ms))
            time.sleep(0.65)  # the batch ends, and the model is idle for longer than a probe needs
    finally:
        connection.close()


def expiry_while_running(bench, report):
    repository = bench.repository("slow")
    names = [f"slow{i:02d}" for i in range(SLOW_MODELS)]
    for name in names:
        bench.null_model(repository, name, base_ms=500, max_batch=1)
    photo = bench.photo.read_bytes()
    samples = []
    with bench.server(repository, devices=(SLOW_MODELS,)) as server:
        threads = []
        for i, name in enumerate(names):
            thread = threading.Thread(target=expire_in_turn, daemon=True, args=(
                server, name, photo, 6 * SECONDS, samples))
            thread.start()
            threads.append(thread)
            time.sleep(0.037 * (i % 2 + 1))  # not all at one instant
        for thread in threads:
            thread.join(6 * SECONDS + 30)
        metrics = server.metrics()
    told = total(metrics, "xcloud_expiry_lateness_seconds_count")
    in_time = total(metrics, "xcloud_expiry_lateness_seconds_bucket", le="0.002")
    report.say(f"  the server wrote {told:.0f} such 504s, {in_time:.0f} of them within 2 ms of the "
               f"deadline (xcloud_expiry_lateness_seconds), "
               f"{total(metrics, 'xcloud_expiry_lateness_seconds_bucket', le='0.001'):.0f} within 1")
    report.check("504s written within 2 ms of the deadline", percent(in_time / max(told, 1)),
                 told >= 100 and in_time >= 0.99 * told, ">= 99 %, of at least 100")
    late = [lateness for status, lateness in samples if status == 504 and lateness >= 0]
    early = sum(1 for status, lateness in samples if status == 504 and lateness < 0)
    others = len(samples) - len(late) - early
    report.say(f"  {len(samples)} requests with deadlines of {DEADLINES_MS[0]} to "
               f"{DEADLINES_MS[-1]} ms on batches of 500 ms: {len(late)} answered 504 after the "
               f"deadline, {early} before it, {others} otherwise")
    report.check("504s that came when the deadline had passed", len(late), len(late) >= 100,
                 ">= 100, else P99 says nothing")
    if late:
        p50, p99 = percentile(late, 0.5), percentile(late, 0.99)
        report.say(f"  lateness ms, from the send: P50 {p50:.3f}, P99 {p99:.3f}, max "
                   f"{max(late):.3f} (the measuring client's own wake-up is in it)")
        report.check("P99 lateness of expiry", f"{p99:.3f} ms", p99 <= 2, "<= 2 ms")


def expiry_while_waiting(bench, report):
    repository = bench.repository("behind")
    bench.null_model(repository, "slow", base_ms=500, max_batch=1)
    bench.null_model(repository, "quick", base_ms=1, max_batch=8)
    with bench.server(repository) as server:
        slow = bench.start_load(server, "slow", SECONDS, "--clients", 1, "--timeout-ms", 20000,
                                "--slo-ms", 20000)
        deadlines = [word for ms in DEADLINES_MS for word in ("--deadline-ms", ms)]
        try:
            run = bench.load(server, "quick", SECONDS - 2, "--mode", "poisson", "--rate", 50,
                             "--slo-ms", 5000, *deadlines)
        finally:
            bench.finish_load(slow)
    report.conditions(run)
    describe(report, "behind a batch of 500 ms on the only lane, 50/s", run)
    late = run["expiry_lateness_ms"]
    report.say(f"  504 after the deadline {late['count']}, before it {run['expired_early']}; "
               f"lateness P99 {late['p99']:.3f} ms, max {late['max']:.3f} ms")
    if not late["count"]:
        report.say("  none came to expire: with this load the door refused what would have been late")
        return
    report.check("P99 lateness behind a batch", f"{late['p99']:.3f} ms", late["p99"] <= 2,
                 "<= 2 ms")


def expiry(bench, report):
    expiry_while_waiting(bench, report)
    expiry_while_running(bench, report)


# --- devices ----------------------------------------------------------------------------------

def devices(bench, report):
    repository = bench.repository("models")
    bench.null_model(repository, "null20", base_ms=20, max_batch=4)  # 200/s a device
    ratios = []
    for pair in range(3):
        rates = []
        # The order turns round, so that drift of the machine favours neither.
        for count in ((1, 2) if pair % 2 == 0 else (2, 1)):
            with bench.server(repository, devices=(1,) * count) as server:
                run = bench.load(server, "null20", SECONDS / 2, "--clients", 32)
                imbalance = total(server.metrics(), "xcloud_device_imbalance_permille")
            report.conditions(run)
            expect_valid(report, run, f"pair {pair + 1}, {count} device(s)")
            rates.append((count, run["achieved_per_s"]))
            report.say(f"  pair {pair + 1}, {count} device{'s' if count > 1 else ''}: "
                       f"{run['achieved_per_s']:.1f}/s, imbalance {imbalance:.0f} permille")
        by_count = dict(rates)
        ratios.append(by_count[2] / by_count[1])
    report.check("two devices against one", f"{statistics.median(ratios):.3f} x (pairs: "
                 + ", ".join(f"{ratio:.3f}" for ratio in ratios) + ")",
                 statistics.median(ratios) >= 1.9, ">= 1.9 x")


# --- fairness ---------------------------------------------------------------------------------

def lane_time_ms(before, after, name, base_ms, item_ms):
    """What a null model's batches took: it sleeps exactly base + item x n."""
    batches, items = (total(after, f"xcloud_batch_size_{part}", model=name)
                      - total(before, f"xcloud_batch_size_{part}", model=name)
                      for part in ("count", "sum"))
    padding = (total(after, "xcloud_batch_padding_items_total", model=name)
               - total(before, "xcloud_batch_padding_items_total", model=name))
    return batches * base_ms + (items + padding) * item_ms, items


def measure_fairness(bench, report, what, base_times):
    repository = bench.repository(what)
    models = {f"{what}{i + 1}": base_ms for i, base_ms in enumerate(base_times)}
    for name, base_ms in models.items():
        bench.null_model(repository, name, base_ms=base_ms, item_ms=1, max_batch=8)
    with bench.server(repository) as server:
        loads = [bench.start_load(server, name, SECONDS + 4, "--clients", 16, "--warmup-s", 1)
                 for name in models]
        time.sleep(3)  # all three run, warmed up
        before, began = server.metrics(), time.monotonic()
        time.sleep(SECONDS)
        after, wall_ms = server.metrics(), (time.monotonic() - began) * 1e3
        runs = [bench.finish_load(load) for load in loads]
    report.conditions(runs[0])
    used = {name: lane_time_ms(before, after, name, base_ms, 1)
            for name, base_ms in models.items()}
    declared_ms = sum(ms for ms, _ in used.values())
    busy_ms = (total(after, "xcloud_lane_busy_seconds_sum")
               - total(before, "xcloud_lane_busy_seconds_sum")) * 1e3
    if declared_ms <= 0:
        raise Failed("no batch ran: does /metrics have xcloud_batch_size?")
    report.say(f"  {what}: one lane, busy {percent(busy_ms / wall_ms)} of {wall_ms / 1e3:.1f} s "
               f"by /metrics, {percent(declared_ms / wall_ms)} by declared batch times")
    report.check(f"{what}: the lane is busy", percent(busy_ms / wall_ms), busy_ms / wall_ms > 0.9,
                 "> 90 %, else it was not shared but idle")
    worst = 0
    for name, (ms, items) in used.items():
        share = ms / declared_ms
        worst = max(worst, abs(share * len(models) - 1))
        report.say(f"  {name}, {models[name]} + 1 b ms: {percent(share)} of the lane time, "
                   f"{items / wall_ms * 1e3:.1f} photos/s")
    report.check(f"{what}: furthest from a third of the lane time", percent(worst), worst <= 0.1,
                 "<= 10 %")


def fairness(bench, report):
    measure_fairness(bench, report, "equal", (10, 10, 10))
    measure_fairness(bench, report, "unequal", (5, 10, 20))


# --- isolation --------------------------------------------------------------------------------

def state_of(server, name):
    status, text = server.ask("GET", "/api/services")
    listed = json.loads(text) if status == 200 else []
    if isinstance(listed, dict):
        listed = next((value for value in listed.values() if isinstance(value, list)), [])
    return next((one.get("state") for one in listed if one.get("name") == name), None)


def wait_for_state(server, name, reached, stop, what):
    end = time.monotonic() + 60
    while not reached(state_of(server, name)):
        if time.monotonic() > end:
            raise Failed(f"{name} was not {what} within 60 s, but {state_of(server, name)}")
        if stop.wait(0.01):
            return


class Reloader(threading.Thread):
    """Unloads and loads a model in a loop until stopped; leaves it loaded. `cycles` were whole."""

    def __init__(self, server, name):
        super().__init__(daemon=True)
        self.server, self.name = server, name
        self.stopped, self.never = threading.Event(), threading.Event()
        self.cycles, self.error = 0, None

    def run(self):
        try:
            while not self.stopped.is_set():
                self.post("unload")
                wait_for_state(self.server, self.name, lambda s: s != "ready", self.never,
                               "unloaded")
                self.post("load")
                wait_for_state(self.server, self.name, lambda s: s == "ready", self.never,
                               "ready")
                self.cycles += 1
        except (Failed, OSError, http.client.HTTPException, ValueError) as error:
            self.error = error

    def post(self, verb):
        """409: the step before is still under way; asked again for a bounded time."""
        for _ in range(500):
            status, text = self.server.ask("POST", f"/admin/models/{self.name}/{verb}")
            if status == 202:
                return
            if status != 409:
                break
            time.sleep(0.01)
        raise Failed(f"POST /admin/models/{self.name}/{verb} answered {status}: {text.strip()}")

    def finish(self):
        self.stopped.set()
        self.join(130)
        if self.error is not None or self.is_alive():
            raise Failed(f"the loop of loads stopped: {self.error or 'it hangs'}")
        return self.cycles


def measure_isolation(bench, report, server, a, b, rate, slo_ms, photo, required):
    p99 = {False: [], True: []}
    cycles = 0
    for looping in (False, True, True, False, False, True):
        reloader = Reloader(server, b) if looping else None
        if reloader:
            reloader.start()
        try:
            run = bench.load(server, a, SECONDS, "--mode", "poisson", "--rate", f"{rate:.2f}",
                             "--slo-ms", slo_ms, "--late-ms", late_ms(slo_ms), photo=photo)
        finally:
            if reloader:
                cycles += reloader.finish()
        report.conditions(run)
        expect_valid(report, run, f"{a}, {'with' if looping else 'without'} loads of {b}", required)
        p99[looping].append(run["latency_ms"]["p99"])
        describe(report, f"{a} {'while ' + b + ' comes and goes' if looping else 'alone'}", run)
    alone, beside = statistics.median(p99[False]), statistics.median(p99[True])
    report.say(f"  {b} was unloaded and loaded {cycles} times")
    report.check(f"loads of {b} beside {a}", cycles, cycles >= 3, ">= 3, else nothing was shown")
    report.check(f"P99 of {a} moves by", f"{percent(beside / alone - 1)} ({alone:.2f} to "
                 f"{beside:.2f} ms, medians of 3)", abs(beside / alone - 1) < 0.1, "< 10 %",
                 required=required)


def isolation(bench, report):
    repository = bench.repository("models")
    # Half of A's capacity; B's warm-up shares the lane with it.
    bench.null_model(repository, "a", base_ms=10, item_ms=0.5, max_batch=16, goal_ms=200)
    bench.null_model(repository, "b", base_ms=10, item_ms=0.5, max_batch=16)
    with bench.server(repository) as server:
        measure_isolation(bench, report, server, "a", "b", 400, 200, True, required=True)
    real = bench.repository("real")
    if not bench.shipped_model(real, "imagenet"):
        report.say("  imagenet: no weights (make weights), not measured")
        return
    b = "nsfw" if bench.shipped_model(real, "nsfw") else "b"
    if b == "b":
        shutil.copytree(repository / "b", real / "b")
    with bench.server(real) as server:
        closed = bench.load(server, "imagenet", SECONDS / 2, "--clients", 8, "--deadline-ms", 9000,
                            photo=False)
        measure_isolation(bench, report, server, "imagenet", b, 0.5 * closed["achieved_per_s"], 500,
                          False, required=False)


# --- null-throughput --------------------------------------------------------------------------

def thread_seconds(pid):
    """CPU seconds by thread name."""
    out = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            name, _, rest = (task / "stat").read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue  # the thread ended
        fields = rest.split()
        out[name] = out.get(name, 0) + (int(fields[11]) + int(fields[12])) / TICKS
    return out


def record_profile(bench, report, server, seconds):
    """The hottest functions by perf; False when there is no perf or it may not be used."""
    perf, data = shutil.which("perf"), bench.folder / "perf.data"
    if perf is None:
        report.say("  no perf on this machine: only the threads' CPU time is told")
        return False
    done = subprocess.run([perf, "record", "-q", "-F", "499", "-g", "-o", data, "-p",
                           str(server.process.pid), "--", "sleep", f"{seconds:.1f}"],
                          capture_output=True, text=True, timeout=seconds + 60, check=False)
    shown = subprocess.run([perf, "report", "--stdio", "--no-children", "-g", "none",
                            "--percent-limit", "0.8", "-i", data],
                           capture_output=True, text=True, timeout=120, check=False)
    lines = [line.rstrip() for line in shown.stdout.splitlines()
             if line.strip() and not line.startswith("#")]
    if not lines:
        report.say("  perf gave no profile: " + (done.stderr + shown.stderr).strip()[:300])
        return False
    report.say("  profile of the server (perf, share of its CPU time):")
    for line in lines[:40]:
        report.say("    " + line[:120])
    return True


def null_throughput(bench, report):
    repository = bench.repository("models")
    bench.null_model(repository, "null", base_ms=0, max_batch=32)
    with bench.server(repository) as server:
        load = bench.start_load(server, "null", SECONDS, "--clients", 32, "--warmup-s", 1)
        time.sleep(2)
        before = thread_seconds(server.process.pid)
        began = time.monotonic()
        profiled = record_profile(bench, report, server, max(1.0, SECONDS - 3))
        if not profiled:
            time.sleep(max(1.0, SECONDS - 3))
        wall = time.monotonic() - began
        after = thread_seconds(server.process.pid)
        run = bench.finish_load(load)
    report.conditions(run)
    describe(report, "32 clients, 32 x 32 PNG, kept connections", run)
    for name, seconds in sorted(after.items(), key=lambda one: -one[1]):
        report.say(f"    thread {name:16s} {(seconds - before.get(name, 0)) / wall:.3f} cores")
    cores = run.get("server_cores", 0)
    if run["ok"] == 0 or cores <= 0:
        raise Failed("nothing was answered, or the server's CPU time could not be read")
    # Wall clock says little here: generator and server share the machine. CPU time does.
    a_core = run["achieved_per_s"] / cores
    report.say(f"  {run['achieved_per_s']:.0f}/s with {cores:.3f} cores of the server and "
               f"{run['generator_cores']:.3f} of the generator")
    report.check("requests/s a core of the server", f"{a_core:.0f}", a_core >= 20000,
                 ">= 20,000, or the profile above tells what stops it", required=not profiled)


EXPERIMENTS = {"overload": overload, "expiry": expiry, "devices": devices, "fairness": fairness,
               "isolation": isolation, "null-throughput": null_throughput}


def main():
    global SECONDS
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", nargs="+", choices=[*EXPERIMENTS, "all"])
    parser.add_argument("--build", default="build/release", help="folder of the build")
    parser.add_argument("--seconds", type=float, default=SECONDS,
                        help="of one load, at least 4 (default 10)")
    asked = parser.parse_args()
    SECONDS = max(asked.seconds, 4.0)
    names = list(EXPERIMENTS) if "all" in asked.experiment else asked.experiment
    return run_experiments(names, EXPERIMENTS, asked.build)


if __name__ == "__main__":
    sys.exit(main())
