"""What the zoo's networks must give: writes weights, inputs and expected outputs.

    reference_networks.py OUT
    reference_networks.py OUT MTNET.pth IO.safetensors    of the published weights alone

For each network OUT/NAME.{safetensors|pth} and OUT/NAME.io.safetensors (input, expected), and a
line in OUT/cases.txt: NAME OUTPUTS WEIGHTS. torchvision's own networks where it has them; the
others are written here from their papers' facts, in another way than in C++: as tables of layers
and plain functions of a state dict. Seeded; batch norms have statistics that matter.
"""

import pathlib
import sys

import torch
import torchvision
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "models/weights"))
import efficientnet_lite  # noqa: E402


def conv(x, state, name, **options):
    return F.conv2d(x, state[name + ".weight"], state[name + ".bias"], **options)


def linear(x, state, name):
    return F.linear(x, state[name + ".weight"], state[name + ".bias"])


def norm(x, state, name):
    mean, variance = state[name + ".running_mean"], state[name + ".running_var"]
    return F.batch_norm(x, mean, variance, state.get(name + ".weight"), state.get(name + ".bias"))


def conv_weights(state, name, inputs, outputs, kernel):
    bound = (2 / (inputs * kernel * kernel)) ** 0.5
    state[name + ".weight"] = torch.randn(outputs, inputs, kernel, kernel) * bound
    state[name + ".bias"] = torch.randn(outputs) * 0.1


def linear_weights(state, name, inputs, outputs):
    state[name + ".weight"] = torch.randn(outputs, inputs) * (2 / inputs) ** 0.5
    state[name + ".bias"] = torch.randn(outputs) * 0.1


def norm_weights(state, name, channels, affine=True):
    if affine:
        state[name + ".weight"] = torch.rand(channels) + 0.5
        state[name + ".bias"] = torch.randn(channels) * 0.1
    state[name + ".running_mean"] = torch.randn(channels) * 0.1
    state[name + ".running_var"] = torch.rand(channels) + 0.5
    state[name + ".num_batches_tracked"] = torch.tensor(7)


def hmtnet():
    state = {}
    trunk = (("conv1", "bn49", 3, 96, 7), ("conv2", "bn50", 96, 256, 5), ("conv3", "bn51", 256, 512, 3),
             ("conv4", "bn52", 512, 512, 3), ("conv5", "bn53", 512, 512, 3),
             ("fc6", "bn54", 512, 4096, 6), ("fc7", "bn55", 4096, 4096, 1))
    for name, after, inputs, outputs, kernel in trunk:
        conv_weights(state, name, inputs, outputs, kernel)
        norm_weights(state, after, outputs, affine=after != "bn54")
    conv_weights(state, "fc8", 4096, 1, 1)
    for p in "gr":
        for i, (inputs, outputs, kernel) in enumerate(((512, 256, 3), (256, 128, 3), (128, 2, 1)), 1):
            conv_weights(state, f"{p}branch.{p}conv{i}", inputs, outputs, kernel)
            norm_weights(state, f"{p}branch.{p}bn{i}", outputs)
    assert sum(v.numel() for k, v in state.items() if k.endswith(("weight", "bias"))) == 101_779_533

    def head(x, p):
        x = F.relu(norm(conv(x, state, f"{p}branch.{p}conv1"), state, f"{p}branch.{p}bn1"))
        x = F.relu(norm(conv(x, state, f"{p}branch.{p}conv2"), state, f"{p}branch.{p}bn2"))
        x = conv(F.max_pool2d(x, 3), state, f"{p}branch.{p}conv3", stride=2)
        return F.avg_pool2d(F.relu(norm(x, state, f"{p}branch.{p}bn3")), 2)[:, :, 0, 0]

    def run(x):
        x = F.max_pool2d(F.relu(norm(conv(x, state, "conv1", stride=2), state, "bn49")), 3, 2)
        x = F.relu(norm(conv(x, state, "conv2", stride=2, padding=1), state, "bn50"))
        x = F.max_pool2d(x, 3, 2, ceil_mode=True)
        assert x.shape[2:] == (13, 13)
        c3 = conv(x, state, "conv3", padding=1)
        r3 = F.relu(norm(c3, state, "bn51"))
        r4 = F.relu(norm(conv(r3, state, "conv4", padding=1), state, "bn52"))
        r5 = F.relu(norm(conv(r4, state, "conv5", padding=1), state, "bn53"))
        f = (c3 + r3 + r5) / 3
        f6 = conv(F.max_pool2d(f, 3, 2), state, "fc6")
        f7 = conv(F.relu(norm(f6, state, "bn54")), state, "fc7")
        r7 = F.relu(norm(f7, state, "bn55"))
        beauty = conv((f6 + f7 + r7) / 3, state, "fc8")[:, :, 0, 0]
        return torch.cat((beauty, head(r3, "g"), head(f, "r")), 1)

    return state, run


def sphereface20():
    state, inputs = {}, 3
    for stage, (channels, pairs) in enumerate(((64, 1), (128, 2), (256, 4), (512, 1)), 1):
        for i in range(1, 2 * pairs + 2):
            conv_weights(state, f"conv{stage}_{i}", inputs, channels, 3)
            state[f"relu{stage}_{i}.weight"] = torch.rand(channels) * 0.5
            inputs = channels
    linear_weights(state, "fc5", 512 * 7 * 6, 512)
    state["fc6.weight"] = torch.randn(512, 11)  # of its training loss; the zoo leaves it out

    def step(x, name, stride=1):
        y = conv(x, state, "conv" + name, stride=stride, padding=1)
        return F.prelu(y, state[f"relu{name}.weight"])

    def run(x):
        for stage, pairs in enumerate((1, 2, 4, 1), 1):
            x = step(x, f"{stage}_1", 2)
            for i in range(pairs):
                x = x + step(step(x, f"{stage}_{2 * i + 2}"), f"{stage}_{2 * i + 3}")
        return linear(x.reshape(len(x), -1), state, "fc5")

    return state, run


def mtnet_run(state):
    def run(x):
        for name in ("fc1", "fc2", "fc3"):
            x = F.relu(linear(x, state, f"layers.{name}.0"))
        rates = [linear(F.relu6(linear(x, state, b + ".bf1")), state, b + ".bf2")
                 for b in ("branch1", "branch2", "branch3")]
        return sum(rates) / 3

    return run


def mtnet():
    state = {}
    for name, inputs, outputs in (("fc1", 23, 16), ("fc2", 16, 8), ("fc3", 8, 8)):
        linear_weights(state, f"layers.{name}.0", inputs, outputs)
    for branch, middle in (("branch1", 4), ("branch2", 3), ("branch3", 5)):
        linear_weights(state, branch + ".bf1", 8, middle)
        linear_weights(state, branch + ".bf2", middle, 1)
    assert sum(v.numel() for v in state.values()) == 715
    return state, mtnet_run(state)


def crnet():
    trunk = torchvision.models.resnet18()
    state = {}
    for head, outputs in (("regressor", 1), ("classifier", 5)):
        for name, inputs, width in (("fc1", 512, 256), ("fc2", 256, 64), ("fc3", 64, outputs)):
            linear_weights(state, f"{head}.{name}", inputs, width)
    shake_norms(trunk)
    trunk.eval()
    # The checkpoints of its authors hold ResNet's own last layer, too, which forward never uses.
    state.update({"model." + name: value.clone() for name, value in trunk.state_dict().items()})
    trunk.fc = nn.Identity()

    def head(x, name):
        x = F.relu(linear(x, state, name + ".fc1"))
        return linear(F.relu(linear(x, state, name + ".fc2")), state, name + ".fc3")

    def run(x):
        features = trunk(x)
        return torch.cat((head(features, "regressor"), head(features, "classifier")), 1)

    return state, run


def pooling_quality(channels, kernel, widths, outputs):
    state, inputs = {}, 3
    for i, width in enumerate(channels, 1):
        conv_weights(state, f"conv{i}", inputs, width, kernel)
        norm_weights(state, f"bn{i}", width)
        inputs = width
    for i, (inputs, width) in enumerate(zip((2 * inputs, *widths), (*widths, outputs)), 1):
        linear_weights(state, f"fc{i}", inputs, width)

    def run(x):
        for i in range(1, len(channels) + 1):
            x = norm(conv(x, state, f"conv{i}"), state, f"bn{i}")
        x = x[:, :, :26, :26].flatten(2)
        x = torch.cat((x.amin(2), x.amax(2)), 1)
        return linear(F.relu(linear(F.relu(linear(x, state, "fc1")), state, "fc2")), state, "fc3")

    return state, run


def deeppatchcnn():
    state, inputs = {}, 3
    widths = [32 * 2 ** (i // 2) for i in range(10)]
    for i, width in enumerate(widths, 1):
        conv_weights(state, f"conv{i}", inputs, width, 3)
        norm_weights(state, f"bn{i}", width)
        inputs = width
    linear_weights(state, "fc1", 512, 512)
    linear_weights(state, "fc2", 512, 2)

    def run(x):
        for i in range(1, 11):
            x = F.relu(norm(conv(x, state, f"conv{i}", padding=1), state, f"bn{i}"))
            if i % 2 == 0:
                x = F.max_pool2d(x, 2)
        return linear(F.relu(linear(x[:, :, 0, 0], state, "fc1")), state, "fc2")

    return state, run


def shake_norms(network):
    """Fresh networks have means of zero and variances of one, under which a norm does nothing."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            with torch.no_grad():
                module.weight.uniform_(0.6, 1.2)
                module.bias.normal_(0, 0.1)
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.7, 1.4)


def of_module(network, fresh_convolutions=False):
    shake_norms(network)
    if fresh_convolutions:  # theirs let the signal fade until the biases decide
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_in")
    return network.state_dict(), network.eval()


def nima(network, head):
    inputs = getattr(network, head).in_features
    setattr(network, head, nn.Sequential(nn.Linear(inputs, 10), nn.Softmax(1)))
    holder = nn.Module()
    holder.backbone = network
    shake_norms(network)
    network.eval()
    return holder.state_dict(), network


# The large networks see smaller photos than when serving: their arithmetic is the same.
PHOTO, SMALL, PATCH = (3, 224, 224), (3, 128, 128), (3, 32, 32)
tv = torchvision.models
# Name, outputs, input, batch, how it is saved, maker.
NETWORKS = (
    ("resnet18", 1000, PHOTO, 3, "module", lambda: of_module(tv.resnet18())),
    ("resnet50", 1000, SMALL, 3, "pth", lambda: of_module(tv.resnet50())),
    ("resnet152", 1000, SMALL, 1, "safetensors", lambda: of_module(tv.resnet152())),
    ("densenet121", 7, SMALL, 3, "old_names", lambda: of_module(tv.densenet121(num_classes=7))),
    ("densenet161", 1000, SMALL, 1, "safetensors", lambda: of_module(tv.densenet161())),
    ("densenet169", 1000, SMALL, 1, "wrapped", lambda: of_module(tv.densenet169())),
    ("mobilenet_v2", 1000, SMALL, 3, "pth", lambda: of_module(tv.mobilenet_v2(), True)),
    ("shufflenet_v2_x1_0", 1000, PHOTO, 3, "safetensors", lambda: of_module(tv.shufflenet_v2_x1_0(), True)),
    ("efficientnet_lite0", 1000, SMALL, 3, "pth", lambda: of_module(efficientnet_lite.EfficientNetLite0(), True)),
    ("hmtnet", 5, PHOTO, 1, "safetensors", hmtnet),
    ("crnet", 6, SMALL, 3, "module", crnet),
    ("sphereface20", 512, (3, 112, 96), 3, "pth", sphereface20),
    ("mtnet", 1, (23,), 3, "pth", mtnet),
    ("nima_resnet50", 10, SMALL, 1, "safetensors", lambda: nima(tv.resnet50(), "fc")),
    ("nima_densenet169", 10, SMALL, 1, "safetensors", lambda: nima(tv.densenet169(), "classifier")),
    ("iqanet", 1, PATCH, 3, "pth", lambda: pooling_quality((50,), 7, (800, 800), 1)),
    ("iqacnn++", 4, PATCH, 3, "pth", lambda: pooling_quality((8, 32), 3, (128, 512), 4)),
    ("deeppatchcnn", 2, PATCH, 3, "pth", deeppatchcnn),
)


def save(state, kind, stem):
    """Writes the weights as one of the files that people have."""
    if kind == "safetensors":
        state = {name: value.detach().clone() for name, value in state.items()}
        save_file(state, stem.with_name(stem.name + ".safetensors"))
        return stem.name + ".safetensors"
    if kind == "module":
        state = {"module." + name: value for name, value in state.items()}
    if kind == "old_names":
        state = {
            name.replace("norm1.", "norm.1.").replace("norm2.", "norm.2.").replace("conv1.", "conv.1.").replace("conv2.", "conv.2.")
            if "denselayer" in name else name: value
            for name, value in state.items() if not name.endswith("num_batches_tracked")
        }
    if kind == "wrapped":
        state = {"epoch": 3, "best": 0.5, "lr": [0.1], "model": state}
    torch.save(state, stem.with_name(stem.name + ".pth"))
    return stem.name + ".pth"


def published_mtnet(weights, io):
    """Zhihu Lives as the published network sees them: features within 0 .. 1."""
    torch.manual_seed(1)
    run = mtnet_run(torch.load(weights, map_location="cpu", weights_only=True))
    x = torch.rand(50, 23)
    save_file({"input": x, "expected": run(x)}, io)


def main():
    out = pathlib.Path(sys.argv[1])
    torch.set_num_threads(1)
    if len(sys.argv) > 2:
        published_mtnet(sys.argv[2], sys.argv[3])
        return
    lines = []
    for seed, (name, outputs, dims, batch, kind, make) in enumerate(NETWORKS):
        torch.manual_seed(100 + seed)
        state, run = make()
        x = torch.randn(batch, *dims)
        with torch.no_grad():
            expected = run(x)
        assert expected.shape == (batch, outputs) and torch.isfinite(expected).all(), name
        if batch > 1:  # an output that does not depend on the input would prove nothing
            assert (expected[0] - expected[1]).abs().max() > 1e-3 * expected.abs().max(), name
        save_file({"input": x, "expected": expected.contiguous()}, out / f"{name}.io.safetensors")
        lines.append(f"{name} {outputs} {save(state, kind, out / name)}\n")
    (out / "cases.txt").write_text("".join(lines))


if __name__ == "__main__":
    main()
