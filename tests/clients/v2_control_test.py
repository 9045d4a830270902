"""tritonclient[http], unmodified, on everything below /v2 but inference itself: metadata, config,
health, statistics, repository control, logging, errors, compression; and TorchServe's API by curl.
"""

import asyncio
import json
import subprocess
import tempfile
import unittest

import numpy
import server
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from tritonclient.utils import InferenceServerException

LABELS = [f'label {i}' for i in range(300)]  # their scores are worth compressing


def setUpModule():
    global running
    running = server.start(models=[
        server.null_model('demo', labels=LABELS, toml='[batching]\nmax_batch = 4'),
        server.null_model('other')])
    unittest.addModuleCleanup(running.stop)


class TritonTest(unittest.TestCase):
    def setUp(self):
        self.client = triton.InferenceServerClient(running.address)
        self.addCleanup(self.client.close)

    def refusal(self, call, *arguments, **named):
        with self.assertRaises(InferenceServerException) as caught:
            call(*arguments, **named)
        self.assertTrue(self.client.is_server_live())
        return caught.exception.status(), caught.exception.message()


class MetadataTest(TritonTest):
    def test_health(self):
        self.assertTrue(self.client.is_server_live())
        self.assertTrue(self.client.is_server_ready())
        self.assertTrue(self.client.is_model_ready('demo'))
        self.assertTrue(self.client.is_model_ready('demo', '1'))
        self.assertFalse(self.client.is_model_ready('demo', '2'))
        self.assertFalse(self.client.is_model_ready('none'))

    def test_server(self):
        metadata = self.client.get_server_metadata()
        self.assertEqual(metadata['name'], 'xcloud')
        self.assertRegex(metadata['version'], r'^\d+\.\d+\.\d+$')
        self.assertIn('binary_tensor_data', metadata['extensions'])
        self.assertNotIn('trace', metadata['extensions'])

    def test_model(self):
        metadata = self.client.get_model_metadata('demo')
        self.assertEqual(metadata['name'], 'demo')
        self.assertEqual(metadata['versions'], ['1'])
        self.assertEqual([i['name'] for i in metadata['inputs']], ['image'])
        self.assertEqual(metadata['outputs'], [
            {'name': 'probabilities', 'datatype': 'FP32', 'shape': [-1, len(LABELS)]}])
        self.assertEqual(self.client.get_model_metadata('demo', '1'), metadata)

    def test_config(self):
        config = self.client.get_model_config('demo')
        self.assertEqual(config['max_batch_size'], 4)
        self.assertEqual([i['name'] for i in config['input']], ['image'])
        self.assertEqual(config['output'], [{
            'name': 'probabilities', 'data_type': 'TYPE_FP32', 'dims': [len(LABELS)],
            'label_filename': 'labels.txt', 'is_shape_tensor': False}])
        batching = config['dynamic_batching']
        self.assertEqual(batching['preferred_batch_size'], [4])
        self.assertEqual(batching['priority_levels'], 3)
        self.assertEqual(batching['default_priority_level'], 2)
        self.assertTrue(batching['default_queue_policy']['allow_timeout_override'])
        self.assertEqual(config['parameters']['synthetic']['string_value'], 'true')

    def test_unknown_models_and_versions(self):
        for call in (self.client.get_model_metadata, self.client.get_model_config,
                     self.client.get_inference_statistics):
            self.assertEqual(self.refusal(call, 'none'),
                             ('404', "Request for unknown model: 'none' is not found"))
            self.assertEqual(self.refusal(call, 'demo', '7'),
                             ('404', "Request for unknown model: 'demo' version 7 is not found; "
                                     'it serves 1'))
            self.assertEqual(self.refusal(call, 'demo', 'canary')[0], '404')
            status, text = self.refusal(call, 'demo', '-1')
            self.assertEqual(status, '400')
            self.assertIn('version should be an integral value > 0', text)

    def test_statistics_count_what_was_inferred(self):
        before = self.client.get_inference_statistics('demo')['model_stats'][0]
        curl('-T', photo_file(), running.url('/predictions/demo'))
        after = self.client.get_inference_statistics('demo', '1')['model_stats'][0]
        self.assertEqual((after['name'], after['version']), ('demo', '1'))
        self.assertEqual(after['inference_count'], before['inference_count'] + 1)
        self.assertEqual(after['execution_count'], before['execution_count'] + 1)
        self.assertGreater(after['last_inference'], 1_600_000_000_000)
        times, earlier = after['inference_stats'], before['inference_stats']
        for key in ('success', 'queue', 'compute_input', 'compute_infer', 'compute_output'):
            self.assertEqual(times[key]['count'], earlier[key]['count'] + 1, key)
        self.assertEqual(times['cache_hit'], {'count': 0, 'ns': 0})
        self.assertEqual(times['cache_miss'], {'count': 0, 'ns': 0})
        self.assertIn(1, [batch['batch_size'] for batch in after['batch_stats']])
        every = self.client.get_inference_statistics()['model_stats']
        self.assertEqual(sorted(m['name'] for m in every), ['demo', 'other'])


class RepositoryTest(TritonTest):
    def index(self):
        return {m['name']: m for m in self.client.get_model_repository_index()}

    def test_unload_and_load(self):
        self.addCleanup(self.client.load_model, 'other')
        self.client.unload_model('other')
        self.assertFalse(self.client.is_model_ready('other'))
        self.assertEqual(self.index()['other']['state'], 'UNAVAILABLE')
        self.assertEqual(self.index()['other']['reason'], 'unloaded by an operator')
        status, text = self.refusal(self.client.get_model_metadata, 'other')
        self.assertEqual(status, '503')
        self.assertIn("Request for unknown model: 'other' has no available versions", text)
        self.client.unload_model('other')  # is out already
        self.client.load_model('other')
        self.assertTrue(self.client.is_model_ready('other'))
        self.assertEqual(self.index()['other'],
                         {'name': 'other', 'version': '1', 'state': 'READY', 'reason': ''})
        self.client.unload_model('other', unload_dependents=True)
        self.assertFalse(self.client.is_model_ready('other'))

    def test_a_second_load_of_a_model_that_serves(self):
        self.client.load_model('demo')
        self.assertTrue(self.client.is_model_ready('demo'))

    def test_unknown_models(self):
        self.assertEqual(
            self.refusal(self.client.load_model, 'unknown_model'),
            ('400', "failed to load 'unknown_model', failed to poll from model repository"))
        self.assertEqual(self.refusal(self.client.unload_model, 'unknown_model')[0], '400')

    def test_names(self):
        self.assertEqual(
            self.refusal(self.client.load_model, ''),
            ('400', 'Model name cannot be empty. Please enter a valid name to deploy.'))
        self.assertEqual(self.refusal(self.client.load_model, '..'),
                         ('400', 'model name must not contain path traversal characters'))

    def test_overrides_write_nothing(self):
        before = sorted(running.folder.rglob('*'))
        status, text = self.refusal(self.client.load_model, 'demo', config='{}')
        self.assertEqual(status, '501')
        self.assertIn("'config' is not supported", text)
        status, text = self.refusal(self.client.load_model, 'demo', config='{}',
                                    files={'file:../../escaped': b'x'})
        self.assertEqual(status, '400')
        self.assertIn("failed to load 'demo'", text)
        self.assertEqual(self.refusal(self.client.load_model, 'demo', config='{}',
                                      files={'file:1/model.pt': b'x'})[0], '501')
        self.assertEqual(sorted(running.folder.rglob('*')), before)
        self.assertTrue(self.client.is_model_ready('demo'))

    def test_deep_nesting(self):
        body = '{"a":' + '[' * 250_000 + ']' * 250_000 + '}'
        text, status = curl_input(body, running.url('/v2/repository/index'))
        self.assertEqual(status, 400)
        self.assertIn('JSON nesting depth exceeds maximum allowed limit (100)',
                      json.loads(text)['error'])
        self.assertTrue(self.client.is_server_live())

    def test_strangers_are_refused(self):
        status, text = self.refusal(self.client.unload_model, 'demo',
                                    headers={'X-Forwarded-For': '203.0.113.7'})
        self.assertEqual(status, '403')
        self.assertIn('This API is restricted', text)
        self.assertTrue(self.client.is_model_ready('demo'))


class LoggingTest(TritonTest):
    def test_settings(self):
        before = self.client.get_log_settings()
        self.assertTrue(before['log_error'])
        self.addCleanup(self.client.update_log_settings,
                        {k: v for k, v in before.items() if k != 'log_file'})
        changed = self.client.update_log_settings({'log_verbose_level': 1, 'log_info': True})
        self.assertEqual(changed['log_verbose_level'], 1)
        self.assertEqual(self.client.get_log_settings(), changed)

    def test_settings_that_we_do_not_have(self):
        status, text = self.refusal(self.client.update_log_settings, {'log_colour': True})
        self.assertEqual((status, text), ('400', "unknown log setting 'log_colour'"))
        self.assertEqual(self.refusal(self.client.update_log_settings, {'log_file': 'x'})[0], '400')

    def test_trace(self):
        for call in (self.client.get_trace_settings, self.client.update_trace_settings):
            status, text = self.refusal(call, 'demo')
            self.assertEqual(status, '501')
            self.assertIn('tracing is not supported', text)
        self.assertEqual(self.refusal(self.client.get_trace_settings)[0], '501')


class CompressionTest(TritonTest):
    def inputs(self):
        tensor = triton.InferInput('image', [1, 1], 'BYTES')
        tensor.set_data_from_numpy(numpy.array([[server.photo()]], dtype=object))
        return [tensor]

    def test_requests_and_answers(self):
        for binary in (True, False):
            outputs = [triton.InferRequestedOutput('probabilities', binary_data=binary)]
            plain = self.client.infer('demo', self.inputs(), outputs=outputs)
            expected = plain.as_numpy('probabilities')
            for algorithm in ('gzip', 'deflate'):
                result = self.client.infer(
                    'demo', self.inputs(), outputs=outputs,
                    request_compression_algorithm=algorithm,
                    response_compression_algorithm=algorithm)
                numpy.testing.assert_array_equal(result.as_numpy('probabilities'), expected)

    def test_an_unknown_coding(self):
        status, _ = self.refusal(self.client.infer, 'demo', self.inputs(),
                                 headers={'Content-Encoding': 'br'})
        self.assertEqual(status, '415')


class AsyncTest(unittest.IsolatedAsyncioTestCase):
    """The asyncio client accepts codings with every request and decodes only inferences."""

    async def asyncSetUp(self):
        self.client = triton_aio.InferenceServerClient(running.address)
        self.addAsyncCleanup(self.client.close)

    async def test_everything_that_is_told(self):
        self.assertTrue(await self.client.is_server_live())
        self.assertTrue(await self.client.is_server_ready())
        self.assertTrue(await self.client.is_model_ready('demo'))
        self.assertEqual((await self.client.get_server_metadata())['name'], 'xcloud')
        self.assertEqual((await self.client.get_model_metadata('demo'))['name'], 'demo')
        self.assertEqual((await self.client.get_model_config('demo'))['max_batch_size'], 4)
        self.assertEqual(len((await self.client.get_inference_statistics())['model_stats']), 2)
        self.assertEqual(len(await self.client.get_model_repository_index()), 2)
        self.assertTrue((await self.client.get_log_settings())['log_error'])

    async def test_control(self):
        await self.client.unload_model('other')
        self.assertFalse(await self.client.is_model_ready('other'))
        await asyncio.gather(self.client.load_model('other'), self.client.load_model('demo'))
        self.assertTrue(await self.client.is_model_ready('other'))
        changed = await self.client.update_log_settings({'log_verbose_level': 0})
        self.assertEqual(changed['log_verbose_level'], 0)

    async def test_errors(self):
        for call, status in ((self.client.get_model_metadata('none'), '404'),
                             (self.client.load_model('none'), '400'),
                             (self.client.get_trace_settings(), '501'),
                             (self.client.update_log_settings({'x': 1}), '400')):
            with self.assertRaises(InferenceServerException) as caught:
                await call
            self.assertEqual(caught.exception.status(), status)


def photo_file():
    """A photo in a file that stays for this module."""
    file = tempfile.NamedTemporaryFile(suffix='.jpg')
    file.write(server.photo())
    file.flush()
    unittest.addModuleCleanup(file.close)
    return file.name


def curl(*arguments, text=None):
    """The answer's body and status."""
    done = subprocess.run(['curl', '-sS', '-w', '\n%{http_code}', *arguments], input=text,
                          capture_output=True, text=True, timeout=60, check=True)
    body, status = done.stdout.rsplit('\n', 1)
    return body, int(status)


def curl_input(text, *arguments):
    """Posts `text`."""
    return curl('--data-binary', '@-', *arguments, text=text)


class TorchServeTest(unittest.TestCase):
    def answer(self, *arguments, status=200):
        body, got = curl(*arguments)
        self.assertEqual(got, status, body)
        return json.loads(body)

    def test_ping(self):
        self.assertEqual(self.answer(running.url('/ping')), {'status': 'Healthy'})

    def test_predictions(self):
        photo, url = photo_file(), running.url('/predictions/demo')
        answers = [self.answer('-T', photo, url),
                   self.answer('-X', 'POST', '-T', photo, url + '/1'),
                   self.answer('-F', f'data=@{photo}', url),
                   self.answer('-F', f'anything=@{photo}', url),
                   self.answer('--data-binary', f'@{photo}', url),
                   self.answer('--compressed', '-F', f'data=@{photo};type=image/jpeg', url)]
        for answer in answers:
            self.assertEqual(len(answer), 5)
            self.assertLessEqual(set(answer), set(LABELS))
            self.assertEqual(list(answer.values()), sorted(answer.values(), reverse=True))

    def test_errors(self):
        photo = photo_file()
        missing = self.answer('-T', photo, running.url('/predictions/none'), status=404)
        self.assertEqual(missing, {'code': 404, 'type': 'ModelNotFoundException',
                                   'message': 'Model not found: none'})
        self.answer('-T', photo, running.url('/predictions/demo/9'), status=404)
        no_photo = self.answer('-F', 'data=text', running.url('/predictions/demo'), status=415)
        self.assertEqual(no_photo['type'], 'BadRequestException')

    def test_models(self):
        listed = self.answer(running.url('/models?limit=1'))
        self.assertEqual([m['modelName'] for m in listed['models']], ['demo'])
        rest = self.answer(running.url('/models?next_page_token=' + listed['nextPageToken']))
        self.assertEqual([m['modelName'] for m in rest['models']], ['other'])
        [model] = self.answer(running.url('/models/demo'))
        self.assertEqual((model['modelName'], model['modelVersion']), ('demo', '1'))
        self.assertEqual((model['status'], model['batchSize']), ('READY', 4))
        self.assertGreaterEqual(model['minWorkers'], 1)
        self.assertEqual(len(model['workers']), model['minWorkers'])


if __name__ == '__main__':
    server.main()
