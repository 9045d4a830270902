#include "models/pipeline/faces.h"

#include <algorithm>
#include <utility>

#include "models/pipeline/face/align_face.h"
#include "models/pipeline/face/detect_faces.h"
#include "models/pipeline/facesearch.h"

namespace xcloud {
namespace {

constexpr std::size_t kAges = 81;
constexpr double kYoungest = 0.25;  // years that the first of them stands for
constexpr std::size_t kGenders = 2;
constexpr double kPadding = 0.2;
constexpr FaceChip kAgeChip{64, kPadding, kEmbeddingChip.pixels};
constexpr FaceChip kGenderChip{32, kPadding, kEmbeddingChip.pixels};
constexpr int kAgeDecimals = 1;
constexpr int kGenderDecimals = 4;

std::vector<float> Chips(const PhotoPyramid& photo, const std::vector<Face>& faces,
                         const FaceChip& chip) {
  const std::size_t size =
      3 * static_cast<std::size_t>(chip.side) * static_cast<std::size_t>(chip.side);
  std::vector<float> chips(faces.size() * size);
  for (std::size_t i = 0; i < faces.size(); ++i) {
    AlignFace(photo, faces[i].points, chip, chips.data() + i * size);
  }
  return chips;
}

double ExpectedAge(std::span<const float> probabilities) {
  double age = kYoungest * double{probabilities[0]};
  for (std::size_t years = 1; years < kAges; ++years) {
    age += static_cast<double>(years) * double{probabilities[years]};
  }
  return age;
}

void TellAge(std::span<const float> row, AnswerValue::Object& face) {
  face.emplace_back("age", AnswerValue::Of(ExpectedAge(row), kAgeDecimals));
}

void TellGender(std::span<const float> row, AnswerValue::Object& face) {
  const bool male = row[1] > row[0];
  face.emplace_back("gender", AnswerValue::Text(male ? "male" : "female"));
  face.emplace_back("gender_probability",
                    AnswerValue::Of(double{std::max(row[0], row[1])}, kGenderDecimals));
}

// One of the guesses: whom to ask, with what, and how its answer is told.
struct Guess {
  const char* model;
  FaceChip chip;
  std::size_t width;
  void (*tell)(std::span<const float>, AnswerValue::Object&);
};
constexpr Guess kGuesses[] = {{Faces::kAgeModel, kAgeChip, kAges, TellAge},
                              {Faces::kGenderModel, kGenderChip, kGenders, TellGender}};

std::string WhyMissing(const PipelineRun& run, const char* model) {
  const ServiceInfoPtr info = run.tools().models.Find(model);
  if (info == nullptr) return "its model is not in the repository";
  return info->reason.empty() ? "its model is " + std::string(ServiceStateName(info->state))
                              : info->reason;
}

}  // namespace

std::vector<Stage> Faces::stages() const {
  return {{kProposalNet}, {kRefineNet}, {kOutputNet}, {kAgeModel, false}, {kGenderModel, false}};
}

PipelineTask<PipelineAnswer> Faces::Run(PipelineRun& run) const {
  const Result<FacePhoto> photo = DecodeFacePhoto(run);
  if (!photo.ok()) co_return PipelineAnswer::Failed(photo.status());
  const Result<std::vector<Face>> faces = co_await DetectFaces(run, photo->pixels, min_face_);
  if (!faces.ok()) co_return PipelineAnswer::Failed(faces.status());
  if (faces->empty()) co_return NoFace();
  std::vector<AnswerValue::Object> described;
  for (const Face& face : *faces) described.push_back(DescribeFace(face, photo->scale));
  AnswerValue::Object missing;
  for (const Guess& guess : kGuesses) {
    if (!run.IsReady(guess.model)) {
      missing.emplace_back(guess.model, AnswerValue::Text(WhyMissing(run, guess.model)));
      continue;
    }
    std::vector<float> chips = Chips(photo->pixels, *faces, guess.chip);
    const Result<StageRows> rows = co_await run.Ask(guess.model, faces->size(), std::move(chips));
    if (!rows.ok()) co_return PipelineAnswer::Failed(rows.status());
    if (rows->width != guess.width) {
      co_return PipelineAnswer::Failed(Status::Internal("stage '" + std::string(guess.model) +
                                                        "' gives values of another kind"));
    }
    for (std::size_t i = 0; i < described.size(); ++i) guess.tell(rows->Row(i), described[i]);
  }
  AnswerValue::Array list;
  for (auto& face : described) list.push_back(AnswerValue::Fields(std::move(face)));
  PipelineAnswer answer = PipelineAnswer::Of(AnswerValue::List(std::move(list)));
  if (!missing.empty()) {
    answer.beside.emplace_back("missing", AnswerValue::Fields(std::move(missing)));
  }
  co_return answer;
}

}  // namespace xcloud
