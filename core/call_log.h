// CallLog: the seam to the table of API calls (the paper's Table 3, extended). Implemented by
// storage.
#pragma once

#include <cstdint>
#include <string>

#include "core/clock.h"

namespace xcloud {

// What kind of client called, from its User-Agent; stored as the number.
enum class TerminalType : int { kUnknown = 0, kBrowser = 1, kMobile = 2, kTool = 3, kLibrary = 4 };

struct CallRecord {
  std::string request_id;  // unique; CLIENT~OURS when the client sent an id of its own
  std::string username;    // empty = anonymous
  std::string api_name;    // "cv/imagenet"
  std::string model;
  std::string version;
  WallTime called_at;    // first byte; stored as UTC milliseconds
  double elapse_ms = 0;  // first byte to answer written
  double decode_ms = 0;
  double queue_ms = 0;
  double infer_ms = 0;
  TerminalType terminal = TerminalType::kUnknown;
  int http_status = 0;
  int code = 0;          // the body's code: 0 success, 1 bad image, 2 bad method, 3 none found
  std::string trace_id;  // 32 hex digits of traceparent, or empty
};

struct CallLogCounters {
  std::uint64_t appended = 0;   // taken by Append
  std::uint64_t committed = 0;  // in the store
  std::uint64_t dropped = 0;    // refused because the queue was full, or lost to a store error
};

class CallLog {
 public:
  virtual ~CallLog() = default;
  // Never blocks and never throws; any thread. A full queue drops the row and counts it.
  virtual void Append(CallRecord record) noexcept = 0;
  virtual CallLogCounters counters() const = 0;
};

}  // namespace xcloud
