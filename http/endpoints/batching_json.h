// Batching knobs as JSON: what GET and PATCH /admin/models/{name}/batching say and read.
//
// Thread safety: pure functions; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/batching.h"
#include "core/result.h"

namespace xcloud {

inline constexpr std::size_t kMaxPatchBytes = 64 * 1024;

// {"name", "version", "since", the knobs, "max_batch_limit", "history": [{"version", "since", the
// knobs}, ...]}, newest first.
std::string WriteBatching(std::string_view name, const BatchingView& view);

// One JSON object of knobs, or {"revert_to": N}; "version" beside either is the version that the
// caller has read. InvalidArgument names everything that is wrong in form: unknown and repeated
// keys, wrong types. Ranges are the service's.
Result<BatchingPatch> ReadBatchingPatch(std::string_view body);

// "2026-11-24T10:50:01.123Z".
std::string FormatIso8601(WallTime time);

}  // namespace xcloud
