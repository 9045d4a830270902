// From pixels to the network's input, on one thread: 256 short side, 224 x 224 crop.

#include "models/preprocess.h"

#include <benchmark/benchmark.h>

#include <random>
#include <vector>

namespace xcloud {
namespace {

Image Noise(int width, int height) {
  std::mt19937_64 engine(1);
  Image image{width, height, {}};
  image.rgb.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3);
  for (auto& value : image.rgb) value = static_cast<std::uint8_t>(engine());
  return image;
}

void ResizeCrop(benchmark::State& state) {
  const Image image = Noise(static_cast<int>(state.range(0)), static_cast<int>(state.range(1)));
  const PreprocessSpec spec;
  std::vector<std::uint8_t> out(spec.PixelBytes());
  for (auto _ : state) {
    ResizeAndCrop(image, spec, out.data());
    benchmark::ClobberMemory();
  }
}
BENCHMARK(ResizeCrop)
    ->Args({500, 375})
    ->Args({1000, 750})
    ->Args({2000, 1500})
    ->Unit(benchmark::kMillisecond);

void Normalize(benchmark::State& state, TensorLayout layout, ColorOrder color) {
  PreprocessSpec spec;
  spec.layout = layout;
  spec.color = color;
  const Image image = Noise(spec.crop_width, spec.crop_height);
  std::vector<float> out(spec.PixelBytes());
  for (auto _ : state) {
    NormalizeInto(image.rgb.data(), spec, out.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(image.rgb.size()));
}
BENCHMARK_CAPTURE(Normalize, nchw_rgb, TensorLayout::kNchw, ColorOrder::kRgb)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Normalize, nhwc_bgr, TensorLayout::kNhwc, ColorOrder::kBgr)
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace xcloud
