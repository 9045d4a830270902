// DecodeImage: an encoded photo (JPEG, PNG, WebP, BMP) to upright 8-bit RGB.
//
// The result equals what Pillow's ImageOps.exif_transpose(Image.open(f)).convert("RGB") gives, so
// that training and serving agree, with one exception (16-bit grey, below):
//   orientation  EXIF 1 to 8 is applied (JPEG APP1, PNG eXIf, WebP EXIF)
//   grey         the value in all three channels
//   CMYK, YCCK   taken as inverted, as Adobe writes them; no colour profile is applied
//   alpha        dropped, not composited: the colour under it is kept
//   16 bits      the high byte. Pillow does so for colour, but clips 16-bit grey at 255
//   animation    an animated WebP is refused; of an animated PNG the still image is taken
// A file that is cut short or damaged is an error, never a partly grey picture.
//
// Any thread; works on the calling thread alone (OpenCV's own threads are turned off, process
// wide); nothing is thrown. About 1.5 ms for a 500 x 375 JPEG (shared/performance.md, section 2).
#pragma once

#include <cstdint>
#include <string_view>

#include "core/result.h"
#include "models/image.h"

namespace xcloud {

struct DecodeLimits {
  std::int64_t max_pixels = 50'000'000;  // width * height
  std::int64_t max_side = 16'384;        // pixels of the longer side
};

// `min_short_side` > 0 allows a JPEG to be decoded at 1/2, 1/4 or 1/8 of its size, as long as the
// short side keeps that many pixels; 0 decodes in full. Other formats ignore it. Pixels then
// differ a little from a full decode: give twice the resize target (see ReducedShortSide in
// models/preprocess.h).
//
// Errors: UnsupportedMedia (no format that is read), TooLarge (names size and limit; found before
// anything is decoded), InvalidArgument (cut short or corrupt), Overloaded (no memory for it now).
Result<Image> DecodeImage(std::string_view bytes, const DecodeLimits& limits,
                          int min_short_side = 0);

}  // namespace xcloud
