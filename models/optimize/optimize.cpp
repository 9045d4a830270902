#include "models/optimize/optimize.h"

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <map>
#include <memory>
#include <system_error>
#include <utility>

#include <spdlog/fmt/fmt.h>

#include "models/checksum.h"
#include "models/optimize/candidate.h"
#include "models/optimize/host_conditions.h"
#include "models/optimize/host_key.h"
#include "models/optimize/sample_items.h"

namespace xcloud {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMadeItems = 32;
constexpr std::uint64_t kSeed = 20261124;
// Every third photo calibrates; the others, which a quantised variant has not seen, judge it.
constexpr std::size_t kCalibrationShare = 3;

std::string UtcNow() {
  const std::time_t now = std::chrono::system_clock::to_time_t(SystemClock().WallNow());
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

// Removed again unless it was put into place.
class WorkFolder {
 public:
  explicit WorkFolder(fs::path path) : path_(std::move(path)) {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
    fs::create_directories(path_, error_);
  }
  ~WorkFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;

  const fs::path& path() const { return path_; }
  bool ok() const { return !error_; }

  // A reader sees the old folder or the new one; for an instant none, and then the reference.
  Status Publish(const fs::path& target) {
    std::error_code error;
    const fs::path old = target.string() + ".old";
    fs::remove_all(old, error);
    if (fs::exists(target, error)) fs::rename(target, old, error);
    fs::rename(path_, target, error);
    if (error) return Status::Internal("cannot rename to " + target.string());
    path_.clear();
    fs::remove_all(old, error);
    return Status::Ok();
  }

 private:
  fs::path path_;
  std::error_code error_;
};

class Optimizer {
 public:
  Optimizer(const OptimizeOptions& options, const ProgressLog& progress, RepositoryEntry entry)
      : options_(options), progress_(progress), entry_(std::move(entry)) {}

  Result<OptimizeReport> Run() {
    const fs::path optimized = entry_.weights.parent_path() / kOptimizedFolder;
    report_.host_key = CpuHostKey();
    WorkFolder work(optimized / ("." + report_.host_key + "." + std::to_string(getpid())));
    if (!work.ok()) return Status::InvalidArgument("cannot make " + work.path().string());
    for (auto step : {&Optimizer::Begin, &Optimizer::Build, &Optimizer::Check, &Optimizer::Time,
                      &Optimizer::Finish}) {
      if (Status status = (this->*step)(work.path()); !status.ok()) return status;
    }
    if (Status status = work.Publish(optimized / report_.host_key); !status.ok()) return status;
    return report_;
  }

 private:
  void Tell(const std::string& line) { progress_(line); }

  Status Begin(const fs::path& work) {
    const Result<fs::path> source = VariantSource(entry_, work);
    if (!source.ok()) return source.status();
    source_ = *source;
    report_.model = entry_.definition.name;
    report_.version = entry_.version;
    report_.input = InputText(entry_.definition);
    report_.conditions = HostConditions();
    report_.reference.name = entry_.definition.reference_backend();
    report_.reference.backend = report_.reference.name;
    const Result<std::string> sha256 = Sha256OfFile(entry_.weights);
    if (!sha256.ok()) return sha256.status();
    report_.reference.files.push_back({entry_.weights.filename().string(), *sha256});
    return ReadSamples(work);
  }

  Status ReadSamples(const fs::path& work) {
    if (options_.photos.empty() || !entry_.definition.of_pictures()) {
      samples_ =
          std::make_unique<SampleItems>(SampleItems::Make(entry_.definition, kMadeItems, kSeed));
      Tell(fmt::format("no photos: checking on {} made items, without quantised variants",
                       samples_->size()));
    } else {
      Result<SampleItems> photos =
          SampleItems::ReadPhotos(entry_.definition, options_.photos, options_.most_photos);
      if (!photos.ok()) return photos.status();
      samples_ = std::make_unique<SampleItems>(*std::move(photos));
    }
    std::vector<std::size_t> calibrating;
    const bool quantise = samples_->photos() && !entry_.definition.values_output;
    for (std::size_t i = 0; i < samples_->size(); ++i) {
      const bool calibrates = quantise && samples_->size() > 1 && i % kCalibrationShare == 0;
      (calibrates ? calibrating : checked_).push_back(i);
    }
    report_.photos = checked_.size();
    report_.conditions.emplace_back(
        "items", fmt::format("{} {}, {} of them only for calibration", samples_->size(),
                             samples_->photos() ? "photos" : "made", calibrating.size()));
    if (calibrating.empty()) return Status::Ok();
    calibration_ = work / "calibration.f32";
    return samples_->WriteRows(calibration_, calibrating);
  }

  Status Build(const fs::path& work) {
    for (const VariantKind& kind : VariantKinds()) {
      const bool wanted =
          options_.variants.empty() || std::find(options_.variants.begin(), options_.variants.end(),
                                                 kind.option) != options_.variants.end();
      if (!wanted) continue;
      Tell("building " + kind.name + " ...");
      report_.variants.push_back(
          BuildVariant(kind, entry_, source_, calibration_, work, options_.tools));
      const std::string& trouble = report_.variants.back().trouble;
      if (!trouble.empty()) Tell("  left out: " + trouble);
    }
    std::error_code ignored;
    if (!calibration_.empty()) fs::remove(calibration_, ignored);
    if (source_ != entry_.weights) fs::remove(source_, ignored);
    return Status::Ok();
  }

  ServedFile FileOf(const VariantReport& variant, const fs::path& work) const {
    ServedFile file = ReferenceOf(entry_);
    if (&variant == &report_.reference) return file;
    file.definition.backend = variant.backend;
    file.definition.file = variant.files.front().name;
    file.file = work / file.definition.file;
    file.shown = variant.name;
    return file;
  }

  Status Check(const fs::path& work) {
    const std::vector<NetworkItem> items = samples_->Items();
    const auto scores_of = [&](const VariantReport& variant) -> Result<std::vector<float>> {
      auto candidate = Candidate::Load(FileOf(variant, work), options_.rules.layout);
      if (!candidate.ok()) return candidate.status();
      return (*candidate)->Scores(items);
    };
    const Result<std::vector<float>> expected = scores_of(report_.reference);
    if (!expected.ok()) return expected.status();
    for (VariantReport& variant : report_.variants) {
      if (!variant.measured()) continue;
      const Result<std::vector<float>> scores = scores_of(variant);
      if (!scores.ok()) {
        variant.trouble = scores.status().message();
        Tell(variant.name + " is left out: " + variant.trouble);
        continue;
      }
      const auto difference = Compare(entry_.definition, *expected, *scores, checked_);
      if (!difference.ok()) {
        variant.trouble = difference.status().message();
        continue;
      }
      variant.max_error = difference->max_error;
      variant.top1_agreement = difference->top1_agreement;
      Tell(fmt::format("{}: largest error {:.1e}, same likeliest label for {:.1f} % of {} items",
                       variant.name, variant.max_error, 100 * variant.top1_agreement,
                       checked_.size()));
    }
    return Status::Ok();
  }

  std::vector<VariantReport*> Measured() {
    std::vector<VariantReport*> all = {&report_.reference};
    for (VariantReport& variant : report_.variants) {
      if (variant.measured()) all.push_back(&variant);
    }
    return all;
  }

  Status Time(const fs::path& work) {
    for (const LaneLayout& layout : options_.layouts) {
      std::vector<std::unique_ptr<Candidate>> candidates;
      const std::vector<VariantReport*> measured = Measured();
      for (const VariantReport* variant : measured) {
        auto candidate = Candidate::Load(FileOf(*variant, work), layout);
        if (!candidate.ok()) return candidate.status();
        candidates.push_back(*std::move(candidate));
      }
      const std::size_t most = std::max<std::size_t>(entry_.definition.batching.max_batch, 1);
      for (const std::size_t batch :
           most > 1 ? std::vector<std::size_t>{1, most} : std::vector<std::size_t>{1}) {
        Tell(fmt::format("timing {} lanes of {} threads, batches of {} ...", layout.lanes,
                         layout.threads, batch));
        if (Status status = TimeOne(layout, batch, measured, candidates); !status.ok()) {
          return status;
        }
      }
    }
    return Status::Ok();
  }

  // The variants take turns, so that what else runs on the machine meets all of them.
  Status TimeOne(LaneLayout layout, std::size_t batch, const std::vector<VariantReport*>& measured,
                 const std::vector<std::unique_ptr<Candidate>>& candidates) {
    const std::vector<NetworkItem> items = samples_->Items();
    std::vector<std::vector<double>> batch_ms(measured.size());
    std::vector<std::vector<double>> rates(measured.size());
    for (std::size_t round = 0; round < options_.rounds; ++round) {
      for (std::size_t i = 0; i < candidates.size(); ++i) {
        const Result<TimedRun> run = candidates[i]->Time(items, batch, options_.seconds);
        if (!run.ok()) return run.status();
        batch_ms[i].insert(batch_ms[i].end(), run->batch_ms.begin(), run->batch_ms.end());
        rates[i].push_back(run->items_per_second);
      }
    }
    for (std::size_t i = 0; i < measured.size(); ++i) {
      const VariantTiming timing{layout.lanes, layout.threads, batch, Median(batch_ms[i]),
                                 Median(rates[i])};
      measured[i]->timings.push_back(timing);
      Tell(fmt::format("  {}: {:.1f} ms, {:.1f} items/s", measured[i]->name, timing.ms,
                       timing.items_per_second));
    }
    return Status::Ok();
  }

  static double Median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
  }

  Status Finish(const fs::path& work) {
    report_.made = UtcNow();
    report_.conditions.emplace_back("load average at the end", LoadAverage());
    Decide(options_.rules, report_);
    if (!options_.keep_all) RemoveFilesOfTheUnchosen(work);
    for (const auto& [name, text] : {std::pair{kReportFile, WriteReportJson(report_)},
                                     std::pair{kReportText, WriteReportMarkdown(report_)}}) {
      std::ofstream out(work / name, std::ios::binary | std::ios::trunc);
      out << text;
      out.flush();
      if (!out) return Status::Internal("cannot write " + (work / name).string());
    }
    return Status::Ok();
  }

  // Weights are large, and the report is made anew with them.
  void RemoveFilesOfTheUnchosen(const fs::path& work) {
    for (const VariantReport& variant : report_.variants) {
      if (variant.name == report_.chosen) continue;
      std::error_code ignored;
      for (const VariantFile& file : variant.files) fs::remove(work / file.name, ignored);
    }
  }

  const OptimizeOptions& options_;
  const ProgressLog& progress_;
  const RepositoryEntry entry_;
  OptimizeReport report_;
  fs::path source_;
  fs::path calibration_;  // rows; empty = nothing is quantised
  std::unique_ptr<SampleItems> samples_;
  std::vector<std::size_t> checked_;  // items that judge
};

}  // namespace

Result<OptimizeReport> Optimize(const OptimizeOptions& options, const ProgressLog& progress) {
  if (!IsModelName(options.model)) {
    return Status::InvalidArgument("'" + options.model + "' is not the name of a model");
  }
  RepositoryEntry entry = ReadRepositoryEntry(options.repository / options.model);
  if (entry.state != ServiceState::kLoading) return Status::NotFound(entry.reason);
  if (entry.definition.backend != "auto") {
    return Status::InvalidArgument(
        "model '" + options.model + "': its model.toml says backend = \"" +
        entry.definition.backend + "\", and only \"auto\", the default, serves variants");
  }
  return Optimizer(options, progress, std::move(entry)).Run();
}

}  // namespace xcloud
