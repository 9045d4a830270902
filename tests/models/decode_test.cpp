#include "models/decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <random>

#include "tests/models/image_bytes.h"

namespace xcloud {
namespace {

using ::testing::HasSubstr;

const DecodeLimits kLimits;

Image DecodeOk(const std::string& bytes) {
  Result<Image> image = DecodeImage(bytes, kLimits);
  EXPECT_TRUE(image.ok()) << image.status().ToString();
  return image.ok() ? *image : Image{};
}

std::vector<int> At(const Image& image, int x, int y) {
  const auto at = 3 * static_cast<std::size_t>(y * image.width + x);
  return {image.rgb[at], image.rgb[at + 1], image.rgb[at + 2]};
}

int MaxDifference(const Image& image, const cv::Mat& bgr) {
  if (image.width != bgr.cols || image.height != bgr.rows) return 256;
  int largest = 0;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      const std::vector<int> rgb = At(image, x, y);
      for (int c = 0; c < 3; ++c) {
        largest = std::max(
            largest, std::abs(rgb[static_cast<std::size_t>(c)] - bgr.at<cv::Vec3b>(y, x)[2 - c]));
      }
    }
  }
  return largest;
}

TEST(DecodeTest, GivesRgbOfEveryFormat) {
  const cv::Mat bgr = Gradient(67, 45);
  EXPECT_EQ(MaxDifference(DecodeOk(Encode(".png", bgr)), bgr), 0);
  EXPECT_EQ(MaxDifference(DecodeOk(Encode(".bmp", bgr)), bgr), 0);
  EXPECT_EQ(MaxDifference(DecodeOk(Encode(".webp", bgr, {cv::IMWRITE_WEBP_QUALITY, 101})), bgr), 0);
  EXPECT_LE(MaxDifference(DecodeOk(Encode(".webp", bgr, {cv::IMWRITE_WEBP_QUALITY, 95})), bgr), 12);
  EXPECT_LE(MaxDifference(DecodeOk(Encode(".jpg", bgr, {cv::IMWRITE_JPEG_QUALITY, 98})), bgr), 12);
}

TEST(DecodeTest, GreyFillsAllChannels) {
  const cv::Mat grey(5, 4, CV_8UC1, cv::Scalar(77));
  for (const std::string extension : {".png", ".bmp", ".jpg"}) {
    EXPECT_EQ(At(DecodeOk(Encode(extension, grey)), 2, 3), (std::vector{77, 77, 77})) << extension;
  }
}

TEST(DecodeTest, AlphaIsDroppedAndNotComposited) {
  const cv::Mat clear(5, 4, CV_8UC4, cv::Scalar(10, 20, 200, 0));
  EXPECT_EQ(At(DecodeOk(Encode(".png", clear)), 1, 1), (std::vector{200, 20, 10}));
}

TEST(DecodeTest, SixteenBitsKeepTheHighByte) {
  const cv::Mat color(5, 4, CV_16UC3, cv::Scalar(0x12FF, 0x3480, 0xFE01));
  EXPECT_EQ(At(DecodeOk(Encode(".png", color)), 1, 1), (std::vector{0xFE, 0x34, 0x12}));
  const cv::Mat grey(5, 4, CV_16UC1, cv::Scalar(0x00FF));
  EXPECT_EQ(At(DecodeOk(Encode(".png", grey)), 1, 1), (std::vector{0, 0, 0}));
}

// Which corner of the stored picture an upright reader finds at the top left, and whether the
// sides swap: the meaning of the eight values in the EXIF standard.
TEST(DecodeTest, AppliesExifOrientation) {
  struct Case {
    int orientation;
    bool right, bottom, swaps;
  };
  const std::vector<Case> cases = {{1, false, false, false}, {2, true, false, false},
                                   {3, true, true, false},   {4, false, true, false},
                                   {5, false, false, true},  {6, false, true, true},
                                   {7, true, true, true},    {8, true, false, true}};
  const cv::Mat bgr = Gradient(48, 32);
  const std::string jpeg = Encode(".jpg", bgr, {cv::IMWRITE_JPEG_QUALITY, 98});
  const std::string webp = Encode(".webp", bgr, {cv::IMWRITE_WEBP_QUALITY, 101});
  for (const Case& c : cases) {
    const std::string exif = std::string("Exif\0\0", 6) + ExifBlock(c.orientation);
    const std::string turned_jpeg = jpeg.substr(0, 2) + JpegSegment('\xE1', exif) + jpeg.substr(2);
    const std::string turned_webp = Webp(WebpExtendedHead(48, 32, 0x08) + webp.substr(12) +
                                         WebpChunk("EXIF", ExifBlock(c.orientation)));
    for (const std::string& bytes : {turned_jpeg, turned_webp}) {
      const Image image = DecodeOk(bytes);
      ASSERT_EQ(image.width, c.swaps ? 32 : 48) << c.orientation;
      ASSERT_EQ(image.height, c.swaps ? 48 : 32);
      const auto corner = bgr.at<cv::Vec3b>(c.bottom ? 31 : 0, c.right ? 47 : 0);
      const std::vector<int> got = At(image, 0, 0);
      for (int i = 0; i < 3; ++i) {
        EXPECT_NEAR(got[static_cast<std::size_t>(i)], corner[2 - i], 12) << c.orientation;
      }
    }
  }
}

TEST(DecodeTest, RefusesBySizeBeforeDecoding) {
  // Headers only: a decoder that started would fail with another error.
  for (const std::string& bytes : {JpegHead(20'000, 100), PngHead(20'000, 100),
                                   BmpHead(20'000, 100), Webp(WebpExtendedHead(20'000, 100))}) {
    const Result<Image> image = DecodeImage(bytes, kLimits);
    ASSERT_FALSE(image.ok());
    EXPECT_EQ(image.status().code(), StatusCode::kTooLarge);
    EXPECT_THAT(image.status().message(), HasSubstr("20000 x 100"));
    EXPECT_THAT(image.status().message(), HasSubstr("16384 a side"));
  }
  const Result<Image> area = DecodeImage(PngHead(10'000, 10'000), kLimits);
  EXPECT_EQ(area.status().code(), StatusCode::kTooLarge);
  EXPECT_THAT(area.status().message(), HasSubstr("50000000 pixels"));
}

TEST(DecodeTest, LimitsAreInclusive) {
  const std::string png = Encode(".png", Gradient(40, 30));
  EXPECT_TRUE(DecodeImage(png, {1200, 40}).ok());
  EXPECT_EQ(DecodeImage(png, {1199, 40}).status().code(), StatusCode::kTooLarge);
  EXPECT_EQ(DecodeImage(png, {1200, 39}).status().code(), StatusCode::kTooLarge);
}

TEST(DecodeTest, OurAnswerComesBeforeOpenCvsOwnLimit) {
  const DecodeLimits wide{INT64_MAX, INT64_MAX};
  EXPECT_EQ(DecodeImage(PngHead(0x7FFFFFFF, 0x7FFFFFFF), wide).status().code(),
            StatusCode::kTooLarge);
  EXPECT_EQ(DecodeImage(PngHead(40'000, 40'000), wide).status().code(), StatusCode::kTooLarge);
  EXPECT_EQ(DecodeImage(JpegHead(65'535, 10), wide).status().code(), StatusCode::kTooLarge);
}

TEST(DecodeTest, AnimatedWebpIsRefusedByName) {
  const Result<Image> image = DecodeImage(Webp(WebpExtendedHead(9, 8, 0x02)), kLimits);
  EXPECT_EQ(image.status().code(), StatusCode::kUnsupportedMedia);
  EXPECT_THAT(image.status().message(), HasSubstr("animated WebP"));
}

TEST(DecodeTest, EveryTruncationIsAnError) {
  const cv::Mat bgr = Gradient(40, 30);
  const std::vector<std::string> files = {Encode(".jpg", bgr),
                                          Encode(".jpg", bgr, {cv::IMWRITE_JPEG_PROGRESSIVE, 1}),
                                          Encode(".png", bgr),
                                          Encode(".bmp", bgr),
                                          Encode(".webp", bgr, {cv::IMWRITE_WEBP_QUALITY, 80}),
                                          Encode(".webp", bgr, {cv::IMWRITE_WEBP_QUALITY, 101})};
  for (const std::string& whole : files) {
    ASSERT_TRUE(DecodeImage(whole, kLimits).ok());
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const Result<Image> image = DecodeImage(std::string_view(whole).substr(0, size), kLimits);
      ASSERT_FALSE(image.ok()) << size << " of " << whole.size() << " bytes decoded";
      EXPECT_EQ(image.status().code(), StatusCode::kInvalidArgument) << image.status().ToString();
    }
  }
}

TEST(DecodeTest, MutationsNeverCrashNorLeaveTheLimits) {
  const cv::Mat bgr = Gradient(40, 30);
  const std::vector<std::string> files = {
      Encode(".jpg", bgr), Encode(".jpg", bgr, {cv::IMWRITE_JPEG_PROGRESSIVE, 1}),
      Encode(".png", bgr), Encode(".bmp", bgr), Encode(".webp", bgr)};
  const DecodeLimits limits{4'000, 80};
  std::mt19937 random(20'240'601);
  const auto below = [&](std::size_t n) { return random() % n; };
  int decoded = 0;
  int refused = 0;
  for (int round = 0; round < 1000; ++round) {
    std::string bytes = files[static_cast<std::size_t>(round) % files.size()];
    // Half of the rounds hit the header, where sizes and lengths are.
    const std::size_t reach =
        round % 2 == 0 ? bytes.size() : std::min<std::size_t>(64, bytes.size());
    for (std::size_t n = 1 + below(4); n > 0; --n)
      bytes[below(reach)] = static_cast<char>(random());
    const Result<Image> image = DecodeImage(bytes, limits);
    if (!image.ok()) {
      ++refused;
      EXPECT_NE(image.status().code(), StatusCode::kInternal) << image.status().ToString();
      continue;
    }
    ++decoded;
    EXPECT_LE(std::max(image->width, image->height), 80);
    EXPECT_LE(image->width * image->height, 4'000);
    EXPECT_EQ(image->rgb.size(), 3U * static_cast<std::size_t>(image->width * image->height));
  }
  EXPECT_GT(decoded, 50);
  EXPECT_GT(refused, 300);
}

}  // namespace
}  // namespace xcloud
