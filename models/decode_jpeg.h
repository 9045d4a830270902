// DecodeJpeg: the JPEG half of models/decode.h, on libjpeg-turbo itself.
//
// OpenCV's JPEG reader hides libjpeg's warnings, so a photo cut in its middle comes back as a grey
// half and as a success; here it is an error. Output equals Pillow's convert("RGB") (CMYK and
// YCCK included, taken as inverted the way Adobe writes them). Any thread; one thread's work.
#pragma once

#include <string_view>

#include "core/result.h"
#include "models/image.h"
#include "models/image_header.h"

namespace xcloud {

struct StoredImage {
  Image image;          // as stored
  int orientation = 1;  // EXIF, 1 to 8
};

// `header` is what ReadImageHeader said and what the limits were checked against; a file that
// tells the decoder another size is refused. `min_short_side` as in DecodeImage.
Result<StoredImage> DecodeJpeg(std::string_view bytes, const ImageHeader& header,
                               int min_short_side);

}  // namespace xcloud
