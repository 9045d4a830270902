#include "http/body_reader.h"

#include <algorithm>
#include <chrono>

#include "http/chunked_decoder.h"
#include "http/yield_thread.h"

namespace xcloud {
namespace {

// An unread body of at most this is worth reading to keep the connection: most photos. A client
// that is told 429 would otherwise pay for a new connection with each retry, and so would we.
constexpr std::uint64_t kMaxDiscardBytes = 1 << 20;

}  // namespace

BodyStore::BodyStore(std::uint64_t limit_bytes, MetricsRegistry& metrics)
    : budget(limit_bytes),
      direct_bytes(metrics.GetCounter("xcloud_body_bytes_total",
                                      "Bytes of bodies, by how they got where they are read.",
                                      {{"path", "direct"}})),
      copied_bytes(metrics.GetCounter("xcloud_body_bytes_total", "", {{"path", "copied"}})) {}

BodyReader::BodyReader(Connection& connection, const RequestHead& head, const ServerConfig& config,
                       BodyStore& store)
    : connection_(connection),
      head_(head),
      store_(store),
      share_(store.budget),
      limit_bytes_(static_cast<std::uint64_t>(config.body_limit_bytes)),
      timeout_(std::chrono::milliseconds(config.body_timeout_ms)),
      per_byte_(config.body_min_bytes_per_s > 0
                    ? Duration(std::chrono::seconds(1)) / config.body_min_bytes_per_s
                    : Duration{}),
      coding_(ParseContentCoding(head.Header("content-encoding"))),
      client_waits_(head.expects_continue),
      complete_(!head.chunked && head.content_length == 0) {}

HttpError BodyReader::TooLarge() const {
  if (!too_large_.empty()) return MakeHttpError(413, too_large_);
  return MakeHttpError(413, "the body is over " + std::to_string(limit_bytes_) + " bytes");
}

void BodyReader::LimitReads() {
  const Duration left = deadline_.Remaining(connection_.Now());
  connection_.LimitReads(std::min(timeout_, left), per_byte_, left);
}

HttpError BodyReader::Ended() const {
  if (connection_.timed_out() && deadline_.Expired(connection_.Now())) {
    return MakeHttpError(504, "the deadline passed before the whole body had come");
  }
  if (connection_.timed_out()) return MakeHttpError(408, "the body did not come in time");
  if (connection_.aborted()) return MakeHttpError(503, "the server is stopping");
  return MakeHttpError(kStatusClientGone, "the client closed the connection within the body");
}

std::optional<HttpError> BodyReader::CheckCoding() const {
  if (coding_) return std::nullopt;
  return MakeHttpError(415,
                       "a body with this Content-Encoding is not read: send gzip, deflate or "
                       "no coding");
}

std::optional<HttpError> BodyReader::CheckLength() const {
  if (head_.content_length > limit_bytes_) return TooLarge();
  return std::nullopt;
}

Task<std::optional<HttpError>> BodyReader::ReadAll(SharedBytes& body, Deadline deadline) {
  if (complete_) co_return std::nullopt;
  if (auto error = CheckCoding()) co_return error;
  if (auto error = CheckLength()) co_return error;
  deadline_ = deadline;
  LimitReads();
  if (client_waits_ && connection_.Buffered().empty()) {
    const bool told = co_await connection_.Write("HTTP/1.1 100 Continue\r\n\r\n", {}, timeout_);
    if (!told) co_return Ended();
    LimitReads();
  }
  client_waits_ = false;
  std::optional<HttpError> error;
  if (head_.chunked) {
    error = co_await ReadChunked(body);
  } else {
    error = co_await ReadSized(body);
  }
  connection_.NoLimit();
  complete_ = !error.has_value();
  failed_ = error.has_value();
  if (!error && coding_ != ContentCoding::kIdentity) error = co_await Decode(body);
  co_return error;
}

Task<std::optional<HttpError>> BodyReader::ReadSized(SharedBytes& body) {
  const std::uint64_t total = head_.content_length;
  // Memory for the claimed length: pages that no byte was written to cost address space only.
  const BodySlotPtr slot = store_.pool.Take(total);
  const std::string_view early = connection_.Buffered().substr(0, total);
  std::size_t filled = early.copy(slot->data(), early.size());
  connection_.Consume(filled);
  store_.copied_bytes.Add(filled);
  // The budget is taken as bytes come, never by what a header claims.
  if (!share_.GrowTo(filled)) co_return NoRoomFor("bodies");
  while (filled < total) {
    const std::size_t got = co_await connection_.ReadInto(slot->data() + filled, total - filled);
    if (got == 0) co_return Ended();
    filled += got;
    store_.direct_bytes.Add(got);
    if (!share_.GrowTo(filled)) co_return NoRoomFor("bodies");
  }
  body = SharedBytes(slot, {slot->data(), total});
  co_return std::nullopt;
}

Task<std::optional<HttpError>> BodyReader::ReadChunked(SharedBytes& body) {
  ChunkedDecoder decoder(limit_bytes_);
  std::string decoded;
  for (;;) {
    connection_.Consume(decoder.Feed(connection_.Buffered(), decoded));
    if (!share_.GrowTo(decoded.size())) co_return NoRoomFor("bodies");
    switch (decoder.state()) {
      case ChunkedDecoder::State::kDone:
        store_.copied_bytes.Add(decoded.size());
        body = SharedBytes(std::move(decoded));
        co_return std::nullopt;
      case ChunkedDecoder::State::kTooLarge:
        co_return TooLarge();
      case ChunkedDecoder::State::kTooManyChunks:
        co_return MakeHttpError(413, ChunkedDecoder::TooManyChunksMessage());
      case ChunkedDecoder::State::kMalformed:
        co_return MakeHttpError(400, "malformed chunked body");
      case ChunkedDecoder::State::kMore:
        break;
    }
    const bool more = co_await connection_.ReadMore();
    if (!more) co_return Ended();
  }
}

Task<std::optional<HttpError>> BodyReader::Decode(SharedBytes& body) {
  Inflater inflater(*coding_, body.view(), limit_bytes_, store_.pool);
  for (;;) {
    const Inflater::State state = inflater.Step();
    if (!share_.GrowTo(body.size() + inflater.size())) co_return NoRoomFor("bodies");
    switch (state) {
      case Inflater::State::kDone:
        store_.copied_bytes.Add(inflater.size());
        body = inflater.Take();
        co_return std::nullopt;
      case Inflater::State::kTooLarge:
        co_return TooLarge();
      case Inflater::State::kTruncated:
        co_return MakeHttpError(400, "the compressed body ends too early");
      case Inflater::State::kMalformed:
        co_return MakeHttpError(400, "the body is not what its Content-Encoding says");
      case Inflater::State::kMore:
        break;
    }
    co_await YieldThread();
    if (connection_.aborted()) co_return MakeHttpError(503, "the server is stopping");
    if (deadline_.Expired(connection_.Now())) {
      co_return MakeHttpError(504, "the deadline passed while the body was decoded");
    }
  }
}

bool BodyReader::CanDiscardRest() const {
  if (complete_) return true;
  // A client that waits for "100 Continue" may or may not send the body now: unknowable.
  return !failed_ && !client_waits_ && !head_.chunked && head_.content_length <= kMaxDiscardBytes;
}

Task<bool> BodyReader::DiscardRest() {
  if (complete_) co_return true;
  if (!CanDiscardRest()) co_return false;
  connection_.LimitReads(timeout_);
  for (std::uint64_t left = head_.content_length;;) {
    const std::uint64_t here = std::min<std::uint64_t>(left, connection_.Buffered().size());
    connection_.Consume(here);
    left -= here;
    if (left == 0) break;
    const bool more = co_await connection_.ReadMore();
    if (!more) co_return false;
  }
  connection_.NoLimit();
  complete_ = true;
  co_return true;
}

}  // namespace xcloud
