#include "models/pipeline/face/face_boxes.h"

#include <algorithm>

namespace xcloud {

double Overlap(const RectF& a, const RectF& b, OverlapOf kind) {
  const RectF common{std::max(a.left, b.left), std::max(a.top, b.top), std::min(a.right, b.right),
                     std::min(a.bottom, b.bottom)};
  const double whole = kind == OverlapOf::kUnion ? a.area() + b.area() - common.area()
                                                 : std::min(a.area(), b.area());
  return whole > 0 ? common.area() / whole : 0;
}

std::vector<Face> Suppress(std::vector<Face> faces, double threshold, OverlapOf kind,
                           std::size_t keep) {
  std::stable_sort(faces.begin(), faces.end(),
                   [](const Face& a, const Face& b) { return a.score > b.score; });
  std::vector<Face> kept;
  for (const Face& face : faces) {
    if (keep > 0 && kept.size() == keep) break;
    const bool covered = std::any_of(kept.begin(), kept.end(), [&](const Face& other) {
      return Overlap(face.box, other.box, kind) > threshold;
    });
    if (!covered) kept.push_back(face);
  }
  return kept;
}

void Correct(Face& face) {
  const double width = face.box.width();
  const double height = face.box.height();
  face.box.left += double{face.correction[0]} * width;
  face.box.top += double{face.correction[1]} * height;
  face.box.right += double{face.correction[2]} * width;
  face.box.bottom += double{face.correction[3]} * height;
}

RectF Squared(const RectF& box) {
  const double half = std::max(box.width(), box.height()) / 2;
  const double x = (box.left + box.right) / 2;
  const double y = (box.top + box.bottom) / 2;
  return {x - half, y - half, x + half, y + half};
}

}  // namespace xcloud
