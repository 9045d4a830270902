#include "core/metrics.h"

#include <algorithm>
#include <charconv>
#include <concepts>

#include "core/status.h"

namespace xcloud {
namespace {

std::string Escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

std::string RenderLabels(const Labels& labels) {
  std::string out;
  for (const auto& [name, value] : labels) {
    out += (out.empty() ? "" : ",") + name + "=\"" + Escape(value) + "\"";
  }
  return out;
}

// HELP has no quotes around it, so they stand as they are.
std::string EscapeHelp(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

// A scrape of ten models has thousands of numbers, and it is written on an io thread: no streams.
void AppendNumber(std::string& out, double value) {
  constexpr int kDigits = 12;
  char text[32];
  const auto end =
      std::to_chars(text, text + sizeof(text), value, std::chars_format::general, kDigits);
  out.append(text, end.ptr);
}

void AppendNumber(std::string& out, std::integral auto value) {
  char text[32];
  out.append(text, std::to_chars(text, text + sizeof(text), value).ptr);
}

// "name{labels} value\n"
void AppendSample(std::string& out, std::string_view name, std::string_view suffix,
                  std::string_view labels, auto value) {
  out.append(name).append(suffix);
  if (!labels.empty()) out.append("{").append(labels).append("}");
  out += ' ';
  AppendNumber(out, value);
  out += '\n';
}

void RenderHistogram(std::string& out, const std::string& name, const std::string& labels,
                     const Histogram& histogram) {
  const std::vector<std::uint64_t> counts = histogram.counts();
  const std::vector<double>& bounds = histogram.bounds();
  std::string with_bound = labels;
  if (!with_bound.empty()) with_bound += ',';
  with_bound += "le=\"";
  const std::size_t bare = with_bound.size();
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    total += counts[i];
    with_bound.resize(bare);
    if (i < bounds.size()) {
      AppendNumber(with_bound, bounds[i]);
    } else {
      with_bound += "+Inf";
    }
    with_bound += '"';
    AppendSample(out, name, "_bucket", with_bound, total);
  }
  AppendSample(out, name, "_sum", labels, histogram.sum());
  AppendSample(out, name, "_count", labels, total);
}

}  // namespace

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)),
      counts_(std::make_unique<std::atomic<std::uint64_t>[]>(bounds_.size() + 1)) {
  XC_CHECK(std::is_sorted(bounds_.begin(), bounds_.end(), std::less_equal<>()));
}

void Histogram::Observe(double value) {
  const auto bound = std::lower_bound(bounds_.begin(), bounds_.end(), value);
  counts_[static_cast<std::size_t>(bound - bounds_.begin())].fetch_add(1,
                                                                       std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

std::vector<std::uint64_t> Histogram::counts() const {
  std::vector<std::uint64_t> out(bounds_.size() + 1);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = counts_[i].load(std::memory_order_relaxed);
  return out;
}

MetricsRegistry::Family& MetricsRegistry::GetFamily(std::string_view name, std::string_view help,
                                                    std::string_view kind) {
  auto found = families_.find(name);
  if (found == families_.end()) {
    found = families_.emplace(std::string(name), Family{std::string(help), kind, {}, {}, {}}).first;
  }
  XC_CHECK(found->second.kind == kind);
  return found->second;
}

Counter& MetricsRegistry::GetCounter(std::string_view name, std::string_view help,
                                     const Labels& labels) {
  MutexLock lock(mutex_);
  auto& slot = GetFamily(name, help, "counter").counters[RenderLabels(labels)];
  if (slot == nullptr) slot = std::make_unique<Counter>();
  return *slot;
}

Gauge& MetricsRegistry::GetGauge(std::string_view name, std::string_view help,
                                 const Labels& labels) {
  MutexLock lock(mutex_);
  auto& slot = GetFamily(name, help, "gauge").gauges[RenderLabels(labels)];
  if (slot == nullptr) slot = std::make_unique<Gauge>();
  return *slot;
}

Histogram& MetricsRegistry::GetHistogram(std::string_view name, std::string_view help,
                                         const std::vector<double>& bounds, const Labels& labels) {
  MutexLock lock(mutex_);
  auto& slot = GetFamily(name, help, "histogram").histograms[RenderLabels(labels)];
  if (slot == nullptr) slot = std::make_unique<Histogram>(bounds);
  return *slot;
}

std::string MetricsRegistry::Render() const {
  MutexLock lock(mutex_);
  std::string out;
  for (const auto& [name, family] : families_) {
    out.append("# HELP ").append(name).append(" ").append(EscapeHelp(family.help));
    out.append("\n# TYPE ").append(name).append(" ").append(family.kind).append("\n");
    for (const auto& [labels, counter] : family.counters) {
      AppendSample(out, name, "", labels, counter->value());
    }
    for (const auto& [labels, gauge] : family.gauges) {
      AppendSample(out, name, "", labels, gauge->value());
    }
    for (const auto& [labels, histogram] : family.histograms) {
      RenderHistogram(out, name, labels, *histogram);
    }
  }
  return out;
}

const std::vector<double>& LatencyBoundsSeconds() {
  static const std::vector<double> bounds = {0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01,
                                             0.015,  0.02,   0.03,   0.05,  0.075, 0.1,   0.15,
                                             0.2,    0.3,    0.5,    1,     2,     5,     10};
  return bounds;
}

const std::vector<double>& BatchSizeBounds() {
  static const std::vector<double> bounds = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128};
  return bounds;
}

}  // namespace xcloud
