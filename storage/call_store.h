// CallStore: where groups of call rows end up. The seam between SQL and the queue in front of it.
//
// Thread: one thread at a time (the writer of AsyncCallLog, once it runs). Commit may block on the
// disk or on a lock, so no request's thread ever calls it.
// Invariants that an implementation keeps and AsyncCallLog relies on:
//   1. A failed Commit leaves none of the group behind: the same rows may be committed again.
//   2. No row can make its group fail by what it holds (a used id, a number that is not finite);
//      otherwise the group would be retried for ever.
//   3. A request_id is stored once. A row whose id is there already, or came earlier in the same
//      group, is passed over and the rest of the group is stored: the first row of an id wins.
// Errors: as Status; nothing is thrown. Every error is taken to pass some day (a lock, a full
// disk).
#pragma once

#include <cstddef>
#include <span>

#include "core/call_log.h"
#include "core/result.h"

namespace xcloud {

class CallStore {
 public:
  virtual ~CallStore() = default;
  // Stores the rows in one transaction. Returns how many are new; the rest had a used request_id.
  virtual Result<std::size_t> Commit(std::span<const CallRecord> rows) = 0;
};

}  // namespace xcloud
