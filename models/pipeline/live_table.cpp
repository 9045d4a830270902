#include "models/pipeline/live_table.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <optional>
#include <system_error>
#include <utility>

#include "core/shown_text.h"
#include "models/pipeline/gallery.h"

namespace xcloud {
namespace {

constexpr std::size_t kMaxBytes = 64 << 20;
constexpr std::size_t kMaxRows = 1'000'000;
constexpr std::size_t kMaxTold = 20;  // bad lines

// Whole lines, numbered from 1; an empty last one is none.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}
  std::optional<std::string_view> Next() {
    if (rest_.empty()) return std::nullopt;
    const std::size_t end = std::min(rest_.find('\n'), rest_.size());
    std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    ++number_;
    return line;
  }
  std::size_t number() const { return number_; }

 private:
  std::string_view rest_;
  std::size_t number_ = 0;
};

// What is wrong, line by line.
class Complaints {
 public:
  explicit Complaints(std::string_view file) : file_(file) {}
  void Add(std::size_t line, const std::string& why) {
    if (++count_ > kMaxTold) return;
    text_ += (text_.empty() ? "" : "\n") + file_ + ":" + std::to_string(line) + ": " + why;
  }
  Status status() const {
    if (count_ == 0) return Status::Ok();
    if (count_ <= kMaxTold) return Status::InvalidArgument(text_);
    return Status::InvalidArgument(text_ + "\nand " + std::to_string(count_ - kMaxTold) +
                                   " more bad lines");
  }

 private:
  const std::string file_;
  std::string text_;
  std::size_t count_ = 0;
};

std::vector<std::string_view> Fields(std::string_view line) {
  std::vector<std::string_view> fields;
  while (true) {
    const std::size_t comma = line.find(',');
    fields.push_back(line.substr(0, comma));
    if (comma == std::string_view::npos) return fields;
    line.remove_prefix(comma + 1);
  }
}

std::optional<double> Number(std::string_view text) {
  double number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = read.ec == std::errc() && read.ptr == text.data() + text.size();
  return whole && std::isfinite(number) ? std::optional(number) : std::nullopt;
}

std::string NotANumber(std::string_view name, std::string_view text) {
  return std::string(name) + ": " + ShownName(text) + " is no number";
}

std::string WrongCount(std::size_t have, std::size_t wanted) {
  return "has " + std::to_string(have) + " fields, not " + std::to_string(wanted);
}

// The numbers of one line behind its id; empty when it is good.
std::string ReadFeatures(const std::vector<std::string_view>& fields, LiveFeatures& features) {
  for (std::size_t i = 0; i < kLiveFeatures; ++i) {
    const std::optional<double> number = Number(fields[i + 1]);
    if (!number) return NotANumber(kLiveFeatureNames[i], fields[i + 1]);
    features[i] = *number;
  }
  return "";
}

}  // namespace

std::string LiveHeader() {
  std::string header = "id";
  for (const std::string_view name : kLiveFeatureNames) header += "," + std::string(name);
  return header;
}

std::vector<float> LiveScaler::Scaled(const LiveFeatures& features) const {
  std::vector<float> scaled;
  for (std::size_t i = 0; i < kLiveFeatures; ++i) {
    const double range = greatest[i] - least[i];
    scaled.push_back(range > 0 ? static_cast<float>((features[i] - least[i]) / range) : 0.0F);
  }
  return scaled;
}

Result<LiveTable> LiveTable::Parse(std::string_view text, std::string_view name) {
  Lines lines(text);
  Complaints complaints(name);
  if (lines.Next() != LiveHeader()) {
    return Status::InvalidArgument(std::string(name) + ":1: the header must be " + LiveHeader());
  }
  LiveTable table;
  std::unordered_map<std::string, std::size_t> first;
  while (const std::optional<std::string_view> line = lines.Next()) {
    const std::vector<std::string_view> fields = Fields(*line);
    LiveFeatures features{};
    std::string why;
    if (fields.size() != kLiveFeatures + 1) {
      why = WrongCount(fields.size(), kLiveFeatures + 1);
    } else if (!IsGalleryId(fields[0])) {
      why = "id: has 1 to 64 of A-Z a-z 0-9 . _ @ -, not " + ShownName(fields[0]);
    } else {
      why = ReadFeatures(fields, features);
    }
    if (why.empty()) {
      const auto [known, fresh] = first.emplace(fields[0], lines.number());
      if (!fresh) why = "id: is that of line " + std::to_string(known->second);
    }
    if (!why.empty()) complaints.Add(lines.number(), why);
    if (!why.empty()) continue;
    table.rows_.emplace(fields[0], features);
    if (table.rows_.size() > kMaxRows) {
      return Status::InvalidArgument(std::string(name) + ": has more than 1000000 rows");
    }
  }
  if (Status status = complaints.status(); !status.ok()) return status;
  if (table.rows_.empty()) return Status::InvalidArgument(std::string(name) + ": has no rows");
  return table;
}

const LiveFeatures* LiveTable::Find(std::string_view id) const {
  const auto found = rows_.find(std::string(id));
  return found == rows_.end() ? nullptr : &found->second;
}

LiveScaler LiveTable::OwnScaler() const {
  LiveScaler scaler;
  scaler.least = scaler.greatest = rows_.begin()->second;
  for (const auto& [id, features] : rows_) {
    for (std::size_t i = 0; i < kLiveFeatures; ++i) {
      scaler.least[i] = std::min(scaler.least[i], features[i]);
      scaler.greatest[i] = std::max(scaler.greatest[i], features[i]);
    }
  }
  return scaler;
}

Result<LiveScaler> ParseLiveScaler(std::string_view text, std::string_view name) {
  Lines lines(text);
  Complaints complaints(name);
  if (lines.Next() != "feature,least,most") {
    return Status::InvalidArgument(std::string(name) + ":1: the header must be feature,least,most");
  }
  LiveScaler scaler;
  std::array<std::size_t, kLiveFeatures> line_of{};
  while (const std::optional<std::string_view> line = lines.Next()) {
    const std::vector<std::string_view> fields = Fields(*line);
    const auto known = std::find(kLiveFeatureNames.begin(), kLiveFeatureNames.end(), fields[0]);
    const std::optional<double> least = fields.size() == 3 ? Number(fields[1]) : std::nullopt;
    const std::optional<double> most = fields.size() == 3 ? Number(fields[2]) : std::nullopt;
    if (fields.size() != 3) {
      complaints.Add(lines.number(), WrongCount(fields.size(), 3));
    } else if (known == kLiveFeatureNames.end()) {
      complaints.Add(lines.number(), ShownName(fields[0]) + " is no feature");
    } else if (!least || !most || *most < *least) {
      complaints.Add(lines.number(), "least and most must be numbers, the least first");
    } else {
      const auto i = static_cast<std::size_t>(known - kLiveFeatureNames.begin());
      if (line_of[i] > 0) {
        complaints.Add(lines.number(), "is the feature of line " + std::to_string(line_of[i]));
      }
      line_of[i] = lines.number();
      scaler.least[i] = *least;
      scaler.greatest[i] = *most;
    }
  }
  std::string missing;
  for (std::size_t i = 0; i < kLiveFeatures; ++i) {
    if (line_of[i] == 0) missing += " " + std::string(kLiveFeatureNames[i]);
  }
  if (!missing.empty()) complaints.Add(lines.number(), "these are missing:" + missing);
  if (Status status = complaints.status(); !status.ok()) return status;
  return scaler;
}

Result<std::string> ReadCsv(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    return Status::NotFound("there is no file " + path.string());
  }
  std::ifstream in(path, std::ios::binary);
  std::string text;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error || !in) return Status::InvalidArgument("cannot read " + path.string());
  if (size > kMaxBytes) return Status::InvalidArgument(path.string() + " is over 64 MiB");
  text.resize(static_cast<std::size_t>(size));
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (static_cast<std::size_t>(in.gcount()) != text.size()) {
    return Status::InvalidArgument("cannot read " + path.string());
  }
  return text;
}

}  // namespace xcloud
