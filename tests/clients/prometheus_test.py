"""/metrics as Prometheus sees it: by its own client's parser, its own linter, and its own server.

Without the Debian package `prometheus` the two cases that need it are skipped.
"""

import json
import shutil
import subprocess
import tempfile
import time
import unittest
import pathlib
import urllib.error
import urllib.parse
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

import server

POSTS = 5
SCRAPE_SECONDS = 60  # until the scraper has what we wait for; it scrapes each second
# Triton's names are what its clients and dashboards ask for, whatever promtool says of them.
ALLOWED_OF_TRITON = (
    'counter metrics should have "_total" suffix',
    'non-histogram and non-summary metrics should not have "_count" suffix',
    'metric names should not contain abbreviated units',
    "metric name should not include type 'histogram'",
)


def get(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read().decode()


def post_photos(running, count=POSTS):
    """What makes every series that a request makes: answers, a refusal, an expiry."""
    def post(path, data):
        request = urllib.request.Request(running.url(path), data=data,
                                         headers={'Content-Type': 'image/jpeg'})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
    photo = server.photo()
    for _ in range(count):
        assert post('/cv/demo?model_version=1', photo) == 200
    assert post('/cv/slow?deadline_ms=20', photo) in (429, 504)
    assert post('/cv/none', photo) == 404


def start(**settings):
    models = [server.null_model('demo'),
              server.null_model('slow', toml='[null]\nbase_ms = 200')]
    return server.start(models=models, settings={f'server.{key}': value
                                                 for key, value in settings.items()})


class MetricsTextTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = start()
        cls.addClassCleanup(cls.server.stop)
        post_photos(cls.server)
        cls.text = get(cls.server.url('/metrics'))

    def test_prometheus_client_reads_every_line(self):
        families = list(text_string_to_metric_families(self.text))
        names = {family.name for family in families}
        self.assertEqual(len(names), len(families), 'a family stands twice')
        self.assertNotIn('unknown', {family.type for family in families})
        for family in families:
            self.assertTrue(family.documentation, f'{family.name} has no HELP')
        samples = [sample for family in families for sample in family.samples]
        lines = [line for line in self.text.splitlines() if line and not line.startswith('#')]
        self.assertEqual(len(samples), len(lines))
        self.assertEqual(len({(s.name, tuple(sorted(s.labels.items()))) for s in samples}),
                         len(samples), 'a series stands twice')
        requests = {sample.labels['code']: sample.value for sample in samples
                    if sample.name == 'xcloud_requests_total'
                    and sample.labels['endpoint'] == 'POST /cv/{service}'}
        self.assertEqual(requests['200'], POSTS)
        self.assertEqual(requests['404'], 1)

    def test_histograms_rise_to_their_count(self):
        for family in text_string_to_metric_families(self.text):
            if family.type != 'histogram':
                continue
            series = {}
            for sample in family.samples:
                labels = dict(sample.labels)
                bound = labels.pop('le', None)
                kind = sample.name.removeprefix(family.name)
                series.setdefault(tuple(sorted(labels.items())), []).append(
                    (kind, bound, sample.value))
            for labels, values in series.items():
                buckets = [value for kind, _, value in values if kind == '_bucket']
                self.assertEqual(buckets, sorted(buckets), f'{family.name}{labels}')
                self.assertIn(('_bucket', '+Inf', buckets[-1]), values)
                self.assertIn(('_count', None, buckets[-1]), values)

    @unittest.skipUnless(shutil.which('promtool'), 'promtool is not installed')
    def test_promtool_complains_of_nothing_but_tritons_names(self):
        lint = subprocess.run(['promtool', 'check', 'metrics'], input=self.text, text=True,
                              capture_output=True, timeout=60)
        self.assertNotEqual(lint.returncode, 1, lint.stderr)  # 1: cannot be read; 3: complaints
        for line in lint.stderr.splitlines():
            name, _, complaint = line.partition(' ')
            self.assertTrue(name.startswith('nv_') and complaint in ALLOWED_OF_TRITON, line)


class Prometheus:
    """A real Prometheus that scrapes `target` each second, on a port of its own."""

    def __init__(self, target):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='xcloud-prometheus-'))
        config = {'global': {'scrape_interval': '1s', 'scrape_timeout': '1s'},
                  'scrape_configs': [{'job_name': 'xcloud',
                                      'static_configs': [{'targets': [target]}]}]}
        (self.folder / 'prometheus.yml').write_text(json.dumps(config))  # JSON is YAML
        self.port = server.free_port()
        self.log = open(self.folder / 'log', 'wb')
        self.process = subprocess.Popen(
            ['prometheus', f'--config.file={self.folder}/prometheus.yml',
             f'--storage.tsdb.path={self.folder}/data',
             f'--web.listen-address=127.0.0.1:{self.port}'],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            preexec_fn=server.die_with_parent)

    def stop(self):
        self.process.kill()
        self.process.wait(30)
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def query(self, text):
        """The values of an instant query, by their labels as JSON; None while none come."""
        query = urllib.parse.urlencode({'query': text})
        try:
            answer = json.loads(get(f'http://127.0.0.1:{self.port}/api/v1/query?{query}'))
        except (urllib.error.URLError, ConnectionError):
            return None
        return {json.dumps(row['metric'], sort_keys=True): float(row['value'][1])
                for row in answer['data']['result']}

    def wait_for(self, text, holds):
        """Asks again until `holds` is true of the values; the values it saw last otherwise."""
        end = time.monotonic() + SCRAPE_SECONDS
        values = None
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError((self.folder / 'log').read_text())
            values = self.query(text)
            if values is not None and holds(list(values.values())):
                return values
            time.sleep(0.2)  # a poll, not a measure: the scraper has no event to wait for
        raise TimeoutError(f'{text}: {values}\n{(self.folder / "log").read_text()[-4000:]}')


@unittest.skipUnless(shutil.which('prometheus'), 'prometheus is not installed')
class ScrapeTest(unittest.TestCase):
    def scrape(self, running, target):
        prometheus = Prometheus(target)
        self.addCleanup(prometheus.stop)
        prometheus.wait_for('up', lambda values: values == [1])
        post_photos(running)
        prometheus.wait_for(
            'xcloud_requests_total{endpoint="POST /cv/{service}",code="200"}',
            lambda values: values == [POSTS])
        return prometheus

    def test_a_real_prometheus_scrapes_the_main_port(self):
        running = start()
        self.addCleanup(running.stop)
        prometheus = self.scrape(running, running.address)
        prometheus.wait_for('sum(xcloud_batch_size_sum{model="demo"})',
                            lambda values: values == [POSTS])
        prometheus.wait_for('xcloud_service_ready', lambda values: values == [1, 1])
        prometheus.wait_for(
            'xcloud_stage_seconds_count{model="demo",stage="infer"}',
            lambda values: values == [POSTS])
        prometheus.wait_for(
            'histogram_quantile(0.99, sum by (le) (xcloud_request_seconds_bucket{model="demo"}))',
            lambda values: len(values) == 1 and 0 < values[0] < 10)
        post_photos(running)
        prometheus.wait_for('xcloud_requests_total{endpoint="POST /cv/{service}",code="200"}',
                            lambda values: values == [2 * POSTS])

    def test_a_real_prometheus_scrapes_the_port_of_its_own(self):
        port = server.free_port()
        running = start(metrics_port=port)
        self.addCleanup(running.stop)
        self.scrape(running, f'127.0.0.1:{port}')
        self.assertIn('xcloud_requests_total', get(f'http://127.0.0.1:{port}/metrics'))
        with self.assertRaises(urllib.error.HTTPError) as refused:
            get(f'http://127.0.0.1:{port}/api/services')
        self.assertEqual(refused.exception.code, 404)
        self.assertEqual(running.terminate(), 0)


if __name__ == '__main__':
    server.main()
