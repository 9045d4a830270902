#!/usr/bin/env python3
"""Measures how often a running server is right, over real photos whose answers are known.

    bench/accuracy.py --url http://127.0.0.1:8080                every service that has weights
    bench/accuracy.py --url http://127.0.0.1:8080 food insect    some of them
    bench/accuracy.py --url ... --data DIR                       photos elsewhere

imagenet               photos of labels.csv: share whose class is the first answer, or among five
food, insect           the same photos: those of their classes, found first or among five; of the
                       others, how many get an answer that is not Unknown (false ones)
nsfw                   photos of imagenet, garbage, pdr and plant: share called sfw
garbage, pdr, plant    SET/val/CLASS/*: share whose class is the first answer, and by class
facesearch             faces/PERSON/*: enrols the first --enrol photos of each person, asks with the
                       rest: share whose best match is that person
cbir                   ten photos a class of garbage, pdr and plant are enrolled: does each find
                       itself first, and what share of ten answers to other photos has their class

A few connections ask one photo after the other (closed loop). Galleries must be empty before, and
are emptied after. A photo that gets no answer counts as wrong and is told. Appends to
bench/results/DATE-accuracy.txt with the machine, the revision and the versions that answered.
Standard library only. Exit code: 0 measured, 1 a service that should answer did not, 2 no server.
"""

import argparse
import collections
import concurrent.futures
import csv
import datetime
import http.client
import json
import os
import pathlib
import platform
import sys
import threading
import urllib.parse

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from measure import RESULTS, ROOT, revision  # noqa: E402

SUFFIXES = {".jpg", ".jpeg", ".png"}
NO_HURRY = "deadline_ms=60000"
UNKNOWN = "Unknown"
CLASS_SETS = ("garbage", "pdr", "plant")
SEARCH_PHOTOS = 10  # a class, enrolled for cbir; as many others are asked about
TIMEOUT_S = 90


class NoAnswer(Exception):
    """The server refused, or said what cannot be read."""


class Server:
    """Asks one server from several threads, each with a connection of its own."""

    def __init__(self, url, connections):
        parts = urllib.parse.urlsplit(url if "//" in url else "http://" + url)
        self.host, self.port = parts.hostname, parts.port or 80
        self.connections = connections
        self.local = threading.local()

    def ask(self, method, path, body=None):
        """The JSON of a 200; NoAnswer otherwise."""
        connection = getattr(self.local, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT_S)
            self.local.connection = connection
        try:
            connection.request(method, path, body)
            reply = connection.getresponse()
            text = reply.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise NoAnswer(f"{method} {path}: {error!r}") from error
        if reply.status != 200:
            raise NoAnswer(f"{method} {path}: {reply.status} {text[:200].decode(errors='replace')}")
        try:
            return json.loads(text)
        except ValueError as error:
            raise NoAnswer(f"{method} {path}: no JSON: {text[:200]!r}") from error

    def photo(self, method, path, photo):
        """The answer about a file; the NoAnswer itself when there is none."""
        try:
            return self.ask(method, path, photo.read_bytes())
        except NoAnswer as error:
            return error

    def photos(self, method, path_of, photos):
        """Asks about each, on all connections; answers in the photos' order."""
        with concurrent.futures.ThreadPoolExecutor(self.connections) as pool:
            return list(pool.map(lambda photo: self.photo(method, path_of(photo), photo), photos))

    def services(self):
        return {service["name"]: service for service in self.ask("GET", "/api/services")}


class Report:
    """Says each line on stdout and in the day's file."""

    def __init__(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = open(path, "a", encoding="utf-8")
        self.failed = False

    def say(self, line):
        print(line, flush=True)
        self.file.write(line + "\n")
        self.file.flush()

    def refused(self, service, answers):
        """Tells of photos without an answer."""
        without = [answer for answer in answers if isinstance(answer, NoAnswer)]
        if without:
            self.failed = True
            self.say(f"  {service}: {len(without)} of {len(answers)} without answer: {without[0]}")


def share(part, whole):
    return f"{part} of {whole}" + (f" ({100 * part / whole:.1f} %)" if whole else "")


def photos_in(folder):
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)


def photos_by_class(folder):
    """{class: photos} of a folder of folders."""
    if not folder.is_dir():
        return {}
    return {path.name: photos_in(path) for path in sorted(folder.iterdir()) if path.is_dir()}


def labels_of(answer, service):
    """The labels that a classification answers, likeliest first; none when there is no answer."""
    if isinstance(answer, NoAnswer):
        return []
    return [item[service["answer"]["label_key"]] for item in answer["data"]]


def route(service, **options):
    query = "&".join([NO_HURRY] + [f"{key}={value}" for key, value in options.items()])
    return lambda photo: f"{service['route']}?{query}"


def imagenet_photos(data):
    """[(photo, label)] of the set; empty when it is not there."""
    table = data / "imagenet/labels.csv"
    if not table.is_file():
        return []
    names = (ROOT / "configs/models/imagenet/labels.txt").read_text().splitlines()
    with open(table, newline="", encoding="utf-8") as file:
        return [
            (data / "imagenet" / row["file"], names[int(row["class_index"])])
            for row in csv.DictReader(file)
        ]


def found(labels, answers):
    """How many labels are the first of their answers, and how many are among them."""
    first = sum(bool(given) and given[0] == label for label, given in zip(labels, answers))
    return first, sum(label in given for label, given in zip(labels, answers))


def measure_imagenet(server, service, data, report):
    photos = imagenet_photos(data)
    answers = server.photos("POST", route(service, k=5), [photo for photo, _ in photos])
    first, among = found([label for _, label in photos], [labels_of(a, service) for a in answers])
    report.refused("imagenet", answers)
    report.say(f"imagenet: top-1 {share(first, len(photos))}, top-5 {share(among, len(photos))}")


def measure_part(server, service, data, report):
    """A service of some of ImageNet's classes."""
    name = service["name"]
    own = set((ROOT / "configs/models" / name / "labels.txt").read_text().splitlines())
    photos = imagenet_photos(data)
    answers = server.photos("POST", route(service), [photo for photo, _ in photos])
    report.refused(name, answers)
    pairs = [(label, labels_of(answer, service)) for (_, label), answer in zip(photos, answers)]
    mine = [pair for pair in pairs if pair[0] in own]
    others = [given for label, given in pairs if label not in own]
    first, among = found(*zip(*mine)) if mine else (0, 0)
    false = sum(bool(given) and given[0] != UNKNOWN for given in others)
    report.say(f"{name}: of its {len(own)} classes' photos top-1 {share(first, len(mine))}, top-5 "
               f"{share(among, len(mine))}; others answered as one: {share(false, len(others))}")


def measure_nsfw(server, service, data, report):
    photos = [photo for photo, _ in imagenet_photos(data)]
    for name in CLASS_SETS:
        photos += [p for some in photos_by_class(data / name / "val").values() for p in some]
    answers = server.photos("POST", route(service), photos)
    report.refused("nsfw", answers)
    safe = sum(labels_of(answer, service)[:1] == ["sfw"] for answer in answers)
    report.say(f"nsfw: ordinary photos called sfw: {share(safe, len(photos))}")


def measure_classes(server, service, data, report):
    name = service["name"]
    right, seen = collections.Counter(), collections.Counter()
    pairs = [(p, c) for c, some in photos_by_class(data / name / "val").items() for p in some]
    answers = server.photos("POST", route(service), [photo for photo, _ in pairs])
    report.refused(name, answers)
    for (_, label), answer in zip(pairs, answers):
        seen[label] += 1
        right[label] += labels_of(answer, service)[:1] == [label]
    by_class = ", ".join(f"{label} {right[label]}/{seen[label]}" for label in sorted(seen))
    report.say(f"{name}: top-1 {share(right.total(), seen.total())}: {by_class}")


class Gallery:
    """A service's gallery, filled for the time of a `with` block."""

    def __init__(self, server, service, report):
        self.server, self.service, self.report = server, service, report
        self.folder = service["route"] + "/gallery"
        self.data_key = "results" if service["name"] == "facesearch" else "data"
        self.ids = []

    def __enter__(self):
        listed = self.server.ask("GET", self.folder)
        count = listed[self.data_key]["count"]
        if count:
            raise NoAnswer(f"{self.folder} has {count} entries: measured on an empty one")
        return self

    def path_of(self, identity):
        return f"{self.folder}/{urllib.parse.quote(identity)}"

    def enrol(self, photos):
        """`photos`: {id: file}. The ids that were taken."""
        ids = list(photos)
        self.ids += ids
        by_photo = {file: identity for identity, file in photos.items()}
        answers = self.server.photos(
            "PUT", lambda photo: f"{self.path_of(by_photo[photo])}?{NO_HURRY}", photos.values()
        )
        self.report.refused(f"{self.service['name']} gallery", answers)
        return {i for i, answer in zip(ids, answers) if is_success(answer)}

    def __exit__(self, *_):
        for identity in self.ids:
            try:
                self.server.ask("DELETE", self.path_of(identity))
            except NoAnswer:
                pass  # it was not taken


def is_success(answer):
    return not isinstance(answer, NoAnswer) and answer.get("code") == 0


def measure_facesearch(server, service, data, report, enrol):
    """Ids are PERSON-NUMBER."""
    people = photos_by_class(data / "faces")
    with Gallery(server, service, report) as gallery:
        known = {f"{person}-{number}": file for person, files in people.items()
                 for number, file in enumerate(files[:enrol], 1)}
        taken = gallery.enrol(known)
        asked = [(person, f) for person, files in people.items() for f in files[enrol:]]
        answers = server.photos("POST", route(service, k=1), [file for _, file in asked])
        report.refused("facesearch", answers)
        good = [is_success(answer) and answer["results"] for answer in answers]
        right = sum(bool(g) and g[0][0].rpartition("-")[0] == p for g, (p, _) in zip(good, asked))
        seen = sum(bool(g) for g in good)
    report.say(f"facesearch: {len(people)} people, {enrol} photos of each enrolled "
               f"({len(taken)} of {len(known)} had a face): rank-1 {share(right, len(asked))}; "
               f"of the {seen} with a face {share(right, seen)}")


def measure_cbir(server, service, data, report):
    """Ids are SET-CLASS-NUMBER."""
    known, asked = {}, []
    for name in CLASS_SETS:
        for label, photos in photos_by_class(data / name / "train").items():
            some = enumerate(photos[:SEARCH_PHOTOS], 1)
            known |= {f"{name}-{label}-{number}": photo for number, photo in some}
        for label, photos in photos_by_class(data / name / "val").items():
            asked += [(f"{name}-{label}-", p) for p in photos[:SEARCH_PHOTOS]]
    with Gallery(server, service, report) as gallery:
        taken = gallery.enrol(known)
        of_itself = server.photos("POST", route(service, k=1), known.values())
        answers = server.photos("POST", route(service, k=10), [photo for _, photo in asked])
    report.refused("cbir", of_itself + answers)
    itself = sum(is_success(a) and a["data"][:1] == [i] for i, a in zip(known, of_itself))
    alike, given = 0, 0
    for (start, _), answer in zip(asked, answers):
        ids = answer["data"] if is_success(answer) else []
        alike += sum(identity.startswith(start) for identity in ids)
        given += len(ids)
    report.say(f"cbir: {len(taken)} photos of {len({i.rpartition('-')[0] for i in known})} classes "
               f"enrolled; finds itself first: {share(itself, len(known))}; "
               f"{len(asked)} other photos: answers of their class {share(alike, given)}")


def measure(name, server, service, data, report, options):
    if name == "facesearch":
        measure_facesearch(server, service, data, report, options.enrol)
        return
    kinds = {"imagenet": measure_imagenet, "food": measure_part, "insect": measure_part,
             "nsfw": measure_nsfw, "cbir": measure_cbir}
    kinds.get(name, measure_classes)(server, service, data, report)


NAMES = ("imagenet", "food", "insect", "nsfw", *CLASS_SETS, "facesearch", "cbir")


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown CPU"


def say_conditions(report, server, services, data):
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    told = server.ask("GET", "/v2")
    report.say(f"== accuracy {now}")
    report.say(f"  {cpu_name()}, {len(os.sched_getaffinity(0))} cores, {platform.system()} "
               f"{platform.release()}, load average {os.getloadavg()[0]:.2f}, "
               f"Python {platform.python_version()}")
    report.say(f"  {told.get('name')} {told.get('version')} {revision()}, "
               f"{server.connections} connections, photos of {data}")
    ready = [f"{n} {services[n]['version']} ({services[n]['backend']})"
             for n in NAMES if n in services and services[n]["state"] == "ready"]
    report.say("  " + (", ".join(ready) or "nothing that can be measured is ready"))


def run(options):
    server = Server(options.url, options.connections)
    try:
        services = server.services()
    except NoAnswer as error:
        print(f"accuracy: no server: {error}", file=sys.stderr)
        return 2
    report = Report(options.out or RESULTS / f"{datetime.date.today()}-accuracy.txt")
    say_conditions(report, server, services, options.data)
    for name in options.names or NAMES:
        service = services.get(name)
        if service is None or service["state"] != "ready":
            why = service["reason"] or service["state"] if service else "no such service"
            report.say(f"{name}: not measured: {why}")
            continue
        try:
            measure(name, server, service, options.data, report, options)
        except NoAnswer as error:
            report.failed = True
            report.say(f"{name}: not measured: {error}")
    return 1 if report.failed else 0


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="SERVICE", help="of: " + ", ".join(NAMES))
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="(%(default)s)")
    parser.add_argument("--data", type=pathlib.Path, default=ROOT.parent / "shared/data",
                        metavar="DIR", help="the photos (../shared/data)")
    parser.add_argument("--connections", type=int, default=4, metavar="N", help="(%(default)s)")
    parser.add_argument("--enrol", type=int, default=4, choices=range(1, 8), metavar="N",
                        help="photos of each person in the gallery, 1 to 7 (%(default)s)")
    parser.add_argument("--out", type=pathlib.Path, metavar="FILE",
                        help="(bench/results/DATE-accuracy.txt)")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in NAMES]
    if unknown:
        parser.error(f"cannot measure {', '.join(unknown)}; only {', '.join(NAMES)}")
    if not options.data.is_dir():
        parser.error(f"no photos: {options.data} is no folder (--data)")
    return run(options)


if __name__ == "__main__":
    sys.exit(main())
