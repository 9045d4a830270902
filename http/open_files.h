// Open files: each connection takes one, and the usual limit of a process is 1024.
//
// Threads: the starting one, before the server is made.
#pragma once

#include <cstdint>

#include "core/config.h"

namespace xcloud {

// Raises this process's limit as far as it may. Where max_connections does not fit under it, lowers
// max_connections to what does, with a warning: over it a client would wait to be accepted for
// ever instead of being told 503, and no model could be loaded either.
void FitOpenFiles(ServerConfig& config);

// How many of `wanted` connections fit when `limit` files may be open.
std::int64_t ConnectionsThatFit(std::int64_t wanted, std::uint64_t limit);

}  // namespace xcloud
