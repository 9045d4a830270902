// The OpenVINO backend on CPU lanes: ONNX files and OpenVINO's own IR (.xml beside its .bin), fp32
// or quantised to INT8. OpenVINO behind plain types, so that only its own .cpp pays for its
// headers. In builds with OpenVINO only (XCLOUD_HAS_OPENVINO).
//
// Threads: each lane has a graph of its own, compiled with one stream of the lane's `threads`, and
// runs it on the lane's own thread; of more threads the plug-in's pool (TBB) brings the others. One
// compiled model with a stream a lane would share the packed weights, but its streams run on
// threads of the plug-in: those are started while the model is loaded, so they keep the loader's
// niceness (+10) for good (seen in /proc), and each batch crosses to one and back.
//
// Batches: CPU time of one core of an AMD EPYC (Zen 4 without AVX-512), ms an item, median:
//                            size 1 static   sizes 1, 2, 4 in one dynamic graph   size 4 static
//   DenseNet169, fp32              96.6            105.8   99.6  105.3                 96.3
//   DenseNet169, INT8              48.9             73.9   64.0   59.8                 55.1
//   ResNet50, INT8                 50.3             60.4   56.6   59.6                 52.9
// So a photo network on a lane of one thread is compiled for one item, and a batch is run item by
// item: larger batches gain nothing, and the dynamic graph holds two to three times the memory.
// Models of tensors, and lanes of more threads (which a batch keeps busier), get a graph whose
// batch is dynamic for more than one item, where the file allows it.
//
// Precision: inference_precision is f32 always: where a CPU has bf16, OpenVINO would use it
// unasked.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <vector>

#include "core/result.h"
#include "models/model_definition.h"
#include "models/network.h"

namespace xcloud {

// Reads the file once and makes one Network for each of `lanes`, each with staging memory of
// max_batch items of fp32, which OpenVINO reads in place. InvalidArgument names the file and what
// is wrong with it: it is missing, no model, has not one fp32 input that takes the declared shape
// and one fp32 output of one row an item, or does not run.
Result<std::vector<std::unique_ptr<Network>>> MakeOpenVinoNetworks(
    const ModelDefinition& model, const std::filesystem::path& file, std::size_t lanes,
    std::size_t threads);

}  // namespace xcloud
