// HeadParser: a request's start line and headers, fed in pieces; the one place that knows Beast's
// parser. RequestHead: what it found.
//
// Not thread-safe; one per connection, Reset() before each request. Views into the head stay valid
// until then. Refuses what RFC 9112 calls malformed, both Content-Length and Transfer-Encoding,
// Content-Length twice or as a list (even of equal numbers: the next server may take the other),
// codings other than chunked, HTTP/1.1 without Host, and more than 100 headers (Apache's number;
// browsers send about 20). A refused head is not kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "http/status_mapping.h"

namespace xcloud {

enum class Verb { kGet, kHead, kPost, kPut, kPatch, kDelete, kOther };

class HeadParser;

struct RequestHead {
  Verb verb = Verb::kOther;
  std::string_view target;  // as sent
  bool http_1_0 = false;
  bool keep_alive = true;  // what the client asks for
  bool chunked = false;
  std::uint64_t content_length = 0;  // 0 when absent
  bool expects_continue = false;
  const HeadParser* fields = nullptr;

  // The first header of that name, whatever its case; empty when there is none.
  std::string_view Header(std::string_view name) const;
  // Also true when its value is empty.
  bool Has(std::string_view name) const;
};

class HeadParser {
 public:
  enum class State { kMore, kDone, kRefused };

  static constexpr std::size_t kMaxHeaders = 100;

  // `limit_bytes`: start line and headers together; more is 431.
  explicit HeadParser(std::size_t limit_bytes);
  ~HeadParser();

  void Reset();
  // Takes bytes from the front of `in` and returns how many. After kMore, the next call must begin
  // with the bytes that were left.
  std::size_t Feed(std::string_view in);

  State state() const { return state_; }
  const RequestHead& head() const { return head_; }    // REQUIRES: kDone
  const HttpError& refusal() const { return error_; }  // REQUIRES: kRefused

 private:
  friend struct RequestHead;
  struct Parser;
  void Finish();
  bool TooManyHeaders() const;
  void Refuse(int status, std::string message);

  const std::size_t limit_bytes_;
  std::unique_ptr<Parser> parser_;
  std::size_t taken_ = 0;
  State state_ = State::kMore;
  RequestHead head_;
  HttpError error_;
};

}  // namespace xcloud
