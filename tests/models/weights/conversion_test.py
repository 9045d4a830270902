"""What stands between a conversion and its installation, and what the networks promise."""

import csv
import unittest

import here
import convert
import imagenet_parts
import mtcnn
import mtnet
import numpy
import onnx_to_torch
import proof
import torch
from onnx import TensorProto, helper, numpy_helper


def inputs_of(count):
    return torch.from_numpy(numpy.random.default_rng(count).random((count, 3), "float32"))


class ProofTest(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(1)
        self.network = torch.nn.Linear(3, 2)

    def test_an_equal_network_passes(self):
        reference = proof.without_gradients(self.network)
        done = proof.converted(self.network, inputs_of, reference)
        self.assertEqual(done.difference, 0)
        self.assertEqual(done.network(inputs_of(5)).shape, (5, 2))

    def test_a_network_that_differs_is_refused(self):
        def reference(inputs):
            return proof.without_gradients(self.network)(inputs) + 2 * proof.TOLERANCE

        with self.assertRaisesRegex(proof.ConversionError, "outputs differ by 0.0002"):
            proof.converted(self.network, inputs_of, reference)

    def test_a_difference_in_one_batch_size_only_is_refused(self):
        def reference(inputs):
            return proof.without_gradients(self.network)(inputs) + (len(inputs) == 8)

        with self.assertRaises(proof.ConversionError):
            proof.converted(self.network, inputs_of, reference)

    def test_nan_and_another_shape_are_refused(self):
        plain = proof.without_gradients(self.network)
        for wrong in (lambda x: plain(x)[:, :1], lambda x: plain(x) * float("nan")):
            with self.assertRaises(proof.ConversionError):
                proof.converted(self.network, inputs_of, wrong)

    def test_small_probabilities_are_compared_by_their_logarithms(self):
        small = torch.nn.Sequential(self.network, torch.nn.Softmax(1))
        with torch.no_grad():
            self.network.weight.zero_()
            self.network.bias.copy_(torch.tensor([0.0, -15.0]))

        def reference(inputs):
            wrong = torch.tensor([0.0, 3e-7])  # twice the true one, and far below TOLERANCE
            return proof.without_gradients(small)(inputs) + wrong

        proof.converted(small, inputs_of, reference)
        with self.assertRaisesRegex(proof.ConversionError, "log-probabilities"):
            proof.converted(small, inputs_of, reference, torch.log)


def constant(name, values):
    return numpy_helper.from_array(numpy.asarray(values), name)


def onnx_file(nodes, constants, outputs):
    graph = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2, 4, 4])],
        [helper.make_tensor_value_info(outputs, TensorProto.FLOAT, None)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return model.SerializeToString()


class OnnxTest(unittest.TestCase):
    """What dlib's classifiers add to the operators that nsfw needs."""

    def made(self, pad_mode="constant", trans_b=0, filling=0.0):
        source = numpy.random.default_rng(5)
        matrix = source.random((3, 6) if trans_b else (6, 3), "float32")
        constants = [
            constant("scale", source.random((2, 1, 1), "float32")),
            constant("pads", numpy.array([0, 1, 0, 2, 0, 3, 1, 0])),
            constant("filling", numpy.float32(filling)),
            constant("matrix", matrix),
            constant("bias", source.random(3, "float32")),
        ]
        nodes = [
            helper.make_node("Mul", ["x", "scale"], ["scaled"]),
            helper.make_node("Pad", ["scaled", "pads", "filling"], ["padded"], mode=pad_mode),
            helper.make_node("GlobalAveragePool", ["padded"], ["mean"]),
            helper.make_node("Flatten", ["mean"], ["flat"]),
            helper.make_node("Gemm", ["flat", "matrix", "bias"], ["y"], transB=trans_b),
        ]
        return onnx_file(nodes, constants, "y")

    def test_equals_openvino(self):
        for trans_b in (0, 1):
            file = self.made(trans_b=trans_b)
            x = torch.from_numpy(numpy.random.default_rng(6).random((3, 2, 4, 4), "float32"))
            with torch.no_grad():
                given = onnx_to_torch.load(file)(x)
            wanted = convert.run_by_openvino(file)(x)
            self.assertEqual(given.shape, (3, 3))
            self.assertLess((given - wanted).abs().max().item(), 1e-5)

    def test_refuses_other_paddings(self):
        for wrong in ({"pad_mode": "edge"}, {"filling": 1.0}):
            with self.assertRaisesRegex(onnx_to_torch.UnsupportedNode, "Pad 'padded'"):
                onnx_to_torch.load(self.made(**wrong))

    def test_refuses_an_operator_that_it_does_not_know(self):
        node = helper.make_node("Tanh", ["x"], ["y"])
        with self.assertRaisesRegex(onnx_to_torch.UnsupportedNode, "Tanh"):
            onnx_to_torch.load(onnx_file([node], [], "y"))


class ImagenetPartsTest(unittest.TestCase):
    def test_labels_are_imagenets_at_the_same_rows(self):
        names = here.labels("imagenet")
        for part, rows in (("food", imagenet_parts.FOOD), ("insect", imagenet_parts.INSECTS)):
            self.assertEqual(here.labels(part), [names[row] for row in rows], part)
        foods = here.labels("food")
        self.assertIn("pizza", foods)
        self.assertNotIn("hay", foods)
        self.assertNotIn("cup", foods)

    def test_keeps_the_probabilities_of_the_whole(self):
        logits = torch.tensor([[3.0, 0.0, 1.0, 9.0]])
        part = imagenet_parts.Part(torch.nn.Identity(), (2, 0))
        wanted = logits.softmax(1)[:, [2, 0]]
        self.assertTrue(torch.equal(part(logits), wanted))
        self.assertLess(part(logits).sum().item(), 0.01)  # the likeliest is not in the part


class DeclaredShapesTest(unittest.TestCase):
    """model.toml says what the network takes and gives."""

    def check(self, name, network):
        toml = here.model_toml(name)
        self.assertTrue(toml["internal"], name)
        self.assertEqual(toml["output"]["kind"], "values", name)
        with torch.no_grad():
            out = network.eval()(torch.zeros(2, *toml["input"]["dims"]))
        self.assertEqual(list(out.shape[1:]), toml["output"]["dims"], name)

    def test_mtcnn(self):
        self.check("mtcnn_pnet", mtcnn.PNet())
        self.check("mtcnn_rnet", mtcnn.RNet())
        self.check("mtcnn_onet", mtcnn.ONet())
        self.assertEqual(here.model_toml("mtcnn_pnet")["input"]["dims"], [3, *mtcnn.CANVAS])
        self.assertEqual(here.model_toml("mtcnn_pnet")["output"]["dims"], [*mtcnn.CANVAS_OUTPUT])

    def test_mtnet(self):
        self.check("zhihu_mtnet", mtnet.MTNet())


class CanvasTest(unittest.TestCase):
    def test_a_picture_on_the_canvas_has_the_cells_that_it_has_alone(self):
        torch.manual_seed(2)
        network = mtcnn.PNet().eval()
        picture = torch.rand(1, 3, 40, 30)
        canvas = torch.rand(1, 3, 120, 100)
        top, left = 18, 44  # even: a cell is two pixels
        canvas[:, :, top : top + 40, left : left + 30] = picture
        with torch.no_grad():
            alone, laid = network(picture), network(canvas)
        rows, columns = alone.shape[2:]
        part = laid[:, :, top // 2 : top // 2 + rows, left // 2 : left // 2 + columns]
        self.assertEqual((rows, columns), (15, 10))
        self.assertLess((alone - part).abs().max().item(), 1e-5)


class MtnetTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.file = (here.WEIGHTS / "mtnet/mtnet.safetensors").read_bytes()
        with open(here.WEIGHTS / "mtnet/ranges.csv", newline="") as file:
            cls.ranges = list(csv.DictReader(file))
        with open(here.HERE / "lives.csv", newline="") as file:
            cls.lives = list(csv.DictReader(file))

    def scaled(self, live):
        return [
            (float(live[r["feature"]]) - float(r["least"])) / (float(r["most"]) - float(r["least"]))
            for r in self.ranges
        ]

    def test_repeats_the_first_xclouds_answers(self):
        network = mtnet.load(self.file)
        with torch.no_grad():
            rated = network(torch.tensor([self.scaled(live) for live in self.lives]))[:, 0]
        said = torch.tensor([float(live["first_xcloud_says"]) for live in self.lives])
        self.assertLess((rated - said).abs().max().item(), 1e-5)
        self.assertGreater(said.max() - said.min(), 0.3)

    def test_has_the_numbers_of_the_paper(self):
        network = mtnet.load(self.file)
        self.assertEqual(sum(p.numel() for p in network.parameters()), 715)
        self.assertEqual(len(self.ranges), mtnet.INPUTS)

    def test_its_file_is_read_and_written_alike(self):
        self.assertEqual(mtnet.write_safetensors(mtnet.read_safetensors(self.file)), self.file)


if __name__ == "__main__":
    unittest.main()
