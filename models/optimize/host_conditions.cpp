#include "models/optimize/host_conditions.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include <spdlog/fmt/fmt.h>

namespace xcloud {
namespace {

constexpr std::array kInstructionSets = {"fma",      "avx2",     "avx512f",  "avx512_vnni",
                                         "avx_vnni", "amx_int8", "amx_bf16", "asimd",
                                         "asimddp",  "i8mm",     "sve"};

// The value of the first line of that key.
std::string CpuInfoLine(const std::string& key) {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (line.rfind(key, 0) != 0) continue;
    const std::size_t colon = line.find(':');
    return colon + 2 <= line.size() ? line.substr(colon + 2) : "";
  }
  return "";
}

}  // namespace

std::string LoadAverage() {
  double load = 0;
  return getloadavg(&load, 1) == 1 ? fmt::format("{:.2f}", load) : "unknown";
}

std::vector<std::pair<std::string, std::string>> HostConditions() {
  std::istringstream flags(CpuInfoLine("flags") + " " + CpuInfoLine("Features"));
  std::string found;
  for (std::string flag; flags >> flag;) {
    const bool counts =
        std::find(kInstructionSets.begin(), kInstructionSets.end(), flag) != kInstructionSets.end();
    if (counts) found += (found.empty() ? "" : " ") + flag;
  }
  return {{"processor", CpuInfoLine("model name")},
          {"instruction sets", found.empty() ? "none of those that matter" : found},
          {"cores", std::to_string(std::thread::hardware_concurrency())},
          {"libraries", std::string(XCLOUD_RUNTIMES).erase(0, 1)},
          {"load average at the start", LoadAverage()}};
}

}  // namespace xcloud
