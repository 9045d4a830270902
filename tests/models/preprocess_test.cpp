// The rules one by one; tests/models/preprocess_parity_test.cpp compares with torchvision itself.
#include "models/preprocess.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "models/preprocess_geometry.h"

namespace xcloud {
namespace {

Image Noise(int width, int height, unsigned seed) {
  Image image{width, height, {}};
  std::mt19937 random(seed);
  image.rgb.resize(static_cast<std::size_t>(width * height) * 3);
  for (auto& value : image.rgb) value = static_cast<std::uint8_t>(random());
  return image;
}

PreprocessSpec Spec(ResizeMode mode, int resize_width, int resize_height, int crop_width,
                    int crop_height) {
  PreprocessSpec spec;
  spec.mode = mode;
  spec.resize_width = resize_width;
  spec.resize_height = resize_height;
  spec.crop_width = crop_width;
  spec.crop_height = crop_height;
  return spec;
}

// Two passes over whole images, in plain double sums over the same weights: slow and obvious.
std::vector<std::uint8_t> TwoPass(const Image& image, const PreprocessSpec& spec) {
  const ResizedSize size = PlanResize(image.width, image.height, spec);
  const CropSpan all_x{0, static_cast<int>(size.width), 0};
  const CropSpan all_y{0, static_cast<int>(size.height), 0};
  const ResampleTable columns = MakeResampleTable(image.width, size.width, all_x);
  const ResampleTable lines = MakeResampleTable(image.height, size.height, all_y);
  const auto at = [](std::int64_t width, std::int64_t x, std::int64_t y, int c) {
    return static_cast<std::size_t>((y * width + x) * 3 + c);
  };
  const auto blend = [](const ResampleTable& table, std::int64_t i, auto value) {
    double sum = 0;
    for (int k = 0; k < table.taps[static_cast<std::size_t>(i)]; ++k) {
      sum += table.weight(static_cast<std::size_t>(i))[k] *
             static_cast<double>(value(table.start[static_cast<std::size_t>(i)] + k));
    }
    return static_cast<std::uint8_t>(std::min(255.0, std::floor(sum / (1 << kWeightBits) + 0.5)));
  };
  std::vector<std::uint8_t> wide(static_cast<std::size_t>(size.width * image.height * 3));
  std::vector<std::uint8_t> whole(static_cast<std::size_t>(size.width * size.height * 3));
  for (int c = 0; c < 3; ++c) {
    for (std::int64_t x = 0; x < size.width; ++x) {
      for (int y = 0; y < image.height; ++y) {
        wide[at(size.width, x, y, c)] =
            blend(columns, x, [&](int s) { return image.rgb[at(image.width, s, y, c)]; });
      }
      for (std::int64_t y = 0; y < size.height; ++y) {
        whole[at(size.width, x, y, c)] =
            blend(lines, y, [&](int s) { return wide[at(size.width, x, s, c)]; });
      }
    }
  }
  const CropSpan across = PlanCrop(size.width, spec.crop_width);
  const CropSpan down = PlanCrop(size.height, spec.crop_height);
  std::vector<std::uint8_t> out(spec.PixelBytes(), 0);
  for (int y = 0; y < down.count; ++y) {
    for (int x = 0; x < across.count; ++x) {
      for (int c = 0; c < 3; ++c) {
        out[at(spec.crop_width, x + across.pad, y + down.pad, c)] =
            whole[at(size.width, x + across.first, y + down.first, c)];
      }
    }
  }
  return out;
}

TEST(PreprocessTest, OnePassEqualsTwoPassesOverTheWholeImage) {
  const std::vector<PreprocessSpec> specs = {
      Spec(ResizeMode::kShortSide, 32, 0, 28, 28), Spec(ResizeMode::kShortSide, 20, 0, 31, 30),
      Spec(ResizeMode::kSquash, 40, 17, 33, 17), Spec(ResizeMode::kSquash, 9, 50, 11, 45)};
  unsigned seed = 1;
  for (const PreprocessSpec& spec : specs) {
    for (const auto& [width, height] : std::vector<std::pair<int, int>>{
             {1, 1}, {1, 90}, {90, 1}, {32, 32}, {33, 47}, {120, 85}, {7, 200}, {301, 64}}) {
      const Image image = Noise(width, height, ++seed);
      std::vector<std::uint8_t> out(spec.PixelBytes(), 0xAA);
      ResizeAndCrop(image, spec, out.data());
      EXPECT_EQ(out, TwoPass(image, spec)) << width << " x " << height;
    }
  }
}

TEST(PreprocessTest, WritesNothingBehindTheCrop) {
  const PreprocessSpec spec = Spec(ResizeMode::kShortSide, 32, 0, 27, 25);
  std::vector<std::uint8_t> out(spec.PixelBytes() + 64, 0xAA);
  ResizeAndCrop(Noise(90, 70, 3), spec, out.data());
  for (std::size_t i = spec.PixelBytes(); i < out.size(); ++i) ASSERT_EQ(out[i], 0xAA);
}

TEST(PreprocessTest, NothingToDoKeepsThePixels) {
  const Image image = Noise(24, 24, 5);
  std::vector<std::uint8_t> out(image.rgb.size());
  ResizeAndCrop(image, Spec(ResizeMode::kShortSide, 24, 0, 24, 24), out.data());
  EXPECT_EQ(out, image.rgb);
}

TEST(PreprocessTest, WhiteStaysWhiteUnderAnyReduction) {
  for (const int side : {3, 100, 257, 4001}) {
    const Image image{side, 2, std::vector<std::uint8_t>(static_cast<std::size_t>(side) * 6, 255)};
    const PreprocessSpec spec = Spec(ResizeMode::kSquash, 5, 3, 5, 3);
    std::vector<std::uint8_t> out(spec.PixelBytes());
    ResizeAndCrop(image, spec, out.data());
    EXPECT_EQ(out, std::vector<std::uint8_t>(out.size(), 255)) << side;
  }
}

TEST(PreprocessGeometryTest, TheLongSideIsCutNotRounded) {
  const PreprocessSpec spec = Spec(ResizeMode::kShortSide, 256, 0, 224, 224);
  EXPECT_EQ(PlanResize(500, 375, spec).width, 341);  // 341.33
  EXPECT_EQ(PlanResize(375, 500, spec).height, 341);
  EXPECT_EQ(PlanResize(333, 500, spec).height, 384);  // 384.38
  EXPECT_EQ(PlanResize(767, 512, spec).width, 383);   // 383.5
  EXPECT_EQ(PlanResize(16'384, 1, spec).width, 16'384 * 256);
  const PreprocessSpec squash = Spec(ResizeMode::kSquash, 300, 200, 224, 224);
  EXPECT_EQ(PlanResize(1, 900, squash).width, 300);
  EXPECT_EQ(PlanResize(1, 900, squash).height, 200);
}

TEST(PreprocessGeometryTest, HalfOffsetsGoToTheEvenOne) {
  EXPECT_EQ(PlanCrop(256, 224).first, 16);
  EXPECT_EQ(PlanCrop(225, 224).first, 0);  // 0.5
  EXPECT_EQ(PlanCrop(227, 224).first, 2);  // 1.5
  EXPECT_EQ(PlanCrop(229, 224).first, 2);  // 2.5
  EXPECT_EQ(PlanCrop(231, 224).first, 4);  // 3.5
}

TEST(PreprocessGeometryTest, SmallImagesArePaddedWithTheOddPixelLast) {
  const CropSpan span = PlanCrop(201, 224);
  EXPECT_EQ(span.first, 0);
  EXPECT_EQ(span.count, 201);
  EXPECT_EQ(span.pad, 11);  // 11 before, 12 behind
}

TEST(NormalizeTest, CoversLayoutsAndColourOrders) {
  PreprocessSpec spec = Spec(ResizeMode::kSquash, 2, 1, 2, 1);
  spec.mean = {0.5F, 0.25F, 0.125F};
  spec.std = {2.0F, 4.0F, 8.0F};
  spec.scale = 1.0F;
  const std::vector<std::uint8_t> rgb = {10, 20, 30, 40, 50, 60};
  const auto run = [&](ColorOrder color, TensorLayout layout) {
    spec.color = color;
    spec.layout = layout;
    std::vector<float> out(6);
    NormalizeInto(rgb.data(), spec, out.data());
    return out;
  };
  const auto value = [&](float pixel, std::size_t c) {
    return (pixel - spec.mean[c]) / spec.std[c];
  };
  const std::vector<float> rgb_of = {value(10, 0), value(20, 1), value(30, 2),
                                     value(40, 0), value(50, 1), value(60, 2)};
  const std::vector<float> bgr_of = {value(30, 0), value(20, 1), value(10, 2),
                                     value(60, 0), value(50, 1), value(40, 2)};
  const auto planes = [](const std::vector<float>& v) {
    return std::vector<float>{v[0], v[3], v[1], v[4], v[2], v[5]};
  };
  EXPECT_EQ(run(ColorOrder::kRgb, TensorLayout::kNhwc), rgb_of);
  EXPECT_EQ(run(ColorOrder::kBgr, TensorLayout::kNhwc), bgr_of);
  EXPECT_EQ(run(ColorOrder::kRgb, TensorLayout::kNchw), planes(rgb_of));
  EXPECT_EQ(run(ColorOrder::kBgr, TensorLayout::kNchw), planes(bgr_of));
}

TEST(NormalizeTest, ReciprocalScalesDivideExactly) {
  PreprocessSpec spec = Spec(ResizeMode::kSquash, 256, 1, 256, 1);
  spec.mean = {0, 0, 0};
  spec.std = {1, 1, 1};
  spec.layout = TensorLayout::kNhwc;
  std::vector<std::uint8_t> rgb(spec.PixelBytes());
  for (std::size_t i = 0; i < rgb.size(); ++i) rgb[i] = static_cast<std::uint8_t>(i / 3);
  std::vector<float> out(rgb.size());
  NormalizeInto(rgb.data(), spec, out.data());
  for (std::size_t i = 0; i < rgb.size(); ++i) {
    ASSERT_EQ(out[i], static_cast<float>(rgb[i]) / 255.0F) << i;
  }
  spec.scale = 0.017F;  // no reciprocal of a whole number
  NormalizeInto(rgb.data(), spec, out.data());
  for (std::size_t i = 0; i < rgb.size(); ++i) {
    ASSERT_FLOAT_EQ(out[i], static_cast<float>(rgb[i]) * 0.017F) << i;
  }
}

TEST(PreprocessTest, ReducedDecodingLeavesTwiceTheTarget) {
  EXPECT_EQ(ReducedShortSide(Spec(ResizeMode::kShortSide, 256, 0, 224, 224)), 512);
  EXPECT_EQ(ReducedShortSide(Spec(ResizeMode::kSquash, 256, 300, 224, 224)), 600);
}

}  // namespace
}  // namespace xcloud
