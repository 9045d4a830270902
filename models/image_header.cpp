#include "models/image_header.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>

#include "models/byte_view.h"

namespace xcloud {
namespace {

using std::string_view_literals::operator""sv;

constexpr auto kJpegSignature = "\xFF\xD8\xFF"sv;
constexpr auto kPngSignature = "\x89PNG\r\n\x1A\n"sv;
constexpr auto kRiffSignature = "RIFF"sv;
constexpr auto kBmpSignature = "BM"sv;

Status Truncated(ImageFormat format) {
  return Status::InvalidArgument("the " + std::string(ImageFormatName(format)) +
                                 " is cut short: its header is not complete");
}

Status Corrupt(ImageFormat format, std::string_view why) {
  return Status::InvalidArgument("the " + std::string(ImageFormatName(format)) +
                                 " header is corrupt: " + std::string(why));
}

// C0-CF are frame headers, but for DHT (C4), JPG (C8) and DAC (CC).
bool IsStartOfFrame(std::uint32_t marker) {
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

Result<ImageHeader> ReadStartOfFrame(const ByteView& view, std::uint64_t at, std::uint32_t marker) {
  constexpr auto kFormat = ImageFormat::kJpeg;
  // Baseline, extended and progressive, with Huffman (C0-C2) or arithmetic (C9, CA) coding.
  if (marker > 0xC2 && marker != 0xC9 && marker != 0xCA) {
    return Status::UnsupportedMedia("lossless and hierarchical JPEG are not read");
  }
  if (!view.Has(at, 8)) return Truncated(kFormat);
  ImageHeader header;
  header.format = kFormat;
  header.bits = static_cast<int>(view.U8(at + 2));
  header.height = view.Be16(at + 3);
  header.width = view.Be16(at + 5);
  header.channels = static_cast<int>(view.U8(at + 7));
  if (view.Be16(at) != 8 + 3 * view.U8(at + 7)) return Corrupt(kFormat, "wrong frame length");
  if (header.width == 0 || header.height == 0) return Corrupt(kFormat, "a side of 0 pixels");
  if (header.bits != 8) {
    return Status::UnsupportedMedia("JPEG with " + std::to_string(header.bits) +
                                    " bits per channel is not read, only 8");
  }
  if (header.channels != 1 && header.channels != 3 && header.channels != 4) {
    return Status::UnsupportedMedia("JPEG with " + std::to_string(header.channels) +
                                    " channels is not read, only 1, 3 or 4");
  }
  return header;
}

// Skips segment after segment up to the frame header.
Result<ImageHeader> ReadJpeg(const ByteView& view) {
  constexpr auto kFormat = ImageFormat::kJpeg;
  std::uint64_t at = 2;
  while (true) {
    // Decoders skip stray bytes between segments, so we do; FF may repeat as filling.
    while (view.Has(at, 1) && view.U8(at) != 0xFF) ++at;
    while (view.Has(at, 1) && view.U8(at) == 0xFF) ++at;
    if (!view.Has(at, 1)) return Truncated(kFormat);
    const std::uint32_t marker = view.U8(at++);
    const bool standalone = marker <= 0x01 || (marker >= 0xD0 && marker <= 0xD7);
    if (standalone) continue;
    if (IsStartOfFrame(marker)) return ReadStartOfFrame(view, at, marker);
    if (marker == 0xD8 || marker == 0xD9 || marker == 0xDA) {
      return Corrupt(kFormat, "no frame header before the picture");
    }
    if (!view.Has(at, 2)) return Truncated(kFormat);
    if (view.Be16(at) < 2) return Corrupt(kFormat, "a segment shorter than its own length");
    at += view.Be16(at);
  }
}

bool IsPngDepth(std::uint32_t color, std::uint32_t depth) {
  switch (color) {
    case 0:
      return depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16;
    case 3:
      return depth == 1 || depth == 2 || depth == 4 || depth == 8;
    case 2:
    case 4:
    case 6:
      return depth == 8 || depth == 16;
    default:
      return false;
  }
}

Result<ImageHeader> ReadPng(const ByteView& view) {
  constexpr auto kFormat = ImageFormat::kPng;
  constexpr std::uint32_t kMaxSide = 0x7FFFFFFF;
  constexpr std::array<int, 7> kChannels = {1, 0, 3, 3, 2, 0, 4};  // by colour type
  if (!view.Has(8, 25)) return Truncated(kFormat);
  if (view.Be32(8) != 13 || !view.HasText(12, "IHDR")) return Corrupt(kFormat, "no IHDR");
  const std::uint32_t width = view.Be32(16);
  const std::uint32_t height = view.Be32(20);
  const std::uint32_t depth = view.U8(24);
  const std::uint32_t color = view.U8(25);
  if (width == 0 || height == 0) return Corrupt(kFormat, "a side of 0 pixels");
  if (width > kMaxSide || height > kMaxSide) return Corrupt(kFormat, "a side of 2^31 or more");
  if (!IsPngDepth(color, depth)) return Corrupt(kFormat, "no such colour type and bit depth");
  if (view.U8(26) != 0 || view.U8(27) != 0 || view.U8(28) > 1) {
    return Corrupt(kFormat, "unknown compression, filter or interlace method");
  }
  return ImageHeader{kFormat, width, height, kChannels[color], static_cast<int>(depth), false};
}

Result<ImageHeader> ReadWebp(const ByteView& view) {
  constexpr auto kFormat = ImageFormat::kWebp;
  constexpr std::uint64_t kBody = 20;  // after RIFF, size, WEBP, first chunk's name and size
  if (!view.Has(12, 8)) return Truncated(kFormat);
  ImageHeader header{kFormat, 0, 0, 3, 8, false};
  if (view.HasText(12, "VP8X")) {
    if (!view.Has(kBody, 10)) return Truncated(kFormat);
    const std::uint32_t flags = view.U8(kBody);
    header.animated = (flags & 0x02) != 0;
    header.channels = (flags & 0x10) != 0 ? 4 : 3;
    header.width = view.Le24(kBody + 4) + 1;
    header.height = view.Le24(kBody + 7) + 1;
    return header;
  }
  if (view.HasText(12, "VP8L")) {
    if (!view.Has(kBody, 5)) return Truncated(kFormat);
    const std::uint32_t bits = view.Le32(kBody + 1);
    if (view.U8(kBody) != 0x2F || bits >> 29 != 0) return Corrupt(kFormat, "no VP8L signature");
    header.width = (bits & 0x3FFF) + 1;
    header.height = (bits >> 14 & 0x3FFF) + 1;
    header.channels = (bits >> 28 & 1) != 0 ? 4 : 3;
    return header;
  }
  if (view.HasText(12, "VP8 ")) {
    if (!view.Has(kBody, 10)) return Truncated(kFormat);
    const bool key_frame = (view.U8(kBody) & 1) == 0;
    if (!key_frame || !view.HasText(kBody + 3, "\x9D\x01\x2A")) {
      return Corrupt(kFormat, "no VP8 key frame");
    }
    header.width = view.Le16(kBody + 6) & 0x3FFF;
    header.height = view.Le16(kBody + 8) & 0x3FFF;
    if (header.width == 0 || header.height == 0) return Corrupt(kFormat, "a side of 0 pixels");
    return header;
  }
  return Corrupt(kFormat, "no VP8, VP8L or VP8X chunk");
}

Result<ImageHeader> ReadBmp(const ByteView& view) {
  constexpr auto kFormat = ImageFormat::kBmp;
  constexpr std::uint64_t kInfo = 14;
  if (!view.Has(kInfo, 4)) return Truncated(kFormat);
  const std::uint32_t info_size = view.Le32(kInfo);
  if (info_size != 12 && (info_size < 40 || info_size > 124)) {
    return Corrupt(kFormat, "unknown info header");
  }
  if (!view.Has(kInfo, info_size)) return Truncated(kFormat);
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::uint32_t bits = 0;
  if (info_size == 12) {
    width = view.Le16(kInfo + 4);
    height = view.Le16(kInfo + 6);
    bits = view.Le16(kInfo + 10);
  } else {
    width = static_cast<std::int32_t>(view.Le32(kInfo + 4));
    height = std::abs(static_cast<std::int64_t>(static_cast<std::int32_t>(view.Le32(kInfo + 8))));
    bits = view.Le16(kInfo + 14);
  }
  if (width <= 0 || height == 0) return Corrupt(kFormat, "a side of 0 pixels or less");
  constexpr std::array<std::uint32_t, 6> kBits = {1, 4, 8, 16, 24, 32};
  if (std::find(kBits.begin(), kBits.end(), bits) == kBits.end()) {
    return Corrupt(kFormat, "unknown bits per pixel");
  }
  const int per_channel = bits <= 8 ? static_cast<int>(bits) : bits == 16 ? 5 : 8;
  return ImageHeader{kFormat, width, height, bits == 32 ? 4 : 3, per_channel, false};
}

// What foreign bytes look like, for the message only; empty when we cannot tell.
std::string_view GuessFormat(std::string_view bytes) {
  const ByteView view(bytes);
  if (view.HasText(4, "ftyp")) {
    const bool avif = view.HasText(8, "avif") || view.HasText(8, "avis");
    if (avif) return "AVIF";
    for (const auto brand : {"heic"sv, "heix"sv, "hevc"sv, "heim"sv, "mif1"sv, "msf1"sv}) {
      if (view.HasText(8, brand)) return "HEIC";
    }
    return "a video";
  }
  struct Magic {
    std::string_view start;
    std::string_view name;
  };
  static constexpr std::array<Magic, 14> kMagics = {{
      {"GIF8"sv, "GIF"},
      {"II*\0"sv, "TIFF"},
      {"MM\0*"sv, "TIFF"},
      {"%PDF"sv, "PDF"},
      {"\0\0\0\x0CjP  "sv, "JPEG 2000"},
      {"\xFF\x0A"sv, "JPEG XL"},
      {"\0\0\0\x0CJXL "sv, "JPEG XL"},
      {"RIFF"sv, "a RIFF file that is not WebP"},
      {"PK\x03\x04"sv, "a ZIP archive"},
      {"\x1F\x8B"sv, "gzip"},
      {"8BPS"sv, "a Photoshop file"},
      {"\0\0\1\0"sv, "an icon"},
      {"data:image"sv, "a data URL: send the bytes themselves"},
      {"/9j/"sv, "base64 text: send the bytes themselves"},
  }};
  for (const Magic& magic : kMagics) {
    if (view.HasText(0, magic.start)) return magic.name;
  }
  if (view.HasText(0, "iVBORw0KGgo")) return "base64 text: send the bytes themselves";
  if (view.HasText(0, "\xEF\xBB\xBF")) bytes.remove_prefix(3);
  const std::size_t first = bytes.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  if (bytes[first] == '<') return "HTML, XML or SVG text";
  if (bytes[first] == '{' || bytes[first] == '[') return "JSON text";
  return {};
}

Status Unknown(std::string_view bytes) {
  for (const auto signature : {kJpegSignature, kPngSignature, kRiffSignature, kBmpSignature}) {
    if (bytes.size() < signature.size() && signature.substr(0, bytes.size()) == bytes) {
      return Status::InvalidArgument("the image is cut short: it has " +
                                     std::to_string(bytes.size()) + " bytes");
    }
  }
  const std::string_view guess = GuessFormat(bytes);
  std::string message = "not an image that is read here (JPEG, PNG, WebP or BMP)";
  if (!guess.empty()) message += "; it looks like " + std::string(guess);
  return Status::UnsupportedMedia(std::move(message));
}

}  // namespace

std::string_view ImageFormatName(ImageFormat format) {
  switch (format) {
    case ImageFormat::kJpeg:
      return "JPEG";
    case ImageFormat::kPng:
      return "PNG";
    case ImageFormat::kWebp:
      return "WebP";
    case ImageFormat::kBmp:
      return "BMP";
  }
  return "unknown";
}

Result<ImageHeader> ReadImageHeader(std::string_view bytes) {
  if (bytes.empty()) return Status::InvalidArgument("the image is empty: 0 bytes");
  const ByteView view(bytes);
  if (view.HasText(0, kJpegSignature)) return ReadJpeg(view);
  if (view.HasText(0, kPngSignature)) return ReadPng(view);
  if (view.HasText(0, kBmpSignature)) return ReadBmp(view);
  if (view.HasText(0, kRiffSignature)) {
    if (view.HasText(8, "WEBP")) return ReadWebp(view);
    if (!view.Has(8, 4)) return Truncated(ImageFormat::kWebp);
  }
  return Unknown(bytes);
}

}  // namespace xcloud
