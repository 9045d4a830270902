// The CUDA resize kernel's arithmetic, run on the CPU against the decode threads' own resize.
// Tolerance: none. Resized pixels are equal bit for bit, and so are the fp32 values made of them;
// the fp16 values are those, rounded once to the nearest (half a unit in the last place).
#include "models/cuda_resize.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "models/cuda_normalize.h"
#include "models/preprocess.h"
#include "models/resize_plan.h"

namespace xcloud {
namespace {

// Neither flat nor periodic; black and white occur.
Image Photo(int width, int height, unsigned seed) {
  Image image;
  image.width = width;
  image.height = height;
  image.rgb.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3);
  unsigned state = seed * 2654435761U + 1;
  for (std::uint8_t& value : image.rgb) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<std::uint8_t>(state >> 24);
  }
  return image;
}

PreprocessSpec ShortSide(int resize, int crop_width, int crop_height) {
  PreprocessSpec spec;
  spec.resize_width = resize;
  spec.crop_width = crop_width;
  spec.crop_height = crop_height;
  return spec;
}
PreprocessSpec Squash(int width, int height, int crop_width, int crop_height) {
  PreprocessSpec spec = ShortSide(width, crop_width, crop_height);
  spec.mode = ResizeMode::kSquash;
  spec.resize_height = height;
  return spec;
}

// A batch as a lane stages it and as the kernel reads it.
class Ragged {
 public:
  Ragged(const PreprocessSpec& spec, const std::vector<NetworkItem>& items)
      : spec_(spec),
        memory_((RaggedBytes(spec, items.size()) + 7) / 8, 0x7777777777777777U),
        layout_(PackRagged(items, spec, IdentityPlan(spec), bytes())) {
    EXPECT_LE(layout_.used, RaggedBytes(spec, items.size()));
  }
  std::vector<std::uint8_t> Pixels(std::size_t item) {
    const auto* items = reinterpret_cast<const RaggedItem*>(bytes());
    const auto* tables = reinterpret_cast<const std::int32_t*>(bytes() + layout_.tables_at);
    std::vector<std::uint8_t> out(spec_.PixelBytes(), 1);
    for (int y = 0; y < spec_.crop_height; ++y) {
      for (int x = 0; x < spec_.crop_width; ++x) {
        const std::size_t at = static_cast<std::size_t>(y * spec_.crop_width + x) * 3;
        ResizedPixel(items[item], bytes() + layout_.photos_at, tables, x, y, out.data() + at);
      }
    }
    return out;
  }

 private:
  std::uint8_t* bytes() { return reinterpret_cast<std::uint8_t*>(memory_.data()); }

  const PreprocessSpec spec_;
  std::vector<std::uint64_t> memory_;  // aligned
  const RaggedLayout layout_;
};

const std::vector<std::pair<int, int>> kShapes = {{50, 37}, {37, 50},   {64, 64}, {200, 31},
                                                  {3, 90},  {257, 255}, {1, 1},   {17, 120}};

const std::vector<PreprocessSpec> kSpecs = {
    ShortSide(32, 28, 28),    // the usual
    ShortSide(32, 48, 20),    // padded where a photo is narrower than the crop
    ShortSide(100, 64, 64),   // most photos are enlarged
    ShortSide(18, 13, 15),    // strong reduction, odd surplus
    Squash(24, 40, 24, 40),   // proportions change
    Squash(30, 20, 33, 17)};  // padded and cropped

TEST(CudaResizeTest, ARaggedBatchEqualsTheCpuBitForBitInEveryModeAndShape) {
  for (const PreprocessSpec& spec : kSpecs) {
    std::vector<std::vector<std::uint8_t>> expected;
    std::vector<std::unique_ptr<const ResizableImage>> plans;
    std::vector<NetworkItem> items;
    for (const auto& [width, height] : kShapes) {
      Image image = Photo(width, height, static_cast<unsigned>(width * 1000 + height));
      expected.emplace_back(spec.PixelBytes());
      ResizeAndCrop(image, spec, expected.back().data());
      plans.push_back(MakeResizable(image, spec));
      ASSERT_NE(plans.back(), nullptr) << width << " x " << height;
      items.push_back({nullptr, plans.back().get()});
    }
    // One in the middle that the decode threads have resized.
    const Image resized = Photo(spec.crop_width, spec.crop_height, 5);
    items.insert(items.begin() + 3, {resized.rgb.data(), nullptr});
    expected.insert(expected.begin() + 3, resized.rgb);
    Ragged batch(spec, items);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(batch.Pixels(i), expected[i])
          << "item " << i << " to " << spec.crop_width << " x " << spec.crop_height;
    }
  }
}

TEST(CudaResizeTest, ExtremePixelsStayInRange) {
  const PreprocessSpec spec = ShortSide(24, 20, 20);
  for (const int level : {0, 255}) {
    Image image = Photo(71, 53, 1);
    std::fill(image.rgb.begin(), image.rgb.end(), static_cast<std::uint8_t>(level));
    const auto plan = MakeResizable(image, spec);
    Ragged batch(spec, {{nullptr, plan.get()}});
    for (const std::uint8_t value : batch.Pixels(0)) ASSERT_EQ(value, level);
  }
}

TEST(CudaResizeTest, ATensorHoldsARowOpenAndLeavesItsNeighboursAlone) {
  const PreprocessSpec spec = ShortSide(32, 28, 21);
  const Image first = Photo(28, 21, 5);
  const Image last = Photo(28, 21, 6);
  const std::vector<char> tensor(spec.PixelBytes() * sizeof(float));
  Ragged batch(spec, {{first.rgb.data(), nullptr, nullptr},
                      {nullptr, nullptr, tensor.data()},
                      {last.rgb.data(), nullptr, nullptr}});
  EXPECT_EQ(batch.Pixels(0), first.rgb);
  EXPECT_EQ(batch.Pixels(2), last.rgb);
}

TEST(CudaResizeTest, PhotosThatWereResizedBeforePassUnchanged) {
  const PreprocessSpec spec = ShortSide(32, 28, 21);
  const Image resized = Photo(28, 21, 5);
  Ragged batch(spec, {{resized.rgb.data(), nullptr}});
  EXPECT_EQ(batch.Pixels(0), resized.rgb);
}

// From the photo to the network's input, as the kernel chains the two.
TEST(CudaResizeTest, ValuesEqualTheCpusInFp32) {
  PreprocessSpec spec = ShortSide(32, 28, 28);
  spec.layout = TensorLayout::kNhwc;
  for (const ColorOrder color : {ColorOrder::kRgb, ColorOrder::kBgr}) {
    spec.color = color;
    Image image = Photo(91, 60, 8);
    std::vector<std::uint8_t> pixels(spec.PixelBytes());
    ResizeAndCrop(image, spec, pixels.data());
    std::vector<float> expected(spec.PixelBytes());
    NormalizeInto(pixels.data(), spec, expected.data());

    const NormalizeParams params = NormalizeParamsOf(spec);
    const auto plan = MakeResizable(image, spec);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const int at = static_cast<int>(i / 3);
      std::uint8_t rgb[3];
      ResizedPixel(plan->item, plan->image.rgb.data(), plan->tables.data(), at % 28, at / 28, rgb);
      const float value = NormalizedValue(rgb, i % 3, params);
      ASSERT_EQ(std::memcmp(&value, &expected[i], sizeof value), 0) << "value " << i;
    }
  }
}

TEST(CudaResizeTest, WhatIsTooLargeOrTooNarrowIsLeftToTheDecodeThreads) {
  const PreprocessSpec spec = ShortSide(32, 28, 28);
  Image large = Photo(1000, 600, 1);  // 1.8 MB
  EXPECT_EQ(MakeResizable(large, spec), nullptr);
  EXPECT_EQ(large.rgb.size(), 1'800'000U) << "left with the caller";
  Image reduced = Photo(800, 600, 1);  // within the bytes, but a reduction of 18.75
  EXPECT_EQ(MakeResizable(reduced, spec), nullptr);
  EXPECT_NE(MakeResizable(reduced, ShortSide(256, 224, 224)), nullptr);
  Image needle = Photo(2, 90'000, 1);
  EXPECT_EQ(MakeResizable(needle, Squash(24, 24, 24, 24)), nullptr);
}

TEST(CudaResizeTest, TablesFitWhatALaneSetsAsideForThem) {
  const PreprocessSpec spec = ShortSide(38, 28, 28);
  Image image = Photo(600, 608, 1);  // a reduction just below 16
  const auto plan = MakeResizable(image, spec);
  ASSERT_NE(plan, nullptr);
  EXPECT_LE(plan->tables.size(), MaxTableInts(spec));
  EXPECT_GT(plan->tables.size() * 10, MaxTableInts(spec) * 9) << "the bound is not slack";
  EXPECT_LE(plan->image.rgb.size(), MaxImageBytes(spec));
  EXPECT_GE(MaxImageBytes(ShortSide(2000, 2000, 2000)), 12'000'000U) << "resized ones fit too";
}

}  // namespace
}  // namespace xcloud
