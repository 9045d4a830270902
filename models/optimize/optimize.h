// Optimize: builds the variants of a version for this host, checks each against the version's own
// file, times all of them, and leaves the report and the files where the server looks for them
// (models/optimize/chosen_variant.h).
//
// Runs for minutes; any one thread. Uses all cores: not beside a server that has to be fast.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/result.h"
#include "models/optimize/decide.h"
#include "models/optimize/report.h"
#include "models/optimize/variant_builder.h"

namespace xcloud {

struct OptimizeOptions {
  std::filesystem::path repository = "configs/models";
  std::string model;
  std::filesystem::path photos;  // empty = made items, and nothing is quantised
  std::size_t most_photos = 300;
  std::vector<std::string> variants;  // options of VariantKinds; empty = all
  DecisionRules rules;
  std::vector<LaneLayout> layouts;  // timed; rules.layout is one of them
  std::size_t rounds = 5;           // of timing, the variants taking turns
  double seconds = 0.5;             // of each variant in a round, for each layout and batch size
  bool keep_all = false;  // also the files of variants that were not chosen: to measure them
  BuilderTools tools;
};

// Tells what goes on: a line each.
using ProgressLog = std::function<void(const std::string&)>;

// The report that was put into place. InvalidArgument, NotFound: nothing was changed. Everything is
// made in a folder beside the final one, which it replaces when all is done.
Result<OptimizeReport> Optimize(const OptimizeOptions& options, const ProgressLog& progress);

}  // namespace xcloud
