// AlignFace: the picture of one face as dlib's networks were trained with: the face turned upright
// and scaled to its mean face, with some padding.
//
// dlib takes five landmarks of its own (corners of the eyes, base of the nose); MTCNN gives the
// eyes' centres, the tip of the nose and the corners of the mouth. All of them have places in the
// mean face of 68 points that dlib aligns to, and those are what is matched here, with least
// squares. Source of the numbers: dlib 19.24, image_transforms/interpolation.h, the mean face's
// points 30 (nose tip), 36 to 47 (eyes, averaged), 48 and 54 (corners of the mouth).
// Pure functions; any thread.
#pragma once

#include <vector>

#include "models/pipeline/face/face_boxes.h"
#include "models/pipeline/face/photo_pyramid.h"

namespace xcloud {

// How a network takes a face.
struct FaceChip {
  int side = 150;         // pixels
  double padding = 0.25;  // of the mean face's box, on each side
  PixelScaling pixels;
};

// The input of face_embedding: (RGB - dlib's means) / 256.
inline constexpr FaceChip kEmbeddingChip{
    150, 0.25, {{122.782F, 117.001F, 104.298F}, {1.0F / 256, 1.0F / 256, 1.0F / 256}}};

// The similarity that takes `from` nearest to `to`, by the sum of squares. The identity, moved,
// when all of `from` are one point.
Similarity FitSimilarity(const FacePoints& from, const FacePoints& to);

// Writes 3 * side * side floats.
void AlignFace(const PhotoPyramid& photo, const FacePoints& points, const FaceChip& chip,
               float* out);
std::vector<float> AlignFace(const PhotoPyramid& photo, const FacePoints& points,
                             const FaceChip& chip);

}  // namespace xcloud
