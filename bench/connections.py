#!/usr/bin/env python3
"""Measures whether idle and hostile connections hurt a normal client, on the real server.

    bench/connections.py --build build/release     about three minutes
    bench/connections.py --rounds 1 --seconds 4    a short look

A normal client asks at a modest open-loop rate (`xcloud bench`, Poisson, one seed a round) while
  alone   nobody else is connected
  idle    10,000 connections are open that have each asked once and now say nothing
  loris   200 more drip a byte a second each: half of them a header, half a body; each one that is
          cut comes back at once
in turn, three rounds, forth and back; medians of the rounds. Target: P99 moves by less than 20 %.
Also: the server's resident memory for each idle connection, whether all of them are still open at
the end, and how long the drippers lasted. Two null models: of 4 ms a batch and 0.25 a photo (a fast
GPU's rhythm), on which the target holds, and of 0 ms, where nothing but the server's own time is
left, for the figure only: its P99 is a fraction of a millisecond and unsteady on shared machines.

Starts a server with its default limits on 127.0.0.1, port of the system's choice, and ends it. The
crowd comes from 127.0.0.2 to 127.0.0.21 and needs about 10,400 open files here and there. Appends
to bench/results/DATE-connections.txt. Exit code: 0 every check passed, 1 one failed, 2 no build.
"""
import argparse
import datetime
import heapq
import http.client
import os
import pathlib
import resource
import select
import signal
import socket
import statistics
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from measure import RESULTS, ROOT, Failed, Report, Workbench, total  # noqa: E402

SOURCES = [f"127.0.0.{i}" for i in range(2, 22)]
BIND_ADDRESS_NO_PORT = 24  # Linux's IP_BIND_ADDRESS_NO_PORT: the port is chosen by connect
HEADER_TIMEOUT_S, BODY_TIMEOUT_S = 5, 10  # the server's defaults
CUT_SLACK_S = 1.0  # the dripper is a Python thread that gives way to others
MODELS = {"null5": True, "null0": False}  # name: must it hold the target?
MOVES_AT_MOST = 0.2
PHASES = ("alone", "idle", "loris")


class ConnectionsReport(Report):
    """On stdout, and appended to the day's file."""

    def __init__(self, path):  # pylint: disable=super-init-not-called
        path.parent.mkdir(parents=True, exist_ok=True)
        self.name, self.figures, self.failed, self.conditions_told = "connections", {}, [], False
        self.path = path
        self.file = open(path, "a", encoding="utf-8")

    def conditions(self, run):
        if not self.conditions_told:
            super().conditions(run)
            c = run["conditions"]
            self.say(f"  instruction set {' '.join(c['isa']) or 'unknown'}; governor "
                     f"{c['governor']}; Python {sys.version.split()[0]}")

    def close(self):
        self.file.close()


def connect(address, number):
    connection = socket.socket()
    connection.setsockopt(socket.IPPROTO_IP, BIND_ADDRESS_NO_PORT, 1)
    connection.bind((SOURCES[number % len(SOURCES)], 0))
    connection.settimeout(10)
    connection.connect(address)
    return connection


class Crowd:
    """Connections that have asked once and are kept alive."""

    STEP = 100

    def __init__(self, address, count):
        self.open = []
        for first in range(0, count, self.STEP):
            new = [connect(address, first + i) for i in range(min(self.STEP, count - first))]
            self.open += new
            for one in new:
                one.sendall(b"GET /livez HTTP/1.1\r\nHost: t\r\n\r\n")
            for one in new:
                if not one.recv(4096).startswith(b"HTTP/1.1 200"):
                    raise Failed("the server does not take the crowd")
                one.setblocking(False)

    def still_open(self):
        count = 0
        for one in self.open:
            try:
                one.recv(1)
            except BlockingIOError:
                count += 1
            except OSError:
                pass
        return count

    def close(self):
        for one in self.open:
            one.close()


class Drippers(threading.Thread):
    """`count` connections, each a byte a second: even ones a header, odd ones a body. One that is
    cut is noted, (what it dripped, seconds it lasted, status), and comes back."""

    def __init__(self, address, count):
        super().__init__(daemon=True)
        self.address, self.count = address, count
        self.stopped = threading.Event()
        self.cut, self.error = [], None
        self.late = 0.0  # seconds; what the drippers themselves were held up for, at most

    def run(self):
        # The client and the server are measured, not this.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 5)
        try:
            self.drip()
        except OSError as error:
            self.error = error

    def drip(self):
        poll, open_now, numbers, due = select.epoll(), {}, {}, []
        for number in range(self.count):
            heapq.heappush(due, (time.monotonic() + number / self.count, number, None))
        while not self.stopped.is_set():
            wait = max(0.0, min(0.1, due[0][0] - time.monotonic()))
            for descriptor, _ in poll.poll(wait):
                # By hand: a child that is being started may hold the socket a little longer, and
                # its number would go on telling of it.
                poll.unregister(descriptor)
                number = numbers.pop(descriptor)
                self.end(number, *open_now.pop(number))
                heapq.heappush(due, (time.monotonic(), number, None))
            while due[0][0] <= time.monotonic():
                when, number, began = heapq.heappop(due)
                self.late = max(self.late, time.monotonic() - when)
                if began is None:
                    one, began = open_now[number] = self.begin(number)
                    numbers[one.fileno()] = number
                    poll.register(one, select.EPOLLIN)
                elif number in open_now and open_now[number][1] == began:
                    self.send(open_now[number][0], b"a")
                else:
                    continue  # that one was cut
                heapq.heappush(due, (time.monotonic() + 1, number, began))
        for one, _ in open_now.values():
            one.close()

    def begin(self, number):
        one = connect(self.address, number)
        # With a latency goal its deadline would answer first (504).
        head = b"POST /cv/null0 HTTP/1.1\r\nHost: t\r\nContent-Type: image/png\r\n"
        one.sendall(head + (b"X-Drip: " if number % 2 == 0 else b"Content-Length: 9999\r\n\r\n"))
        return one, time.monotonic()

    @staticmethod
    def send(one, data):
        try:
            one.sendall(data)
        except OSError:
            pass  # it was cut this moment: the poll says so

    def end(self, number, one, began):
        try:
            status = one.recv(4096)[9:12].decode(errors="replace")
        except OSError:
            status = "reset"
        self.cut.append(("header" if number % 2 == 0 else "body", time.monotonic() - began, status))
        one.close()

    def finish(self):
        self.stopped.set()
        self.join(20)
        if self.error is not None or self.is_alive():
            raise Failed(f"the drippers stopped: {self.error or 'they hang'}")
        return self.cut


def resident_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise Failed("the server's memory cannot be read")


def wait_until_connected(server, fits, what):
    end = time.monotonic() + 20
    while not fits(total(server.metrics(), "xcloud_connections")):
        if time.monotonic() > end:
            raise Failed(f"{what} within 20 s: xcloud_connections is "
                         f"{total(server.metrics(), 'xcloud_connections'):.0f}")
        time.sleep(0.1)


class Measurement:
    """Of one server: P50 and P99 by (phase, model), what became of the crowd."""

    def __init__(self, bench, report, server, asked):
        self.bench, self.report, self.server, self.asked = bench, report, server, asked
        self.p50, self.p99 = {}, {}
        self.cut, self.still_open, self.per_idle = [], [], None
        self.loads, self.invalid, self.offered, self.refused = 0, 0, 0, 0
        self.drippers_late = 0.0

    def load(self, phase, number):
        for model in MODELS:
            run = self.bench.load(self.server, model, self.asked.seconds, "--mode", "poisson",
                                  "--rate", self.asked.rate, "--warmup-s", 1, "--seed", number + 1,
                                  "--connections", 500)
            self.report.conditions(run)
            latency = run["latency_ms"]
            self.p50.setdefault((phase, model), []).append(latency["p50"])
            self.p99.setdefault((phase, model), []).append(latency["p99"])
            self.loads += 1
            self.invalid += not run["valid"]
            refused = run["offered"] - run["ok"]
            self.report.say(f"  round {number + 1}, {phase:5s} {model}: P50 {latency['p50']:.3f}, "
                            f"P99 {latency['p99']:.3f}, max {latency['max']:.3f} ms; "
                            f"{refused} of {run['offered']} not answered 200"
                            + ("" if run["valid"] else "; INVALID: " + "; ".join(run["invalid"])))
            self.offered += run["offered"]
            self.refused += refused

    def round(self, number):
        forth = number % 2 == 0
        if forth:
            self.load("alone", number)
        before = resident_kib(self.server.process.pid)
        crowd = Crowd(self.server.address, self.asked.idle)
        try:
            wait_until_connected(self.server, lambda n: n >= self.asked.idle, "the crowd is not in")
            if self.per_idle is None:
                grown = resident_kib(self.server.process.pid) - before
                self.per_idle = grown / self.asked.idle
            for phase in ("idle", "loris") if forth else ("loris", "idle"):
                drippers = Drippers(self.server.address, self.asked.loris)
                if phase == "loris":
                    drippers.start()
                    time.sleep(1.5)  # all are in
                try:
                    self.load(phase, number)
                finally:
                    if phase == "loris":
                        self.cut += drippers.finish()
                        self.drippers_late = max(self.drippers_late, drippers.late)
            self.still_open.append(crowd.still_open())
        finally:
            crowd.close()
        wait_until_connected(self.server, lambda n: n <= 10, "the crowd is not out")
        if not forth:
            self.load("alone", number)

    def table(self):
        say = self.report.say
        say("  medians of the rounds, ms")
        say(f"    {'model':8s}" + "".join(f"{phase + ' P50':>14s}{phase + ' P99':>14s}"
                                          for phase in PHASES))
        for model in MODELS:
            say(f"    {model:8s}" + "".join(
                f"{statistics.median(of[phase, model]):14.3f}" for phase in PHASES
                for of in (self.p50, self.p99)))

    def judge(self):
        check = self.report.check
        check("loads in which the generator fell behind", f"{self.invalid} of {self.loads}",
              self.invalid == 0, "none: else the figures are the generator's")
        check("requests of the normal client that were not answered 200",
              f"{self.refused} of {self.offered}", self.refused <= 0.001 * self.offered, "<= 0.1 %")
        for model, required in MODELS.items():
            alone = statistics.median(self.p99["alone", model])
            for phase in ("idle", "loris"):
                moved = statistics.median(self.p99[phase, model]) / alone - 1
                check(f"P99 of {model} moves, {phase}", f"{moved * 100:+.1f} %",
                      moved < MOVES_AT_MOST, f"< {MOVES_AT_MOST * 100:.0f} %", required=required)
        check("resident memory for each idle connection", f"{self.per_idle:.2f} KiB",
              self.per_idle <= 4, "<= 4 KiB")
        check("idle connections still open at each round's end", self.still_open,
              min(self.still_open) == self.asked.idle, f"{self.asked.idle}")
        check("drippers behind their own plan at most", f"{self.drippers_late:.2f} s",
              self.drippers_late <= CUT_SLACK_S, f"<= {CUT_SLACK_S:.0f} s: else the next two are theirs")
        for what, limit_s in (("header", HEADER_TIMEOUT_S), ("body", BODY_TIMEOUT_S)):
            lasted = [seconds for kind, seconds, _ in self.cut if kind == what]
            told = sum(1 for kind, _, status in self.cut if kind == what and status == "408")
            check(f"drippers of a {what}, cut after at most",
                  f"{max(lasted, default=0):.2f} s ({len(lasted)} of them, {told} told 408)",
                  lasted and max(lasted) <= limit_s + CUT_SLACK_S and told == len(lasted),
                  f"<= {limit_s} + {CUT_SLACK_S:.0f} s, each told 408")


def measure(bench, report, asked):
    repository = bench.repository("models")
    # Without latency goals: nothing slow is refused, all of it is in the P99.
    bench.null_model(repository, "null5", base_ms=4, item_ms=0.25, max_batch=32)
    bench.null_model(repository, "null0", base_ms=0, max_batch=32)
    with bench.server(repository) as server:
        measurement = Measurement(bench, report, server, asked)
        bench.load(server, "null5", 1, "--mode", "poisson", "--rate", asked.rate)  # warms all up
        for number in range(asked.rounds):
            measurement.round(number)
        refused = total(server.metrics(), "xcloud_connections_refused_total")
        report.say(f"  {asked.idle} idle, {asked.loris} dripping, {asked.rate:.0f} requests/s, "
                   f"{refused:.0f} connections refused")
        measurement.table()
        measurement.judge()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", help="folder of the build")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=7, help="of one load")
    parser.add_argument("--rate", type=float, default=200, help="requests/s of the normal client")
    parser.add_argument("--idle", type=int, default=10_000)
    parser.add_argument("--loris", type=int, default=200)
    parser.add_argument("--results", type=pathlib.Path, help="file to append to",
                        default=RESULTS / f"{datetime.date.today()}-connections.txt")
    asked = parser.parse_args()
    if not os.access(ROOT / asked.build / "xcloud", os.X_OK):
        print(f"no {asked.build}/xcloud: run make build first", file=sys.stderr)
        return 2
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the server is ended too
    report = ConnectionsReport(asked.results)
    report.say("== connections ==")
    try:
        with tempfile.TemporaryDirectory(prefix="xcloud-bench-") as folder:
            measure(Workbench(asked.build, folder), report, asked)
    except (Failed, OSError, http.client.HTTPException) as error:
        report.say(f"  FAILED   {error}")
        report.failed.append(str(error))
    report.say("  " + ("FAILED: " + "; ".join(report.failed) if report.failed
                       else "every check passed"))
    report.say()
    report.close()
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
