#include "models/optimize/host_key.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

namespace xcloud {
namespace {

// FNV-1a, 32 bits: http://www.isthe.com/chongo/tech/comp/fnv. Tells hosts apart, keeps no secret.
std::uint32_t Fnv1a(std::string_view text) {
  std::uint32_t hash = 2166136261U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return hash;
}

// "AMD EPYC 9654" becomes "amd-epyc-9654".
std::string Slug(std::string_view name) {
  std::string slug;
  for (const char c : name) {
    const bool upper = c >= 'A' && c <= 'Z';
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (upper || plain) {
      slug += upper ? static_cast<char>(c - 'A' + 'a') : c;
    } else if (!slug.empty() && slug.back() != '-') {
      slug += '-';
    }
  }
  constexpr std::size_t kLongest = 40;
  slug.erase(std::min(kLongest, slug.size()));
  while (!slug.empty() && slug.back() == '-') slug.pop_back();
  return slug.empty() ? "unknown" : slug;
}

}  // namespace

std::string HostKeyOf(std::string_view cpuinfo) {
  std::string model;
  std::set<std::string> flags;
  std::istringstream in{std::string(cpuinfo)};
  for (std::string line; std::getline(in, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    std::string key = line.substr(0, colon);
    key.erase(key.find_last_not_of(" \t") + 1);
    const std::string value = line.substr(std::min(line.size(), colon + 2));
    if (key == "model name" && model.empty()) model = value;
    if ((key == "flags" || key == "Features") && flags.empty()) {
      std::istringstream words(value);
      for (std::string word; words >> word;) flags.insert(word);
    }
  }
  std::string all;
  for (const std::string& flag : flags) all += flag + ' ';
  char digits[16];
  std::snprintf(digits, sizeof(digits), "%08x", static_cast<unsigned>(Fnv1a(all)));
  return Slug(model) + "-" + digits + XCLOUD_RUNTIMES;
}

std::string CpuHostKey() {
  std::ifstream in("/proc/cpuinfo");
  return HostKeyOf(std::string(std::istreambuf_iterator<char>(in), {}));
}

}  // namespace xcloud
