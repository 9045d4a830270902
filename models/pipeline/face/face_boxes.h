// Boxes of faces between the steps of MTCNN: overlap, suppression, correction, squares. Pure
// functions; any thread. Coordinates in pixels of the photo.
// Source: Zhang et al. 2016, "Joint Face Detection and Alignment Using Multitask Cascaded
// Convolutional Networks"; thresholds and order as in the authors' code.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "models/pipeline/face/photo_pyramid.h"

namespace xcloud {

// Left eye, right eye, nose, left and right corner of the mouth, as seen in the photo.
using FacePoints = std::array<PointF, 5>;

struct Face {
  RectF box;
  float score = 0;                    // probability of a face, 0 to 1
  FacePoints points{};                // once O-Net has seen it
  std::array<float, 4> correction{};  // of left, top, right, bottom, in parts of the box's size
};

enum class OverlapOf {
  kUnion,    // intersection over union
  kSmaller,  // over the smaller of the two: a box in a box goes as well
};

double Overlap(const RectF& a, const RectF& b, OverlapOf kind);

// The likeliest first; of boxes that overlap by more than `threshold`, the likeliest. At most
// `keep`; 0 = all.
std::vector<Face> Suppress(std::vector<Face> faces, double threshold, OverlapOf kind,
                           std::size_t keep = 0);

// Moves the sides as the network said.
void Correct(Face& face);
// The square round the same centre, of the longer side.
RectF Squared(const RectF& box);

}  // namespace xcloud
