"""The reader of dlib's files, against files written here by dlib's rules. That the network which is
read gives dlib's own answers is proven whenever it is installed (models/weights/convert.py)."""

import unittest

import here  # noqa: F401  (finds models/weights)
import dlib_file
import dlib_resnet
import numpy
import torch


def packed(value):
    size = max(1, (abs(value).bit_length() + 7) // 8)
    return bytes([size | (0x80 if value < 0 else 0)]) + abs(value).to_bytes(size, "little")


def number(mantissa, exponent):
    return packed(mantissa) + packed(exponent)


def text(value):
    return packed(len(value)) + value.encode()


def tensor(values):
    shape = b"".join(packed(size) for size in (len(values), 1, 1, 1))
    return packed(2) + shape + numpy.asarray(values, "<f4").tobytes()


def alias(sizes):
    return packed(1) + b"".join(packed(size) for size in sizes)


EMPTY = packed(2) + packed(0) * 4
STATE = b"100" + EMPTY * 3
RATES = number(1, 0) * 4


def content(kind, sizes, values):
    """A layer's bytes; `sizes` as in dlib_file.LayerContent."""
    out = text(kind)
    if kind == "con_4":
        out += tensor(values) + b"".join(map(packed, sizes[:7]))
        return out + alias(sizes[7:11]) + alias(sizes[11:15]) + RATES
    if kind == "affine_":
        return out + tensor(values) + alias(sizes[:4]) + alias(sizes[4:8]) + packed(sizes[8])
    if kind == "fc_2":
        out += b"".join(map(packed, sizes[:2])) + tensor(values)
        return out + alias(sizes[2:6]) + alias(sizes[6:10]) + packed(sizes[10]) + RATES
    return out + b"".join(map(packed, sizes))


def parameters(kind, sizes):
    """How many a layer of these sizes has."""
    if kind == "con_4":
        outputs, inputs, rows, columns = sizes[7:11]
        return outputs * inputs * rows * columns + outputs
    return {"affine_": lambda: 2 * sizes[1], "fc_2": lambda: sizes[0] * sizes[1]}.get(
        kind, lambda: 0
    )()


def network(layers, mean=dlib_resnet.MEAN, size=(150, 150)):
    """A file of `layers`, (kind, sizes, values) from the input on."""
    # Each layer's version from the outermost in, with a tag (1) below every other one.
    nest = [2] * (len(layers) - 1)
    tagged = [version for _ in nest for version in (1, 2)]
    out = packed(1) + text("loss_metric_2") + number(1, -5) + number(3, -2)
    out += b"".join(map(packed, tagged)) + packed(3) + text("input_rgb_image_sized")
    out += b"".join(number(round(value * 2**30), -30) for value in mean)
    out += b"".join(map(packed, size)) + content(*layers[0]) + STATE + packed(1)
    return out + b"".join(content(*layer) + STATE for layer in layers[1:])


def small():
    return [
        ("con_4", (1, 1, 1, 1, 1, 0, 0, 1, 2, 1, 1, 1, 1, 1, 1), [0.5, -2.0, 0.25]),
        ("affine_", (1, 1, 1, 1, 1, 1, 1, 1, 0), [3.0, -1.0]),
        ("relu_", (), []),
        ("avg_pool_2", (0, 0, 1, 1, 0, 0), []),
        ("fc_2", (2, 1, 1, 2, 1, 1, 0, 0, 0, 0, 1), [1.0, 7.0]),
    ]


class PrimitivesTest(unittest.TestCase):
    def test_packed_numbers(self):
        for value in (0, 1, 255, 256, -1, -70000, 2**40, 2**63 - 1):
            self.assertEqual(dlib_file.Reader(packed(value)).integer(), value)

    def test_bytes_that_start_no_number(self):
        for wrong in (b"\x00", b"\x09" + bytes(9), b"\x41\x01"):
            with self.assertRaises(dlib_file.FormatError):
                dlib_file.Reader(wrong).integer()

    def test_floats_are_mantissa_and_exponent(self):
        self.assertEqual(dlib_file.Reader(number(-5, -3)).number(), -0.625)
        with self.assertRaises(dlib_file.FormatError):
            dlib_file.Reader(number(0, 32000)).number()  # dlib's infinity


class NetworkTest(unittest.TestCase):
    def test_reads_layers_from_the_input_on(self):
        mean, size, layers = dlib_file.read_network(network(small()))
        self.assertEqual([layer.kind for layer in layers], [kind for kind, _, _ in small()])
        self.assertEqual([layer.numbers for layer in layers], [sizes for _, sizes, _ in small()])
        self.assertEqual(layers[0].values.tolist(), [0.5, -2.0, 0.25])
        self.assertEqual(layers[4].values.tolist(), [1.0, 7.0])
        self.assertIsNone(layers[2].values)
        self.assertEqual(size, (150, 150))
        self.assertAlmostEqual(mean[1], 117.001)

    def test_a_file_cut_anywhere_is_refused(self):
        whole = network(small())
        for length in range(len(whole)):
            with self.assertRaises(dlib_file.FormatError, msg=f"cut at {length}"):
                dlib_file.read_network(whole[:length])

    def test_refuses_what_it_does_not_know(self):
        for layers in ([("con_9", (), [])] + small(), [("sig_", (), [])] + small()):
            with self.assertRaisesRegex(dlib_file.FormatError, "unknown layer"):
                dlib_file.read_network(network(layers))
        with self.assertRaisesRegex(dlib_file.FormatError, "1 bytes follow"):
            dlib_file.read_network(network(small()) + b"\0")
        with self.assertRaisesRegex(dlib_file.FormatError, "not a network of dlib's loss_metric"):
            dlib_file.read_network(packed(1) + text("loss_binary_log_"))


def face_layers(change=lambda layers: layers):
    """The face network's layers with parameters 1, 2, 3 ... thousandths."""
    layers, start = [], 0
    for kind, sizes in dlib_resnet.expected_layers():
        count = parameters(kind, sizes)
        layers.append((kind, sizes, numpy.arange(start, start + count) % 997 / 1000))
        start += count
    return change(layers)


class FaceNetworkTest(unittest.TestCase):
    def test_parameters_go_where_they_belong(self):
        layers = face_layers()
        net = dlib_resnet.load(network(layers))
        values = [torch.from_numpy(layer[2]).float() for layer in layers if len(layer[2])]
        self.assertEqual(len(values), 2 * 29 + 1)  # 29 convolutions, each with its scale
        last_conv, last_affine, matrix = values[-3:]
        conv = net.blocks[-1].second
        self.assertTrue(torch.equal(conv.conv.weight.flatten(), last_conv[:-256]))
        self.assertTrue(torch.equal(conv.conv.bias, last_conv[-256:]))
        self.assertTrue(torch.equal(conv.scale.flatten(), last_affine[:256]))
        self.assertTrue(torch.equal(conv.offset.flatten(), last_affine[256:]))
        self.assertTrue(torch.equal(net.matrix.weight.T.flatten(), matrix))
        with torch.no_grad():
            self.assertEqual(net(torch.zeros(2, 3, 150, 150)).shape, (2, 128))

    def test_another_network_is_refused(self):
        data = network(face_layers(lambda layers: layers[:-3] + layers[-2:]))
        with self.assertRaisesRegex(dlib_file.FormatError, "not those of the face embedding"):
            dlib_resnet.load(data)
        with self.assertRaisesRegex(dlib_file.FormatError, "input layer has means"):
            dlib_resnet.load(network(small(), mean=(0.5, 0.5, 0.5)))

    def test_adds_pictures_of_unlike_sizes_as_dlib_does(self):
        block = dlib_resnet.Block(1, 2, halves=True)
        with torch.no_grad():
            for parameter in block.parameters():
                parameter.zero_()
            block.second.offset.fill_(10)
            # Means of 2x2 of an 8x8 picture are 4x4, convolutions give 3x3.
            out = block(torch.full((1, 1, 8, 8), 2.0))
        self.assertEqual(out.shape, (1, 2, 4, 4))
        self.assertTrue((out[0, 0, :3, :3] == 12).all() and (out[0, 1, :3, :3] == 10).all())
        self.assertTrue((out[0, 0, 3] == 2).all() and (out[0, 0, :, 3] == 2).all())
        self.assertTrue((out[0, 1, 3] == 0).all() and (out[0, 1, :, 3] == 0).all())


if __name__ == "__main__":
    unittest.main()
