#include "models/optimize/sample_items.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <random>
#include <system_error>
#include <utility>

#include "core/log.h"
#include "models/decode.h"
#include "models/preprocess.h"
#include "models/stage_rows.h"

namespace xcloud {
namespace {

namespace fs = std::filesystem;

bool LooksLikePhoto(const fs::path& file) {
  std::string ending = file.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  const std::vector<std::string> known = {".jpg", ".jpeg", ".png", ".webp", ".bmp"};
  return std::find(known.begin(), known.end(), ending) != known.end();
}

Result<std::vector<fs::path>> PhotosOf(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator item(folder, error), end; !error && item != end;
       item.increment(error)) {
    if (LooksLikePhoto(item->path())) files.push_back(item->path());
  }
  if (error) return Status::NotFound("cannot read the folder '" + folder.string() + "'");
  std::sort(files.begin(), files.end());
  return files;
}

Result<std::vector<std::uint8_t>> Decoded(const fs::path& file, const ModelDefinition& model) {
  std::ifstream in(file, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(in), {});
  const int side = model.reduced_decode ? ReducedShortSide(model.preprocess) : 0;
  const Result<Image> image = DecodeImage(bytes, DecodeLimits{}, side);
  if (!image.ok()) return image.status();
  std::vector<std::uint8_t> pixels(model.preprocess.PixelBytes());
  ResizeAndCrop(*image, model.preprocess, pixels.data());
  return pixels;
}

// Waves of seeded lengths and colours: neither flat nor noise, which no network was trained on.
std::vector<std::uint8_t> MadePicture(const PreprocessSpec& spec, std::mt19937_64& random) {
  std::uniform_real_distribution<double> length(0.02, 0.3);
  std::uniform_real_distribution<double> phase(0, 6.28);
  double waves[3][3];
  for (auto& wave : waves) {
    wave[0] = length(random);
    wave[1] = length(random);
    wave[2] = phase(random);
  }
  std::vector<std::uint8_t> pixels;
  pixels.reserve(spec.PixelBytes());
  for (int y = 0; y < spec.crop_height; ++y) {
    for (int x = 0; x < spec.crop_width; ++x) {
      for (const auto& wave : waves) {
        const double value = std::sin(x * wave[0] + wave[2]) * std::cos(y * wave[1]);
        pixels.push_back(static_cast<std::uint8_t>(128 + 100 * value));
      }
    }
  }
  return pixels;
}

}  // namespace

Result<SampleItems> SampleItems::ReadPhotos(const ModelDefinition& model, const fs::path& folder,
                                            std::size_t most) {
  XC_CHECK(model.of_pictures());
  const Result<std::vector<fs::path>> files = PhotosOf(folder);
  if (!files.ok()) return files.status();
  SampleItems samples(model);
  samples.photos_ = true;
  for (const fs::path& file : *files) {
    if (samples.pixels_.size() == most) break;
    Result<std::vector<std::uint8_t>> pixels = Decoded(file, model);
    if (pixels.ok()) {
      samples.pixels_.push_back(*std::move(pixels));
    } else {
      spdlog::warn("{} is left out: {}", file.filename().string(), pixels.status().message());
    }
  }
  if (samples.pixels_.empty()) {
    return Status::InvalidArgument("'" + folder.string() + "' has no photo that can be decoded");
  }
  return samples;
}

SampleItems SampleItems::Make(const ModelDefinition& model, std::size_t count, std::uint64_t seed) {
  SampleItems samples(model);
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  for (std::size_t i = 0; i < count; ++i) {
    if (model.of_pictures()) {
      samples.pixels_.push_back(MadePicture(model.preprocess, random));
    } else {
      std::vector<float>& tensor = samples.tensors_.emplace_back(model.item_values());
      std::generate(tensor.begin(), tensor.end(), [&] { return normal(random); });
    }
  }
  return samples;
}

std::vector<NetworkItem> SampleItems::Items() const {
  std::vector<NetworkItem> items;
  for (const auto& pixels : pixels_) items.push_back({pixels.data(), nullptr, nullptr});
  for (const auto& tensor : tensors_) {
    items.push_back({nullptr, nullptr, reinterpret_cast<const char*>(tensor.data())});
  }
  return items;
}

Status SampleItems::WriteRows(const fs::path& file, std::span<const std::size_t> numbers) const {
  const std::vector<NetworkItem> items = Items();
  std::vector<float> row(model_.item_values());
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  for (const std::size_t number : numbers) {
    StageRows(model_, {&items[number], 1}, 1, row.data());
    out.write(reinterpret_cast<const char*>(row.data()),
              static_cast<std::streamsize>(row.size() * sizeof(float)));
  }
  out.flush();
  return out ? Status::Ok() : Status::Internal("cannot write " + file.string());
}

}  // namespace xcloud
