"""Models of tensors and of values, by an unmodified tritonclient[http] and as plain HTTP."""

import json
import unittest
import urllib.error
import urllib.request

import numpy as np
import server
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

RATING = 'group = "dm"\n[model]\nbackend = "null"\n[input]\nname = "features"\ndims = [23]\n' \
         '[output]\nkind = "values"\nname = "score"\ndims = [1]\n[batching]\nmax_batch = 4\n'
EMBEDDING = '[model]\nbackend = "null"\n[output]\nkind = "values"\nname = "embedding"\n' \
            'dims = [2, 3]\n[answer]\ndecimals = 3\n'
HIDDEN = 'internal = true\n' + EMBEDDING


def model(name, toml):
    return server.Model(name, files={'model.toml': toml})


def post(url, body, content_type):
    request = urllib.request.Request(url, body, {'Content-Type': content_type})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


class TensorModelTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = server.start(models=[model('rating', RATING), model('embedding', EMBEDDING),
                                          model('stage', HIDDEN)])
        cls.addClassCleanup(cls.server.stop)
        cls.client = triton.InferenceServerClient(cls.server.address)
        cls.addClassCleanup(cls.client.close)

    def ask(self, name, array):
        tensor = triton.InferInput('features', list(array.shape), 'FP32')
        tensor.set_data_from_numpy(array)
        return self.client.infer(name, [tensor])

    def test_metadata_tells_the_declared_tensors(self):
        told = self.client.get_model_metadata('rating')
        self.assertEqual(told['inputs'],
                         [{'name': 'features', 'datatype': 'FP32', 'shape': [-1, 23]}])
        self.assertEqual(told['outputs'],
                         [{'name': 'score', 'datatype': 'FP32', 'shape': [-1, 1]}])

    def test_rows_in_scores_out_also_more_than_a_batch_holds(self):
        for rows in (1, 4, 11):
            answer = self.ask('rating', np.zeros((rows, 23), np.float32))
            self.assertEqual(answer.as_numpy('score').shape, (rows, 1))

    def test_what_does_not_fit_is_refused(self):
        for wrong in (np.zeros((2, 22), np.float32), np.full((1, 23), np.nan, np.float32)):
            with self.assertRaises(InferenceServerException):
                self.ask('rating', wrong)
        status, body = post(self.server.url('/dm/rating'), server.photo(), 'image/jpeg')
        self.assertEqual(status, 400)
        self.assertIn('/v2/models/rating/infer', body['msg'])

    def test_a_photo_becomes_values(self):
        status, body = post(self.server.url('/cv/embedding'), server.photo(), 'image/jpeg')
        self.assertEqual(status, 200, body)
        self.assertEqual(len(body['data']['embedding']), 6)
        self.assertTrue(body['synthetic'])

    def test_an_internal_model_is_marked_as_such(self):
        with urllib.request.urlopen(self.server.url('/api/services')) as answer:
            hidden = {one['name']: one['internal'] for one in json.loads(answer.read())}
        self.assertEqual(hidden, {'rating': False, 'embedding': False, 'stage': True})


if __name__ == '__main__':
    server.main()
