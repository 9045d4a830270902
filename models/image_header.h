// ImageHeader: what the first bytes of an encoded image say about it, before any decoding.
//
// Read with our own bounds-checked parsers, so a size limit can be enforced before a decoder
// allocates anything. Any thread; pure; microseconds (a JPEG's segments are skipped by length).
// Sources: ITU T.81 annex B (JPEG), W3C PNG, RFC 9649 (WebP), BITMAPINFOHEADER (BMP).
#pragma once

#include <cstdint>
#include <string_view>

#include "core/result.h"

namespace xcloud {

enum class ImageFormat { kJpeg, kPng, kWebp, kBmp };
std::string_view ImageFormatName(ImageFormat format);  // "JPEG"

struct ImageHeader {
  ImageFormat format = ImageFormat::kJpeg;
  std::int64_t width = 0;   // pixels as stored, before EXIF orientation; > 0
  std::int64_t height = 0;  // pixels; > 0 (a BMP's sign, which tells the row order, is dropped)
  int channels = 0;         // of the picture: 1, 2 (grey + alpha), 3, 4 (RGBA or CMYK)
  int bits = 0;             // per channel; of a palette image: per index
  bool animated = false;    // WebP with more than one frame
};

// UnsupportedMedia when it is no format that we read; the message lists those that we do, and
// names what the bytes look like instead (GIF, HEIC, PDF, HTML ...). InvalidArgument when the
// header is cut short or contradicts itself.
Result<ImageHeader> ReadImageHeader(std::string_view bytes);

}  // namespace xcloud
