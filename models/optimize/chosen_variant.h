// ChosenVariant: what of a version a host serves: the file that its publisher meant, or what
// `xcloud model optimize` found to be faster there and close enough.
//
// Reads the report and the files' checksums: some 0.1 s for 100 MB; the loader's threads only.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "models/repository.h"

namespace xcloud {

// Something that a device can load.
struct ServedFile {
  ModelDefinition definition;  // with `backend` and `file` of what is loaded
  std::filesystem::path file;
  std::string shown;  // for metadata and logs: "torchscript", "openvino fp32"
};

// What a network's input is made of: [preprocess], or [input]. Equal texts, equal inputs.
std::string InputText(const ModelDefinition& definition);

// The version's own file.
ServedFile ReferenceOf(const RepositoryEntry& entry);

struct VariantChoice {
  std::optional<ServedFile> variant;  // nullopt: the reference
  // Why a variant that was meant for a host is not served; empty when all is as it should be.
  std::string trouble;
};

// `host_key` empty = a device that no variants are made for. Only models of backend "auto" have
// variants. Never fails: where something is wrong (the report is damaged, a file is missing, the
// reference or a variant has another checksum than when it was measured) the reference is served,
// and `trouble` says why.
VariantChoice ChooseVariant(const RepositoryEntry& entry, std::string_view host_key);

}  // namespace xcloud
