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
#include <span>
#include <vector>

#include "models/cuda_normalize.h"
#include "models/cuda_resize.h"
#include "models/image.h"
#include "models/network.h"
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

// A ragged batch in one buffer: [RaggedItem of each][tables][photos].
struct RaggedLayout {
  std::size_t tables_at = 0;  // byte of the first table
  std::size_t photos_at = 0;  // byte of the first photo
  std::size_t used = 0;       // bytes of all
};
// Bytes that `items` items need at the most.
std::size_t RaggedBytes(const PreprocessSpec& spec, std::size_t items);
// Lays the items out from `base` on, which is aligned for RaggedItem. Items that were resized
// before go through `identity`, made by IdentityPlan(spec). REQUIRES: RaggedBytes bytes.
RaggedLayout PackRagged(std::span<const NetworkItem> items, const PreprocessSpec& spec,
                        const ResizableImage& identity, std::uint8_t* base);

}  // namespace xcloud
