#include "models/pipeline/fbp.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "models/pipeline/face/detect_faces.h"
#include "models/pipeline/facesearch.h"

namespace xcloud {
namespace {

constexpr int kSide = 224;
constexpr double kMargin = 10;  // pixels of the caller's photo
constexpr int kDecimals = 2;

// The box and what is near it, as far as the photo goes.
Image FacePixels(const FacePhoto& photo, const RectF& box) {
  const double margin = kMargin / photo.scale;
  const RectF piece{std::max(0.0, box.left - margin), std::max(0.0, box.top - margin),
                    std::min<double>(photo.pixels.width(), box.right + margin),
                    std::min<double>(photo.pixels.height(), box.bottom + margin)};
  constexpr std::size_t kPlane = static_cast<std::size_t>(kSide) * kSide;
  std::vector<float> planes(3 * kPlane);
  photo.pixels.Cut(piece, {{0, 0, 0}, {1, 1, 1}}, {planes.data(), kSide, kSide, kSide, kPlane});
  Image image{kSide, kSide, std::vector<std::uint8_t>(3 * kPlane)};
  for (std::size_t i = 0; i < kPlane; ++i) {
    for (std::size_t c = 0; c < 3; ++c) {
      const float value = std::clamp(planes[c * kPlane + i], 0.0F, 255.0F);
      image.rgb[i * 3 + c] = static_cast<std::uint8_t>(std::lround(value));
    }
  }
  return image;
}

}  // namespace

std::vector<Stage> Fbp::stages() const {
  return {{kProposalNet}, {kRefineNet}, {kOutputNet}, {kModel}};
}

PipelineTask<PipelineAnswer> Fbp::Run(PipelineRun& run) const {
  const Result<FacePhoto> photo = DecodeFacePhoto(run);
  if (!photo.ok()) co_return PipelineAnswer::Failed(photo.status());
  const Result<std::vector<Face>> faces = co_await DetectFaces(run, photo->pixels, min_face_);
  if (!faces.ok()) co_return PipelineAnswer::Failed(faces.status());
  if (faces->empty()) co_return NoFace();
  const Face& face = LargestFace(*faces);
  Image pixels = FacePixels(*photo, face.box);
  const Result<StageRows> rows = co_await run.AskAboutPixels(kModel, std::move(pixels));
  if (!rows.ok()) co_return PipelineAnswer::Failed(rows.status());
  if (rows->width != 1) {
    co_return PipelineAnswer::Failed(Status::Internal("fbp_beauty gives no single score"));
  }
  co_return PipelineAnswer::Of(
      AnswerValue::Fields({{"beauty", AnswerValue::Of(double{rows->values[0]}, kDecimals)},
                           {"detection", AnswerValue::Fields(DescribeFace(face, photo->scale))}}));
}

}  // namespace xcloud
