"""The real xcloud binary for a client test: on a free port of 127.0.0.1, ended with the test.

    import server

    class MyTest(unittest.TestCase):
        @classmethod
        def setUpClass(cls):
            cls.server = server.start(
                models=[server.null_model('demo', labels=['cat', 'dog']),
                        server.copied_model(server.SOURCE / 'bench/models/null5')],
                settings={'server.body_limit_bytes': 100000})
            cls.addClassCleanup(cls.server.stop)

        def test_something(self):
            requests.post(self.server.url('/cv/demo'), data=server.photo())

    if __name__ == '__main__':
        server.main()

The script takes --binary PATH and then what unittest takes. start() returns when the server has
printed its "listening on" line, which it does when every model is loaded, and raises with what the
server wrote when that does not come. Models lie in a temporary folder, which goes with stop().
"""

import argparse
import ctypes
import dataclasses
import io
import os
import pathlib
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
START_SECONDS = 120  # TorchScript models take tens of seconds on a small machine
STOP_SECONDS = 30
ALL_SKIPPED = 77  # exit status; CMakeLists.txt tells ctest

_binary = None  # set by main()


@dataclasses.dataclass(frozen=True)
class Model:
    """A folder of the repository: copied from `folder`, then `files` (name: text) on top."""
    name: str
    folder: pathlib.Path | None = None
    files: dict = dataclasses.field(default_factory=dict)


def null_model(name='null', labels=('one', 'two', 'three'), toml=''):
    """A ready service without weights. `toml` is added to its model.toml: it may open sections
    other than [model] ('[batching]\\nmax_batch = 4')."""
    text = f'title = "Null model {name}"\n[model]\nbackend = "null"\n{toml}\n'
    return Model(name, files={'model.toml': text, 'labels.txt': ''.join(l + '\n' for l in labels)})


def copied_model(folder, name=None, **files):
    """The model of another repository, weights and all; `files` replace or add some of it."""
    folder = pathlib.Path(folder)
    return Model(name or folder.name, folder, files)


def photo(width=64, height=48, seed=1, form='JPEG'):
    """The bytes of a made photo, in a format that Pillow writes."""
    from PIL import Image
    pixels = random.Random(seed).randbytes(width * height * 3)
    out = io.BytesIO()
    Image.frombytes('RGB', (width, height), pixels).save(out, form)
    return out.getvalue()


def free_port():
    """A port of 127.0.0.1 that was free just now, for programs that cannot bind 0 themselves."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def die_with_parent():
    """For Popen's preexec_fn: no server outlives a test that is killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Server:
    """A server that listens. Made by start()."""

    def __init__(self, models, settings, binary):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='xcloud-client-'))
        self.repository = self.folder / 'models'
        self.database = self.folder / 'calls.db'
        self.port = 0
        self._process = None
        try:
            self.repository.mkdir()
            for model in models:
                self.add_model(model)
            self._spawn(settings, binary)
        except BaseException:
            self.stop()
            raise

    def add_model(self, model):
        """Puts a model into the repository; a running server sees it when told to load it."""
        folder = self.repository / model.name
        if model.folder is None:
            folder.mkdir(exist_ok=True)
        else:
            shutil.copytree(model.folder, folder, dirs_exist_ok=True)
        for name, text in model.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)

    def url(self, path='/'):
        return f'http://127.0.0.1:{self.port}{path}'

    @property
    def address(self):
        """'127.0.0.1:PORT', as tritonclient wants it."""
        return f'127.0.0.1:{self.port}'

    @property
    def pid(self):
        return self._process.pid

    def running(self):
        return self._process.poll() is None

    def log(self):
        """What the server has written to stderr."""
        return (self.folder / 'stderr').read_text(errors='replace')

    def terminate(self):
        """SIGTERM, then the exit status: 0 when it drained and left in order."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(STOP_SECONDS)

    def stop(self):
        """Ends the server, however it stands, and removes its folder."""
        if self._process is not None:
            if self.running():
                self._process.kill()
            self._process.wait(STOP_SECONDS)
            self._process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _spawn(self, settings, binary):
        wanted = {'server.address': '127.0.0.1', 'server.port': 0,
                  'repository.path': self.repository, 'storage.url': f'sqlite:{self.database}',
                  'scheduler.profile_folder': self.folder / 'profiles', **settings}
        # An empty file, or configs/xcloud.toml would be read.
        (self.folder / 'xcloud.toml').touch()
        arguments = [str(binary), 'serve', '--config', str(self.folder / 'xcloud.toml')]
        for key, value in wanted.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            arguments += ['--set', f'{key}={text}']
        with open(self.folder / 'stderr', 'wb') as errors:
            self._process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                cwd=SOURCE, preexec_fn=die_with_parent)
        self.port = self._wait_listening()

    def _wait_listening(self):
        end = time.monotonic() + START_SECONDS
        text = b''
        while (left := end - time.monotonic()) > 0:
            if not select.select([self._process.stdout], [], [], left)[0]:
                break
            read = os.read(self._process.stdout.fileno(), 4096)
            if not read:
                raise RuntimeError(f'xcloud ended: {self._process.wait()}\n{self.log()}')
            text += read
            if found := re.search(rb'^listening on http://\S+:(\d+)\n', text, re.MULTILINE):
                return int(found[1])
        raise TimeoutError(f'xcloud did not listen within {START_SECONDS} s\n{self.log()}')


def start(models=(null_model(),), settings=None, binary=None):
    """Starts the binary of --binary, or `binary`. `settings` become --set arguments."""
    return Server(models, settings or {}, binary or _binary)


def main():
    """Runs the calling script's cases."""
    global _binary
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument('--binary', type=pathlib.Path,
                        default=SOURCE / 'build/release/xcloud')
    options, rest = parser.parse_known_args()
    _binary = options.binary.resolve()
    if not _binary.exists():
        sys.exit(f'{_binary} does not exist: build the target xcloud, or name --binary')
    program = unittest.main(module='__main__', argv=[sys.argv[0], *rest], exit=False)
    result = program.result
    if not result.wasSuccessful():
        sys.exit(1)
    if result.testsRun > 0 and len(result.skipped) >= result.testsRun:
        sys.exit(ALL_SKIPPED)
