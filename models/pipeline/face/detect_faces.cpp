#include "models/pipeline/face/detect_faces.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <new>
#include <utility>

#include "models/image_header.h"
#include "models/pipeline/face/face_canvas.h"
#include "models/preprocess.h"

namespace xcloud {
namespace {

constexpr int kShortSide = 640;  // that reduced decoding leaves at least
constexpr int kLongSide = 1280;  // of what is looked at: bounds a photo's memory to some megabytes
constexpr int kRefineSide = 24;
constexpr int kOutputSide = 48;
constexpr std::size_t kRefineOutputs = 6;
constexpr std::size_t kOutputOutputs = 16;
constexpr float kRefineThreshold = 0.7F;
constexpr float kOutputThreshold = 0.7F;
constexpr double kOverlap = 0.7;
constexpr double kSmallestBox = 1;  // pixels
constexpr double kFarthest = 1e5;   // pixels from the photo's corner

Image Shrunk(const Image& image) {
  const double scale = double{kLongSide} / std::max(image.width, image.height);
  PreprocessSpec spec;
  spec.mode = ResizeMode::kSquash;
  spec.resize_width = std::max(1, static_cast<int>(std::lround(image.width * scale)));
  spec.resize_height = std::max(1, static_cast<int>(std::lround(image.height * scale)));
  spec.crop_width = spec.resize_width;
  spec.crop_height = spec.resize_height;
  Image small{spec.crop_width, spec.crop_height, std::vector<std::uint8_t>(spec.PixelBytes())};
  ResizeAndCrop(image, spec, small.rgb.data());
  return small;
}

// One piece of the photo for each face, `side` x `side`.
std::vector<float> Pieces(const PhotoPyramid& photo, const std::vector<Face>& faces, int side) {
  const auto plane = static_cast<std::size_t>(side) * static_cast<std::size_t>(side);
  std::vector<float> pieces(faces.size() * 3 * plane);
  for (std::size_t i = 0; i < faces.size(); ++i) {
    const Planes out{pieces.data() + i * 3 * plane, side, side, static_cast<std::size_t>(side),
                     plane};
    photo.Cut(faces[i].box, kFacePixels, out);
  }
  return pieces;
}

// What both later networks say first: no face, face, four corrections.
std::vector<Face> Likely(const std::vector<Face>& faces, const StageRows& rows, float threshold) {
  std::vector<Face> likely;
  for (std::size_t i = 0; i < faces.size(); ++i) {
    const std::span<const float> row = rows.Row(i);
    if (!(row[1] >= threshold)) continue;
    Face face = faces[i];
    face.score = row[1];
    std::copy_n(row.begin() + 2, 4, face.correction.begin());
    if (rows.width == kOutputOutputs) {
      for (std::size_t point = 0; point < face.points.size(); ++point) {
        face.points[point] = {face.box.left + double{row[6 + point]} * face.box.width(),
                              face.box.top + double{row[11 + point]} * face.box.height()};
      }
    }
    likely.push_back(face);
  }
  return likely;
}

// What a network that is not MTCNN may make of a box: inside out, or nowhere near a photo.
void DropDegenerate(std::vector<Face>& faces) {
  std::erase_if(faces, [](const Face& face) {
    const RectF& box = face.box;
    return !(box.width() >= kSmallestBox && box.height() >= kSmallestBox && box.left > -kFarthest &&
             box.top > -kFarthest && box.right < kFarthest && box.bottom < kFarthest);
  });
}

Status WrongWidth(const char* model, std::size_t width) {
  return Status::Internal("stage '" + std::string(model) + "' gives " + std::to_string(width) +
                          " values for each item, which is not MTCNN's");
}

std::int64_t Whole(double value) {
  return static_cast<std::int64_t>(std::lround(value));
}

AnswerValue Pair(PointF point, double scale) {
  return AnswerValue::List(
      {AnswerValue::Integer(Whole(point.x * scale)), AnswerValue::Integer(Whole(point.y * scale))});
}

}  // namespace

Result<FacePhoto> DecodeFacePhoto(PipelineRun& run) {
  run.stages().decode_start = run.tools().clock.Now();
  const SharedBytes encoded = run.TakePhoto();
  const Result<ImageHeader> header = ReadImageHeader(encoded.view());
  if (!header.ok()) return header.status();
  try {
    Result<Image> image = DecodeImage(encoded.view(), run.tools().limits, kShortSide);
    if (!image.ok()) return image.status();
    if (std::max(image->width, image->height) > kLongSide) image = Shrunk(*image);
    // Of the long sides, since the header's are those before the photo is turned upright.
    const double scale = static_cast<double>(std::max(header->width, header->height)) /
                         std::max(image->width, image->height);
    FacePhoto photo{PhotoPyramid(*std::move(image)), scale};
    run.stages().decode_end = run.tools().clock.Now();
    return photo;
  } catch (const std::bad_alloc&) {
    return Status::Overloaded("there is no memory for this photo now",
                              std::chrono::milliseconds(1000));
  }
}

PipelineTask<Result<std::vector<Face>>> DetectFaces(PipelineRun& run, const PhotoPyramid& photo,
                                                    double min_face) {
  const std::vector<CanvasLevel> levels = PlanCanvas(photo.width(), photo.height(), min_face);
  if (levels.empty()) co_return std::vector<Face>{};
  std::vector<float> canvas = DrawCanvas(photo, levels);
  const Result<StageRows> proposed = co_await run.Ask(kProposalNet, 1, std::move(canvas));
  if (!proposed.ok()) co_return proposed.status();
  if (proposed->width != FaceCanvas::kOutputs) co_return WrongWidth(kProposalNet, proposed->width);
  std::vector<Face> faces = ReadCanvas(proposed->Row(0), photo, levels, kMaxProposals);
  DropDegenerate(faces);
  if (faces.empty()) co_return faces;

  std::vector<float> pieces = Pieces(photo, faces, kRefineSide);
  const Result<StageRows> refined = co_await run.Ask(kRefineNet, faces.size(), std::move(pieces));
  if (!refined.ok()) co_return refined.status();
  if (refined->width != kRefineOutputs) co_return WrongWidth(kRefineNet, refined->width);
  faces =
      Suppress(Likely(faces, *refined, kRefineThreshold), kOverlap, OverlapOf::kUnion, kMaxRefined);
  for (Face& face : faces) Correct(face);
  DropDegenerate(faces);
  if (faces.empty()) co_return faces;
  for (Face& face : faces) face.box = Squared(face.box);

  pieces = Pieces(photo, faces, kOutputSide);
  const Result<StageRows> known = co_await run.Ask(kOutputNet, faces.size(), std::move(pieces));
  if (!known.ok()) co_return known.status();
  if (known->width != kOutputOutputs) co_return WrongWidth(kOutputNet, known->width);
  faces = Likely(faces, *known, kOutputThreshold);
  for (Face& face : faces) Correct(face);
  DropDegenerate(faces);
  co_return Suppress(std::move(faces), kOverlap, OverlapOf::kSmaller);
}

const Face& LargestFace(const std::vector<Face>& faces) {
  XC_CHECK(!faces.empty());
  return *std::max_element(faces.begin(), faces.end(), [](const Face& a, const Face& b) {
    return a.box.area() < b.box.area();
  });
}

AnswerValue::Object DescribeFace(const Face& face, double scale) {
  constexpr std::array<const char*, 5> kNames = {"left_eye", "right_eye", "nose", "mouth_left",
                                                 "mouth_right"};
  constexpr int kDecimals = 4;
  AnswerValue::Object points;
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    points.emplace_back(kNames[i], Pair(face.points[i], scale));
  }
  const std::int64_t left = Whole(face.box.left * scale);
  const std::int64_t top = Whole(face.box.top * scale);
  return {{"box", AnswerValue::List({AnswerValue::Integer(left), AnswerValue::Integer(top),
                                     AnswerValue::Integer(Whole(face.box.right * scale) - left),
                                     AnswerValue::Integer(Whole(face.box.bottom * scale) - top)})},
          {"confidence", AnswerValue::Of(double{face.score}, kDecimals)},
          {"keypoints", AnswerValue::Fields(std::move(points))}};
}

}  // namespace xcloud
