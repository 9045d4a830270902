#include "models/pipeline/face/face_canvas.h"

#include <algorithm>
#include <cmath>

#include "core/status.h"

namespace xcloud {
namespace {

constexpr double kLongSide = 256;  // of the first level
constexpr double kFactor = 0.709;  // about the square root of a half
constexpr float kThreshold = 0.6F;
constexpr double kLevelOverlap = 0.5;
constexpr double kOverlap = 0.7;
constexpr std::size_t kLevelCells = 400;  // of one level that are compared with each other

int Even(int size) {
  return size + size % 2;
}

bool Meet(const CanvasLevel& a, const CanvasLevel& b) {
  return a.x < b.x + Even(b.width) && b.x < a.x + Even(a.width) && a.y < b.y + Even(b.height) &&
         b.y < a.y + Even(a.height);
}

// The highest, then leftmost place beside or below what is there.
bool Place(CanvasLevel& level, const std::vector<CanvasLevel>& placed) {
  std::vector<PointF> corners = {{0, 0}};
  for (const CanvasLevel& other : placed) {
    corners.push_back({double(other.x + Even(other.width)), double(other.y)});
    corners.push_back({double(other.x), double(other.y + Even(other.height))});
  }
  std::sort(corners.begin(), corners.end(),
            [](PointF a, PointF b) { return a.y != b.y ? a.y < b.y : a.x < b.x; });
  for (const PointF& corner : corners) {
    level.x = static_cast<int>(corner.x);
    level.y = static_cast<int>(corner.y);
    if (level.x + level.width > FaceCanvas::kWidth) continue;
    if (level.y + level.height > FaceCanvas::kHeight) continue;
    const bool free = std::none_of(placed.begin(), placed.end(),
                                   [&](const CanvasLevel& other) { return Meet(level, other); });
    if (free) return true;
  }
  return false;
}

// The cells of one level above the threshold, likeliest first, at most kLevelCells.
std::vector<Face> ReadLevel(std::span<const float> outputs, const PhotoPyramid& photo,
                            const CanvasLevel& level) {
  std::vector<Face> found;
  const double to_x = double(photo.width()) / level.width;
  const double to_y = double(photo.height()) / level.height;
  for (int y = 0; y + FaceCanvas::kWindow <= level.height; y += FaceCanvas::kStride) {
    for (int x = 0; x + FaceCanvas::kWindow <= level.width; x += FaceCanvas::kStride) {
      const int row = (level.y + y) / FaceCanvas::kStride;
      const int column = (level.x + x) / FaceCanvas::kStride;
      const std::size_t cell = static_cast<std::size_t>(row) * FaceCanvas::kCellColumns +
                               static_cast<std::size_t>(column);
      if (outputs[cell] < kThreshold) continue;
      Face face;
      face.score = outputs[cell];
      face.box = {x * to_x, y * to_y, (x + FaceCanvas::kWindow) * to_x,
                  (y + FaceCanvas::kWindow) * to_y};
      for (std::size_t side = 0; side < 4; ++side) {
        face.correction[side] = outputs[(side + 1) * FaceCanvas::kPlane + cell];
      }
      found.push_back(face);
    }
  }
  if (found.size() > kLevelCells) {
    std::nth_element(found.begin(), found.begin() + kLevelCells, found.end(),
                     [](const Face& a, const Face& b) { return a.score > b.score; });
    found.resize(kLevelCells);
  }
  return found;
}

}  // namespace

std::vector<CanvasLevel> PlanCanvas(int width, int height, double min_face) {
  const double short_side = std::min(width, height);
  const double long_side = std::max(width, height);
  const double smallest = std::min(min_face, short_side / 2);
  double scale = std::min(kLongSide / long_side, FaceCanvas::kWindow / smallest);
  std::vector<CanvasLevel> levels;
  while (true) {
    CanvasLevel level;
    level.width = static_cast<int>(std::lround(width * scale));
    level.height = static_cast<int>(std::lround(height * scale));
    if (std::min(level.width, level.height) < FaceCanvas::kWindow) return levels;
    XC_CHECK(Place(level, levels));
    levels.push_back(level);
    scale *= kFactor;
  }
}

std::vector<float> DrawCanvas(const PhotoPyramid& photo, const std::vector<CanvasLevel>& levels) {
  std::vector<float> canvas(FaceCanvas::kValues, 0.0F);
  const RectF whole{0, 0, double(photo.width()), double(photo.height())};
  for (const CanvasLevel& level : levels) {
    Planes out;
    out.stride = FaceCanvas::kWidth;
    out.plane = FaceCanvas::kValues / 3;
    out.data = canvas.data() + static_cast<std::size_t>(level.y) * out.stride +
               static_cast<std::size_t>(level.x);
    out.width = level.width;
    out.height = level.height;
    photo.Cut(whole, kFacePixels, out);
  }
  return canvas;
}

std::vector<Face> ReadCanvas(std::span<const float> outputs, const PhotoPyramid& photo,
                             const std::vector<CanvasLevel>& levels, std::size_t keep) {
  XC_CHECK(outputs.size() == FaceCanvas::kOutputs);
  std::vector<Face> all;
  for (const CanvasLevel& level : levels) {
    const std::vector<Face> found =
        Suppress(ReadLevel(outputs, photo, level), kLevelOverlap, OverlapOf::kUnion);
    all.insert(all.end(), found.begin(), found.end());
  }
  all = Suppress(std::move(all), kOverlap, OverlapOf::kUnion, keep);
  for (Face& face : all) {
    Correct(face);
    face.box = Squared(face.box);
  }
  return all;
}

}  // namespace xcloud
