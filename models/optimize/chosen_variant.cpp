#include "models/optimize/chosen_variant.h"

#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include "models/checksum.h"
#include "models/optimize/report.h"

namespace xcloud {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxReportBytes = 1 << 20;

VariantChoice Trouble(std::string why) {
  VariantChoice choice;
  choice.trouble = std::move(why);
  return choice;
}

// Empty when the file is the one that was measured.
std::string WhyNot(const fs::path& file, const VariantFile& expected) {
  const Result<std::string> sha256 = Sha256OfFile(file);
  if (!sha256.ok()) return expected.name + " is missing";
  return *sha256 == expected.sha256 ? "" : expected.name + " is not the file that was measured";
}

// Others' keys, for the operator who wonders; empty when there are none.
std::string OtherHosts(const fs::path& optimized) {
  std::string names;
  std::error_code error;
  for (fs::directory_iterator item(optimized, error), end; !error && item != end;
       item.increment(error)) {
    const std::string name = item->path().filename().string();
    // What begins with a point is being made, or was when its maker died.
    if (name.front() != '.') names += (names.empty() ? "" : ", ") + name;
  }
  return names;
}

VariantChoice FromReport(const RepositoryEntry& entry, const fs::path& folder,
                         const OptimizeReport& report, std::string_view host_key) {
  if (report.host_key != host_key) return Trouble("its report is of host " + report.host_key);
  const VariantReport* const chosen = report.ChosenVariant();
  if (chosen == nullptr) return {};
  const std::string name = chosen->name + ": ";
  if (report.input != InputText(entry.definition)) {
    return Trouble(name + "it was judged with another [preprocess]");
  }
  const VariantFile& reference = report.reference.files.front();
  if (reference.name != entry.weights.filename()) {
    return Trouble(name + "it was made from " + reference.name);
  }
  std::string wrong = WhyNot(entry.weights, reference);
  if (!wrong.empty()) return Trouble(name + "the reference " + wrong);
  for (const VariantFile& file : chosen->files) {
    wrong = WhyNot(folder / file.name, file);
    if (!wrong.empty()) return Trouble(name + wrong);
  }
  VariantChoice choice;
  choice.variant = ServedFile{entry.definition, folder / chosen->files.front().name, chosen->name};
  choice.variant->definition.backend = chosen->backend;
  choice.variant->definition.file = chosen->files.front().name;
  choice.variant->definition.network.clear();
  return choice;
}

}  // namespace

std::string InputText(const ModelDefinition& definition) {
  if (definition.tensor_input) return ShapeText(definition.tensor_input->dims);
  const PreprocessSpec& spec = definition.preprocess;
  std::string text = spec.mode == ResizeMode::kSquash ? "squash" : "short_side";
  for (const int side :
       {spec.resize_width, spec.resize_height, spec.crop_width, spec.crop_height}) {
    text += " " + std::to_string(side);
  }
  text += spec.color == ColorOrder::kBgr ? " bgr" : " rgb";
  text += spec.layout == TensorLayout::kNhwc ? " nhwc " : " nchw ";
  text += std::to_string(spec.scale);
  for (const auto& values : {spec.mean, spec.std}) {
    for (const float value : values) text += " " + std::to_string(value);
  }
  return text;
}

ServedFile ReferenceOf(const RepositoryEntry& entry) {
  return {entry.definition, entry.weights, std::string(entry.definition.reference_backend())};
}

VariantChoice ChooseVariant(const RepositoryEntry& entry, std::string_view host_key) {
  if (entry.definition.backend != "auto" || host_key.empty() || entry.weights.empty()) return {};
  const fs::path optimized = entry.weights.parent_path() / kOptimizedFolder;
  const fs::path folder = optimized / host_key;
  std::error_code error;
  if (!fs::exists(folder, error)) {
    const std::string others = OtherHosts(optimized);
    return others.empty() ? VariantChoice{} : Trouble("optimised for other hosts only: " + others);
  }
  std::ifstream in(folder / kReportFile, std::ios::binary);
  if (!in) return Trouble(std::string(kReportFile) + " is missing");
  std::string text(kMaxReportBytes, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  const Result<OptimizeReport> report = ParseReportJson(text);
  if (!report.ok()) return Trouble(report.status().message());
  return FromReport(entry, folder, *report, host_key);
}

}  // namespace xcloud
