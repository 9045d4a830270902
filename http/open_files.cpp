#include "http/open_files.h"

#include <sys/resource.h>

#include <algorithm>
#include <limits>

#include "core/log.h"

namespace xcloud {
namespace {

// For models, the call log, the io threads and connections that are being refused: about 200.
constexpr std::int64_t kOtherFiles = 512;

}  // namespace

std::int64_t ConnectionsThatFit(std::int64_t wanted, std::uint64_t limit) {
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  const auto files = static_cast<std::int64_t>(std::min<std::uint64_t>(limit, kMost));
  return std::min(wanted, std::max({files - kOtherFiles, files / 4, std::int64_t{1}}));
}

void FitOpenFiles(ServerConfig& config) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  if (limit.rlim_cur != limit.rlim_max) {
    const rlimit raised{limit.rlim_max, limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  const std::int64_t fit = ConnectionsThatFit(config.max_connections, limit.rlim_cur);
  if (fit == config.max_connections) return;
  spdlog::warn(
      "server.max_connections = {} is lowered to {}: this process may open {} files; raise the "
      "hard "
      "limit (ulimit -Hn, LimitNOFILE)",
      config.max_connections, fit, limit.rlim_cur);
  config.max_connections = fit;
}

}  // namespace xcloud
