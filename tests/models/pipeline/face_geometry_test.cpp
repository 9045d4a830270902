// The geometry of finding faces: the photo's pyramid, the canvas, boxes, alignment.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "models/pipeline/face/align_face.h"
#include "models/pipeline/face/face_boxes.h"
#include "models/pipeline/face/face_canvas.h"
#include "models/pipeline/face/photo_pyramid.h"

namespace xcloud {
namespace {

constexpr PixelScaling kPlain{{0, 0, 0}, {1, 1, 1}};

// Red is x, green is y, blue is constant.
Image Ramp(int width, int height) {
  Image image{width, height, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      image.rgb.insert(image.rgb.end(), {static_cast<std::uint8_t>(x % 256),
                                         static_cast<std::uint8_t>(y % 256), 77});
    }
  }
  return image;
}

std::vector<float> CutOf(const PhotoPyramid& photo, const RectF& piece, int width, int height) {
  const auto plane = static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
  std::vector<float> out(3 * plane);
  photo.Cut(piece, kPlain, {out.data(), width, height, static_cast<std::size_t>(width), plane});
  return out;
}

TEST(PhotoPyramid, CutsPixelsAsTheyAre) {
  const PhotoPyramid photo(Ramp(40, 30));
  const std::vector<float> out = CutOf(photo, {5, 7, 15, 13}, 10, 6);
  for (std::size_t y = 0; y < 6; ++y) {
    for (std::size_t x = 0; x < 10; ++x) {
      EXPECT_FLOAT_EQ(out[y * 10 + x], float(5 + x));
      EXPECT_FLOAT_EQ(out[60 + y * 10 + x], float(7 + y));
      EXPECT_FLOAT_EQ(out[120 + y * 10 + x], 77);
    }
  }
}

// The mean of what a pixel of the result covers, at every level of the pyramid.
TEST(PhotoPyramid, AveragesWhatAPixelCovers) {
  const PhotoPyramid photo(Ramp(240, 200));
  for (const double side : {12.0, 17.0, 30.0, 64.0, 125.0}) {
    const double left = 31.25;
    const double top = 20.5;
    const std::vector<float> out = CutOf(photo, {left, top, left + side, top + side}, 8, 8);
    const double step = side / 8;
    for (std::size_t i = 0; i < 8; ++i) {
      const double middle = (double(i) + 0.5) * step - 0.5;
      EXPECT_NEAR(out[3 * 8 + i], left + middle, 0.5 + step / 16) << side << " at " << i;
      EXPECT_NEAR(out[64 + i * 8 + 3], top + middle, 0.5 + step / 16) << side << " at " << i;
    }
  }
}

TEST(PhotoPyramid, IsBlackOutside) {
  const PhotoPyramid photo(Ramp(16, 16));
  const std::vector<float> out = CutOf(photo, {-8, -8, 8, 8}, 16, 16);
  EXPECT_EQ(out[2 * 256], 0) << "blue above and left of the photo";
  EXPECT_EQ(out[2 * 256 + 15 * 16 + 15], 77);
  const std::vector<float> away = CutOf(photo, {100, 100, 110, 110}, 4, 4);
  EXPECT_EQ(*std::max_element(away.begin(), away.end()), 0);
}

TEST(FaceCanvas, HoldsTheLevelsOfEveryPhoto) {
  for (int width = 24; width <= 300; width += 3) {
    for (int height = 24; height <= 300; height += 3) {
      const std::vector<CanvasLevel> levels = PlanCanvas(width, height, 12);
      ASSERT_FALSE(levels.empty()) << width << " x " << height;
      for (std::size_t i = 0; i < levels.size(); ++i) {
        const CanvasLevel& level = levels[i];
        ASSERT_TRUE(level.x % 2 == 0 && level.y % 2 == 0);
        ASSERT_LE(level.x + level.width, FaceCanvas::kWidth);
        ASSERT_LE(level.y + level.height, FaceCanvas::kHeight);
        for (std::size_t j = 0; j < i; ++j) {
          const CanvasLevel& other = levels[j];
          ASSERT_TRUE(level.x >= other.x + other.width || other.x >= level.x + level.width ||
                      level.y >= other.y + other.height || other.y >= level.y + level.height)
              << width << " x " << height << ": levels " << j << " and " << i << " meet";
        }
      }
    }
  }
}

TEST(FaceCanvas, ItsFirstLevelShowsTheSmallestFaceAsTwelvePixels) {
  EXPECT_EQ(PlanCanvas(100, 80, 20).front().width, 60);
  EXPECT_EQ(PlanCanvas(100, 80, 12).front().width, 100);
  EXPECT_EQ(PlanCanvas(4000, 3000, 20).front().width, 256) << "the canvas bounds it";
  EXPECT_EQ(PlanCanvas(25, 25, 20).front().width, 24) << "a tiny photo is looked at all the same";
  EXPECT_TRUE(PlanCanvas(1, 500, 20).empty());
}

TEST(FaceCanvas, ALevelIsDrawnAsItWouldBeAlone) {
  const PhotoPyramid photo(Ramp(150, 200));
  const std::vector<CanvasLevel> levels = PlanCanvas(150, 200, 20);
  const std::vector<float> canvas = DrawCanvas(photo, levels);
  ASSERT_GT(levels.size(), 3U);
  const CanvasLevel& level = levels[2];
  std::vector<float> alone(static_cast<std::size_t>(3 * level.width * level.height));
  photo.Cut({0, 0, 150, 200}, kFacePixels,
            {alone.data(), level.width, level.height, static_cast<std::size_t>(level.width),
             static_cast<std::size_t>(level.width * level.height)});
  for (int y = 0; y < level.height; ++y) {
    for (int x = 0; x < level.width; ++x) {
      ASSERT_EQ(canvas[static_cast<std::size_t>((level.y + y) * FaceCanvas::kWidth + level.x + x)],
                alone[static_cast<std::size_t>(y * level.width + x)]);
    }
  }
}

// A network that sees faces everywhere: no box reaches over a level's border.
TEST(FaceCanvas, ReadsOnlyCellsThatSeeOneLevel) {
  const PhotoPyramid photo(Ramp(150, 200));
  const std::vector<CanvasLevel> levels = PlanCanvas(150, 200, 20);
  std::vector<float> outputs(FaceCanvas::kOutputs, 0.0F);
  std::fill_n(outputs.begin(), FaceCanvas::kPlane, 0.99F);
  const std::vector<Face> faces = ReadCanvas(outputs, photo, levels, 100);
  ASSERT_EQ(faces.size(), 100U);
  for (const Face& face : faces) {
    EXPECT_GE(face.box.left, -3);  // a box of a level that is not quite in proportion is squared
    EXPECT_GE(face.box.top, -3);
    EXPECT_LE(face.box.right, 153);
    EXPECT_LE(face.box.bottom, 203);
  }
  std::fill_n(outputs.begin(), FaceCanvas::kPlane, 0.59F);
  EXPECT_TRUE(ReadCanvas(outputs, photo, levels, 100).empty());
}

TEST(FaceBoxes, OverlapSuppressionCorrectionSquares) {
  EXPECT_DOUBLE_EQ(Overlap({0, 0, 10, 10}, {5, 0, 15, 10}, OverlapOf::kUnion), 50.0 / 150);
  EXPECT_DOUBLE_EQ(Overlap({0, 0, 10, 10}, {2, 2, 4, 4}, OverlapOf::kSmaller), 1);
  EXPECT_DOUBLE_EQ(Overlap({0, 0, 1, 1}, {5, 5, 6, 6}, OverlapOf::kUnion), 0);
  EXPECT_DOUBLE_EQ(Overlap({0, 0, 0, 0}, {0, 0, 0, 0}, OverlapOf::kUnion), 0);
  Face weak{{0, 0, 10, 10}, 0.7F};
  Face strong{{1, 0, 11, 10}, 0.9F};
  Face apart{{50, 50, 60, 60}, 0.8F};
  const auto kept = Suppress({weak, strong, apart}, 0.5, OverlapOf::kUnion);
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_EQ(kept[0].score, 0.9F);
  EXPECT_EQ(kept[1].score, 0.8F);
  EXPECT_EQ(Suppress({weak, strong, apart}, 0.5, OverlapOf::kUnion, 1).size(), 1U);
  Face moved{{0, 0, 10, 20}, 1, {}, {0.1F, -0.1F, 0.2F, 0}};
  Correct(moved);
  EXPECT_NEAR(moved.box.left, 1, 1e-5);
  EXPECT_NEAR(moved.box.top, -2, 1e-5);
  EXPECT_NEAR(moved.box.right, 12, 1e-5);
  EXPECT_NEAR(moved.box.bottom, 20, 1e-5);
  const RectF square = Squared({0, 0, 10, 20});
  EXPECT_DOUBLE_EQ(square.left, -5);
  EXPECT_DOUBLE_EQ(square.bottom, 20);
}

TEST(AlignFace, FindsTheTurnTheScaleAndTheMove) {
  const Similarity truth{1.5 * std::cos(0.4), 1.5 * std::sin(0.4), 30, -7};
  FacePoints from = {{{10, 10}, {30, 11}, {20, 25}, {12, 33}, {28, 34}}};
  FacePoints to;
  for (std::size_t i = 0; i < from.size(); ++i) to[i] = truth(from[i]);
  const Similarity fit = FitSimilarity(from, to);
  EXPECT_NEAR(fit.a, truth.a, 1e-9);
  EXPECT_NEAR(fit.b, truth.b, 1e-9);
  EXPECT_NEAR(fit.c, truth.c, 1e-9);
  EXPECT_NEAR(fit.d, truth.d, 1e-9);
}

// The eyes of a turned face come to lie where dlib's mean face has them.
TEST(AlignFace, PutsTheEyesWhereTheNetworkExpectsThem) {
  const FacePoints mean = {
      {{47.55, 46.60}, {100.48, 46.60}, {74.01, 76.56}, {50.41, 103.02}, {97.61, 103.02}}};
  const Similarity turn{0.7 * std::cos(-0.3), 0.7 * std::sin(-0.3), 40, 70};
  FacePoints points;
  for (std::size_t i = 0; i < mean.size(); ++i) points[i] = turn({mean[i].x, mean[i].y});
  const PhotoPyramid photo(Ramp(200, 180));
  FaceChip chip = kEmbeddingChip;
  chip.pixels = kPlain;
  const std::vector<float> out = AlignFace(photo, points, chip);
  for (std::size_t i = 0; i < 2; ++i) {
    const auto at = static_cast<std::size_t>(std::lround(mean[i].y) * 150 + std::lround(mean[i].x));
    EXPECT_NEAR(out[at], points[i].x - 0.5, 1.2) << "red is x";
    EXPECT_NEAR(out[150 * 150 + at], points[i].y - 0.5, 1.2) << "green is y";
  }
  EXPECT_NEAR(AlignFace(photo, points, kEmbeddingChip)[0] * 256 + 122.782F, out[0], 1e-3);
}

}  // namespace
}  // namespace xcloud
