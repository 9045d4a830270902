#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <vector>

#include "bench/append_format.h"
#include "bench/report.h"

namespace xcloud {
namespace {

double Ms(const LatencyHistogram& histogram, double share) {
  return ToMilliseconds(histogram.Percentile(share));
}

std::string PlanText(const BenchOptions& options, const BenchRun& run) {
  std::string out;
  if (options.mode == "closed") {
    Append(out, "closed loop, %lld clients", static_cast<long long>(options.clients));
    if (options.think_ms > 0) Append(out, ", thinking %.1f ms", options.think_ms);
  } else {
    Append(out, "%s arrivals at %.1f/s, seed %llu", options.mode.c_str(), run.rate_per_s,
           static_cast<unsigned long long>(run.seed));
  }
  Append(out, ", %.1f s after %.1f s of warm-up", options.duration_s, options.warmup_s);
  return out;
}

void AppendBatches(std::string& out, const ServerView& view) {
  if (!view.batch_size.has_value()) return;
  const MetricHistogram& batches = *view.batch_size;
  Append(out, "  batches    %.0f, mean %.2f items:", batches.count, batches.mean());
  double below = 0;
  double previous_bound = 0;
  for (const auto& [bound, count] : batches.cumulative) {
    const double share = (count - below) / batches.count;
    if (share > 0) {
      if (std::isinf(bound)) {
        Append(out, "  >%.0f: %.1f %%", previous_bound, share * 100);
      } else if (bound - previous_bound > 1) {
        Append(out, "  %.0f-%.0f: %.1f %%", previous_bound + 1, bound, share * 100);
      } else {
        Append(out, "  %.0f: %.1f %%", bound, share * 100);
      }
    }
    below = count;
    previous_bound = bound;
  }
  out += '\n';
}

void AppendServer(std::string& out, const ServerView& view) {
  AppendBatches(out, view);
  if (!view.stages.empty()) {
    out += "  stages ms ";
    for (const StageTime& stage : view.stages) {
      Append(out, "  %s %.2f (%.0f %%)", stage.name.c_str(), stage.mean_ms, stage.share * 100);
    }
    out += '\n';
  }
  if (view.outside_decode_infer.has_value()) {
    Append(out,
           "  outside    %.1f %% of a request's time in the server is neither decode nor "
           "forward\n",
           *view.outside_decode_infer * 100);
  }
  for (const std::string& note : view.notes) Append(out, "  note       %s\n", note.c_str());
}

void AppendCpu(std::string& out, const BenchReport& report, const BenchRun& run) {
  const double cores = std::max(report.conditions.cores, 1U);
  Append(out, "  CPU        generator %.1f %% of the machine", run.generator_cores / cores * 100);
  if (run.server_cores >= 0) Append(out, ", server %.1f %%", run.server_cores / cores * 100);
  out += '\n';
}

// Shares of all and of those let in, and how fast and how punctual the refusals are.
void AppendSlo(std::string& out, const BenchReport& report, const LoadResult& load) {
  Append(out, "  in SLO     %.2f %% of all %llu, %.2f %% of the %llu admitted (not 429 or 503)\n",
         load.goodput_share() * 100, static_cast<unsigned long long>(load.offered),
         load.admitted_share() * 100, static_cast<unsigned long long>(load.admitted()));
  for (const auto& [status, took] : load.refusal_latency) {
    Append(out, "  http %d   %llu, ms from the send: P50 %.3f  P99 %.3f  max %.3f\n", status,
           static_cast<unsigned long long>(took.count()), Ms(took, 0.5), Ms(took, 0.99),
           ToMilliseconds(took.max()));
  }
  if (report.options.deadlines_ms.empty()) return;
  const LatencyHistogram& late = load.expiry_lateness;
  Append(out,
         "  expiry     %llu answers of 504 at or after the deadline, late by ms: P50 %.3f  P99 "
         "%.3f  max %.3f; %llu before it\n",
         static_cast<unsigned long long>(late.count()), Ms(late, 0.5), Ms(late, 0.99),
         ToMilliseconds(late.max()), static_cast<unsigned long long>(load.expired_early));
}

struct Range {
  double low = INFINITY;
  double high = -INFINITY;
  void Add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

void AppendSpread(std::string& out, const BenchReport& report) {
  std::map<double, std::vector<const BenchRun*>> by_rate;
  for (const BenchRun& run : report.runs) by_rate[run.rate_per_s].push_back(&run);
  Append(out, "spread over %lld runs (lowest to highest)\n",
         static_cast<long long>(report.options.repeat));
  Append(out, "%10s %20s %20s %20s %20s\n", "rate/s", "achieved/s", "goodput/s", "P50 ms",
         "P99 ms");
  for (const auto& [rate, runs] : by_rate) {
    Range achieved, goodput, p50, p99;
    for (const BenchRun* run : runs) {
      achieved.Add(run->load.achieved_per_s());
      goodput.Add(run->load.goodput_per_s());
      p50.Add(Ms(run->load.latency, 0.5));
      p99.Add(Ms(run->load.latency, 0.99));
    }
    std::string name = "closed";
    if (rate > 0) {
      name.clear();
      Append(name, "%.1f", rate);
    }
    Append(out, "%10s", name.c_str());
    for (const Range& range : {achieved, goodput, p50, p99}) {
      Append(out, " %9.2f-%10.2f", range.low, range.high);
    }
    out += '\n';
  }
}

}  // namespace

std::string ConditionsText(const BenchReport& report) {
  const Conditions& c = report.conditions;
  std::string out;
  Append(out, "date      %s\nCPU       %s, %u cores%s, %s\n", c.date.c_str(), c.cpu.model.c_str(),
         c.cores, c.cpu.virtual_machine ? " (virtual machine)" : "", IsaText(c.cpu).c_str());
  Append(out, "system    %s, governor %s, load average %.2f\n", c.kernel.c_str(),
         c.governor.c_str(), c.load_average);
  for (const std::string& gpu : c.gpus) Append(out, "GPU       %s\n", gpu.c_str());
  if (c.gpus.empty()) out += "GPU       none\n";
  Append(out, "generator xcloud %s, %s, %s%s, nice %d\n", c.version.c_str(), c.compiler.c_str(),
         c.build_type.c_str(), c.sanitised ? ", sanitised" : "", c.nice);
  Append(out, "target    %s, body %s, %s\n", report.options.url.c_str(),
         report.options.body.c_str(), report.photos.c_str());
  if (!report.options.deadlines_ms.empty()) {
    out += "deadlines";
    for (const std::int64_t deadline_ms : report.options.deadlines_ms) {
      Append(out, " %lld", static_cast<long long>(deadline_ms));
    }
    out += " ms in turn, sent as X-Deadline-Ms\n";
  }
  Append(out, "limits    SLO %.1f ms, timeout %.0f ms, at most %lld connections\n",
         report.options.slo_ms, report.options.timeout_ms,
         static_cast<long long>(report.options.connections));
  if (report.services.ok()) {
    out += "services  " + ServicesText(*report.services) + '\n';
  } else {
    out += "services  " + report.services.status().message() + '\n';
  }
  for (const std::string& warning : c.Warnings()) out += "WARNING   " + warning + '\n';
  return out;
}

std::string RunText(const BenchReport& report, const BenchRun& run) {
  const LoadResult& load = run.load;
  std::string out;
  Append(out, "run %lld: %s\n", static_cast<long long>(run.repeat + 1),
         PlanText(report.options, run).c_str());
  Append(out,
         "  rates      offered %.1f/s, achieved %.1f/s, goodput %.1f/s (%.2f %% within %.1f "
         "ms)\n",
         load.offered_per_s(), load.achieved_per_s(), load.goodput_per_s(),
         load.goodput_share() * 100, report.options.slo_ms);
  const LatencyHistogram& l = load.latency;
  Append(out,
         "  latency ms P50 %.2f  P90 %.2f  P99 %.2f  P99.9 %.2f  max %.2f  (of %llu answers)\n",
         Ms(l, 0.5), Ms(l, 0.9), Ms(l, 0.99), Ms(l, 0.999), ToMilliseconds(l.max()),
         static_cast<unsigned long long>(load.ok));
  if (load.ok > 0 && load.ok < 1000) {
    out += "  note       fewer than 1000 answers: P99.9 is about the slowest one\n";
  }
  out += "  failures  ";
  if (load.failures.empty()) out += " none";
  for (const auto& [kind, count] : load.failures) {
    Append(out, " %s: %llu ", kind.c_str(), static_cast<unsigned long long>(count));
  }
  out += '\n';
  AppendSlo(out, report, load);
  if (report.options.mode != "closed") {
    Append(out, "  sends      P99 lateness %.2f ms, max %.2f ms; %.2f %% behind\n",
           Ms(load.send_lag, 0.99), ToMilliseconds(load.send_lag.max()), load.behind_share() * 100);
  }
  Append(out, "  sockets    %zu at most, %llu opened\n", load.peak_connections,
         static_cast<unsigned long long>(load.connections_opened));
  AppendCpu(out, report, run);
  AppendServer(out, run.server);
  for (const std::string& reason : run.Invalid()) out += "  INVALID    " + reason + '\n';
  return out;
}

std::string SummaryText(const BenchReport& report) {
  std::string out;
  Append(out, "%4s %10s %10s %10s %10s %9s %9s %9s %9s %9s %7s\n", "run", "rate/s", "offered/s",
         "achieved/s", "goodput/s", "P50 ms", "P90 ms", "P99 ms", "P99.9 ms", "max ms", "failed");
  for (const BenchRun& run : report.runs) {
    const LatencyHistogram& l = run.load.latency;
    std::string rate = "closed";
    if (run.rate_per_s > 0) {
      rate.clear();
      Append(rate, "%.1f", run.rate_per_s);
    }
    Append(out, "%4lld %10s %10.1f %10.1f %10.1f %9.2f %9.2f %9.2f %9.2f %9.2f %7llu%s\n",
           static_cast<long long>(run.repeat + 1), rate.c_str(), run.load.offered_per_s(),
           run.load.achieved_per_s(), run.load.goodput_per_s(), Ms(l, 0.5), Ms(l, 0.9), Ms(l, 0.99),
           Ms(l, 0.999), ToMilliseconds(l.max()),
           static_cast<unsigned long long>(run.load.offered - run.load.ok),
           run.Invalid().empty() ? "" : "  INVALID");
  }
  if (report.options.repeat > 1) AppendSpread(out, report);
  return out;
}

}  // namespace xcloud
