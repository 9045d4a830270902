#include "models/preprocess.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <vector>

#include "core/status.h"
#include "models/preprocess_geometry.h"
#include "models/preprocess_simd.h"

namespace xcloud {
namespace {

constexpr std::size_t kChannels = 3;
constexpr std::int32_t kHalf = 1 << (kWeightBits - 1);

// GCC and Clang vectors. Ints4 is one pixel's channels and, unused, the value behind them.
using Ints4 = std::int32_t __attribute__((vector_size(16)));
using Ints8 = std::int32_t __attribute__((vector_size(32)));
// As they lie in memory: GCC 12 moves a memcpy of several vectors through the stack.
using StoredInts8 = std::int32_t __attribute__((vector_size(32), aligned(4), may_alias));
constexpr std::size_t kBlock = 32;  // four Ints8: sums of a block stay in registers

// The source columns that `table` needs, from its first on, to one row of output pixels, 0 to 255.
// Bytes are widened in one go, so that the loop behind is loads, multiplications and additions
// only. Every pixel takes max_taps steps, with weights of 0 behind its own: a loop of one length
// is predicted. `wide` has 3 * max_taps + 1 values to spare, `out` one.
XC_MULTIVERSION
void ResampleRow(const std::uint8_t* __restrict row, std::size_t row_bytes,
                 const ResampleTable& table, std::int32_t* __restrict wide,
                 std::int32_t* __restrict out) {
  for (std::size_t i = 0; i < row_bytes; ++i) wide[i] = row[i];
  const std::size_t count = table.start.size();
  const int first = table.start.front();
  const int* start = table.start.data();
  const int taps = table.max_taps;
  const std::int32_t* weights = table.weights.data();
  const Ints4 most = {255, 255, 255, 255};
  for (std::size_t i = 0; i < count; ++i, weights += table.stride) {
    const std::int32_t* source = wide + static_cast<std::ptrdiff_t>(start[i] - first) * 3;
    Ints4 sum = {kHalf, kHalf, kHalf, kHalf};
    for (int k = 0; k < taps; ++k, source += 3) {
      Ints4 pixel;
      std::memcpy(&pixel, source, sizeof pixel);
      sum += pixel * weights[k];
    }
    sum >>= kWeightBits;
    // Weights are positive; rounded one by one they may sum to a little more than 1.
    sum = sum > most ? most : sum;
    std::memcpy(out + kChannels * i, &sum, sizeof sum);
  }
}

// One output row from `taps` resampled rows. Rows and `sums` are whole blocks long.
XC_MULTIVERSION
void BlendRows(const std::int32_t* const* rows, const std::int32_t* weights, int taps,
               std::size_t bytes, std::int32_t* __restrict sums, std::uint8_t* __restrict out) {
  for (std::size_t at = 0; at < bytes; at += kBlock) {
    Ints8 a = Ints8{} + kHalf;
    Ints8 b = a;
    Ints8 c = a;
    Ints8 d = a;
    for (int k = 0; k < taps; ++k) {
      const auto* values = reinterpret_cast<const StoredInts8*>(rows[k] + at);
      a += values[0] * weights[k];
      b += values[1] * weights[k];
      c += values[2] * weights[k];
      d += values[3] * weights[k];
    }
    auto* block = reinterpret_cast<StoredInts8*>(sums + at);
    block[0] = a;
    block[1] = b;
    block[2] = c;
    block[3] = d;
  }
  for (std::size_t i = 0; i < bytes; ++i) {
    out[i] = static_cast<std::uint8_t>(std::min(sums[i] >> kWeightBits, 255));
  }
}

// The last source rows, resampled horizontally. Row r lies in slot r % slots.
class RowWindow {
 public:
  RowWindow(const Image& image, const ResampleTable& columns, int slots)
      : image_(image),
        columns_(columns),
        slots_(slots),
        row_values_((columns.start.size() * kChannels / kBlock + 1) * kBlock),
        source_first_(static_cast<std::size_t>(columns.start.front()) * kChannels),
        source_bytes_(static_cast<std::size_t>(columns.start.back() + columns.taps.back()) *
                          kChannels -
                      source_first_),
        memory_(static_cast<std::size_t>(slots) * row_values_),
        wide_(source_bytes_ + static_cast<std::size_t>(columns.max_taps) * kChannels + 1) {}

  // Makes rows up to end - 1 present; they must be asked for in rising order.
  void Advance(int begin, int end) {
    for (next_ = std::max(next_, begin); next_ < end; ++next_) {
      const std::size_t row = static_cast<std::size_t>(image_.width) * kChannels;
      ResampleRow(image_.rgb.data() + row * static_cast<std::size_t>(next_) + source_first_,
                  source_bytes_, columns_, wide_.data(), memory_.data() + Offset(next_));
    }
  }
  const std::int32_t* Row(int row) const { return memory_.data() + Offset(row); }
  std::size_t row_values() const { return row_values_; }

 private:
  std::size_t Offset(int row) const { return static_cast<std::size_t>(row % slots_) * row_values_; }

  const Image& image_;
  const ResampleTable& columns_;
  const int slots_;
  const std::size_t row_values_;    // of a resampled row: whole blocks, at least one to spare
  const std::size_t source_first_;  // bytes of a source row before those that the crop needs
  const std::size_t source_bytes_;  // of a source row, that the crop needs
  std::vector<std::int32_t> memory_;
  std::vector<std::int32_t> wide_;
  int next_ = 0;
};

}  // namespace

void ResizeAndCrop(const Image& image, const PreprocessSpec& spec, std::uint8_t* out) {
  XC_CHECK(image.rgb.size() ==
           static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height) * 3);
  const ResizedSize size = PlanResize(image.width, image.height, spec);
  const CropSpan across = PlanCrop(size.width, spec.crop_width);
  const CropSpan down = PlanCrop(size.height, spec.crop_height);
  const ResampleTable columns = MakeResampleTable(image.width, size.width, across);
  const ResampleTable lines = MakeResampleTable(image.height, size.height, down);

  const bool padded = across.count < spec.crop_width || down.count < spec.crop_height;
  if (padded) std::memset(out, 0, spec.PixelBytes());
  const std::size_t out_row_bytes = static_cast<std::size_t>(spec.crop_width) * kChannels;
  out += out_row_bytes * static_cast<std::size_t>(down.pad) +
         kChannels * static_cast<std::size_t>(across.pad);

  RowWindow window(image, columns, lines.stride);
  std::vector<const std::int32_t*> rows(static_cast<std::size_t>(lines.stride));
  std::vector<std::int32_t> sums(window.row_values());
  for (std::size_t y = 0; y < lines.start.size(); ++y, out += out_row_bytes) {
    const int start = lines.start[y];
    const int taps = lines.taps[y];
    window.Advance(start, start + taps);
    for (int k = 0; k < taps; ++k) rows[static_cast<std::size_t>(k)] = window.Row(start + k);
    BlendRows(rows.data(), lines.weight(y), taps, columns.start.size() * kChannels, sums.data(),
              out);
  }
}

// ToTensor divides by 255; dividing here too gives its very bits, which pixel * (1 / 255) does not.
// A scale that is the float nearest to 1 / n means n itself.
float ScaleDivisor(float scale) {
  const double inverse = 1.0 / static_cast<double>(scale);
  const double whole = std::round(inverse);
  if (whole != 0 && static_cast<float>(1.0 / whole) == scale) return static_cast<float>(whole);
  return static_cast<float>(inverse);
}

void NormalizeInto(const std::uint8_t* rgb, const PreprocessSpec& spec, float* out) {
  // A pixel has 256 values: two divisions for each, not for each pixel. tables[c] is for byte c
  // of a pixel, which is the network's channel channel[c].
  const bool reversed = spec.color == ColorOrder::kBgr;
  const float divisor = ScaleDivisor(spec.scale);
  std::array<std::array<float, 256>, kChannels> tables;
  std::array<std::size_t, kChannels> channel;
  for (std::size_t c = 0; c < kChannels; ++c) {
    channel[c] = reversed ? kChannels - 1 - c : c;
    for (std::size_t value = 0; value < 256; ++value) {
      tables[c][value] =
          (static_cast<float>(value) / divisor - spec.mean[channel[c]]) / spec.std[channel[c]];
    }
  }
  const std::size_t pixels = spec.PixelBytes() / kChannels;
  const bool planes = spec.layout == TensorLayout::kNchw;
  const std::size_t step = planes ? 1 : kChannels;
  const std::size_t plane = planes ? pixels : 1;
  float* first = out + plane * channel[0];
  float* second = out + plane * channel[1];
  float* third = out + plane * channel[2];
  for (std::size_t i = 0; i < pixels; ++i, rgb += kChannels) {
    first[i * step] = tables[0][rgb[0]];
    second[i * step] = tables[1][rgb[1]];
    third[i * step] = tables[2][rgb[2]];
  }
}

int ReducedShortSide(const PreprocessSpec& spec) {
  const bool squash = spec.mode == ResizeMode::kSquash;
  return 2 * (squash ? std::max(spec.resize_width, spec.resize_height) : spec.resize_width);
}

}  // namespace xcloud
