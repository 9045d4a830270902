// Photos of "faces" that puppet networks can find exactly: bright squares on black. Tests only.
//
// The puppets see as MTCNN does, through the canvas and through pieces, and answer where the bright
// square is; so a box that comes out right was scaled, cut and put together right at every step.
#pragma once

#include <algorithm>
#include <cstdint>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <string>
#include <vector>

#include "models/pipeline/face/face_canvas.h"
#include "tests/models/pipeline/puppet_models.h"

namespace xcloud {

// A PNG of black with filled squares in RGB.
struct Patch {
  int x, y, side;
  int red, green, blue;
};
inline std::string PatchPhoto(int width, int height, const std::vector<Patch>& patches) {
  cv::Mat image(height, width, CV_8UC3, cv::Scalar(0, 0, 0));
  for (const Patch& p : patches) {
    cv::rectangle(image, cv::Rect(p.x, p.y, p.side, p.side), cv::Scalar(p.blue, p.green, p.red),
                  cv::FILLED);
  }
  std::vector<std::uint8_t> bytes;
  cv::imencode(".png", image, bytes);
  return {bytes.begin(), bytes.end()};
}

// Planes of pixels as MTCNN's networks take them.
struct View {
  const float* data;
  int width, height;

  // In any colour.
  bool Bright(int x, int y) const {
    if (x < 0 || y < 0 || x >= width || y >= height) return false;
    const std::size_t plane = static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
    const std::size_t at =
        static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x);
    return data[at] > 0 || data[plane + at] > 0 || data[2 * plane + at] > 0;
  }
  // Bright pixels from (x, y) on, in one direction, at most `limit`.
  int Run(int x, int y, int dx, int dy, int limit) const {
    int run = 0;
    while (run < limit && Bright(x, y)) {
      x += dx;
      y += dy;
      ++run;
    }
    return run;
  }
};

// Where the square round the middle of a piece of `side` pixels ends, as corrections; none = no
// face.
inline bool Measure(const View& view, int left, int top, int side, float* corrections) {
  const int x = left + side / 2;
  const int y = top + side / 2;
  if (!view.Bright(x, y)) return false;
  const float size = static_cast<float>(side);
  const int most = side;
  corrections[0] = static_cast<float>(side / 2 + 1 - view.Run(x, y, -1, 0, most)) / size;
  corrections[1] = static_cast<float>(side / 2 + 1 - view.Run(x, y, 0, -1, most)) / size;
  corrections[2] = static_cast<float>(view.Run(x, y, 1, 0, most) - side + side / 2) / size;
  corrections[3] = static_cast<float>(view.Run(x, y, 0, 1, most) - side + side / 2) / size;
  return true;
}

// A face where a square of about 12 pixels fills the window: levels that show it larger or smaller
// answer no.
inline Result<std::vector<float>> PuppetProposals(const PuppetModels::Question& question) {
  std::vector<float> out(question.items * FaceCanvas::kOutputs, 0.0F);
  for (std::size_t item = 0; item < question.items; ++item) {
    const View view{question.values.data() + item * FaceCanvas::kValues, FaceCanvas::kWidth,
                    FaceCanvas::kHeight};
    float* const cells = out.data() + item * FaceCanvas::kOutputs;
    for (int row = 0; row < FaceCanvas::kCellRows; ++row) {
      for (int column = 0; column < FaceCanvas::kCellColumns; ++column) {
        float moves[4];
        if (!Measure(view, 2 * column, 2 * row, 12, moves)) continue;
        const float off = std::max(
            {std::abs(moves[0]), std::abs(moves[1]), std::abs(moves[2]), std::abs(moves[3])});
        if (off > 0.25F) continue;
        const auto cell = static_cast<std::size_t>(row * FaceCanvas::kCellColumns + column);
        cells[cell] = 1 - off;
        for (std::size_t side = 0; side < 4; ++side) {
          cells[(side + 1) * FaceCanvas::kPlane + cell] = moves[side];
        }
      }
    }
  }
  return out;
}

// R-Net, and with points O-Net: at 0.3, 0.4 | 0.7, 0.4 | 0.5, 0.6 | 0.35, 0.8 | 0.65, 0.8 of the
// box that it is shown.
inline Result<std::vector<float>> PuppetPieces(const PuppetModels::Question& question, int side,
                                               bool points) {
  constexpr float kPoints[10] = {0.3F, 0.7F, 0.5F, 0.35F, 0.65F, 0.4F, 0.4F, 0.6F, 0.8F, 0.8F};
  std::vector<float> out;
  const auto size = static_cast<std::size_t>(3 * side * side);
  for (std::size_t item = 0; item < question.items; ++item) {
    float moves[4] = {0, 0, 0, 0};
    const bool face =
        Measure({question.values.data() + item * size, side, side}, 0, 0, side, moves);
    out.insert(out.end(), {face ? 0.05F : 0.95F, face ? 0.95F : 0.05F});
    out.insert(out.end(), moves, moves + 4);
    if (points) out.insert(out.end(), kPoints, kPoints + 10);
  }
  return out;
}

inline void AddFaceModels(PuppetModels& models) {
  models.Add("mtcnn_pnet", {3, FaceCanvas::kHeight, FaceCanvas::kWidth}, PuppetProposals);
  models.Add("mtcnn_rnet", {3, 24, 24}, [](const PuppetModels::Question& question) {
    return PuppetPieces(question, 24, false);
  });
  models.Add("mtcnn_onet", {3, 48, 48}, [](const PuppetModels::Question& question) {
    return PuppetPieces(question, 48, true);
  });
}

}  // namespace xcloud
