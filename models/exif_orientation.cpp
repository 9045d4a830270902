#include "models/exif_orientation.h"

#include <cstddef>
#include <cstdint>
#include <utility>

#include "core/status.h"
#include "models/byte_view.h"

namespace xcloud {

int ReadExifOrientation(std::string_view exif) {
  using std::string_view_literals::operator""sv;
  constexpr auto kJpegPrefix = "Exif\0\0"sv;
  constexpr std::uint32_t kOrientationTag = 0x0112;
  constexpr std::uint32_t kShort = 3;
  if (exif.starts_with(kJpegPrefix)) exif.remove_prefix(kJpegPrefix.size());
  const ByteView view(exif);
  const bool big = view.HasText(0, "MM");
  if ((!big && !view.HasText(0, "II")) || !view.Has(0, 8)) return 1;
  const auto u16 = [&](std::uint64_t at) { return big ? view.Be16(at) : view.Le16(at); };
  const std::uint64_t directory = big ? view.Be32(4) : view.Le32(4);
  if (u16(2) != 42 || !view.Has(directory, 2)) return 1;
  const std::uint32_t entries = u16(directory);
  for (std::uint32_t i = 0; i < entries; ++i) {
    const std::uint64_t entry = directory + 2 + std::uint64_t{12} * i;
    if (!view.Has(entry, 12)) return 1;
    if (u16(entry) != kOrientationTag) continue;
    const std::uint32_t value = u16(entry + 8);
    return u16(entry + 2) == kShort && value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

Image ApplyOrientation(Image image, int orientation) {
  XC_CHECK(orientation >= 1 && orientation <= 8);
  if (orientation == 1) return image;
  const std::ptrdiff_t pixel = 3;
  const std::ptrdiff_t row = pixel * image.width;
  const std::ptrdiff_t right = row - pixel;                // from the first to the last column
  const std::ptrdiff_t bottom = row * (image.height - 1);  // from the first to the last row
  const bool swaps_sides = orientation >= 5;
  Image upright;
  upright.width = swaps_sides ? image.height : image.width;
  upright.height = swaps_sides ? image.width : image.height;
  upright.rgb.resize(image.rgb.size());

  // Where the upright image's first pixel lies in the stored one, and which way its rows (x)
  // and columns (y) run there.
  struct Walk {
    std::ptrdiff_t start, x, y;
  };
  const Walk walks[9] = {{},
                         {0, pixel, row},
                         {right, -pixel, row},
                         {bottom + right, -pixel, -row},
                         {bottom, pixel, -row},
                         {0, row, pixel},
                         {bottom, -row, pixel},
                         {bottom + right, -row, -pixel},
                         {right, row, -pixel}};
  const Walk& walk = walks[orientation];
  std::uint8_t* to = upright.rgb.data();
  for (int y = 0; y < upright.height; ++y) {
    std::ptrdiff_t from = walk.start + walk.y * y;
    for (int x = 0; x < upright.width; ++x, from += walk.x, to += pixel) {
      to[0] = image.rgb[static_cast<std::size_t>(from)];
      to[1] = image.rgb[static_cast<std::size_t>(from) + 1];
      to[2] = image.rgb[static_cast<std::size_t>(from) + 2];
    }
  }
  return upright;
}

}  // namespace xcloud
