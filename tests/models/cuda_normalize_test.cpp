// The CUDA staging kernel's arithmetic, run on the CPU against the CPU lanes' own staging.
#include "models/cuda_normalize.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "models/preprocess.h"
#include "models/resize_plan.h"

namespace xcloud {
namespace {

constexpr std::size_t kItems = 3;

PreprocessSpec Spec(TensorLayout layout, ColorOrder color) {
  PreprocessSpec spec;
  spec.crop_width = 7;
  spec.crop_height = 5;
  spec.layout = layout;
  spec.color = color;
  return spec;
}

// Where NHWC's value `i` of one item lies in the spec's layout.
std::size_t InLayout(const PreprocessSpec& spec, std::size_t i) {
  if (spec.layout == TensorLayout::kNhwc) return i;
  return (i % 3) * (spec.PixelBytes() / 3) + i / 3;
}

// Bit for bit: both divide, subtract and divide.
void ExpectEqualsNormalizeInto(const PreprocessSpec& spec) {
  const std::size_t size = spec.PixelBytes();
  std::vector<std::uint8_t> pixels(kItems * size);
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = static_cast<std::uint8_t>(i * 89 + i / 13);
  }
  const NormalizeParams params = NormalizeParamsOf(spec);
  std::vector<float> expected(size);
  for (std::size_t item = 0; item < kItems; ++item) {
    NormalizeInto(pixels.data() + item * size, spec, expected.data());
    for (std::size_t i = 0; i < size; ++i) {
      const float want = expected[InLayout(spec, i)];
      const float got = NormalizedValue(pixels.data(), item * size + i, params);
      ASSERT_EQ(std::memcmp(&got, &want, sizeof got), 0)
          << got << " for " << want << ", item " << item << ", value " << i;
    }
  }
}

TEST(CudaNormalizeTest, EqualsTheCpuStagingInEveryLayoutAndColourOrder) {
  for (const TensorLayout layout : {TensorLayout::kNchw, TensorLayout::kNhwc}) {
    for (const ColorOrder color : {ColorOrder::kRgb, ColorOrder::kBgr}) {
      ExpectEqualsNormalizeInto(Spec(layout, color));
    }
  }
}

TEST(CudaNormalizeTest, EqualsTheCpuStagingForUnscaledPixels) {
  PreprocessSpec spec = Spec(TensorLayout::kNhwc, ColorOrder::kBgr);
  spec.scale = 1.0F;
  spec.mean = {104.0F, 117.0F, 123.0F};
  spec.std = {1.0F, 1.0F, 1.0F};
  ExpectEqualsNormalizeInto(spec);
}

TEST(CudaNormalizeTest, EveryValueComesFromAPixelOfItsOwn) {
  for (const int bgr : {0, 1}) {
    std::vector<int> used(30);
    for (std::size_t i = 0; i < used.size(); ++i) ++used[NormalizeSource(i, bgr)];
    for (const int count : used) EXPECT_EQ(count, 1);
  }
}

}  // namespace
}  // namespace xcloud
