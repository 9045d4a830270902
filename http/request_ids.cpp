#include "http/request_ids.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace xcloud {
namespace {

std::mt19937_64 Seeded() {
  std::random_device device;
  std::seed_seq seed{device(), device(), device(), device(),
                     device(), device(), device(), device()};
  return std::mt19937_64(seed);
}

bool IsLowerHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool AllZero(std::string_view text) {
  return text.find_first_not_of('0') == text.npos;
}

// The first word found decides: phones also say "Mozilla", and libraries may name curl.
constexpr std::pair<std::string_view, TerminalType> kWords[] = {
    {"python", TerminalType::kLibrary},
    {"okhttp", TerminalType::kLibrary},
    {"Go-http-client", TerminalType::kLibrary},
    {"libcurl", TerminalType::kLibrary},
    {"Java", TerminalType::kLibrary},
    {"axios", TerminalType::kLibrary},
    {"node", TerminalType::kLibrary},
    {"aiohttp", TerminalType::kLibrary},
    {"geventhttpclient", TerminalType::kLibrary},
    {"curl", TerminalType::kTool},
    {"Wget", TerminalType::kTool},
    {"HTTPie", TerminalType::kTool},
    {"Postman", TerminalType::kTool},
    {"JMeter", TerminalType::kTool},
    {"ApacheBench", TerminalType::kTool},
    {"wrk", TerminalType::kTool},
    {"h2load", TerminalType::kTool},
    {"xcloud-bench", TerminalType::kTool},
    {"Android", TerminalType::kMobile},
    {"iPhone", TerminalType::kMobile},
    {"iPad", TerminalType::kMobile},
    {"Mobile", TerminalType::kMobile},
    {"CFNetwork", TerminalType::kMobile},
    {"Mozilla/", TerminalType::kBrowser},
};

}  // namespace

RandomIds::RandomIds() : engine_(Seeded()) {}

std::string RandomIds::Next() {
  constexpr char kHex[] = "0123456789abcdef";
  std::string id(32, '0');
  for (std::size_t half = 0; half < 2; ++half) {
    std::uint64_t bits = engine_();
    for (std::size_t i = 0; i < 16; ++i, bits >>= 4) id[half * 16 + i] = kHex[bits & 15];
  }
  return id;
}

bool IsSaneRequestId(std::string_view id) {
  return !id.empty() && id.size() <= kMaxRequestIdBytes &&
         std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c <= '~'; });
}

std::string_view TraceIdOf(std::string_view traceparent) {
  // version "-" trace-id "-" parent-id "-" flags; a later version may go on after another "-".
  constexpr std::size_t kLength = 2 + 1 + 32 + 1 + 16 + 1 + 2;
  if (traceparent.size() < kLength) return {};
  const std::string_view version = traceparent.substr(0, 2);
  const std::string_view trace_id = traceparent.substr(3, 32);
  const std::string_view parent_id = traceparent.substr(36, 16);
  const bool dashes = traceparent[2] == '-' && traceparent[35] == '-' && traceparent[52] == '-';
  const bool ends =
      traceparent.size() == kLength || (version != "00" && traceparent[kLength] == '-');
  const bool digits = IsLowerHex(version) && IsLowerHex(trace_id) && IsLowerHex(parent_id) &&
                      IsLowerHex(traceparent.substr(53, 2));
  if (!dashes || !ends || !digits || version == "ff") return {};
  if (AllZero(trace_id) || AllZero(parent_id)) return {};
  return trace_id;
}

std::string TraceResponseOf(std::string_view traceparent, RandomIds& ids) {
  constexpr std::size_t kSpanIdDigits = 16;
  const std::string_view trace_id = TraceIdOf(traceparent);
  if (trace_id.empty()) return {};
  std::string out = "00-";
  out.append(trace_id).append("-").append(ids.Next(), 0, kSpanIdDigits);
  out.append("-").append(traceparent.substr(53, 2));
  return out;
}

TerminalType TerminalTypeOf(std::string_view user_agent) {
  for (const auto& [word, type] : kWords) {
    if (user_agent.find(word) != std::string_view::npos) return type;
  }
  return TerminalType::kUnknown;
}

}  // namespace xcloud
