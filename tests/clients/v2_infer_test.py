"""The inference of the Open Inference Protocol with an unmodified tritonclient[http], sync and
async, and with plain HTTP: each type in JSON and binary, photos, classes, raw bodies, errors."""

import asyncio
import http.client
import json
import struct
import unittest

import ml_dtypes
import numpy as np
import server
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

LABELS = ['cat', 'bird', 'dog', 'fish', 'horse']
TYPES = ['BOOL', 'UINT8', 'UINT16', 'UINT32', 'UINT64', 'INT8', 'INT16', 'INT32', 'INT64', 'FP16',
         'BF16', 'FP32', 'FP64', 'BYTES']
HALVES = ('FP16', 'BF16')  # no JSON form
NUMPY = {'BOOL': np.bool_, 'BF16': ml_dtypes.bfloat16, 'FP16': np.float16, 'FP32': np.float32,
         'FP64': np.float64,
         **{f'{sign}{bits}': np.dtype(f'{kind}{bits}').type
            for sign, kind in (('UINT', 'uint'), ('INT', 'int')) for bits in (8, 16, 32, 64)}}
LIMIT = 8_000_000


def echo_model(name, *inputs):
    """Each input: (name, datatype, dims without the batch)."""
    toml = ''.join(f'[[input]]\nname = "{n}"\ndatatype = "{t}"\ndims = {dims}\noutput = "OUT_{n}"\n'
                   for n, t, dims in inputs)
    text = f'title = "{name}"\n[model]\nbackend = "echo"\n{toml}'
    return server.Model(name, files={'model.toml': text})


def sample(datatype, shape=(2, 4)):
    """Values at the edges of the type, an array of that shape."""
    count = int(np.prod(shape))
    if datatype == 'BYTES':
        words = ['', 'plain', 'été 😀', 'a\0b', '"\\\n'] * count
        return np.array([w.encode() for w in words[:count]], dtype=np.object_).reshape(shape)
    kind = NUMPY[datatype]
    if kind is np.bool_:
        return (np.arange(count) % 2 == 0).reshape(shape)
    info = ml_dtypes.finfo(kind) if datatype in ('FP16', 'BF16', 'FP32', 'FP64') else np.iinfo(kind)
    edges = [info.min, info.max, 0, 1]
    return np.array((edges * count)[:count], dtype=kind).reshape(shape)


def tensor_input(name, array, binary=True):
    tensor = triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
    tensor.set_data_from_numpy(array, binary_data=binary)
    return tensor


def photo_input(*photos):
    return tensor_input('image', np.array(photos, dtype=np.object_).reshape(-1, 1))


class InferTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        every = [(f'IN_{t}', t, [-1]) for t in TYPES]
        cls.server = server.start(
            models=[server.null_model('null', labels=LABELS, toml='[batching]\nmax_batch = 4'),
                    echo_model('every', *every),
                    echo_model('floats', ('X', 'FP32', [-1])),
                    echo_model('pair', ('X', 'FP32', [2]), ('Y', 'INT32', [2])),
                    echo_model('grid', ('X', 'FP16', [-1, -1])),
                    echo_model('words', ('X', 'BYTES', [1]))],
            settings={'server.v2_body_limit_bytes': LIMIT})
        cls.addClassCleanup(cls.server.stop)

    def setUp(self):
        self.client = triton.InferenceServerClient(self.server.address)
        self.addCleanup(self.client.close)

    def post(self, path, body, headers=None):
        """Status, headers and body, as any HTTP client sees them."""
        connection = http.client.HTTPConnection('127.0.0.1', self.server.port, timeout=60)
        try:
            connection.request('POST', path, body, headers or {})
            reply = connection.getresponse()
            return reply.status, reply.headers, reply.read()
        finally:
            connection.close()

    def raw(self, model, body):
        headers = {'Inference-Header-Content-Length': '0'}
        return self.post(f'/v2/models/{model}/infer', body, headers)

    def assert_alive(self):
        connection = http.client.HTTPConnection('127.0.0.1', self.server.port, timeout=60)
        connection.request('GET', '/livez')
        self.assertEqual(connection.getresponse().status, 200)
        connection.close()

    def assert_refused(self, status, words, model, inputs, **options):
        with self.assertRaises(InferenceServerException) as caught:
            self.client.infer(model, inputs, **options)
        self.assertEqual(caught.exception.status(), str(status), caught.exception.message())
        self.assertIn(words, caught.exception.message())
        self.assert_alive()

    # Tensors

    def infer_every(self, binary_in, binary_out):
        arrays = {t: sample(t) for t in TYPES}
        inputs = [tensor_input(f'IN_{t}', a, binary_in(t)) for t, a in arrays.items()]
        outputs = [triton.InferRequestedOutput(f'OUT_IN_{t}', binary_data=binary_out(t))
                   for t in TYPES]
        result = self.client.infer('every', inputs, outputs=outputs)
        for datatype, array in arrays.items():
            with self.subTest(datatype=datatype):
                got = result.as_numpy(f'OUT_IN_{datatype}')
                if datatype == 'BYTES' and not binary_out('BYTES'):
                    array = np.array([e.decode() for e in array.flat],
                                     dtype=np.object_).reshape(array.shape)
                self.assertEqual(got.dtype, array.dtype)
                np.testing.assert_array_equal(got, array)

    def test_every_type_binary_in_and_out(self):
        self.infer_every(lambda t: True, lambda t: True)

    def test_every_type_as_json_where_it_has_a_json_form(self):
        self.infer_every(lambda t: t in HALVES, lambda t: t in HALVES)

    def test_json_in_binary_out_and_the_other_way(self):
        self.infer_every(lambda t: t in HALVES, lambda t: True)
        self.infer_every(lambda t: True, lambda t: t in HALVES)

    def test_mixed_within_one_request(self):
        self.infer_every(lambda t: t in HALVES or TYPES.index(t) % 2 == 0,
                         lambda t: t in HALVES or TYPES.index(t) % 3 == 0)

    def test_outputs_that_are_not_named_are_left_out(self):
        x, y = np.ones((1, 2), np.float32), np.ones((1, 2), np.int32)
        inputs = [tensor_input('X', x), tensor_input('Y', y)]
        result = self.client.infer('pair', inputs,
                                   outputs=[triton.InferRequestedOutput('OUT_Y')])
        self.assertIsNone(result.as_numpy('OUT_X'))
        np.testing.assert_array_equal(result.as_numpy('OUT_Y'), y)
        everything = self.client.infer('pair', inputs)
        np.testing.assert_array_equal(everything.as_numpy('OUT_X'), x)

    def test_answer_names_model_version_and_id(self):
        x = np.zeros((1, 3), np.float32)
        response = self.client.infer('floats', [tensor_input('X', x)],
                                     request_id='call-7').get_response()
        self.assertEqual(response['id'], 'call-7')
        self.assertEqual(response['model_name'], 'floats')
        version = response['model_version']
        self.assertIsInstance(version, str)
        again = self.client.infer('floats', [tensor_input('X', x)], model_version=version)
        self.assertNotIn('id', again.get_response())

    def test_nan_and_infinity_in_json_and_binary(self):
        x = np.array([[np.nan, np.inf, -np.inf, 0.1]], np.float32)
        for binary_in in (True, False):
            for binary_out in (True, False):
                outputs = [triton.InferRequestedOutput('OUT_X', binary_data=binary_out)]
                result = self.client.infer('floats', [tensor_input('X', x, binary_in)],
                                           outputs=outputs)
                np.testing.assert_array_equal(result.as_numpy('OUT_X'), x)

    def test_strings_with_and_without_json(self):
        words = np.array([['猫'.encode()], [b''], ['naïve\0'.encode()], [b'\xff\xd8']],
                         dtype=np.object_)
        got = self.client.infer('words', [tensor_input('X', words)]).as_numpy('OUT_X')
        np.testing.assert_array_equal(got, words)
        text = words[:3]
        for binary_in in (True, False):
            result = self.client.infer(
                'words', [tensor_input('X', text, binary_in)],
                outputs=[triton.InferRequestedOutput('OUT_X', binary_data=False)])
            self.assertEqual([w[0] for w in result.as_numpy('OUT_X')], ['猫', '', 'naïve\0'])
        self.assert_refused(400, 'is not UTF-8', 'words', [tensor_input('X', words)],
                            outputs=[triton.InferRequestedOutput('OUT_X', binary_data=False)])

    def test_large_payload(self):
        x = np.arange(1_900_000, dtype=np.float32).reshape(1, -1)  # 7.6 MB
        got = self.client.infer('floats', [tensor_input('X', x)]).as_numpy('OUT_X')
        np.testing.assert_array_equal(got, x)
        y = np.random.default_rng(7).random((1, 200_000), dtype=np.float32)
        got = self.client.infer('floats', [tensor_input('X', y, binary=False)],
                                outputs=[triton.InferRequestedOutput('OUT_X', binary_data=False)])
        np.testing.assert_array_equal(got.as_numpy('OUT_X'), y)

    def test_over_the_limit(self):
        x = np.zeros((1, LIMIT // 4 + 1), np.float32)
        self.assert_refused(413, ' exceeds the maximum allowed input size of ', 'floats',
                            [tensor_input('X', x)])
        status, _, body = self.post('/v2/models/floats/infer', b' ' * (LIMIT + 1))
        self.assertEqual(status, 413)
        self.assertIn('Use --http-max-input-size to increase the limit.',
                      json.loads(body)['error'])

    # Photos

    def test_a_photo_becomes_probabilities(self):
        result = self.client.infer('null', [photo_input(server.photo())])
        probabilities = result.as_numpy('probabilities')
        self.assertEqual(probabilities.shape, (1, len(LABELS)))
        self.assertEqual(probabilities.dtype, np.float32)
        self.assertTrue(result.get_response()['parameters']['synthetic'])

    def test_more_photos_than_one_batch_holds(self):
        photos = [server.photo(seed=i) for i in range(7)]  # max_batch is 4
        probabilities = self.client.infer('null', [photo_input(*photos)]).as_numpy('probabilities')
        self.assertEqual(probabilities.shape, (7, len(LABELS)))

    def test_one_bad_photo_is_named_in_the_refusal(self):
        with self.assertRaises(InferenceServerException) as caught:
            self.client.infer('null', [photo_input(server.photo(), b'no photo')])
        self.assertIn(caught.exception.status(), ('400', '415'))
        self.assert_alive()

    def test_classification(self):
        for binary in (True, False):
            output = triton.InferRequestedOutput('probabilities', binary_data=binary, class_count=3)
            result = self.client.infer('null', [photo_input(server.photo(), server.photo(seed=2))],
                                       outputs=[output])
            classes = result.as_numpy('probabilities')
            self.assertEqual(classes.shape, (2, 3))
            for row in classes:
                values = []
                for entry in row:
                    text = entry.decode() if isinstance(entry, bytes) else entry
                    value, index, label = text.split(':')
                    self.assertRegex(value, r'^\d\.\d{6}$')
                    self.assertEqual(label, LABELS[int(index)])
                    values.append(float(value))
                self.assertEqual(values, sorted(values, reverse=True))
            self.assertEqual(result.get_output('probabilities')['datatype'], 'BYTES')

    def test_classification_clamps_and_refuses(self):
        output = triton.InferRequestedOutput('probabilities', class_count=99)
        classes = self.client.infer('null', [photo_input(server.photo())], outputs=[output])
        self.assertEqual(classes.as_numpy('probabilities').shape, (1, len(LABELS)))
        word = np.array([[b'x']], dtype=np.object_)
        self.assert_refused(
            400, "class result not available for output due to unsupported type 'BYTES'", 'words',
            [tensor_input('X', word)],
            outputs=[triton.InferRequestedOutput('OUT_X', class_count=1)])
        many = np.zeros((1, 1_000_001), np.float32)
        self.assert_refused(400, 'classification output tensor too large', 'floats',
                            [tensor_input('X', many)],
                            outputs=[triton.InferRequestedOutput('OUT_X', class_count=1)])

    # Raw bodies, as curl --data-binary sends them

    def split(self, headers, body):
        length = int(headers['Inference-Header-Content-Length'])
        return json.loads(body[:length]), body[length:]

    def test_raw_photo(self):
        status, headers, body = self.raw('null', server.photo())
        self.assertEqual(status, 200, body)
        self.assertEqual(headers['Content-Type'], 'application/octet-stream')
        head, binary = self.split(headers, body)
        self.assertEqual(head['outputs'][0]['shape'], [1, len(LABELS)])
        self.assertEqual(len(binary), 4 * len(LABELS))

    def test_raw_tensor_and_string(self):
        for count in (8, 32):
            sent = np.arange(count, dtype=np.float32).tobytes()
            status, headers, body = self.raw('floats', sent)
            self.assertEqual(status, 200, body)
            self.assertEqual(self.split(headers, body)[1], sent)
        status, headers, body = self.raw('words', b'427')
        self.assertEqual(status, 200, body)
        self.assertEqual(self.split(headers, body)[1], struct.pack('<I', 3) + b'427')

    def test_raw_chunked(self):
        sent = np.arange(8, dtype=np.float32).tobytes()
        connection = http.client.HTTPConnection('127.0.0.1', self.server.port, timeout=60)
        self.addCleanup(connection.close)
        connection.request('POST', '/v2/models/floats/infer', iter([sent[:5], sent[5:]]),
                           {'Inference-Header-Content-Length': '0'}, encode_chunked=True)
        reply = connection.getresponse()
        self.assertEqual(self.split(reply.headers, reply.read())[1], sent)

    def test_raw_refusals(self):
        for model, words in (
                ('pair', 'Raw request must only have 1 input (found 1) to be deduced but got 2'),
                ('grid', 'there are more than one variable-sized dimension')):
            status, _, body = self.raw(model, b'12345678')
            self.assertEqual(status, 400)
            self.assertIn(words, json.loads(body)['error'])

    # Refusals

    def test_unknown_model_and_version(self):
        x = [tensor_input('X', np.zeros((1, 1), np.float32))]
        self.assert_refused(404, "Request for unknown model: 'nothing' is not found", 'nothing', x)
        self.assert_refused(404, "'floats' version 99 is not found", 'floats', x,
                            model_version='99')
        self.assert_refused(404, '', '../floats', x)

    def test_inputs_that_do_not_fit_the_model(self):
        x = np.zeros((1, 2), np.float32)
        self.assert_refused(400, 'expected 2 inputs but got 1 inputs for model', 'pair',
                            [tensor_input('X', x)])
        self.assert_refused(400, 'unexpected inference input', 'floats', [tensor_input('Z', x)])
        self.assert_refused(400, 'data-type', 'floats', [tensor_input('X', x.astype(np.float64))])
        self.assert_refused(400, 'unexpected shape for input', 'pair',
                            [tensor_input('X', np.zeros((1, 3), np.float32)),
                             tensor_input('Y', np.zeros((1, 2), np.int32))])
        self.assert_refused(400, "unexpected inference output 'none'", 'floats',
                            [tensor_input('X', x)],
                            outputs=[triton.InferRequestedOutput('none')])

    def test_what_json_cannot_carry(self):
        half = np.zeros((1, 1, 1), np.float16)
        self.assert_refused(400, 'sending FP16 data via JSON is not supported', 'grid',
                            [tensor_input('X', half)],
                            outputs=[triton.InferRequestedOutput('OUT_X', binary_data=False)])

    def test_sequences_and_shared_memory_are_refused_clearly(self):
        x = tensor_input('X', np.zeros((1, 1), np.float32))
        self.assert_refused(501, 'sequences are not supported', 'floats', [x], sequence_id=7,
                            sequence_start=True)
        x.set_shared_memory('region', 4)
        self.assert_refused(501, 'shared memory is not supported', 'floats', [x])

    def test_bodies_that_are_wrong(self):
        def refused(words, body, **headers):
            named = {k.replace('_', '-'): v for k, v in headers.items()}
            status, _, answer = self.post('/v2/models/floats/infer', body, named)
            self.assertEqual(status, 400, answer)
            self.assertIn(words, json.loads(answer)['error'])
            self.assert_alive()

        def tensor(shape, data, datatype='FP32'):
            return json.dumps({'inputs': [{'name': 'X', 'shape': shape, 'datatype': datatype,
                                           'data': data}]})

        refused('failed to parse the request JSON buffer', b'{"inputs":')
        refused('causes total element count to exceed maximum size of',
                tensor([2**4, 2**60 + 2], [1.0]))
        refused('byte size overflow for input', tensor([2**2, 2**60 + 2], [1.0]))
        refused("Unable to parse 'shape'", tensor([2, -5], [1.0]))
        refused("Shape does not match true shape of 'data' field", tensor([1, 2], [1.0]))
        deep = 1.0
        for _ in range(120):
            deep = [deep]
        refused('JSON nesting depth exceeds maximum allowed limit (100)', tensor([1, 1], deep))
        refused('JSON nesting depth', b'[' * 250_000)
        for length in ('99999999999', '-1', 'many', '1000'):
            refused(', got: ' + length, b'{"inputs":[]}', Inference_Header_Content_Length=length)
        refused("output 'OUT_X' already exists in request",
                b'{"inputs":[],"outputs":[{"name":"OUT_X"},{"name":"OUT_X"}]}')

    def test_fifty_deep_is_fine(self):
        data = 7.0
        for _ in range(50):
            data = [data]
        body = json.dumps({'inputs': [{'name': 'X', 'shape': [1, 1], 'datatype': 'FP32',
                                       'data': data}]})
        status, _, answer = self.post('/v2/models/floats/infer', body)
        self.assertEqual(status, 200, answer)
        self.assertEqual(json.loads(answer)['outputs'][0]['data'], [7.0])

    # Time and order

    def test_timeout_and_priority_are_taken(self):
        x = [tensor_input('X', np.zeros((1, 1), np.float32))]
        for priority in (0, 1, 2, 3, 99):
            self.client.infer('floats', x, priority=priority, timeout=60_000_000)
        self.assert_refused(504, 'deadline', 'floats', x, timeout=1)

    def test_a_client_that_gives_up_does_not_hurt_the_next(self):
        impatient = triton.InferenceServerClient(self.server.address, network_timeout=0.000001)
        self.addCleanup(impatient.close)
        x = np.zeros((1, 500_000), np.float32)
        for _ in range(5):
            with self.assertRaises(Exception):
                impatient.infer('floats', [tensor_input('X', x)])
        got = self.client.infer('floats', [tensor_input('X', x)]).as_numpy('OUT_X')
        np.testing.assert_array_equal(got, x)

    # The async client

    def test_many_at_once(self):
        async def run():
            async with triton_aio.InferenceServerClient(self.server.address) as client:
                arrays = [np.full((1, 16), i, np.float32) for i in range(64)]
                results = await asyncio.gather(*(
                    client.infer('floats', [tensor_input('X', a, binary=i % 2 == 0)])
                    for i, a in enumerate(arrays)))
                for array, result in zip(arrays, results):
                    np.testing.assert_array_equal(result.as_numpy('OUT_X'), array)
                photos = await asyncio.gather(*(
                    client.infer('null', [photo_input(server.photo(seed=i))]) for i in range(8)))
                for result in photos:
                    self.assertEqual(result.as_numpy('probabilities').shape, (1, len(LABELS)))
                with self.assertRaises(InferenceServerException) as caught:
                    await client.infer('nothing', [tensor_input('X', arrays[0])])
                self.assertEqual(caught.exception.status(), '404')
        asyncio.run(run())


if __name__ == '__main__':
    server.main()
