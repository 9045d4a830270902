#include "models/optimize/report.h"

#include <algorithm>
#include <exception>

#include <spdlog/fmt/fmt.h>
#include <nlohmann/json.hpp>

namespace xcloud {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kFormat = 1;  // rises when an older server would misread the file

Json ToJson(const VariantReport& variant) {
  Json json = {{"name", variant.name}, {"backend", variant.backend}};
  for (const VariantFile& file : variant.files) {
    json["files"].push_back({{"name", file.name}, {"sha256", file.sha256}});
  }
  if (!variant.measured()) {
    json["trouble"] = variant.trouble;
    return json;
  }
  json["max_error"] = variant.max_error;
  json["top1_agreement"] = variant.top1_agreement;
  for (const VariantTiming& timing : variant.timings) {
    json["timings"].push_back({{"lanes", timing.lanes},
                               {"threads", timing.threads},
                               {"batch", timing.batch},
                               {"ms", timing.ms},
                               {"items_per_second", timing.items_per_second}});
  }
  return json;
}

// Throws Json's exceptions, and invalid_argument for what it does not know.
VariantReport ToVariant(const Json& json) {
  VariantReport variant;
  variant.name = json.at("name").get<std::string>();
  variant.backend = json.at("backend").get<std::string>();
  variant.trouble = json.value("trouble", "");
  variant.max_error = json.value("max_error", 0.0);
  variant.top1_agreement = json.value("top1_agreement", 1.0);
  for (const Json& file : json.value("files", Json::array())) {
    VariantFile read{file.at("name").get<std::string>(), file.at("sha256").get<std::string>()};
    const bool plain = !read.name.empty() && read.name.front() != '.' &&
                       read.name.find_first_of("/\\") == std::string::npos;
    if (!plain) throw std::invalid_argument("'" + read.name + "' is not the name of a file");
    variant.files.push_back(std::move(read));
  }
  for (const Json& timing : json.value("timings", Json::array())) {
    variant.timings.push_back({timing.at("lanes").get<std::size_t>(),
                               timing.at("threads").get<std::size_t>(),
                               timing.at("batch").get<std::size_t>(), timing.at("ms").get<double>(),
                               timing.at("items_per_second").get<double>()});
  }
  return variant;
}

OptimizeReport ToReport(const Json& json) {
  if (json.at("format").get<int>() != kFormat) throw std::invalid_argument("another format");
  OptimizeReport report;
  report.model = json.at("model").get<std::string>();
  report.version = json.at("version").get<std::string>();
  report.made = json.at("made").get<std::string>();
  report.host_key = json.at("host_key").get<std::string>();
  report.input = json.at("input").get<std::string>();
  report.photos = json.at("photos").get<std::size_t>();
  report.chosen = json.at("chosen").get<std::string>();
  report.why = json.at("why").get<std::string>();
  for (const auto& [name, text] : json.at("conditions").items()) {
    report.conditions.emplace_back(name, text.get<std::string>());
  }
  report.reference = ToVariant(json.at("reference"));
  for (const Json& variant : json.at("variants")) report.variants.push_back(ToVariant(variant));
  const bool known =
      report.chosen == kReferenceName ||
      std::any_of(report.variants.begin(), report.variants.end(), [&](const VariantReport& v) {
        return v.name == report.chosen && v.measured() && !v.files.empty();
      });
  if (!known) throw std::invalid_argument("'" + report.chosen + "' is no variant of it");
  if (report.reference.files.empty()) throw std::invalid_argument("its reference has no file");
  return report;
}

void AppendVariant(std::string& out, const VariantReport& variant, bool is_reference) {
  if (!variant.measured()) {
    out += fmt::format("| {} | not served: {} | | | | |\n", variant.name, variant.trouble);
    return;
  }
  for (const VariantTiming& timing : variant.timings) {
    out += fmt::format("| {}{} | {} x {} | {} | {:.2f} | {:.1f} | {} |\n", variant.name,
                       is_reference ? " (the reference)" : "", timing.lanes, timing.threads,
                       timing.batch, timing.ms, timing.items_per_second,
                       is_reference ? "-"
                                    : fmt::format("{:.1e}; {:.1f} %", variant.max_error,
                                                  100 * variant.top1_agreement));
  }
}

}  // namespace

const VariantReport* OptimizeReport::ChosenVariant() const {
  if (chosen == kReferenceName) return nullptr;
  const auto found =
      std::find_if(variants.begin(), variants.end(),
                   [&](const VariantReport& variant) { return variant.name == chosen; });
  XC_CHECK(found != variants.end());
  return &*found;
}

std::string WriteReportJson(const OptimizeReport& report) {
  Json json = {{"format", kFormat},   {"model", report.model},       {"version", report.version},
               {"made", report.made}, {"host_key", report.host_key}, {"chosen", report.chosen},
               {"why", report.why},   {"photos", report.photos}};
  json["input"] = report.input;
  json["conditions"] = Json::object();
  for (const auto& [name, text] : report.conditions) json["conditions"][name] = text;
  json["reference"] = ToJson(report.reference);
  json["variants"] = Json::array();
  for (const VariantReport& variant : report.variants) json["variants"].push_back(ToJson(variant));
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<OptimizeReport> ParseReportJson(std::string_view json) {
  try {
    return ToReport(Json::parse(json));
  } catch (const std::exception& error) {
    return Status::InvalidArgument(std::string("not a report of 'xcloud model optimize': ") +
                                   error.what());
  }
}

std::string WriteReportMarkdown(const OptimizeReport& report) {
  std::string out = fmt::format("# {} version {}, optimised\n\n", report.model, report.version);
  out += fmt::format("Served on this host: **{}**. {}\n\n", report.chosen, report.why);
  out += "| variant | lanes x threads | batch | ms a batch | items/s | max error; same label |\n";
  out += "| --- | --- | --- | --- | --- | --- |\n";
  AppendVariant(out, report.reference, true);
  for (const VariantReport& variant : report.variants) AppendVariant(out, variant, false);
  out += fmt::format(
      "\nms is the median of a lane's batch while all lanes work; items/s is of all lanes. Errors "
      "are of\nprobabilities (of a model of values: of values), against the reference, over {} "
      "items.\n\n",
      report.photos);
  out += fmt::format("- made: {}\n- host key: {}\n", report.made, report.host_key);
  for (const auto& [name, text] : report.conditions) out += fmt::format("- {}: {}\n", name, text);
  return out;
}

}  // namespace xcloud
