// A decoded photo with what a device needs to resize it: tables of the two axes, made on the
// decode thread so that the lane only copies. Ragged batches of them are laid out by the device.
//
// Bounds, per item, so that a lane's staging memory is fixed when a model is loaded: larger photos
// and stronger reductions are resized by the decode thread. 1.5 MiB holds 800 x 600; a reduction
// of 16 in one axis needs 33 weights. Pure functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "models/cuda_normalize.h"
#include "models/cuda_resize.h"
#include "models/image.h"
#include "models/preprocess_spec.h"

namespace xcloud {

struct ResizableImage {
  Image image;
  RaggedItem item;                   // pixels = 0; tables count from the start of `tables`
  std::vector<std::int32_t> tables;  // of `across`, then of `down`
};

inline constexpr std::size_t kMaxResizableBytes = 3UL << 19;
inline constexpr int kMaxResizableStride = 33;

// Ints of the tables of one item of this spec, at the most.
inline std::size_t MaxTableInts(const PreprocessSpec& spec) {
  return static_cast<std::size_t>(spec.crop_width + spec.crop_height) *
         static_cast<std::size_t>(2 + kMaxResizableStride);
}
// Bytes of the pixels of one item of this spec, at the most: a resized one may be larger.
inline std::size_t MaxImageBytes(const PreprocessSpec& spec) {
  return kMaxResizableBytes > spec.PixelBytes() ? kMaxResizableBytes : spec.PixelBytes();
}

// Moves from `image`; null, and `image` as it was, when it is out of the bounds above.
std::unique_ptr<const ResizableImage> MakeResizable(Image& image, const PreprocessSpec& spec);

NormalizeParams NormalizeParamsOf(const PreprocessSpec& spec);

// Tables that copy: for items that were resized before (their `pixels` are the image).
ResizableImage IdentityPlan(const PreprocessSpec& spec);

}  // namespace xcloud
