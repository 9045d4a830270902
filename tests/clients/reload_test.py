"""Models that are reloaded under load by the real binary: no answer fails, memory does not grow,
and a corrupt, a mismatched and a half-copied version each leave the old one serving. A short form
of bench/reload.py.
"""

import hashlib
import json
import pathlib
import subprocess
import tempfile
import time
import unittest
import urllib.request

import server
from reload_clients import LABELS, Clients, rss_kib, torch_module, wait_released

TOML = '[batching]\nmax_batch = 2\n[versions]\n{versions}\n'
POLL_S = 0.3


def setUpModule():
    global running, folder, good
    scratch = tempfile.TemporaryDirectory(prefix='xcloud-reload-')
    unittest.addModuleCleanup(scratch.cleanup)
    good = pathlib.Path(scratch.name, 'good.pt')
    if not torch_module(good):
        raise unittest.SkipTest('there is no torch here to make networks with')
    running = server.start(
        models=[server.Model('m', files={'model.toml': TOML.format(versions=''),
                                         'labels.txt': '\n'.join(LABELS) + '\n'})],
        settings={'repository.poll_interval_s': POLL_S, 'log.level': 'info'})
    unittest.addModuleCleanup(running.stop)
    folder = running.repository / 'm'
    put(1, good.read_bytes())
    wait_for(lambda: state(1) == 'READY')


def put(version, data, **others):
    """A version's files; model.pt last, in place at once, as a careful publisher does."""
    target = folder / str(version)
    target.mkdir(exist_ok=True)
    for name, text in others.items():
        (target / name).write_text(text)
    (target / '.model.pt').write_bytes(data)
    (target / '.model.pt').rename(target / 'model.pt')


def post(path, body=b'{}'):
    request = urllib.request.Request(running.url(path), body, method='POST')
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.loads(answer.read())


def rows():
    return {int(row['version']): row for row in post('/v2/repository/index')
            if row['name'] == 'm' and row.get('version')}


def state(version):
    return rows().get(version, {}).get('state')


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f'it did not come to that: {rows()}\n{running.log()[-3000:]}')
        time.sleep(0.02)


class BadVersionTest(unittest.TestCase):
    def bad_version(self, version, data, reason, **others):
        """It appears while clients ask; the old one goes on, and the reason is told."""
        self.addCleanup(self.remove, version)
        with Clients(running.port, '/cv/m?explain=1') as clients:
            put(version, data, **others)
            wait_for(lambda: state(version) == 'UNAVAILABLE')
            self.assertTrue(clients.wait_answered(20))
        self.assertEqual(clients.failures, [])
        self.assertEqual(set(clients.versions), {'1'})
        self.assertIn(reason, rows()[version]['reason'])
        with urllib.request.urlopen(running.url('/api/services/m')) as answer:
            info = json.loads(answer.read())
        self.assertEqual((info['state'], info['version']), ('ready', '1'))
        self.assertIn('version 1 goes on answering', info['reason'])
        with urllib.request.urlopen(running.url('/metrics')) as answer:
            metrics = answer.read().decode()
        self.assertIn('xcloud_model_version_ready{model="m",version="1"} 1', metrics)
        self.assertIn('xcloud_model_loads_total{model="m",outcome="invalid_argument"}', metrics)

    def remove(self, version):
        for file in (folder / str(version)).iterdir():
            file.unlink()
        (folder / str(version)).rmdir()
        wait_for(lambda: set(rows()) == {1} and not rows()[1]['reason'])

    def test_corrupt(self):
        self.bad_version(2, b'no network at all' * 1000, 'not a TorchScript file')

    def test_mismatched(self):
        file = good.parent / 'four.pt'
        torch_module(file, outputs=4)
        self.bad_version(3, file.read_bytes(), '[2, 4]')

    def test_half_copied(self):
        data = good.read_bytes()
        sums = hashlib.sha256(data).hexdigest() + '  model.pt\n'
        self.bad_version(4, data[:len(data) // 2], 'm/4/model.pt: its SHA-256 is',
                         SHA256SUMS=sums)
        put(4, data)
        wait_for(lambda: state(4) == 'READY')
        self.assertEqual(set(rows()), {4})


class ReloadTest(unittest.TestCase):
    def test_reloads_under_load(self):
        put(5, good.read_bytes())
        wait_for(lambda: state(5) == 'READY')
        put(6, good.read_bytes())
        wait_for(lambda: state(6) == 'READY')
        resident = []
        with Clients(running.port, '/cv/m?explain=1') as clients:
            released = running.log().count('that was taken out is released')
            for cycle in range(10):
                toml = TOML.format(versions=f'policy = "listed"\nlist = [{5 + cycle % 2}]')
                (folder / 'model.toml').write_text(toml)
                post('/v2/repository/models/m/load')
                self.assertTrue(wait_released(running, released + cycle + 1))
                self.assertTrue(clients.wait_answered(8))
                resident.append(rss_kib(running.pid))
        self.assertEqual(clients.failures, [])
        self.assertEqual(set(clients.versions), {'5', '6'})
        # A leak of a copy of the weights a cycle would be a fifth of all.
        self.assertLess(resident[-1], 1.15 * resident[2], resident)


class CommandTest(unittest.TestCase):
    def command(self, *arguments):
        done = subprocess.run(
            [str(server._binary), 'model', *arguments], capture_output=True, text=True,
            timeout=120, check=False, cwd=server.SOURCE)
        return done.returncode, done.stdout, done.stderr

    def test_list_load_unload(self):
        url = running.url('')
        code, out, _ = self.command('list', '--server', url)
        self.assertEqual(code, 0)
        self.assertRegex(out, r'NAME +VERSION +STATE')
        self.assertRegex(out, r'm +\d+ +READY')
        code, out, errors = self.command('unload', 'm', '--server', url)
        self.assertEqual((code, out), (0, 'm is unloaded\n'), errors)
        code, out, errors = self.command('load', 'm', '--server', url)
        self.assertEqual(code, 0, errors)
        self.assertRegex(out, r'm +\d+ +READY')

    def test_errors_are_clear(self):
        url = running.url('')
        code, _, errors = self.command('load', 'nobody', '--server', url)
        self.assertEqual(code, 1)
        self.assertIn("failed to load 'nobody'", errors)
        code, _, errors = self.command('load', '../m', '--server', url)
        self.assertEqual(code, 1)
        self.assertIn("no model's name", errors)
        code, _, errors = self.command('list', '--server', f'127.0.0.1:{server.free_port()}')
        self.assertEqual(code, 2)
        self.assertIn('cannot reach', errors)

    def test_check(self):
        code, out, _ = self.command('check', str(running.repository))
        self.assertEqual(code, 0, out)
        (folder / '9').mkdir()
        self.addCleanup((folder / '9').rmdir)
        code, out, _ = self.command('check', str(folder))
        self.assertEqual(code, 1)
        self.assertIn('wrong: m/9: there is no model.pt in it', out)
        self.assertEqual(self.command('check', '/nowhere')[0], 2)


if __name__ == '__main__':
    server.main()
