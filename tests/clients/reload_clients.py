"""What tests/clients/reload_test.py and bench/reload.py share: clients that ask without a pause
while models come and go, TorchScript files to reload, and the server's memory."""

import contextlib
import http.client
import pathlib
import re
import threading
import time

import server

LABELS = ['cat', 'dog', 'bird']


def torch_module(path, outputs=3, seed=1, width=32):
    """Writes a small convolutional network as TorchScript; False when there is no torch."""
    try:
        import torch
    except ImportError:
        return False
    torch.manual_seed(seed)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, width, 3, stride=4), torch.nn.ReLU(),
        torch.nn.Conv2d(width, 2 * width, 3, stride=2), torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(4), torch.nn.Flatten(),
        torch.nn.Linear(32 * width, 1024), torch.nn.ReLU(), torch.nn.Linear(1024, outputs)).eval()
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.jit.trace(net, torch.zeros(1, 3, 224, 224)).save(str(path))
    return True


class Clients:
    """`count` clients, each of which sends photos to `path` on a connection of its own, one after
    the other. Any answer but 200 is a failure; so is none."""

    def __init__(self, port, path, count=4, photo=None):
        self.answered = 0
        self.failures = []
        self.versions = {}
        self._port, self._path = port, path
        self._photo = photo or server.photo(640, 480)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(count)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def wait_answered(self, more, seconds=60):
        """Until so many more have been answered."""
        goal = self.answered + more
        end = time.monotonic() + seconds
        while self.answered < goal and time.monotonic() < end and not self.failures:
            time.sleep(0.01)
        return self.answered >= goal

    def _run(self):
        connection = http.client.HTTPConnection('127.0.0.1', self._port, timeout=60)
        with contextlib.closing(connection):
            while not self._stop.is_set():
                try:
                    connection.request('POST', self._path, self._photo,
                                       {'Content-Type': 'image/jpeg'})
                    answer = connection.getresponse()
                    body = answer.read()
                except OSError as error:
                    return self._fail(repr(error))
                if answer.status != 200:
                    self._fail(f'{answer.status}: {body[:300]!r}')
                    continue
                version = re.search(rb'"version":"(\d+)"', body)
                with self._lock:
                    self.answered += 1
                    key = version[1].decode() if version else '?'
                    self.versions[key] = self.versions.get(key, 0) + 1

    def _fail(self, why):
        with self._lock:
            self.failures.append(why)


def rss_kib(pid):
    """Resident memory of a process."""
    text = pathlib.Path(f'/proc/{pid}/status').read_text()
    return int(re.search(r'^VmRSS:\s+(\d+) kB', text, re.MULTILINE)[1])


def wait_released(running, count, seconds=60):
    """Until the server's log tells of so many models that were released."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if running.log().count('that was taken out is released') >= count:
            return True
        time.sleep(0.02)
    return False
