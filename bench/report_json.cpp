#include <cmath>
#include <string>

#include <nlohmann/json.hpp>

#include "bench/report.h"

namespace xcloud {
namespace {

using Json = nlohmann::ordered_json;

double Ms(Duration d) {
  return ToMilliseconds(d);
}

Json Percentiles(const LatencyHistogram& h) {
  return {{"count", h.count()},
          {"min", Ms(h.min())},
          {"mean", Ms(h.mean())},
          {"p50", Ms(h.Percentile(0.5))},
          {"p90", Ms(h.Percentile(0.9))},
          {"p95", Ms(h.Percentile(0.95))},
          {"p99", Ms(h.Percentile(0.99))},
          {"p99.9", Ms(h.Percentile(0.999))},
          {"p99.99", Ms(h.Percentile(0.9999))},
          {"max", Ms(h.max())}};
}

Json Refusals(const LoadResult& load) {
  Json out = Json::object();
  for (const auto& [status, took] : load.refusal_latency) {
    out[std::to_string(status)] = Percentiles(took);
  }
  return out;
}

Json OptionsJson(const BenchReport& report) {
  const BenchOptions& o = report.options;
  return {{"url", o.url},
          {"photos", report.photos},
          {"images", o.images},
          {"body", o.body},
          {"mode", o.mode},
          {"clients", o.clients},
          {"think_ms", o.think_ms},
          {"rates", o.rates},
          {"duration_s", o.duration_s},
          {"warmup_s", o.warmup_s},
          {"connections", o.connections},
          {"slo_ms", o.slo_ms},
          {"deadlines_ms", o.deadlines_ms},
          {"timeout_ms", o.timeout_ms},
          {"late_ms", o.late_ms},
          {"seed", o.seed},
          {"repeat", o.repeat}};
}

Json ConditionsJson(const BenchReport& report) {
  const Conditions& c = report.conditions;
  Json out = {{"date", c.date},
              {"cpu", c.cpu.model},
              {"isa", c.cpu.isa},
              {"virtual_machine", c.cpu.virtual_machine},
              {"cores", c.cores},
              {"governor", c.governor},
              {"kernel", c.kernel},
              {"load_average", c.load_average},
              {"gpus", c.gpus},
              {"generator_nice", c.nice},
              {"xcloud", c.version},
              {"compiler", c.compiler},
              {"build_type", c.build_type},
              {"optimised", c.optimised},
              {"sanitised", c.sanitised},
              {"warnings", c.Warnings()}};
  Json services;
  if (report.services.ok()) {
    services = Json::parse(*report.services, nullptr, false);
    if (services.is_discarded()) services = *report.services;
  } else {
    services = {{"absent", report.services.status().message()}};
  }
  out["services"] = services;
  return out;
}

Json ServerJson(const ServerView& view) {
  Json out = Json::object();
  if (view.batch_size.has_value()) {
    Json buckets = Json::array();
    double below = 0;
    for (const auto& [bound, count] : view.batch_size->cumulative) {
      Json upper = bound;
      if (std::isinf(bound)) upper = nullptr;
      buckets.push_back({{"at_most", upper}, {"batches", count - below}});
      below = count;
    }
    out["batch_size"] = {{"batches", view.batch_size->count},
                         {"mean", view.batch_size->mean()},
                         {"distribution", buckets}};
  }
  if (view.request_mean_ms.has_value()) out["request_mean_ms"] = *view.request_mean_ms;
  for (const StageTime& stage : view.stages) {
    out["stages"][stage.name] = {{"mean_ms", stage.mean_ms}, {"share", stage.share}};
  }
  if (view.outside_decode_infer.has_value()) {
    out["share_outside_decode_and_forward"] = *view.outside_decode_infer;
  }
  out["notes"] = view.notes;
  return out;
}

Json RunJson(const BenchRun& run) {
  const LoadResult& load = run.load;
  Json out = {{"repeat", run.repeat + 1},
              {"rate_per_s", run.rate_per_s},
              {"seed", run.seed},
              {"offered", load.offered},
              {"ok", load.ok},
              {"within_slo", load.within_slo},
              {"offered_per_s", load.offered_per_s()},
              {"achieved_per_s", load.achieved_per_s()},
              {"goodput_per_s", load.goodput_per_s()},
              {"goodput_share", load.goodput_share()},
              {"refused", load.refused()},
              {"admitted", load.admitted()},
              {"admitted_share", load.admitted_share()},
              {"latency_ms", Percentiles(load.latency)},
              {"refusal_latency_ms", Refusals(load)},
              {"expiry_lateness_ms", Percentiles(load.expiry_lateness)},
              {"expired_early", load.expired_early},
              {"failures", Json(load.failures)},
              {"send_lag_ms", Percentiles(load.send_lag)},
              {"held", load.held},
              {"late", load.late},
              {"behind_share", load.behind_share()},
              {"connections_opened", load.connections_opened},
              {"peak_connections", load.peak_connections},
              {"elapsed_s", Ms(load.elapsed) / 1e3},
              {"generator_cores", run.generator_cores},
              {"server", ServerJson(run.server)},
              {"valid", run.Invalid().empty()},
              {"invalid", run.Invalid()}};
  if (run.server_cores >= 0) out["server_cores"] = run.server_cores;
  if (load.failures.empty()) out["failures"] = Json::object();
  return out;
}

}  // namespace

std::string ReportJson(const BenchReport& report) {
  Json runs = Json::array();
  for (const BenchRun& run : report.runs) runs.push_back(RunJson(run));
  const Json out = {
      {"options", OptionsJson(report)}, {"conditions", ConditionsJson(report)}, {"runs", runs}};
  // Names of photos and models may hold bytes that are not UTF-8.
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

std::string ServicesText(const std::string& services_json) {
  constexpr std::size_t kShown = 300;
  const Json json = Json::parse(services_json, nullptr, false);
  const Json* list = &json;
  if (json.is_object()) {
    for (const auto& [key, value] : json.items()) {
      if (value.is_array()) list = &value;
    }
  }
  std::string out;
  if (list->is_array()) {
    for (const Json& service : *list) {
      if (!service.is_object() || !service.contains("name")) continue;
      std::string line;
      for (const char* key : {"name", "version", "backend", "state"}) {
        if (!service.contains(key)) continue;
        const Json& value = service[key];
        if (!line.empty()) line += ' ';
        line += value.is_string() ? value.get<std::string>() : value.dump();
      }
      if (!out.empty()) out += "\n          ";
      out += line;
    }
  }
  return out.empty() ? services_json.substr(0, kShown) : out;
}

}  // namespace xcloud
