// Geometry of resize and crop along one axis, by torchvision's rules, and Pillow's weights for it.
// Pure arithmetic without pixels; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "models/preprocess_spec.h"

namespace xcloud {

// Size after the resize step. 64-bit: the long side of a very narrow photo may leave 32 bits.
struct ResizedSize {
  std::int64_t width = 0;
  std::int64_t height = 0;
};
// kShortSide: the long side is the exact product rounded down, as int(size * long / short).
ResizedSize PlanResize(int width, int height, const PreprocessSpec& spec);

// One axis of the centred crop: the output positions pad ... pad + count - 1 hold the resized
// positions first ... first + count - 1; the other output positions are black.
struct CropSpan {
  std::int64_t first = 0;
  int count = 0;
  int pad = 0;
};
// The offset is half the surplus, a half rounded to even as Python's round() does.
CropSpan PlanCrop(std::int64_t resized, int crop);

// Weights are fixed point: kWeightBits after the point, like Pillow's, so that sums agree.
inline constexpr int kWeightBits = 22;

// Output position i is the sum of weight(i)[k] * source[start[i] + k], k < taps[i].
struct ResampleTable {
  int stride = 0;    // weights kept per output position; behind taps[i] they are 0
  int max_taps = 0;  // <= stride
  std::vector<int> start;
  std::vector<int> taps;
  std::vector<std::int32_t> weights;

  const std::int32_t* weight(std::size_t i) const {
    return weights.data() + i * static_cast<std::size_t>(stride);
  }
};
// Triangle filter, widened by the reduction (antialiased), for the positions of `span` only.
ResampleTable MakeResampleTable(int source, std::int64_t resized, const CropSpan& span);

}  // namespace xcloud
