// HttpFetch: what the benchmark asks the server outside a run: is it there, and GET of small
// texts (/metrics, /api/services).
//
// Free functions that block the caller, each within its timeout. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "bench/bench_options.h"
#include "bench/load_generator.h"
#include "core/clock.h"
#include "core/result.h"

namespace xcloud {

// The first address of the target that accepts a connection. PermissionDenied when it is not of
// this machine and `allow_remote` is false; NotFound when the name has no address; Unavailable
// when nothing listens.
Result<LoadServer> FindServer(const TargetUrl& target, bool allow_remote, Duration timeout);

// The body of a 200. NotFound on 404, Unavailable on any other answer or none.
Result<std::string> FetchText(const LoadServer& server, std::string_view path, Duration timeout);

}  // namespace xcloud
