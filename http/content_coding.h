// Content codings (RFC 9110, 8.4): gzip and deflate, as header values and as bytes, both ways.
//
// Inflater and Deflater work in slices of about half a millisecond: io threads use them, and let
// others run between two slices (body_reader.cpp, answer_coding.cpp). On one core of a 2 GHz-class
// server zlib decodes 200 MB/s of JSON or floats and 1 to 2 GB/s of what hardly compresses or is
// all zeros; at its fastest level it encodes 30 (floats) to 80 (JSON) MB/s.
// Thread safety: pure functions; an Inflater or a Deflater belongs to one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/shared_bytes.h"
#include "http/body_pool.h"

namespace xcloud {

enum class ContentCoding { kIdentity, kGzip, kDeflate };
std::string_view ContentCodingName(ContentCoding coding);  // "gzip"

inline constexpr std::size_t kInflateSlice = 64 * 1024;
inline constexpr std::size_t kDeflateSlice = 16 * 1024;

// The value of a Content-Encoding header: gzip, x-gzip, deflate, identity or nothing. Nothing for
// any other and for several codings on top of each other.
std::optional<ContentCoding> ParseContentCoding(std::string_view header);

// What an Accept-Encoding header (RFC 9110, 12.5.3) lets an answer be.
struct CodingChoice {
  ContentCoding best = ContentCoding::kIdentity;  // what to send when compressing is worth it
  bool identity = true;                           // sending it as it is is allowed
  // Neither what we have nor identity is: 406.
  bool none() const { return best == ContentCoding::kIdentity && !identity; }
};
CodingChoice ChooseCoding(std::string_view accept_encoding);

// Decodes one body. `limit`: bytes of decoded body, and of memory (pages that no byte was written
// to cost address space only). gzip may be of several members; deflate may be with zlib's header,
// as the RFC has it, or raw, as some clients send it.
class Inflater {
 public:
  enum class State {
    kMore,
    kDone,
    kTooLarge,   // over the limit: found out a byte behind it
    kTruncated,  // ends before the coding does
    kMalformed,  // not of this coding, damaged, or followed by something else
  };

  // REQUIRES: coding is not kIdentity. `pool` and what `body` points at outlive the Inflater.
  Inflater(ContentCoding coding, std::string_view body, std::uint64_t limit, BodyPool& pool);
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // One slice. Not after another state than kMore.
  State Step();
  std::size_t size() const { return filled_; }  // bytes decoded so far
  SharedBytes Take() const;                     // REQUIRES: Step() was kDone

 private:
  struct Stream;
  State EndMember();
  void Grow();

  const ContentCoding coding_;
  const std::uint64_t limit_;
  BodyPool& pool_;
  std::unique_ptr<Stream> stream_;
  std::string_view rest_;
  BodySlotPtr slot_;
  std::size_t filled_ = 0;
};

// Encodes one body, fast rather than small.
class Deflater {
 public:
  // REQUIRES: coding is not kIdentity. What `body` points at outlives the Deflater.
  Deflater(ContentCoding coding, std::string_view body);
  ~Deflater();
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  // One slice. True while there is more to do.
  bool Step();
  std::string Take() { return std::move(out_); }  // REQUIRES: Step() was false

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
  std::string_view rest_;
  std::string out_;
};

}  // namespace xcloud
