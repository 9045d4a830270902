#include "models/image_header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/exif_orientation.h"
#include "tests/models/image_bytes.h"

namespace xcloud {
namespace {

using ::testing::HasSubstr;

void ExpectHeader(const std::string& bytes, ImageFormat format, std::int64_t width,
                  std::int64_t height, int channels, int bits) {
  const Result<ImageHeader> header = ReadImageHeader(bytes);
  ASSERT_TRUE(header.ok()) << header.status().ToString();
  EXPECT_EQ(header->format, format);
  EXPECT_EQ(header->width, width);
  EXPECT_EQ(header->height, height);
  EXPECT_EQ(header->channels, channels);
  EXPECT_EQ(header->bits, bits);
}

void ExpectRefused(const std::string& bytes, StatusCode code, const std::string& word) {
  const Result<ImageHeader> header = ReadImageHeader(bytes);
  ASSERT_FALSE(header.ok()) << word;
  EXPECT_EQ(header.status().code(), code) << header.status().ToString();
  EXPECT_THAT(header.status().message(), HasSubstr(word));
}

TEST(ImageHeaderTest, ReadsWhatEncodersWrite) {
  const cv::Mat bgr = Gradient(37, 21);
  cv::Mat grey(21, 37, CV_8UC1, cv::Scalar(9));
  cv::Mat deep(21, 37, CV_16UC3, cv::Scalar(9, 9, 9));
  cv::Mat alpha(21, 37, CV_8UC4, cv::Scalar(9, 9, 9, 9));
  ExpectHeader(Encode(".jpg", bgr), ImageFormat::kJpeg, 37, 21, 3, 8);
  ExpectHeader(Encode(".jpg", grey), ImageFormat::kJpeg, 37, 21, 1, 8);
  ExpectHeader(Encode(".jpg", bgr, {cv::IMWRITE_JPEG_PROGRESSIVE, 1}), ImageFormat::kJpeg, 37, 21,
               3, 8);
  ExpectHeader(Encode(".png", bgr), ImageFormat::kPng, 37, 21, 3, 8);
  ExpectHeader(Encode(".png", grey), ImageFormat::kPng, 37, 21, 1, 8);
  ExpectHeader(Encode(".png", deep), ImageFormat::kPng, 37, 21, 3, 16);
  ExpectHeader(Encode(".png", alpha), ImageFormat::kPng, 37, 21, 4, 8);
  ExpectHeader(Encode(".bmp", bgr), ImageFormat::kBmp, 37, 21, 3, 8);
  ExpectHeader(Encode(".webp", bgr, {cv::IMWRITE_WEBP_QUALITY, 80}), ImageFormat::kWebp, 37, 21, 3,
               8);
  ExpectHeader(Encode(".webp", bgr, {cv::IMWRITE_WEBP_QUALITY, 101}), ImageFormat::kWebp, 37, 21, 3,
               8);
}

TEST(ImageHeaderTest, SkipsJpegSegmentsFillBytesAndStrayBytes) {
  const std::string exif = JpegSegment('\xE1', std::string(60'000, '\xFF'));
  ExpectHeader(JpegHead(640, 480, exif + exif), ImageFormat::kJpeg, 640, 480, 3, 8);
  ExpectHeader(JpegHead(640, 480, "\xFF\xFF\xFF"), ImageFormat::kJpeg, 640, 480, 3, 8);
  ExpectHeader(JpegHead(640, 480, JpegSegment('\xE0', "JFIF") + "stray"), ImageFormat::kJpeg, 640,
               480, 3, 8);
}

TEST(ImageHeaderTest, ReadsHugeSizesFromTinyFiles) {
  ExpectHeader(JpegHead(65'535, 65'534), ImageFormat::kJpeg, 65'535, 65'534, 3, 8);
  ExpectHeader(PngHead(0x7FFFFFFF, 0x7FFFFFFE), ImageFormat::kPng, 0x7FFFFFFF, 0x7FFFFFFE, 3, 8);
  ExpectHeader(BmpHead(0x7FFFFFFF, INT32_MIN), ImageFormat::kBmp, 0x7FFFFFFF, std::int64_t{1} << 31,
               3, 8);
  ExpectHeader(Webp(WebpExtendedHead(1 << 24, 1 << 24)), ImageFormat::kWebp, 1 << 24, 1 << 24, 3,
               8);
}

TEST(ImageHeaderTest, ReadsWebpFlagsAndBmpRowOrder) {
  ExpectHeader(BmpHead(5, -7, 32), ImageFormat::kBmp, 5, 7, 4, 8);
  const std::string core =
      "BM" + Le32(0) + Le32(0) + Le32(26) + Le32(12) + Le16(9) + Le16(65'535) + Le16(1) + Le16(4);
  ExpectHeader(core, ImageFormat::kBmp, 9, 65'535, 3, 4);
  ExpectHeader(Webp(WebpExtendedHead(9, 8, 0x10)), ImageFormat::kWebp, 9, 8, 4, 8);
  EXPECT_TRUE(ReadImageHeader(Webp(WebpExtendedHead(9, 8, 0x02)))->animated);
  EXPECT_FALSE(ReadImageHeader(Webp(WebpExtendedHead(9, 8)))->animated);
}

TEST(ImageHeaderTest, RefusesContradictions) {
  constexpr auto kBad = StatusCode::kInvalidArgument;
  ExpectRefused(JpegHead(0, 480), kBad, "side of 0");
  ExpectRefused(JpegHead(640, 0), kBad, "side of 0");
  ExpectRefused(JpegHead(6, 4, JpegSegment('\xDA', "xx")), kBad, "no frame header");
  ExpectRefused(JpegHead(6, 4, "\xFF\xD9"), kBad, "no frame header");
  ExpectRefused(JpegHead(6, 4, std::string("\xFF\xE0\0\1", 4)), kBad, "segment");
  ExpectRefused(PngHead(0, 5), kBad, "side of 0");
  ExpectRefused(PngHead(5, 0x80000000), kBad, "2^31");
  ExpectRefused(PngHead(5, 5, 3), kBad, "bit depth");
  ExpectRefused(PngHead(5, 5, 8, 5), kBad, "bit depth");
  ExpectRefused(BmpHead(-5, 5), kBad, "side of 0");
  ExpectRefused(BmpHead(5, 0), kBad, "side of 0");
  ExpectRefused(BmpHead(5, 5, 13), kBad, "bits per pixel");
  ExpectRefused(Webp(WebpChunk("ABCD", std::string(10, 0))), kBad, "no VP8");
}

TEST(ImageHeaderTest, RefusesJpegKindsThatNobodyDecodes) {
  constexpr auto kKind = StatusCode::kUnsupportedMedia;
  ExpectRefused(JpegHead(6, 4, "", '\xC3'), kKind, "lossless");
  ExpectRefused(JpegHead(6, 4, "", '\xC1', 12), kKind, "12 bits");
  ExpectRefused(JpegHead(6, 4, "", '\xC0', 8, 2), kKind, "2 channels");
}

TEST(ImageHeaderTest, SaysWhatForeignBytesLookLike) {
  const std::vector<std::pair<std::string, std::string>> foreign = {
      {"GIF89a....", "GIF"},
      {std::string("II*\0....", 8), "TIFF"},
      {std::string("MM\0*....", 8), "TIFF"},
      {std::string("\0\0\0\x18", 4) + "ftypheic", "HEIC"},
      {std::string("\0\0\0\x18", 4) + "ftypavif", "AVIF"},
      {"%PDF-1.7", "PDF"},
      {"\xEF\xBB\xBF <!doctype html>", "HTML"},
      {" {\"a\": 1}", "JSON"},
      {"/9j/4AAQSkZJRg", "base64"},
      {"data:image/png;base64,xx", "data URL"},
      {"RIFF....WAVEfmt ", "RIFF"},
  };
  for (const auto& [bytes, name] : foreign) {
    ExpectRefused(bytes, StatusCode::kUnsupportedMedia, name);
    ExpectRefused(bytes, StatusCode::kUnsupportedMedia, "JPEG, PNG, WebP or BMP");
  }
  ExpectRefused("no idea", StatusCode::kUnsupportedMedia, "JPEG, PNG, WebP or BMP");
}

TEST(ImageHeaderTest, EveryCutHeaderIsInvalid) {
  ExpectRefused("", StatusCode::kInvalidArgument, "empty");
  const std::vector<std::string> headers = {
      JpegHead(6, 4, JpegSegment('\xE0', "JFIF\0\1\1")),
      PngHead(6, 4),
      BmpHead(6, 4),
      Webp(WebpExtendedHead(6, 4)),
      Webp(WebpChunk("VP8L", std::string("\x2F\0\0\0\0", 5))),
      Webp(WebpChunk("VP8 ", std::string("\0\0\0\x9D\x01\x2A\1\0\1\0", 10)))};
  for (const std::string& whole : headers) {
    ASSERT_TRUE(ReadImageHeader(whole).ok()) << ReadImageHeader(whole).status().ToString();
    // What follows the frame header's channel count, or pads a chunk, is not needed.
    const std::size_t spare = whole[0] == '\xFF'                                              ? 9
                              : whole.size() % 2 == 0 && whole[14] == '8' && whole[15] == 'L' ? 1
                                                                                              : 0;
    for (std::size_t size = 1; size < whole.size() - spare; ++size) {
      const Result<ImageHeader> header = ReadImageHeader(std::string_view(whole).substr(0, size));
      ASSERT_FALSE(header.ok()) << size << " of " << whole.size();
      EXPECT_EQ(header.status().code(), StatusCode::kInvalidArgument) << size;
    }
  }
}

TEST(ExifOrientationTest, ReadsBothByteOrdersAndIgnoresWhatIsBroken) {
  for (int orientation = 1; orientation <= 8; ++orientation) {
    EXPECT_EQ(ReadExifOrientation(ExifBlock(orientation)), orientation);
    const std::string little = "II" + Le16(42) + Le32(8) + Le16(1) + Le16(0x0112) + Le16(3) +
                               Le32(1) + Le16(static_cast<std::uint32_t>(orientation)) + Le16(0);
    EXPECT_EQ(ReadExifOrientation(little), orientation);
    EXPECT_EQ(ReadExifOrientation(std::string("Exif\0\0", 6) + little), orientation);
  }
  EXPECT_EQ(ReadExifOrientation(ExifBlock(9)), 1);
  EXPECT_EQ(ReadExifOrientation(ExifBlock(0)), 1);
  const std::string whole = ExifBlock(6);
  for (std::size_t size = 0; size < 22; ++size) {
    EXPECT_EQ(ReadExifOrientation(std::string_view(whole).substr(0, size)), 1) << size;
  }
  std::string far = whole;  // the directory lies behind the end
  far.replace(4, 4, "\xFF\xFF\xFF\xFF");
  EXPECT_EQ(ReadExifOrientation(far), 1);
}

}  // namespace
}  // namespace xcloud
