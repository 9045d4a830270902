// From an encoded photo to pixels, on one thread.

#include "models/decode.h"

#include <benchmark/benchmark.h>

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "bench/photos.h"
#include "models/preprocess.h"

namespace xcloud {
namespace {

// The made photo, enlarged and encoded anew.
std::string Encoded(const char* suffix, int width, int height) {
  const std::string made = MakePhoto(1).bytes;
  const std::vector<unsigned char> bytes(made.begin(), made.end());
  cv::Mat image = cv::imdecode(bytes, cv::IMREAD_COLOR);
  if (image.cols != width) {
    cv::resize(image, image, cv::Size(width, height), 0, 0, cv::INTER_CUBIC);
  }
  std::vector<unsigned char> out;
  cv::imencode(suffix, image, out);
  return {out.begin(), out.end()};
}

void Decode(benchmark::State& state, const char* suffix, int width, int height, bool reduced) {
  const std::string photo = Encoded(suffix, width, height);
  const int min_short_side = reduced ? ReducedShortSide(PreprocessSpec()) : 0;
  for (auto _ : state) {
    auto image = DecodeImage(photo, DecodeLimits(), min_short_side);
    if (!image.ok()) {
      state.SkipWithError(image.status().message().c_str());
      break;
    }
    benchmark::DoNotOptimize(image->rgb.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(photo.size()));
  state.counters["kB"] = static_cast<double>(photo.size()) / 1e3;
}
BENCHMARK_CAPTURE(Decode, jpeg_500x375, ".jpg", 500, 375, false)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Decode, jpeg_2000x1500, ".jpg", 2000, 1500, false)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Decode, jpeg_2000x1500_reduced, ".jpg", 2000, 1500, true)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Decode, png_500x375, ".png", 500, 375, false)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Decode, webp_500x375, ".webp", 500, 375, false)->Unit(benchmark::kMillisecond);

// What a refusal costs: the header says it is too large, so nothing is decoded.
void RefuseTooLarge(benchmark::State& state) {
  const std::string photo = MakePhoto(1).bytes;
  DecodeLimits limits;
  limits.max_side = 100;
  for (auto _ : state) {
    if (DecodeImage(photo, limits).ok()) state.SkipWithError("was decoded");
  }
}
BENCHMARK(RefuseTooLarge)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace xcloud
