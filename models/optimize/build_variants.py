#!/usr/bin/env python3
"""Builds one variant of a model: what `xcloud model optimize` runs, once for each variant.

  build_variants.py VARIANT --model FILE --input '[-1, 3, 224, 224]' --output FOLDER
                    [--calibration ROWS.f32]

VARIANT is openvino-fp32, openvino-int8 or aotinductor. FILE is the reference: TorchScript (.pt),
ONNX or IR (.xml). Writes the variant's files into FOLDER and FOLDER/VARIANT.json: their names, the
one to load first, or {"trouble": why there are none}. Exit code 0 either way; anything else is a
fault of the build itself, whose last line of stderr is the reason.

Calibration rows are fp32, of the input's shape, as the server stages them.
"""

import argparse
import json
import pathlib
import sys

PROBE_ITEMS = 2  # of a batch that is tried, to see whether its size is free


class NotBuilt(RuntimeError):
    """Why this variant cannot be had of this model, for the operator."""


def read_openvino(arguments):
    """The reference as an OpenVINO model of any batch, or of one item where the file fixes it."""
    import openvino

    shape = arguments.input
    if arguments.model.suffix == ".pt":
        import torch

        module = torch.jit.load(str(arguments.model), map_location="cpu").eval()
        example = torch.zeros([1, *shape[1:]])
        return openvino.convert_model(module, input=shape, example_input=example)
    model = openvino.Core().read_model(arguments.model)
    try:
        model.reshape(shape)
    except RuntimeError:
        model.reshape([1, *shape[1:]])
    return model


def save_openvino(model, arguments):
    import openvino

    openvino.save_model(model, arguments.output / f"{arguments.variant}.xml",
                        compress_to_fp16=False)
    return [f"{arguments.variant}.xml", f"{arguments.variant}.bin"]


def build_openvino_fp32(arguments):
    if arguments.model.suffix == ".xml":
        raise NotBuilt("the reference is OpenVINO's own format already")
    return save_openvino(read_openvino(arguments), arguments)


def saturates():
    """Without VNNI, products of 8 bits are added up in 16, and overflow unless weights have 7.

    The imagenet service named the same label for 90 % of the photos with 8 bits, 98 % with 7.
    """
    flags = pathlib.Path("/proc/cpuinfo").read_text().split()
    return not {"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"} & set(flags)


def build_openvino_int8(arguments):
    import numpy

    import nncf
    from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, OverflowFix

    if arguments.calibration is None:
        raise NotBuilt("quantising needs photos to calibrate with (--photos)")
    rows = numpy.fromfile(arguments.calibration, dtype=numpy.float32)
    rows = rows.reshape([-1, 1, *arguments.input[1:]])
    # Mixed: activations below zero keep their precision; channels have scales of their own.
    quantised = nncf.quantize(read_openvino(arguments), nncf.Dataset(rows),
                              preset=nncf.QuantizationPreset.MIXED, subset_size=len(rows),
                              advanced_parameters=AdvancedQuantizationParameters(
                                  overflow_fix=OverflowFix.ENABLE if saturates()
                                  else OverflowFix.DISABLE))
    return save_openvino(quantised, arguments)


def exported(arguments):
    """The reference as an ExportedProgram, and whether its batch is free."""
    import torch
    from torch._export.converter import TS2EPConverter

    module = torch.jit.load(str(arguments.model), map_location="cpu").eval()
    items = torch.randn([PROBE_ITEMS, *arguments.input[1:]])
    expected = module(items)
    program = TS2EPConverter(module, (items,)).convert()
    try:
        batch = torch.export.Dim("batch", min=1, max=1024)
        program = torch.export.export(program.module(), (items,), dynamic_shapes=({0: batch},))
        alone = program.module()(items[:1])
        free = bool(torch.allclose(alone, expected[:1], rtol=1e-3, atol=1e-4))
    except Exception as error:  # whatever torch.export cannot do: one item at a time it is
        print(f"aotinductor: its batch is not free: {first_line(error)}", file=sys.stderr)
        free = False
    if not free:
        program = TS2EPConverter(module, (items[:1],)).convert()
    return program, free


def build_aotinductor(arguments):
    import torch
    import torch._inductor

    if arguments.model.suffix != ".pt":
        raise NotBuilt("it is made from TorchScript only")
    with torch.no_grad():
        program, free = exported(arguments)
        # dynamic_threads: as many as the lane has, not as many as there were here.
        torch._inductor.aoti_compile_and_package(
            program, package_path=str(arguments.output / "aotinductor.pt2"),
            inductor_configs={
                "cpp.dynamic_threads": True,
                "aot_inductor.metadata": {"xcloud_batch": "any" if free else "1"},
            })
    return ["aotinductor.pt2"]


BUILDERS = {
    "openvino-fp32": build_openvino_fp32,
    "openvino-int8": build_openvino_int8,
    "aotinductor": build_aotinductor,
}


def first_line(error):
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no reason given'}"[:300]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variant", choices=sorted(BUILDERS))
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--input", type=json.loads, required=True, help="shape; -1 = the batch")
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--calibration", type=pathlib.Path)
    arguments = parser.parse_args()
    try:
        result = {"files": BUILDERS[arguments.variant](arguments)}
    except NotBuilt as why:
        result = {"trouble": str(why)}
    except Exception as error:  # a library that cannot do it: told, and the others go on
        import traceback

        traceback.print_exc()
        result = {"trouble": first_line(error)}
    (arguments.output / f"{arguments.variant}.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
