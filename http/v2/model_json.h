// What the Open Inference Protocol and Triton's extensions tell about a model, as JSON: metadata,
// configuration, statistics.
//
// The configuration holds what perf_analyzer and image_client read, in Triton's names; what
// XCloud does not have is left out rather than made up, but for cache_hit and cache_miss of the
// statistics, which perf_analyzer reads without asking.
// Thread safety: pure functions; any thread.
#pragma once

#include <string>

#include "core/batching.h"
#include "core/inference_service.h"
#include "core/model_statistics.h"
#include "http/json_writer.h"

namespace xcloud {

// {"name","versions","platform","inputs":[{"name","datatype","shape"}],"outputs"}.
std::string WriteModelMetadata(const ServiceInfo& info);

// `batching` may be null: nothing is told of how it batches.
std::string WriteModelConfig(const ServiceInfo& info, const BatchingView* batching);

// One element of "model_stats".
void WriteModelStatistics(JsonWriter& json, const ModelStatistics& statistics);

}  // namespace xcloud
