// PhotoPyramid: a photo and its halves, quarters and so on, from which pieces of any size are cut
// at a cost that depends on the piece's size in the result, not in the photo.
//
// Coordinates are in pixels of the photo; pixel i covers i to i + 1. A piece that is larger than
// its result is averaged over areas, a smaller one is interpolated; what lies outside the photo is
// black. Results are planes of red, green and blue, (value - mean) * scale.
// Thread safety: immutable once made; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "models/image.h"

namespace xcloud {

struct PointF {
  double x = 0;
  double y = 0;
};

struct RectF {
  double left = 0;
  double top = 0;
  double right = 0;
  double bottom = 0;

  double width() const { return right - left; }
  double height() const { return bottom - top; }
  double area() const { return width() > 0 && height() > 0 ? width() * height() : 0; }
};

struct PixelScaling {
  std::array<float, 3> mean;
  std::array<float, 3> scale;
};

// Where the planes lie: rows of `stride` floats, planes of `plane` floats.
struct Planes {
  float* data = nullptr;
  int width = 0;
  int height = 0;
  std::size_t stride = 0;
  std::size_t plane = 0;
};

// x' = a x - b y + c, y' = b x + a y + d: turns, scales and moves.
struct Similarity {
  double a = 1;
  double b = 0;
  double c = 0;
  double d = 0;

  PointF operator()(PointF p) const { return {a * p.x - b * p.y + c, b * p.x + a * p.y + d}; }
};

class PhotoPyramid {
 public:
  // REQUIRES: a photo that is not empty.
  explicit PhotoPyramid(Image photo);

  int width() const { return levels_.front().width; }
  int height() const { return levels_.front().height; }

  // `piece` of the photo, made to fit `out`. REQUIRES: a piece with an area.
  void Cut(const RectF& piece, const PixelScaling& scaling, const Planes& out) const;
  // The place (x, y) of `out` shows the place to_photo(x, y) of the photo.
  void Warp(const Similarity& to_photo, const PixelScaling& scaling, const Planes& out) const;

 private:
  std::size_t LevelFor(double photo_pixels_per_pixel) const;
  std::vector<Image> levels_;
};

}  // namespace xcloud
