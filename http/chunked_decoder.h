// ChunkedDecoder: Transfer-Encoding: chunked (RFC 9112, 7.1), fed in pieces of any size.
//
// Written here because the parser of Beast 1.74 needs each chunk header in one contiguous piece of
// unbounded length. Extensions and trailers are skipped.
// Bounds beside that of the body: 65,536 chunks (a chunk of one byte costs six on the wire and a
// pass through the state machine), and 16 KiB of all extensions and trailers together. So no body
// takes more bytes to send than its limit, 20 a chunk and the 16 KiB; nothing of it but the body
// is kept.
// Not thread-safe; one per request.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace xcloud {

class ChunkedDecoder {
 public:
  enum class State { kMore, kDone, kMalformed, kTooLarge, kTooManyChunks };
  static constexpr std::size_t kMaxChunks = 65'536;  // without the empty one that ends the body
  // What Triton's clients know.
  static std::string TooManyChunksMessage();

  // `limit`: bytes of decoded body; one more is kTooLarge.
  explicit ChunkedDecoder(std::uint64_t limit) : limit_(limit) {}

  // Decodes from `in`, appending to `out`, until the input or the body ends. Returns the bytes
  // that it took; what follows the body is left.
  std::size_t Feed(std::string_view in, std::string& out);
  State state() const { return state_; }

 private:
  enum class Step { kSize, kExtension, kSizeLf, kData, kDataCr, kDataLf, kTrailer, kTrailerLf };
  void Take(char c);
  void TakeSizeDigit(char c);
  void EndSizeLine();

  const std::uint64_t limit_;
  State state_ = State::kMore;
  Step step_ = Step::kSize;
  std::uint64_t total_ = 0;
  std::uint64_t chunk_ = 0;  // size while it is read, then bytes of it still to come
  std::size_t chunks_ = 0;
  std::size_t size_digits_ = 0;
  std::size_t overhead_ = 0;      // bytes of extensions and trailers so far
  std::size_t trailer_line_ = 0;  // bytes of the current trailer line
};

}  // namespace xcloud
