// ControlJson: the small JSON bodies below /v2 that are no inference: repository control and
// logging. An empty body is an empty object.
//
// Bounds: kMaxControlBytes (the endpoints limit the body) and those of json_document.h.
// Errors: InvalidArgument names the member that is wrong; Unsupported one that is known and that
// XCloud does not have.
// Thread safety: pure functions; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <spdlog/common.h>

#include "core/result.h"

namespace xcloud {

// Room for a body that is nested too deeply, so that it is told so and not that it is too long.
inline constexpr std::uint64_t kMaxControlBytes = 1 << 20;

// {"ready":bool}: whether only models that serve are asked for.
Result<bool> ReadIndexBody(std::string_view body);

// {"parameters":{"config":"...","file:...":"..."}}: XCloud loads what lies in its repository, so
// whatever would override that is refused, `model` standing in the message. OK = nothing would.
Status CheckLoadBody(std::string_view model, std::string_view body);

// {"parameters":{"unload_dependents":bool}}: no model here depends on another, so it changes
// nothing.
Status CheckUnloadBody(std::string_view body);

// The process's log level in the words of Triton's logging extension, of which XCloud has these.
// Levels are ordered: each message that is logged implies the more serious ones.
struct LogSettings {
  bool info = true;
  bool warning = true;
  bool error = true;
  int verbose_level = 0;  // 1 = debug
};
LogSettings ToLogSettings(spdlog::level::level_enum level);
std::string WriteLogSettings(const LogSettings& settings);
// What is left of `current` once the body's settings are applied, as a level.
Result<spdlog::level::level_enum> ReadLogSettings(std::string_view body, LogSettings current);

}  // namespace xcloud
