"""/openapi.json held against its own standard, and the server against /openapi.json.

schemathesis makes requests out of the document, right ones and wrong ones, and looks whether each
answer is one that the document announces: its status, its content type, its schema, and no 5xx.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import unittest
import urllib.request

from openapi_spec_validator import OpenAPIV31SpecValidator

import server

SEED = 5
MAX_EXAMPLES = 20
CHECKS = ('not_a_server_error', 'status_code_conformance', 'content_type_conformance',
          'response_schema_conformance', 'response_headers_conformance')
# Beside 2xx to 4xx. 504 is what deadline_ms=1 asks for; 503 comes where a model was taken out.
CONFIG = '[checks.not_a_server_error]\nexpected-statuses = ["2xx", "3xx", "4xx", {statuses}]\n'
LOAD_PATHS = r'/(un)?load$'
# Paths that only say that they are not supported: 501.
NOT_SUPPORTED = r'/trace/setting$|/v2/repository/\{'


def get(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read().decode()


def start():
    own_keys = '[answer]\nlabel_key = "name"\nindex_key = "id"\nprobability_key = "score"\n'
    return server.start(models=[
        server.null_model('demo', labels=['cat', 'dog']),
        server.null_model('keys', toml=own_keys + 'threshold = 0.9\n[latency]\ngoal_ms = 500')])


class DocumentTest(unittest.TestCase):
    def test_is_valid_openapi_3_1_and_about_what_is_loaded(self):
        running = start()
        self.addCleanup(running.stop)
        document = json.loads(get(running.url('/openapi.json')))
        errors = list(OpenAPIV31SpecValidator(document).iter_errors())
        self.assertEqual([str(error) for error in errors], [])
        self.assertEqual({path for path in document['paths'] if re.match('/cv/[a-z]+$', path)},
                         {'/cv/demo', '/cv/keys'})


class ConformanceTest(unittest.TestCase):
    def setUp(self):
        self.server = start()
        self.addCleanup(self.server.stop)

    def run_schemathesis(self, statuses, *arguments):
        config = self.server.folder / 'schemathesis.toml'
        config.write_text(CONFIG.format(statuses=', '.join(f'"{one}"' for one in statuses)))
        here = pathlib.Path(__file__).resolve().parent
        environment = {**os.environ, 'SCHEMATHESIS_HOOKS': 'schemathesis_hooks',
                       'PYTHONPATH': str(here), 'PYTHONDONTWRITEBYTECODE': '1'}
        # By our interpreter: the script names the one of the place that it was installed in.
        command = [sys.executable, pathlib.Path(sys.executable).with_name('st'),
                   '--config-file', config, 'run',
                   self.server.url('/openapi.json'), '--checks', ','.join(CHECKS),
                   '--phases', 'examples,coverage,fuzzing', '--max-examples', MAX_EXAMPLES,
                   '--seed', SEED, '--generation-database', 'none', '--no-shrink',
                   '--request-timeout', 30, '--suppress-health-check', 'all', '--no-color',
                   *arguments]
        run = subprocess.run([str(word) for word in command], env=environment, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             cwd=self.server.folder, timeout=270)
        self.assertEqual(run.returncode, 0, run.stdout)
        return run.stdout

    def requests_by_status(self, endpoint):
        pattern = (rf'^xcloud_requests_total\{{endpoint="{re.escape(endpoint)}",'
                   r'code="(\d+)"\} (\d+)$')
        found = re.findall(pattern, get(self.server.url('/metrics')), re.MULTILINE)
        return {int(status): int(count) for status, count in found}

    def test_every_answer_is_as_documented(self):
        self.run_schemathesis([504], '--exclude-path-regex', f'{LOAD_PATHS}|{NOT_SUPPORTED}')
        # The run would prove nothing if no request had got through to a model, or none refused.
        posts = self.requests_by_status('POST /cv/{service}')
        self.assertGreater(posts.get(200, 0), 0, posts)
        self.assertGreater(posts.get(400, 0), 0, posts)
        self.assertEqual(json.loads(get(self.server.url('/livez'))), {'live': True})
        self.assertEqual(self.server.terminate(), 0)

    def test_also_while_models_come_and_go(self):
        self.run_schemathesis([503, 504], '--include-path-regex', f'{LOAD_PATHS}|^/cv/|^/api/')
        self.assertGreater(self.requests_by_status('POST /admin/models/{name}/unload')[202], 0)
        self.assertEqual(self.server.terminate(), 0)


if __name__ == '__main__':
    server.main()
