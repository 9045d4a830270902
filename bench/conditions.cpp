#include "bench/conditions.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <sstream>

namespace xcloud {
namespace {

// x86, then Arm names, in the order in which they are shown.
constexpr std::string_view kIsaNames[] = {
    "avx",      "f16c",     "fma",   "avx2",    "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16",
    "amx_int8", "amx_bf16", "asimd", "asimddp", "i8mm",    "bf16",        "sve"};

std::string ReadText(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::string FirstLine(std::string text) {
  text.resize(std::min(text.size(), text.find('\n')));
  return text;
}

std::string OrUnknown(std::string text) {
  return text.empty() ? "unknown" : std::move(text);
}

std::string UtcNow() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text.data();
}

unsigned UsableCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 0;
  return static_cast<unsigned>(CPU_COUNT(&set));
}

std::vector<std::string> ReadGpus() {
  std::vector<std::string> out;
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(
      popen("nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null", "r"),
      pclose);
  if (pipe == nullptr) return out;
  std::array<char, 256> line{};
  while (std::fgets(line.data(), line.size(), pipe.get()) != nullptr) {
    out.push_back(FirstLine(line.data()));
  }
  // Its complaints ("No devices were found", "NVIDIA-SMI has failed") come on stdout too.
  std::erase_if(out, [](const std::string& text) { return text.find(',') == std::string::npos; });
  return out;
}

}  // namespace

CpuInfo ParseCpuInfo(std::string_view text) {
  CpuInfo out;
  std::set<std::string> flags;
  std::istringstream in{std::string(text)};
  for (std::string line; std::getline(in, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    std::string key = line.substr(0, colon);
    key.erase(key.find_last_not_of(" \t") + 1);
    const std::string value = line.substr(std::min(line.size(), colon + 2));
    if (key == "model name" && out.model.empty()) out.model = value;
    if ((key == "flags" || key == "Features") && flags.empty()) {
      std::istringstream words(value);
      for (std::string word; words >> word;) flags.insert(word);
    }
  }
  out.model = OrUnknown(out.model);
  for (const std::string_view name : kIsaNames) {
    if (flags.contains(std::string(name))) out.isa.emplace_back(name);
  }
  out.virtual_machine = flags.contains("hypervisor");
  return out;
}

Conditions ReadConditions() {
  Conditions out;
  out.date = UtcNow();
  out.cpu = ParseCpuInfo(ReadText("/proc/cpuinfo"));
  out.cores = UsableCores();
  out.governor =
      OrUnknown(FirstLine(ReadText("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")));
  utsname names{};
  out.kernel = uname(&names) == 0
                   ? std::string(names.sysname) + " " + names.release + " " + names.machine
                   : "unknown";
  if (getloadavg(&out.load_average, 1) != 1) out.load_average = -1;
  out.gpus = ReadGpus();
  out.nice = getpriority(PRIO_PROCESS, 0);
  out.version = XCLOUD_VERSION;
#if defined(__clang__)
  out.compiler = "clang " __clang_version__;
#else
  out.compiler = "g++ " __VERSION__;
#endif
  out.build_type = OrUnknown(XCLOUD_BUILD_TYPE);
#if defined(__OPTIMIZE__)
  out.optimised = true;
#endif
#if defined(XCLOUD_SANITIZED)
  out.sanitised = true;
#endif
  return out;
}

std::vector<std::string> Conditions::Warnings() const {
  std::vector<std::string> out;
  if (!optimised) {
    out.push_back("this is not an optimised build (" + build_type +
                  "): the generator itself is slow; build with CMAKE_BUILD_TYPE=Release");
  }
  if (sanitised) out.push_back("this build is sanitised: every figure is several times too slow");
  if (governor != "performance" && governor != "unknown") {
    out.push_back("the CPU governor is " + governor + ", not performance: clocks will vary");
  }
  if (load_average > 0.5 * cores) {
    std::ostringstream load;
    load.precision(2);
    load << std::fixed << load_average;
    out.push_back("the machine was busy before the run (load average " + load.str() + " on " +
                  std::to_string(cores) + " cores): wait, or expect unsteady figures");
  }
  if (cores < 4) {
    out.push_back("generator and server share " + std::to_string(cores) +
                  " cores if both are on this machine: watch the generator's CPU share");
  }
  if (cpu.virtual_machine) out.push_back("a virtual machine: neighbours may take time unseen");
  return out;
}

std::string IsaText(const CpuInfo& cpu) {
  std::string out;
  for (const std::string& name : cpu.isa) {
    if (!out.empty()) out += ' ';
    out += name;
  }
  return out.empty() ? "none of those that matter" : out;
}

double ProcessCpuSeconds(long pid) {
  const std::string stat = ReadText("/proc/" + std::to_string(pid) + "/stat");
  // The name (field 2) may hold blanks and brackets; fields are counted from its last bracket.
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return -1;
  std::istringstream fields(stat.substr(name_end + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user_ticks = 0;    // field 14
  double system_ticks = 0;  // field 15
  if (!(fields >> user_ticks >> system_ticks)) return -1;
  return (user_ticks + system_ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double OwnCpuSeconds() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

}  // namespace xcloud
