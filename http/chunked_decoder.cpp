#include "http/chunked_decoder.h"

#include <algorithm>

#include "http/hex_digit.h"

namespace xcloud {
namespace {

constexpr std::size_t kMaxSizeDigits = 15;            // 2^60: far over any body limit
constexpr std::size_t kMaxOverheadBytes = 16 * 1024;  // extensions and trailers of one body

}  // namespace

std::string ChunkedDecoder::TooManyChunksMessage() {
  return "Chunked request body exceeds maximum of " + std::to_string(kMaxChunks) + " chunks";
}

std::size_t ChunkedDecoder::Feed(std::string_view in, std::string& out) {
  std::size_t at = 0;
  while (at < in.size() && state_ == State::kMore) {
    if (step_ == Step::kData) {
      const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(chunk_, in.size() - at));
      out.append(in, at, take);
      at += take;
      chunk_ -= take;
      if (chunk_ == 0) step_ = Step::kDataCr;
    } else {
      Take(in[at++]);
    }
  }
  return at;
}

void ChunkedDecoder::TakeSizeDigit(char c) {
  const int digit = HexDigit(c);
  if (digit >= 0 && ++size_digits_ <= kMaxSizeDigits) {
    chunk_ = chunk_ * 16 + static_cast<std::uint64_t>(digit);
  } else if (size_digits_ == 0 || digit >= 0) {
    state_ = State::kMalformed;
  } else if (c == '\r') {
    step_ = Step::kSizeLf;
  } else if (c == ';' || c == ' ' || c == '\t') {
    step_ = Step::kExtension;
  } else {
    state_ = State::kMalformed;
  }
}

void ChunkedDecoder::EndSizeLine() {
  if (chunk_ > limit_ - total_) {
    state_ = State::kTooLarge;
    return;
  }
  if (chunk_ > 0 && ++chunks_ > kMaxChunks) {
    state_ = State::kTooManyChunks;
    return;
  }
  total_ += chunk_;
  step_ = chunk_ == 0 ? Step::kTrailer : Step::kData;
  size_digits_ = 0;
  trailer_line_ = 0;
}

void ChunkedDecoder::Take(char c) {
  const auto expect = [&](char wanted, Step next) {
    if (c == wanted) {
      step_ = next;
    } else {
      state_ = State::kMalformed;
    }
  };
  switch (step_) {
    case Step::kSize:
      TakeSizeDigit(c);
      return;
    case Step::kExtension:
      if (c == '\r') step_ = Step::kSizeLf;
      if (c == '\n' || ++overhead_ > kMaxOverheadBytes) state_ = State::kMalformed;
      return;
    case Step::kSizeLf:
      if (c == '\n') {
        EndSizeLine();
      } else {
        state_ = State::kMalformed;
      }
      return;
    case Step::kDataCr:
      expect('\r', Step::kDataLf);
      return;
    case Step::kDataLf:
      expect('\n', Step::kSize);
      chunk_ = 0;
      return;
    case Step::kTrailer:
      if (c == '\r') {
        step_ = Step::kTrailerLf;
      } else {
        ++trailer_line_;
        if (c == '\n' || ++overhead_ > kMaxOverheadBytes) state_ = State::kMalformed;
      }
      return;
    case Step::kTrailerLf:
      expect('\n', Step::kTrailer);
      if (state_ == State::kMore && trailer_line_ == 0) state_ = State::kDone;
      trailer_line_ = 0;
      return;
    case Step::kData:
      return;  // taken whole by Feed
  }
}

}  // namespace xcloud
