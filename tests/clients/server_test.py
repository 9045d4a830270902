"""What server.py promises to the other scripts."""

import json
import unittest
import urllib.request

import server


def get(running, path):
    with urllib.request.urlopen(running.url(path), timeout=30) as answer:
        return json.load(answer)


class ServerTest(unittest.TestCase):
    def test_serves_made_and_copied_models_and_leaves_in_order(self):
        running = server.start(models=[
            server.null_model('made', labels=['cat', 'dog'], toml='[batching]\nmax_batch = 4'),
            server.copied_model(server.SOURCE / 'bench/models/null5', name='copied')])
        self.addCleanup(running.stop)
        services = {info['name']: info for info in get(running, '/api/services')}
        self.assertEqual({name: info['state'] for name, info in services.items()},
                         {'made': 'ready', 'copied': 'ready'})
        self.assertEqual(services['made']['label_count'], 2)
        self.assertEqual(services['made']['max_batch'], 4)
        request = urllib.request.Request(running.url('/cv/made'), data=server.photo(),
                                         headers={'Content-Type': 'image/jpeg'})
        with urllib.request.urlopen(request, timeout=30) as answer:
            self.assertEqual(json.load(answer)['code'], 0)
        self.assertEqual(running.terminate(), 0)
        self.assertFalse(running.running())
        running.stop()
        self.assertFalse(running.folder.exists())

    def test_says_what_the_server_said_when_it_does_not_start(self):
        with self.assertRaisesRegex(RuntimeError, 'header_limit_bytes'):
            server.start(settings={'server.header_limit_bytes': 1})


if __name__ == '__main__':
    server.main()
