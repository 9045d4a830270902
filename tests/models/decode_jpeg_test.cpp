#include "models/decode_jpeg.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <jpeglib.h>

#include "models/decode.h"
#include "models/preprocess.h"
#include "tests/models/image_bytes.h"

namespace xcloud {
namespace {

using ::testing::HasSubstr;

const DecodeLimits kLimits;

// A flat JPEG of four channels. `space` is how the file stores them: JCS_CMYK or JCS_YCCK.
std::string EncodeCmyk(const std::array<std::uint8_t, 4>& cmyk, J_COLOR_SPACE space) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &memory, &size);
  info.image_width = 16;
  info.image_height = 16;
  info.input_components = 4;
  info.in_color_space = JCS_CMYK;
  jpeg_set_defaults(&info);
  jpeg_set_colorspace(&info, space);
  jpeg_set_quality(&info, 100, TRUE);
  jpeg_start_compress(&info, TRUE);
  std::vector<std::uint8_t> row;
  for (int x = 0; x < 16; ++x) row.insert(row.end(), cmyk.begin(), cmyk.end());
  JSAMPROW rows = row.data();
  for (int y = 0; y < 16; ++y) jpeg_write_scanlines(&info, &rows, 1);
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  std::string bytes(reinterpret_cast<char*>(memory), size);
  std::free(memory);
  return bytes;
}

// Files hold inverted ink, so 255 is no ink: channel = ink * k / 255.
TEST(DecodeJpegTest, CmykAndYcckAreTakenAsInverted) {
  for (const J_COLOR_SPACE space : {JCS_CMYK, JCS_YCCK}) {
    const Result<Image> image = DecodeImage(EncodeCmyk({255, 128, 0, 204}, space), kLimits);
    ASSERT_TRUE(image.ok()) << image.status().ToString();
    EXPECT_NEAR(image->rgb[0], 204, 2);
    EXPECT_NEAR(image->rgb[1], 102, 2);
    EXPECT_NEAR(image->rgb[2], 0, 2);
  }
}

// OpenCV and most viewers show these with a grey or smeared rest.
TEST(DecodeJpegTest, PictureDataThatEndEarlyAreAnErrorEvenWithAnEndMarker) {
  const std::string whole = Encode(".jpg", Gradient(200, 150), {cv::IMWRITE_JPEG_QUALITY, 95});
  for (const double share : {0.4, 0.6, 0.9}) {
    const auto size = static_cast<std::size_t>(share * static_cast<double>(whole.size()));
    const Result<Image> image = DecodeImage(whole.substr(0, size) + "\xFF\xD9", kLimits);
    ASSERT_FALSE(image.ok()) << share;
    EXPECT_EQ(image.status().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(image.status().message(), HasSubstr("cut short"));
  }
}

TEST(DecodeJpegTest, BytesBehindTheEndMarkerAreIgnored) {
  const std::string whole = Encode(".jpg", Gradient(64, 48));
  const Result<Image> plain = DecodeImage(whole, kLimits);
  const Result<Image> trailed = DecodeImage(whole + "what a phone appends", kLimits);
  ASSERT_TRUE(plain.ok() && trailed.ok());
  EXPECT_EQ(plain->rgb, trailed->rgb);
}

// A progressive file may repeat a scan at will; each costs a pass over all pixels.
TEST(DecodeJpegTest, EndlessScansAreRefused) {
  const std::string whole = Encode(".jpg", Gradient(64, 48), {cv::IMWRITE_JPEG_PROGRESSIVE, 1});
  const std::size_t scan = whole.find("\xFF\xDA");
  std::size_t next = scan + 2;
  while (!(whole[next] == '\xFF' && (whole[next + 1] == '\xC4' || whole[next + 1] == '\xDA'))) {
    ++next;
  }
  std::string repeated = whole.substr(0, scan);
  for (int i = 0; i < 200; ++i) repeated += whole.substr(scan, next - scan);
  repeated += whole.substr(next);
  const Result<Image> image = DecodeImage(repeated, kLimits);
  ASSERT_FALSE(image.ok());
  EXPECT_EQ(image.status().code(), StatusCode::kInvalidArgument);
}

TEST(DecodeJpegTest, ReducesOnlyAsFarAsTheShortSideAllows) {
  const std::string bytes = Encode(".jpg", Gradient(1604, 1200), {cv::IMWRITE_JPEG_QUALITY, 95});
  struct Case {
    int min_short_side, width, height;
  };
  for (const Case& c :
       {Case{0, 1604, 1200}, Case{1200, 1604, 1200}, Case{601, 1604, 1200}, Case{600, 802, 600},
        Case{301, 802, 600}, Case{300, 401, 300}, Case{150, 201, 150}, Case{1, 201, 150}}) {
    const Result<Image> image = DecodeImage(bytes, kLimits, c.min_short_side);
    ASSERT_TRUE(image.ok());
    EXPECT_EQ(image->width, c.width) << c.min_short_side;
    EXPECT_EQ(image->height, c.height) << c.min_short_side;
    // The same picture: its last pixel is that of the gradient's corner.
    const auto corner = Gradient(1604, 1200).at<cv::Vec3b>(1199, 1603);
    EXPECT_NEAR(image->rgb[image->rgb.size() - 3], corner[2], 4);
    EXPECT_NEAR(image->rgb[image->rgb.size() - 1], corner[0], 4);
  }
}

// What a network sees of a photo of 12 megapixels, decoded in full and at 1/4.
TEST(DecodeJpegTest, ReducedDecodingHardlyChangesTheCrop) {
  cv::Mat photo(3000, 4000, CV_8UC3);
  for (int y = 0; y < photo.rows; ++y) {
    for (int x = 0; x < photo.cols; ++x) {
      const double wave = std::sin(x / 31.0) * std::cos(y / 23.0) + ((x / 90 + y / 70) % 2);
      const auto value = static_cast<std::uint8_t>(90 + 60 * wave);
      photo.at<cv::Vec3b>(y, x) = {value, static_cast<std::uint8_t>(255 - value),
                                   static_cast<std::uint8_t>(x / 16)};
    }
  }
  const std::string bytes = Encode(".jpg", photo, {cv::IMWRITE_JPEG_QUALITY, 92});
  const PreprocessSpec spec;
  const auto crop = [&](int min_short_side) {
    const Result<Image> image = DecodeImage(bytes, kLimits, min_short_side);
    EXPECT_TRUE(image.ok());
    EXPECT_EQ(image->height, min_short_side == 0 ? 3000 : 750);
    std::vector<std::uint8_t> pixels(spec.PixelBytes());
    ResizeAndCrop(*image, spec, pixels.data());
    return pixels;
  };
  const std::vector<std::uint8_t> full = crop(0);
  const std::vector<std::uint8_t> reduced = crop(ReducedShortSide(spec));
  double sum = 0;
  int largest = 0;
  for (std::size_t i = 0; i < full.size(); ++i) {
    const int difference = std::abs(full[i] - reduced[i]);
    sum += difference;
    largest = std::max(largest, difference);
  }
  const double mean = sum / static_cast<double>(full.size());
  RecordProperty("mean_levels", std::to_string(mean));
  RecordProperty("largest_levels", largest);
  EXPECT_LT(mean, 0.5);   // measured: 0.27
  EXPECT_LE(largest, 4);  // measured: 2
}

TEST(DecodeJpegTest, RefusesAHeaderOfAnotherSize) {
  const std::string bytes = Encode(".jpg", Gradient(64, 48));
  ImageHeader header = *ReadImageHeader(bytes);
  ASSERT_TRUE(DecodeJpeg(bytes, header, 0).ok());
  header.width = 63;
  EXPECT_EQ(DecodeJpeg(bytes, header, 0).status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace xcloud
