#include "models/optimize/native_source.h"

#include <cstdint>
#include <exception>
#include <span>
#include <vector>

#include "core/log.h"
#include "models/shown_file.h"
#include "models/stage_rows.h"
#include "models/zoo/load.h"

namespace xcloud {

Status SaveNativeSource(const ModelDefinition& model, const std::filesystem::path& weights,
                        const std::filesystem::path& file) {
  XC_CHECK(model.reference_backend() == "native");
  const std::vector<std::int64_t> shape = BatchShape(model, 1);
  Result<torch::jit::Module> module =
      zoo::LoadZooModule(model.network, static_cast<std::int64_t>(model.score_count()), weights,
                         std::span(shape).subspan(1));
  if (!module.ok()) {
    return Status::InvalidArgument(ShownFile(model, weights) + ": " + module.status().message());
  }
  try {
    module->save(file.string());
    return Status::Ok();
  } catch (const std::exception& error) {
    spdlog::error("{}: {}", file.string(), error.what());
    return Status::Internal("cannot write " + file.string());
  }
}

}  // namespace xcloud
