#include "models/pipeline/face/photo_pyramid.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/status.h"

namespace xcloud {
namespace {

constexpr int kSmallest = 2;  // pixels of a side that is not halved again

Image Halved(const Image& image) {
  Image half;
  half.width = (image.width + 1) / 2;
  half.height = (image.height + 1) / 2;
  half.rgb.resize(static_cast<std::size_t>(half.width) * static_cast<std::size_t>(half.height) * 3);
  std::uint8_t* out = half.rgb.data();
  const auto row_bytes = static_cast<std::size_t>(image.width) * 3;
  for (int y = 0; y < half.height; ++y) {
    const std::uint8_t* upper = image.rgb.data() + static_cast<std::size_t>(2 * y) * row_bytes;
    const std::uint8_t* lower = 2 * y + 1 < image.height ? upper + row_bytes : upper;
    for (int x = 0; x < half.width; ++x) {
      const std::size_t left = static_cast<std::size_t>(2 * x) * 3;
      const std::size_t right = 2 * x + 1 < image.width ? left + 3 : left;
      for (std::size_t c = 0; c < 3; ++c) {
        const int sum = upper[left + c] + upper[right + c] + lower[left + c] + lower[right + c];
        *out++ = static_cast<std::uint8_t>((sum + 2) / 4);
      }
    }
  }
  return half;
}

// The source pixels of one pixel of the result, along one axis, and how much each counts.
struct Tap {
  int first = 0;
  std::vector<float> weights;
};

Tap AreaTap(double begin, double end, int size) {
  Tap tap;
  const int first = std::max(0, static_cast<int>(std::floor(begin)));
  const int last = std::min(size, static_cast<int>(std::ceil(end)));
  tap.first = first;
  for (int i = first; i < last; ++i) {
    const double covered = std::min(end, i + 1.0) - std::max(begin, double(i));
    tap.weights.push_back(static_cast<float>(std::max(0.0, covered) / (end - begin)));
  }
  return tap;
}

Tap LinearTap(double centre, int size) {
  Tap tap;
  const double at = centre - 0.5;
  const double base = std::floor(at);
  const auto part = static_cast<float>(at - base);
  const int first = static_cast<int>(base);
  for (int i = first; i <= first + 1; ++i) {
    if (i < 0 || i >= size) continue;
    if (tap.weights.empty()) tap.first = i;
    tap.weights.push_back(i == first ? 1 - part : part);
  }
  return tap;
}

std::vector<Tap> Taps(double begin, double end, int size, int count) {
  std::vector<Tap> taps;
  taps.reserve(static_cast<std::size_t>(count));
  const double step = (end - begin) / count;
  for (int i = 0; i < count; ++i) {
    const double from = begin + i * step;
    taps.push_back(step >= 1 ? AreaTap(from, from + step, size) : LinearTap(from + step / 2, size));
  }
  return taps;
}

// One row of the source, resampled along x: three values a pixel.
void ResampleRow(const Image& image, int row, const std::vector<Tap>& columns, float* out) {
  const std::uint8_t* const line =
      image.rgb.data() + static_cast<std::size_t>(row) * static_cast<std::size_t>(image.width) * 3;
  for (const Tap& tap : columns) {
    std::array<float, 3> sum{};
    const std::uint8_t* pixel = line + static_cast<std::size_t>(tap.first) * 3;
    for (const float weight : tap.weights) {
      for (std::size_t c = 0; c < 3; ++c) sum[c] += weight * float(pixel[c]);
      pixel += 3;
    }
    out = std::copy(sum.begin(), sum.end(), out);
  }
}

// `at` is where the centres of pixels are whole numbers.
std::array<float, 3> Bilinear(const Image& image, PointF at) {
  const double left = std::floor(at.x);
  const double top = std::floor(at.y);
  std::array<float, 3> sum{};
  for (int dy = 0; dy < 2; ++dy) {
    for (int dx = 0; dx < 2; ++dx) {
      const double x = left + dx;
      const double y = top + dy;
      if (x < 0 || y < 0 || x >= image.width || y >= image.height) continue;
      const auto weight = static_cast<float>((1 - std::abs(at.x - x)) * (1 - std::abs(at.y - y)));
      const std::size_t pixel =
          (static_cast<std::size_t>(y) * static_cast<std::size_t>(image.width) +
           static_cast<std::size_t>(x)) *
          3;
      for (std::size_t c = 0; c < 3; ++c) sum[c] += weight * float(image.rgb[pixel + c]);
    }
  }
  return sum;
}

}  // namespace

PhotoPyramid::PhotoPyramid(Image photo) {
  XC_CHECK(photo.width > 0 && photo.height > 0);
  levels_.push_back(std::move(photo));
  while (std::min(levels_.back().width, levels_.back().height) > kSmallest) {
    levels_.push_back(Halved(levels_.back()));
  }
}

// The smallest level that has at least a pixel for each pixel of the result.
std::size_t PhotoPyramid::LevelFor(double photo_pixels_per_pixel) const {
  std::size_t level = 0;
  while (level + 1 < levels_.size() && photo_pixels_per_pixel >= 2) {
    photo_pixels_per_pixel /= 2;
    ++level;
  }
  return level;
}

void PhotoPyramid::Cut(const RectF& piece, const PixelScaling& scaling, const Planes& out) const {
  XC_CHECK(piece.width() > 0 && piece.height() > 0);
  const std::size_t level =
      LevelFor(std::min(piece.width() / out.width, piece.height() / out.height));
  const Image& image = levels_[level];
  const double unit = std::ldexp(1.0, static_cast<int>(level));
  const std::vector<Tap> columns =
      Taps(piece.left / unit, piece.right / unit, image.width, out.width);
  const std::vector<Tap> rows =
      Taps(piece.top / unit, piece.bottom / unit, image.height, out.height);
  const auto width = static_cast<std::size_t>(out.width);
  // Rows that follow each other share source rows: the two last are kept, by their parity.
  std::array<std::vector<float>, 2> kept = {std::vector<float>(width * 3),
                                            std::vector<float>(width * 3)};
  std::array<int, 2> kept_row = {-1, -1};
  std::vector<float> sum(width * 3);
  for (std::size_t y = 0; y < rows.size(); ++y) {
    std::fill(sum.begin(), sum.end(), 0.0F);
    for (std::size_t i = 0; i < rows[y].weights.size(); ++i) {
      const int row = rows[y].first + static_cast<int>(i);
      const auto slot = static_cast<std::size_t>(row % 2);
      if (kept_row[slot] != row) ResampleRow(image, row, columns, kept[slot].data());
      kept_row[slot] = row;
      for (std::size_t x = 0; x < sum.size(); ++x) sum[x] += rows[y].weights[i] * kept[slot][x];
    }
    for (std::size_t c = 0; c < 3; ++c) {
      float* const line = out.data + c * out.plane + y * out.stride;
      for (std::size_t x = 0; x < width; ++x) {
        line[x] = (sum[x * 3 + c] - scaling.mean[c]) * scaling.scale[c];
      }
    }
  }
}

void PhotoPyramid::Warp(const Similarity& to_photo, const PixelScaling& scaling,
                        const Planes& out) const {
  const std::size_t level = LevelFor(std::hypot(to_photo.a, to_photo.b));
  const Image& image = levels_[level];
  const double unit = std::ldexp(1.0, static_cast<int>(level));
  // Four places of each pixel, as the level may have up to two pixels a side for it.
  constexpr std::array<double, 2> kPlaces = {0.25, 0.75};
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x) {
      std::array<float, 3> sum{};
      for (const double dy : kPlaces) {
        for (const double dx : kPlaces) {
          const PointF at = to_photo({x + dx, y + dy});
          const std::array<float, 3> pixel =
              Bilinear(image, {at.x / unit - 0.5, at.y / unit - 0.5});
          for (std::size_t c = 0; c < 3; ++c) sum[c] += pixel[c] / 4;
        }
      }
      for (std::size_t c = 0; c < 3; ++c) {
        out.data[c * out.plane + static_cast<std::size_t>(y) * out.stride +
                 static_cast<std::size_t>(x)] = (sum[c] - scaling.mean[c]) * scaling.scale[c];
      }
    }
  }
}

}  // namespace xcloud
