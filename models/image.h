// Image: decoded pixels, 8-bit RGB, rows from the top, no padding between rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace xcloud {

struct Image {
  int width = 0;  // pixels, after EXIF orientation
  int height = 0;
  std::vector<std::uint8_t> rgb;  // height * width * 3, interleaved
};

}  // namespace xcloud
