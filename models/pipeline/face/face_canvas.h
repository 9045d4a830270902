// The canvas of P-Net: MTCNN looks for faces of one size in a pyramid of pictures, and each photo's
// pyramid has sizes of its own. Here all levels of a photo lie side by side in one picture of a
// fixed size, so that photos of all sizes share batches.
//
// A level's corner lies on an even place, so a cell of the output, which sees 12 x 12 pixels from
// twice its place, sees of a level exactly what it would see of the level alone. Cells that see
// more than one level, or what is round them, are not read.
// Pure functions; any thread.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "models/pipeline/face/face_boxes.h"
#include "models/pipeline/face/photo_pyramid.h"

namespace xcloud {

struct FaceCanvas {
  static constexpr int kWidth = 256;
  static constexpr int kHeight = 576;
  static constexpr int kWindow = 12;  // pixels of a face that P-Net sees
  static constexpr int kStride = 2;   // pixels between two cells
  static constexpr int kCellRows = 283;
  static constexpr int kCellColumns = 123;
  static constexpr std::size_t kValues = 3UL * kWidth * kHeight;
  static constexpr std::size_t kPlane = static_cast<std::size_t>(kCellRows) * kCellColumns;
  static constexpr std::size_t kOutputs = 5 * kPlane;  // probability, then four corrections
};

// One level: where it lies on the canvas, in pixels.
struct CanvasLevel {
  int x = 0;  // even
  int y = 0;  // even
  int width = 0;
  int height = 0;
};

// The levels of a photo of that size: in the first a face of `min_face` pixels is 12 pixels large,
// unless the photo then were larger than 256 pixels; each next is 0.709 of the last, down to the
// last that has 12. Of a photo whose short side is less than twice min_face, half that side counts.
// Every photo's levels fit.
std::vector<CanvasLevel> PlanCanvas(int width, int height, double min_face);

// kValues floats, (pixel - 127.5) / 128; zero where no level is.
std::vector<float> DrawCanvas(const PhotoPyramid& photo, const std::vector<CanvasLevel>& levels);

// What P-Net says of it: boxes of cells above the threshold, suppressed within each level and then
// between all, corrected and squared; at most `keep`. REQUIRES: kOutputs values.
std::vector<Face> ReadCanvas(std::span<const float> outputs, const PhotoPyramid& photo,
                             const std::vector<CanvasLevel>& levels, std::size_t keep);

// As every network of MTCNN takes pixels.
inline constexpr PixelScaling kFacePixels{{127.5F, 127.5F, 127.5F},
                                          {1.0F / 128, 1.0F / 128, 1.0F / 128}};

}  // namespace xcloud
