// Log: one process-wide logger on stderr, so that stdout stays for the lines that tools read
// ("listening on ..."). Any thread may log. Never log keys, passwords or photo bytes.
#pragma once

#include <string_view>

#include <spdlog/spdlog.h>

namespace xcloud {

// `level`: debug, info, warn or error, as [log] level checks it.
void InitLog(std::string_view level);

}  // namespace xcloud
