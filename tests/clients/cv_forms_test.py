"""Every form of a photo at POST /cv/{service}, as curl and Python send them, with a real JPEG and
real weights: the labels are the same whatever the form. And what is no photo, in each form."""

import base64
import json
import pathlib
import shutil
import socket
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.parse
import urllib.request

import server

IMAGENET = server.SOURCE / 'configs/models/imagenet'
GOLDFISH = server.SOURCE / '../shared/data/imagenet/n01443537_goldfish.JPEG'
ROCKET = server.SOURCE / 'var/photos/rocket.jpg'
ROUTES = ('/cv/imagenet', '/cv/mcloud/imagenet')


def real_photo():
    """The bytes of a JPEG, and a word that its first label must hold."""
    for path, word in ((GOLDFISH, 'goldfish'), (ROCKET, 'missile')):
        if path.exists():
            return path.read_bytes(), word
    return server.photo(), ''


def ask(url, body, content_type):
    """Status and JSON, also of an error."""
    request = urllib.request.Request(url, data=body, headers={'Content-Type': content_type})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def curl(url, arguments):
    """The same through curl, as people type it."""
    done = subprocess.run(['curl', '-sS', '-w', '\n%{http_code}', *arguments, url],
                          capture_output=True, timeout=60, check=True)
    text, status = done.stdout.decode().rsplit('\n', 1)
    return int(status), json.loads(text)


class Files:
    """The photo in files, as curl wants it, each in the text that a form holds."""

    def __init__(self, photo):
        self._folder = tempfile.TemporaryDirectory()
        self._root = pathlib.Path(self._folder.name)
        text = base64.b64encode(photo).decode()
        self.photo = self._put('photo.jpg', photo)
        self.text = self._put('photo.txt', text.encode())
        self.uri = self._put('uri.txt', f'data:image/jpeg;base64,{text}'.encode())
        self.lines = self._put('lines.txt', base64.encodebytes(photo))
        self.form = self._put('form.txt', f'k=5&imgraw={text}'.encode())
        self.json = self._put('photo.json', json.dumps({'image': text, 'k': 5}).encode())

    def _put(self, name, data):
        (self._root / name).write_bytes(data)
        return str(self._root / name)

    def close(self):
        self._folder.cleanup()

    def curl_forms(self):
        """Each way to say it to curl."""
        as_json = ['-H', 'Content-Type: application/json']
        return {
            '-F file': ['-F', f'image=@{self.photo}'],
            '-F imgraw file': ['-F', f'imgraw=@{self.photo}'],
            '-F file with an odd name': ['-F', f'image=@{self.photo};filename=../../x.jpg'],
            '-F field of base64': ['-F', f'image=<{self.text}'],
            '-F field of a data URI': ['-F', f'imgraw=<{self.uri}'],
            '-F lines of base64': ['-F', f'image=<{self.lines}', '-F', 'imgurl='],
            '-T': ['-T', self.photo],
            '--data-binary': ['--data-binary', f'@{self.photo}'],
            '--data-binary, image/jpeg': ['-H', 'Content-Type: image/jpeg',
                                          '--data-binary', f'@{self.photo}'],
            '--data-urlencode': ['--data-urlencode', f'image@{self.text}', '-d', 'k=5'],
            '-d with bare pluses': ['-d', f'@{self.form}'],
            'JSON': [*as_json, '--data-binary', f'@{self.json}'],
            'JSON, chunked': [*as_json, '-H', 'Transfer-Encoding: chunked',
                              '--data-binary', f'@{self.json}'],
        }


def python_forms(photo):
    """Each body that Python's own library makes: (bytes, content type)."""
    text = base64.b64encode(photo).decode()
    spaced = text.replace('+', ' ')
    urlsafe = base64.urlsafe_b64encode(photo).decode().rstrip('=')
    as_json, as_form = 'application/json', 'application/x-www-form-urlencoded'
    return {
        'JSON image': (json.dumps({'image': text}).encode(), as_json),
        'JSON imgraw': (json.dumps({'imgraw': text, 'user': {'x': []}}).encode(), as_json),
        'JSON data URI': (json.dumps({'image': f'data:;base64,{text}'}).encode(), as_json),
        'JSON escapes': (json.dumps({'image': text}).replace('/', '\\/').encode(), as_json),
        'JSON url-safe': (json.dumps({'image': urlsafe}).encode(), as_json),
        'form': (urllib.parse.urlencode({'image': text}).encode(), as_form),
        'form, spaces for pluses': (f'image={spaced}'.encode(), as_form),
        'raw': (photo, 'image/jpeg'),
        'octets': (photo, 'application/octet-stream'),
    }


class RealPhotoTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not (IMAGENET / '1/model.pt').exists():
            raise unittest.SkipTest('no weights of imagenet: make weights')
        cls.server = server.start(models=[server.copied_model(IMAGENET)])
        cls.addClassCleanup(cls.server.stop)
        cls.photo, cls.word = real_photo()
        status, cls.answer = ask(cls.server.url(ROUTES[0]), cls.photo, 'image/jpeg')
        if status != 200:
            raise RuntimeError(f'{status}: {cls.answer}')

    def expect_same(self, answered, form):
        status, answer = answered
        self.assertEqual(status, 200, f'{form}: {answer}')
        self.assertEqual(answer['data'], self.answer['data'], form)
        self.assertEqual((answer['code'], answer['msg']), (0, 'success'))

    def test_the_label_is_true(self):
        self.assertEqual(len(self.answer['data']), 5)
        self.assertIn(self.word, self.answer['data'][0]['category'])

    @unittest.skipUnless(shutil.which('curl'), 'no curl')
    def test_every_form_of_curl_gives_the_same_labels(self):
        files = Files(self.photo)
        self.addCleanup(files.close)
        for route in ROUTES:
            for form, arguments in files.curl_forms().items():
                self.expect_same(curl(self.server.url(route), arguments), f'{form} {route}')

    def test_every_form_of_python_gives_the_same_labels(self):
        for route in ROUTES:
            for form, (body, content_type) in python_forms(self.photo).items():
                self.expect_same(ask(self.server.url(route), body, content_type),
                                 f'{form} {route}')

    def test_what_cannot_be_decoded_is_the_callers_fault_in_every_form(self):
        for form, (body, content_type) in python_forms(self.photo[:500]).items():
            status, answer = ask(self.server.url(ROUTES[0]), body, content_type)
            self.assertEqual((status, answer['code']), (400, 1), f'{form}: {answer}')
        for form, (body, content_type) in python_forms(b'no photo at all').items():
            if content_type == 'image/jpeg':
                continue
            status, answer = ask(self.server.url(ROUTES[0]), body, content_type)
            self.assertIn(status, (400, 415), f'{form}: {answer}')
            self.assertEqual(answer['code'], 1, form)


class PhotoUrlTest(unittest.TestCase):
    """With the real resolver and the real address policy, so nothing here may be fetched."""

    def refusal(self, running, url):
        status, answer = ask(running.url('/cv/null'), json.dumps({'imgurl': url}).encode(),
                             'application/json')
        self.assertIsNone(answer['data'])
        return status, answer['code'], answer['msg']

    def test_is_off_until_hosts_are_allowed(self):
        running = server.start()
        self.addCleanup(running.stop)
        status, code, words = self.refusal(running, 'http://example.org/a.jpg')
        self.assertEqual((status, code), (403, 403))
        self.assertIn('imgurl is off', words)

    def test_does_not_talk_to_this_machine_for_anybody(self):
        listener = socket.create_server(('127.0.0.1', 0))
        self.addCleanup(listener.close)
        listener.setblocking(False)
        port = listener.getsockname()[1]
        running = server.start(settings={'fetch.allow': f'["*", "*:{port}"]'})
        self.addCleanup(running.stop)
        for host in ('127.0.0.1', 'localhost', '[::ffff:127.0.0.1]'):
            status, code, words = self.refusal(running, f'http://{host}:{port}/a.jpg')
            self.assertIn((status, code), ((400, 1), (403, 403)), words)
        self.assertEqual(self.refusal(running, 'http://169.254.169.254/a.jpg')[:2], (400, 1))
        with self.assertRaises(BlockingIOError):
            listener.accept()


if __name__ == '__main__':
    server.main()
