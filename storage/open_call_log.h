// OpenCallLog: the call log that [storage] describes, ready to append to.
//
// [storage] url is one of
//   sqlite:PATH      a file, made with its folders when missing; a relative PATH is relative to
//                    where the server was started. Durability: sqlite_call_store.h.
//   sqlite::memory:  rows that end with the process; for tests
//   mysql:...        Unsupported in this version
// Errors: InvalidArgument, naming [storage] url, for any other form; Unsupported and Unavailable
// as SqliteCallStore::Open says. A server does not start without its call log.
// Threads: call it once, from main; the log's own contract is in core/call_log.h and
// async_call_log.h. `clock` and `metrics` outlive the log.
#pragma once

#include <memory>

#include "core/call_log.h"
#include "core/clock.h"
#include "core/config.h"
#include "core/metrics.h"
#include "core/result.h"

namespace xcloud {

Result<std::unique_ptr<CallLog>> OpenCallLog(const StorageConfig& config, Clock& clock,
                                             MetricsRegistry& metrics);

// Whether OpenCallLog would understand the URL; opens nothing. For `xcloud serve --check`.
Status CheckStorageUrl(const StorageConfig& config);

}  // namespace xcloud
