// VariantBuilder: makes the files of a model's variants by running build_variants.py: at build time
// only, on the host that will serve them. No Python runs beside the server.
//
// Blocks until Python has ended (seconds to minutes); any one thread.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/result.h"
#include "models/optimize/report.h"
#include "models/repository.h"

namespace xcloud {

struct BuilderTools {
  std::filesystem::path python;  // of the environment that models/weights/requirements.txt made
  std::filesystem::path script;  // build_variants.py
};

struct VariantKind {
  std::string option;   // of --variants, and of the script: "openvino-fp32"
  std::string name;     // "openvino fp32"
  std::string backend;  // ModelDefinition::backend
};
// All that this program knows, in the order in which they are tried.
const std::vector<VariantKind>& VariantKinds();

// The file that variants are made from: the version's own, or, of a native model, a TorchScript
// file that the zoo writes into `folder`. InvalidArgument tells why there is none.
Result<std::filesystem::path> VariantSource(const RepositoryEntry& entry,
                                            const std::filesystem::path& folder);

// Builds one kind into `folder`; `calibration` is a file of rows, or empty. Never fails: of what
// cannot be built, `trouble` says why. What Python prints goes to folder/build.log.
VariantReport BuildVariant(const VariantKind& kind, const RepositoryEntry& entry,
                           const std::filesystem::path& source,
                           const std::filesystem::path& calibration,
                           const std::filesystem::path& folder, const BuilderTools& tools);

}  // namespace xcloud
