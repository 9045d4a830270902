#include "models/pipeline/face/align_face.h"

namespace xcloud {
namespace {

// In parts of the mean face's box.
constexpr FacePoints kMeanFace = {{{0.225494, 0.215993},
                                   {0.754758, 0.215993},
                                   {0.490127, 0.515625},
                                   {0.254149, 0.780233},
                                   {0.726104, 0.780233}}};

// dlib counts from the centres of pixels.
FacePoints ChipPoints(const FaceChip& chip) {
  constexpr double kCentre = 0.5;
  FacePoints points = kMeanFace;
  for (PointF& point : points) {
    point.x = (point.x + chip.padding) / (1 + 2 * chip.padding) * chip.side + kCentre;
    point.y = (point.y + chip.padding) / (1 + 2 * chip.padding) * chip.side + kCentre;
  }
  return points;
}

PointF Mean(const FacePoints& points) {
  PointF mean;
  for (const PointF& point : points) {
    mean.x += point.x / static_cast<double>(points.size());
    mean.y += point.y / static_cast<double>(points.size());
  }
  return mean;
}

}  // namespace

// As complex numbers z to w: a + ib = sum conj(z - mean) (w - mean) / sum |z - mean|^2.
Similarity FitSimilarity(const FacePoints& from, const FacePoints& to) {
  const PointF from_mean = Mean(from);
  const PointF to_mean = Mean(to);
  double real = 0;
  double imaginary = 0;
  double squares = 0;
  for (std::size_t i = 0; i < from.size(); ++i) {
    const PointF z{from[i].x - from_mean.x, from[i].y - from_mean.y};
    const PointF w{to[i].x - to_mean.x, to[i].y - to_mean.y};
    real += z.x * w.x + z.y * w.y;
    imaginary += z.x * w.y - z.y * w.x;
    squares += z.x * z.x + z.y * z.y;
  }
  Similarity fit;
  if (squares > 0) {
    fit.a = real / squares;
    fit.b = imaginary / squares;
  }
  fit.c = to_mean.x - fit.a * from_mean.x + fit.b * from_mean.y;
  fit.d = to_mean.y - fit.b * from_mean.x - fit.a * from_mean.y;
  return fit;
}

void AlignFace(const PhotoPyramid& photo, const FacePoints& points, const FaceChip& chip,
               float* out) {
  const auto side = static_cast<std::size_t>(chip.side);
  const Planes planes{out, chip.side, chip.side, side, side * side};
  photo.Warp(FitSimilarity(ChipPoints(chip), points), chip.pixels, planes);
}

std::vector<float> AlignFace(const PhotoPyramid& photo, const FacePoints& points,
                             const FaceChip& chip) {
  const auto side = static_cast<std::size_t>(chip.side);
  std::vector<float> out(3 * side * side);
  AlignFace(photo, points, chip, out.data());
  return out;
}

}  // namespace xcloud
