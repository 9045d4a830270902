#include "http/content_coding.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include <zlib.h>

#include "core/status.h"
#include "http/media_type.h"

namespace xcloud {
namespace {

constexpr int kMaxWindowBits = 15;
constexpr int kGzipBits = 16;  // zlib's way to say "with gzip's header"
constexpr int kMemLevel = 8;
// What a body that outgrows a pool's slot gets, so that little is copied on the way.
constexpr std::uint64_t kLargeSlotBytes = 64 << 20;
constexpr std::uint64_t kGrowFactor = 4;

// RFC 1950, 2.2: the method is 8 and the two bytes are a multiple of 31.
bool HasZlibHeader(std::string_view body) {
  if (body.size() < 2) return false;
  const auto first = static_cast<unsigned char>(body[0]);
  const auto second = static_cast<unsigned char>(body[1]);
  return (first & 15) == Z_DEFLATED && (first * 256 + second) % 31 == 0;
}

bool HasGzipMagic(std::string_view body) {
  return body.starts_with("\x1F\x8B");
}

int InflateBits(ContentCoding coding, std::string_view body) {
  if (coding == ContentCoding::kGzip) return kMaxWindowBits + kGzipBits;
  return HasZlibHeader(body) ? kMaxWindowBits : -kMaxWindowBits;  // negative: raw
}

Bytef* InputOf(std::string_view bytes) {
  // zlib reads only, but takes it without const.
  return reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
}

}  // namespace

struct Inflater::Stream {
  z_stream z{};
  ~Stream() { inflateEnd(&z); }
};

struct Deflater::Stream {
  z_stream z{};
  ~Stream() { deflateEnd(&z); }
};

std::string_view ContentCodingName(ContentCoding coding) {
  switch (coding) {
    case ContentCoding::kGzip:
      return "gzip";
    case ContentCoding::kDeflate:
      return "deflate";
    case ContentCoding::kIdentity:
      break;
  }
  return "identity";
}

std::optional<ContentCoding> ParseContentCoding(std::string_view header) {
  const std::string_view name = TrimBlanks(header);
  if (name.empty() || EqualsIgnoreCase(name, "identity")) return ContentCoding::kIdentity;
  if (EqualsIgnoreCase(name, "gzip") || EqualsIgnoreCase(name, "x-gzip")) {
    return ContentCoding::kGzip;
  }
  if (EqualsIgnoreCase(name, "deflate")) return ContentCoding::kDeflate;
  return std::nullopt;
}

Inflater::Inflater(ContentCoding coding, std::string_view body, std::uint64_t limit, BodyPool& pool)
    : coding_(coding),
      limit_(limit),
      pool_(pool),
      stream_(std::make_unique<Stream>()),
      rest_(body),
      slot_(pool.Take(BodyPool::kSlotBytes)) {
  XC_CHECK(coding != ContentCoding::kIdentity);
  if (inflateInit2(&stream_->z, InflateBits(coding, body)) != Z_OK) throw std::bad_alloc();
}

Inflater::~Inflater() = default;

// As far as one byte behind the limit: enough to see that it is passed.
void Inflater::Grow() {
  const std::uint64_t wanted = std::max(kLargeSlotBytes, slot_->capacity() * kGrowFactor);
  BodySlotPtr larger = pool_.Take(static_cast<std::size_t>(std::min(wanted, limit_ + 1)));
  std::memcpy(larger->data(), slot_->data(), filled_);
  slot_ = std::move(larger);
}

Inflater::State Inflater::EndMember() {
  if (rest_.empty()) return State::kDone;
  if (coding_ != ContentCoding::kGzip || !HasGzipMagic(rest_)) return State::kMalformed;
  return inflateReset(&stream_->z) == Z_OK ? State::kMore : State::kMalformed;
}

Inflater::State Inflater::Step() {
  if (filled_ == slot_->capacity()) Grow();
  z_stream& z = stream_->z;
  const std::size_t in = std::min(rest_.size(), kInflateSlice);
  const std::uint64_t room = std::min<std::uint64_t>(slot_->capacity(), limit_ + 1) - filled_;
  const auto out = static_cast<std::size_t>(std::min<std::uint64_t>(room, kInflateSlice));
  z.next_in = InputOf(rest_);
  z.avail_in = static_cast<uInt>(in);
  z.next_out = reinterpret_cast<Bytef*>(slot_->data() + filled_);
  z.avail_out = static_cast<uInt>(out);
  const int result = inflate(&z, Z_NO_FLUSH);
  rest_.remove_prefix(in - z.avail_in);
  filled_ += out - z.avail_out;
  if (filled_ > limit_) return State::kTooLarge;
  if (result == Z_STREAM_END) return EndMember();
  if (result == Z_MEM_ERROR) throw std::bad_alloc();
  if (result == Z_BUF_ERROR) return State::kTruncated;  // there is room: it lacks input
  if (result != Z_OK) return State::kMalformed;
  return rest_.empty() && z.avail_out > 0 ? State::kTruncated : State::kMore;
}

SharedBytes Inflater::Take() const {
  return {slot_, {slot_->data(), filled_}};
}

Deflater::Deflater(ContentCoding coding, std::string_view body)
    : stream_(std::make_unique<Stream>()), rest_(body) {
  XC_CHECK(coding != ContentCoding::kIdentity);
  const int bits = kMaxWindowBits + (coding == ContentCoding::kGzip ? kGzipBits : 0);
  const int result =
      deflateInit2(&stream_->z, Z_BEST_SPEED, Z_DEFLATED, bits, kMemLevel, Z_DEFAULT_STRATEGY);
  if (result != Z_OK) throw std::bad_alloc();
}

Deflater::~Deflater() = default;

bool Deflater::Step() {
  z_stream& z = stream_->z;
  const std::string_view in = rest_.substr(0, kDeflateSlice);
  const bool last = in.size() == rest_.size();
  const std::size_t before = out_.size();
  out_.resize(before + kDeflateSlice);
  z.next_in = InputOf(in);
  z.avail_in = static_cast<uInt>(in.size());
  z.next_out = reinterpret_cast<Bytef*>(out_.data() + before);
  z.avail_out = static_cast<uInt>(kDeflateSlice);
  const int result = deflate(&z, last ? Z_FINISH : Z_NO_FLUSH);
  XC_CHECK(result != Z_STREAM_ERROR);
  out_.resize(out_.size() - z.avail_out);
  rest_.remove_prefix(in.size() - z.avail_in);
  return result != Z_STREAM_END;
}

}  // namespace xcloud
