// EXIF orientation: how a camera held the sensor, as a number from 1 (upright) to 8.
//
// Any thread; pure. A missing or broken EXIF block counts as 1: it never fails a photo.
// Source: TIFF 6.0 (structure), EXIF 2.32 tag 0x0112.
#pragma once

#include <string_view>

#include "models/image.h"

namespace xcloud {

// `exif` is a TIFF block, with or without the "Exif\0\0" that JPEG puts before it.
int ReadExifOrientation(std::string_view exif);

// The upright image. REQUIRES: 1 <= orientation <= 8. Copies unless orientation is 1.
Image ApplyOrientation(Image image, int orientation);

}  // namespace xcloud
