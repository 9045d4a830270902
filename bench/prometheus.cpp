#include "bench/prometheus.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace xcloud {
namespace {

bool IsNameChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == ':';
}

void SkipBlanks(std::string_view& text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
}

bool Take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

std::string_view TakeName(std::string_view& text) {
  std::size_t size = 0;
  while (size < text.size() && IsNameChar(text[size])) ++size;
  const std::string_view name = text.substr(0, size);
  text.remove_prefix(size);
  return name;
}

// The text between quotes, with \\ \" and \n undone.
bool TakeQuoted(std::string_view& text, std::string& out) {
  if (!Take(text, '"')) return false;
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    if (c == '"') return true;
    if (c != '\\') {
      out += c;
      continue;
    }
    if (text.empty()) return false;
    out += text.front() == 'n' ? '\n' : text.front();
    text.remove_prefix(1);
  }
  return false;
}

bool TakeLabels(std::string_view& text, MetricSample& sample) {
  if (!Take(text, '{')) return true;
  while (true) {
    SkipBlanks(text);
    if (Take(text, '}')) return true;
    const std::string name(TakeName(text));
    SkipBlanks(text);
    if (name.empty() || !Take(text, '=')) return false;
    SkipBlanks(text);
    std::string value;
    if (!TakeQuoted(text, value)) return false;
    sample.labels[name] = std::move(value);
    SkipBlanks(text);
    if (!Take(text, ',') && (text.empty() || text.front() != '}')) return false;
  }
}

bool ParseValue(std::string_view text, double& value) {
  if (text == "+Inf" || text == "Inf" || text == "-Inf") {
    value = std::numeric_limits<double>::infinity() * (text.front() == '-' ? -1 : 1);
    return true;
  }
  if (text == "NaN") {
    value = std::numeric_limits<double>::quiet_NaN();
    return true;
  }
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

// name{labels} value [timestamp]
bool ParseSample(std::string_view line, MetricSample& sample) {
  sample.name = TakeName(line);
  if (sample.name.empty()) return false;
  SkipBlanks(line);
  if (!TakeLabels(line, sample)) return false;
  SkipBlanks(line);
  return ParseValue(line.substr(0, line.find_first_of(" \t")), sample.value);
}

bool Matches(const MetricSample& sample, const LabelMatch& match) {
  return std::all_of(match.begin(), match.end(), [&](const auto& wanted) {
    const auto found = sample.labels.find(wanted.first);
    return found != sample.labels.end() && found->second == wanted.second;
  });
}

}  // namespace

Result<std::vector<MetricSample>> ParsePrometheus(std::string_view text) {
  std::vector<MetricSample> out;
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    SkipBlanks(line);
    if (line.empty() || line.front() == '#') continue;
    MetricSample sample;
    if (!ParseSample(line, sample)) {
      return Status::InvalidArgument("metrics line " + std::to_string(number) +
                                     " is not a sample: " + std::string(line.substr(0, 80)));
    }
    out.push_back(std::move(sample));
  }
  return out;
}

std::optional<MetricHistogram> FindHistogram(const std::vector<MetricSample>& samples,
                                             std::string_view name, const LabelMatch& match) {
  const std::string base(name);
  MetricHistogram out;
  bool found = false;
  for (const MetricSample& sample : samples) {
    if (!Matches(sample, match)) continue;
    if (sample.name == base + "_sum") {
      out.sum += sample.value;
    } else if (sample.name == base + "_count") {
      out.count += sample.value;
      found = true;
    } else if (sample.name == base + "_bucket") {
      const auto bound = sample.labels.find("le");
      double upper = 0;
      if (bound == sample.labels.end() || !ParseValue(bound->second, upper)) continue;
      out.cumulative[upper] += sample.value;
    }
  }
  if (!found) return std::nullopt;
  return out;
}

Result<MetricHistogram> HistogramDelta(const std::optional<MetricHistogram>& before,
                                       const MetricHistogram& after) {
  MetricHistogram out = after;
  if (!before.has_value()) return out;
  if (after.count < before->count) {
    return Status::Unavailable("a count went down between two scrapes: the server restarted");
  }
  out.sum -= before->sum;
  out.count -= before->count;
  for (auto& [bound, count] : out.cumulative) {
    const auto found = before->cumulative.find(bound);
    if (found != before->cumulative.end()) count -= found->second;
  }
  return out;
}

}  // namespace xcloud
