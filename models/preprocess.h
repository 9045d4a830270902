// Preprocess: a decoded photo to the network's input, as the torchvision transforms that the
// network was trained with do it: Resize, CenterCrop, ToTensor, Normalize.
//
// ResizeAndCrop equals Pillow's resize(BILINEAR) and torchvision's CenterCrop bit for bit, rows
// resized before columns as in Pillow up to 12 (Pillow 13 swaps them for some shapes: 1 level off);
// NormalizeInto equals ToTensor and Normalize bit for bit when 1 / scale is a whole number, such
// as 255, else to float rounding (tests/models/preprocess_parity_test.cpp).
//
// Any thread; pure; the calling thread alone. About 0.2 ms for 500 x 375 to 224 x 224.
#pragma once

#include <cstdint>

#include "models/image.h"
#include "models/preprocess_spec.h"

namespace xcloud {

// Writes spec.PixelBytes() bytes: crop_height rows of RGB, interleaved. One pass over the source:
// only the pixels of the crop are computed, and only a few resampled rows are held at a time.
// A resized image smaller than the crop is centred on black.
// REQUIRES: a non-empty image; sizes in spec >= 1.
void ResizeAndCrop(const Image& image, const PreprocessSpec& spec, std::uint8_t* out);

// Writes PixelBytes() floats, (pixel * scale - mean) / std, in the spec's layout and colour order,
// from what ResizeAndCrop wrote.
void NormalizeInto(const std::uint8_t* rgb, const PreprocessSpec& spec, float* out);

// What a pixel is divided by: 1 / scale, made whole where the scale is the float nearest to 1 / n.
float ScaleDivisor(float scale);

// What to give DecodeImage as min_short_side: twice the resize target, so that reduced decoding
// still leaves the resampling something to average.
int ReducedShortSide(const PreprocessSpec& spec);

}  // namespace xcloud
