// Conditions: the machine and the build that a measurement belongs to. A figure without them is
// worth nothing.
//
// Free functions that read /proc and /sys; any thread. What cannot be read is told as "unknown".
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace xcloud {

struct CpuInfo {
  std::string model;
  std::vector<std::string> isa;  // of those that decide how fast networks run: avx2, avx512f, ...
  bool virtual_machine = false;
};
// From the text of /proc/cpuinfo.
CpuInfo ParseCpuInfo(std::string_view text);

struct Conditions {
  std::string date;  // UTC, ISO 8601
  CpuInfo cpu;
  unsigned cores = 0;    // that this process may use
  std::string governor;  // "performance", ... or "unknown"
  std::string kernel;
  double load_average = 0;        // over the last minute, before the run; -1 = unknown
  std::vector<std::string> gpus;  // name, driver; empty = none
  int nice = 0;                   // of this process: below 0 = it goes before the server
  std::string version;            // of this program
  std::string compiler;
  std::string build_type;  // "Release", ...
  bool optimised = false;
  bool sanitised = false;

  // Each thing that makes figures worse or unsteady, as a sentence.
  std::vector<std::string> Warnings() const;
};

Conditions ReadConditions();

// "avx2 avx512f", or "none of those that matter".
std::string IsaText(const CpuInfo& cpu);

// CPU seconds that a process has used so far; below 0 when it cannot be read (gone).
double ProcessCpuSeconds(long pid);
// The same of this process.
double OwnCpuSeconds();

}  // namespace xcloud
