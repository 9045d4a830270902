// A header that was read is within its format's bounds, does not depend on what follows it, and a
// shorter file gives either the same header or "cut short". A broken EXIF block fails nothing.
#include "models/image_header.h"

#include <string>

#include "core/status.h"
#include "models/exif_orientation.h"
#include "tests/fuzz/fuzz_input.h"

namespace xcloud {
namespace {

bool Same(const ImageHeader& a, const ImageHeader& b) {
  return a.format == b.format && a.width == b.width && a.height == b.height &&
         a.channels == b.channels && a.bits == b.bits && a.animated == b.animated;
}

// The most that the format's own fields can say.
std::int64_t MaxSide(ImageFormat format) {
  switch (format) {
    case ImageFormat::kJpeg:
      return 0xFFFF;
    case ImageFormat::kPng:
      return 0x7FFFFFFF;
    case ImageFormat::kWebp:
      return 1 << 24;
    case ImageFormat::kBmp:
      return std::int64_t{1} << 31;
  }
  return 0;
}

void CheckHeader(const ImageHeader& header) {
  XC_CHECK(ImageFormatName(header.format) != "unknown");
  const std::int64_t max = MaxSide(header.format);
  XC_CHECK(header.width > 0 && header.width <= max && header.height > 0 && header.height <= max);
  XC_CHECK(header.channels >= 1 && header.channels <= 4);
  XC_CHECK(header.bits >= 1 && header.bits <= 16);
  XC_CHECK(!header.animated || header.format == ImageFormat::kWebp);
}

void CheckRefusal(const Status& status) {
  XC_CHECK(status.code() == StatusCode::kInvalidArgument ||
           status.code() == StatusCode::kUnsupportedMedia);
  // It is shown to callers: never foreign bytes.
  XC_CHECK(!status.message().empty());
  for (const char c : status.message()) XC_CHECK(c >= ' ' && c <= '~');
}

void TestOne(FuzzInput input) {
  const std::size_t choice = input.TakeTwoBytes();
  const ExactCopy copy(input.rest());
  const std::string_view bytes = copy.view();
  const Result<ImageHeader> header = ReadImageHeader(bytes);
  const ExactCopy prefix(bytes.substr(0, choice % (bytes.size() + 1)));
  const Result<ImageHeader> shorter = ReadImageHeader(prefix.view());
  if (!header.ok()) CheckRefusal(header.status());
  if (!shorter.ok()) CheckRefusal(shorter.status());
  if (header.ok()) {
    CheckHeader(*header);
    XC_CHECK(shorter.ok() || shorter.status().code() == StatusCode::kInvalidArgument);
  }
  if (shorter.ok()) XC_CHECK(header.ok() && Same(*header, *shorter));
  const int orientation = ReadExifOrientation(bytes);
  XC_CHECK(orientation >= 1 && orientation <= 8);
}

}  // namespace
}  // namespace xcloud

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  xcloud::TestOne({data, size});
  return 0;
}
