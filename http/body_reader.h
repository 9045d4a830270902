// BodyReader: the body of one request, read only when an endpoint asks for it.
//
// A body with a Content-Encoding of gzip or deflate is decoded before it is handed out; what the
// endpoint sees, and what its limit counts, are the decoded bytes.
//
// Threads: the connection's io thread. One per request. Decoding is done there too, at 200 MB/s
// and more, in slices between which the thread serves others: nobody waits a whole body's time for
// it, and no pool of threads has to be fed, bounded and drained for what is rare.
// Bounds: body_limit_bytes (413, from Content-Length before a byte is read, or as chunks come) and
// body_timeout_ms from the first read, and a second more for each body_min_bytes_per_s that come
// (408): a long body over a slow line gets through, one that is dripped is cut as if it stood
// still; the request's deadline, if that is sooner (504, at the instant); all bodies together
// bodies_limit_bytes (503).
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "core/config.h"
#include "core/deadline.h"
#include "core/metrics.h"
#include "core/shared_bytes.h"
#include "http/asio_types.h"
#include "http/body_pool.h"
#include "http/byte_budget.h"
#include "http/connection.h"
#include "http/content_coding.h"
#include "http/head_parser.h"
#include "http/status_mapping.h"

namespace xcloud {

// What the bodies of all connections share. Thread safety: as its parts.
struct BodyStore {
  BodyStore(std::uint64_t limit_bytes, MetricsRegistry& metrics);

  ByteBudget budget;  // of bytes that are held now
  BodyPool pool;
  // Bytes that the kernel wrote where they stay, and bytes that were moved there from the buffer
  // of the header, chunks or a compressed body.
  Counter& direct_bytes;
  Counter& copied_bytes;
};

class BodyReader {
 public:
  BodyReader(Connection& connection, const RequestHead& head, const ServerConfig& config,
             BodyStore& store);

  // Sets the limit of bytes: what this endpoint takes instead of body_limit_bytes. `too_large`: the
  // words for a body that is over it; empty = our own.
  void LimitTo(std::uint64_t bytes, std::string too_large = {}) {
    limit_bytes_ = bytes;
    too_large_ = std::move(too_large);
  }
  std::uint64_t limit_bytes() const { return limit_bytes_; }
  // The 415 that a Content-Encoding which cannot be undone deserves.
  std::optional<HttpError> CheckCoding() const;
  // The 413 that a Content-Length over the limit deserves.
  std::optional<HttpError> CheckLength() const;
  // The whole body into `body`, or why not. Sends "100 Continue" when the client waits for it.
  Task<std::optional<HttpError>> ReadAll(SharedBytes& body, Deadline deadline = {});
  // What DiscardRest would say if the client behaves.
  bool CanDiscardRest() const;
  // After the answer: reads and drops what the endpoint did not ask for, when that is little.
  // False when the connection cannot carry another request.
  Task<bool> DiscardRest();
  // No byte of the body is still to come.
  bool complete() const { return complete_; }

 private:
  Task<std::optional<HttpError>> ReadSized(SharedBytes& body);
  Task<std::optional<HttpError>> ReadChunked(SharedBytes& body);
  // Replaces `body`, which is encoded, by what it says.
  Task<std::optional<HttpError>> Decode(SharedBytes& body);
  HttpError TooLarge() const;
  // Until body_timeout_ms from now, longer for what comes, or the deadline.
  void LimitReads();
  // Why the connection gave no more bytes.
  HttpError Ended() const;

  Connection& connection_;
  const RequestHead& head_;
  BodyStore& store_;
  BodyShare share_;  // of the bytes of all bodies; until the request ends
  std::uint64_t limit_bytes_;
  std::string too_large_;
  const Duration timeout_;
  const Duration per_byte_;                    // what a byte adds to it
  const std::optional<ContentCoding> coding_;  // nothing: one that we do not have
  Deadline deadline_;                          // of the request that is read
  bool client_waits_;                          // for "100 Continue": it has not sent the body yet
  bool complete_;
  bool failed_ = false;  // some of it was read, and the rest cannot be
};

}  // namespace xcloud
