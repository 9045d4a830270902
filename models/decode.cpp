#include "models/decode.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <mutex>
#include <new>
#include <string>
#include <utility>

#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>

#include "models/byte_view.h"
#include "models/decode_jpeg.h"
#include "models/exif_orientation.h"
#include "models/image_header.h"

namespace xcloud {
namespace {

// OpenCV refuses more on its own, with an exception (CV_IO_MAX_IMAGE_PIXELS, _WIDTH, _HEIGHT);
// libjpeg reads no side above 65500. Our answer must come first.
constexpr std::int64_t kReadablePixels = std::int64_t{1} << 30;
constexpr std::int64_t kReadableSide = 65'500;

Status CheckLimits(const ImageHeader& header, const DecodeLimits& limits) {
  const std::int64_t max_side = std::min(limits.max_side, kReadableSide);
  const std::int64_t max_pixels = std::min(limits.max_pixels, kReadablePixels);
  const bool side_ok = header.width <= max_side && header.height <= max_side;
  // Sides are below 2^32 here, so the product is only taken once both are small.
  if (side_ok && header.width * header.height <= max_pixels) return Status::Ok();
  return Status::TooLarge("the image is " + std::to_string(header.width) + " x " +
                          std::to_string(header.height) + " pixels; the limit is " +
                          std::to_string(max_pixels) + " pixels and " + std::to_string(max_side) +
                          " a side");
}

Status CutShort(ImageFormat format) {
  return Status::InvalidArgument("the " + std::string(ImageFormatName(format)) +
                                 " is cut short: it ends before its picture data do");
}

// Walks the chunks up to IEND.
Result<int> CheckPng(const ByteView& view) {
  int orientation = 1;
  std::uint64_t at = 8;
  while (view.Has(at, 12)) {
    const std::uint64_t length = view.Be32(at);
    if (!view.Has(at + 12, length)) break;
    if (view.HasText(at + 4, "eXIf")) orientation = ReadExifOrientation(view.Sub(at + 8, length));
    if (view.HasText(at + 4, "IEND")) return orientation;
    at += 12 + length;
  }
  return CutShort(ImageFormat::kPng);
}

Result<int> CheckWebp(const ByteView& view) {
  const std::uint64_t end = 8 + std::uint64_t{view.Le32(4)};
  if (end > view.size()) return CutShort(ImageFormat::kWebp);
  std::uint64_t at = 12;
  while (at + 8 <= end) {
    const std::uint64_t length = view.Le32(at + 4);
    if (!view.Has(at + 8, length)) return CutShort(ImageFormat::kWebp);
    if (view.HasText(at, "EXIF")) return ReadExifOrientation(view.Sub(at + 8, length));
    at += 8 + length + (length & 1);
  }
  return 1;
}

Result<int> CheckBmp(const ByteView& view, const ImageHeader& header) {
  const bool core = view.Le32(14) == 12;
  const std::int64_t bits = view.Le16(core ? 24 : 28);
  const std::uint32_t compression = core ? 0 : view.Le32(30);
  const std::uint64_t start = view.Le32(10);
  if (compression > 3) {  // 3: uncompressed with bit masks
    return Status::UnsupportedMedia("BMP that wraps JPEG or PNG data is not read");
  }
  const bool run_length = compression == 1 || compression == 2;  // any length; the decoder checks
  const std::int64_t row_bytes = (header.width * bits + 31) / 32 * 4;
  const auto needed = run_length ? 1 : static_cast<std::uint64_t>(row_bytes * header.height);
  if (!view.Has(start, needed)) return CutShort(ImageFormat::kBmp);
  return 1;
}

// Finds what OpenCV would let pass or print on stderr: files that end early. Gives orientation.
Result<int> CheckStructure(std::string_view bytes, const ImageHeader& header) {
  const ByteView view(bytes);
  switch (header.format) {
    case ImageFormat::kPng:
      return CheckPng(view);
    case ImageFormat::kWebp:
      return CheckWebp(view);
    case ImageFormat::kBmp:
      return CheckBmp(view, header);
    case ImageFormat::kJpeg:
      break;
  }
  return 1;
}

Result<StoredImage> DecodeWithOpenCv(std::string_view bytes, const ImageHeader& header) {
  if (header.animated) {
    return Status::UnsupportedMedia("animated WebP is not read: send one frame");
  }
  const Result<int> orientation = CheckStructure(bytes, header);
  if (!orientation.ok()) return orientation.status();
  // imdecode takes a matrix header over foreign bytes; it only reads them.
  const cv::Mat input(1, static_cast<int>(bytes.size()), CV_8UC1, const_cast<char*>(bytes.data()));
  const cv::Mat bgr = cv::imdecode(input, cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION);
  if (bgr.empty() || bgr.type() != CV_8UC3 || bgr.cols != header.width ||
      bgr.rows != header.height) {
    return Status::InvalidArgument("the " + std::string(ImageFormatName(header.format)) +
                                   " cannot be decoded: its picture data are corrupt");
  }
  StoredImage stored;
  stored.orientation = *orientation;
  stored.image.width = bgr.cols;
  stored.image.height = bgr.rows;
  stored.image.rgb.resize(bgr.total() * 3);
  std::uint8_t* to = stored.image.rgb.data();
  for (int y = 0; y < bgr.rows; ++y) {
    const std::uint8_t* from = bgr.ptr(y);
    for (int x = 0; x < bgr.cols; ++x, from += 3, to += 3) {
      to[0] = from[2];
      to[1] = from[1];
      to[2] = from[0];
    }
  }
  return stored;
}

Result<Image> DecodeChecked(std::string_view bytes, const ImageHeader& header, int min_short_side) {
  Result<StoredImage> stored = header.format == ImageFormat::kJpeg
                                   ? DecodeJpeg(bytes, header, min_short_side)
                                   : DecodeWithOpenCv(bytes, header);
  if (!stored.ok()) return stored.status();
  return ApplyOrientation(std::move(stored->image), stored->orientation);
}

}  // namespace

Result<Image> DecodeImage(std::string_view bytes, const DecodeLimits& limits, int min_short_side) {
  // Decode threads are ours (models/decode_pool.h); OpenCV must not add hidden ones.
  static std::once_flag no_hidden_threads;
  std::call_once(no_hidden_threads, [] { cv::setNumThreads(1); });

  constexpr std::size_t kMaxBytes = 0x7FFFFFFF;  // OpenCV counts bytes in an int
  if (bytes.size() > kMaxBytes) {
    return Status::TooLarge("the image has " + std::to_string(bytes.size()) +
                            " bytes; the limit is " + std::to_string(kMaxBytes));
  }
  const Result<ImageHeader> header = ReadImageHeader(bytes);
  if (!header.ok()) return header.status();
  if (Status status = CheckLimits(*header, limits); !status.ok()) return status;
  try {
    return DecodeChecked(bytes, *header, min_short_side);
  } catch (const std::bad_alloc&) {
  } catch (const cv::Exception& e) {
    if (e.code != cv::Error::StsNoMem) {
      return Status::InvalidArgument("the " + std::string(ImageFormatName(header->format)) +
                                     " cannot be decoded: its picture data are corrupt");
    }
  } catch (const std::exception&) {
    return Status::Internal("decoding the image failed");
  }
  return Status::Overloaded("not enough memory to decode the image", std::chrono::seconds(1));
}

}  // namespace xcloud
