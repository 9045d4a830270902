// OptimizeReport: what `xcloud model optimize` found out about a version of a model on one host,
// and which variant is to be served there. Kept as ROOT/NAME/VERSION/optimized/HOSTKEY/report.json,
// beside the variants' files; the server reads it when it loads the version.
//
// Plain values; pure functions; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"

namespace xcloud {

inline constexpr const char* kOptimizedFolder = "optimized";
inline constexpr const char* kReportFile = "report.json";
inline constexpr const char* kReportText = "report.md";
// What `chosen` says where nothing was worth a change.
inline constexpr const char* kReferenceName = "reference";

struct VariantFile {
  std::string name;  // in the report's folder; of the reference: in the version's
  std::string sha256;
};

// One way to share out the cores, and one batch size.
struct VariantTiming {
  std::size_t lanes = 1;
  std::size_t threads = 1;      // of a lane
  std::size_t batch = 1;        // items
  double ms = 0;                // of a batch on one lane while all lanes work; median
  double items_per_second = 0;  // of all lanes together
};

struct VariantReport {
  std::string name;                // "openvino fp32"; the reference has its backend's name
  std::string backend;             // "openvino", "aotinductor", "torchscript"
  std::vector<VariantFile> files;  // the first is what the backend loads
  std::string trouble;             // why it was not built or cannot be served; empty = measured
  double max_error = 0;            // of a probability (or a value), over all photos and classes
  double top1_agreement = 1;       // share of photos whose likeliest label is the reference's
  std::vector<VariantTiming> timings;

  bool measured() const { return trouble.empty(); }
};

struct OptimizeReport {
  std::string model;
  std::string version;
  std::string made;      // UTC
  std::string host_key;  // HostKey
  std::string input;     // how a photo becomes the input (InputText), which INT8 is calibrated on
  std::size_t photos = 0;
  std::vector<std::pair<std::string, std::string>> conditions;  // for people: name, text
  VariantReport reference;
  std::vector<VariantReport> variants;
  std::string chosen = kReferenceName;  // the name of a variant
  std::string why;                      // for people

  // Null when the reference was chosen. REQUIRES: chosen names a variant or the reference.
  const VariantReport* ChosenVariant() const;
};

std::string WriteReportJson(const OptimizeReport& report);
// InvalidArgument says what is wrong. Names of files are names: no folders in them.
Result<OptimizeReport> ParseReportJson(std::string_view json);

// The same as a page for people, in Markdown.
std::string WriteReportMarkdown(const OptimizeReport& report);

}  // namespace xcloud
