#include "http/fetch/fetch_metrics.h"

#include <string>

namespace xcloud {
namespace {

// In the order of FetchOutcome.
constexpr std::array<const char*, kFetchOutcomes> kNames = {"ok",
                                                            "off",
                                                            "not_allowed",
                                                            "bad_url",
                                                            "no_public_address",
                                                            "lookup_failed",
                                                            "unreachable",
                                                            "bad_status",
                                                            "refused_redirect",
                                                            "broken",
                                                            "too_large",
                                                            "late",
                                                            "cancelled",
                                                            "overloaded",
                                                            "stopping"};

}  // namespace

FetchMetrics::FetchMetrics(MetricsRegistry& registry)
    : seconds_(registry.GetHistogram("xcloud_fetch_seconds",
                                     "From the request for a photo by URL to its end.",
                                     LatencyBoundsSeconds())),
      open_(registry.GetGauge("xcloud_fetches_open", "Photos being fetched or waiting for it.")),
      lookups_open_(registry.GetGauge("xcloud_fetch_lookups_open",
                                      "Hosts of photos being looked up or waiting for it.")) {
  for (std::size_t i = 0; i < kFetchOutcomes; ++i) {
    total_[i] = &registry.GetCounter("xcloud_fetches_total", "Photos fetched by URL, by outcome.",
                                     {{"outcome", kNames[i]}});
  }
}

}  // namespace xcloud
