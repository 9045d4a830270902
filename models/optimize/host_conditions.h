// HostConditions: the machine that a report's times belong to, for people. Reads /proc; any thread.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace xcloud {

// Processor, its instruction sets that decide how fast networks run, cores, libraries, and how busy
// the machine was.
std::vector<std::pair<std::string, std::string>> HostConditions();

// Over the last minute: "0.42"; "unknown".
std::string LoadAverage();

}  // namespace xcloud
