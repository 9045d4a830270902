#include "models/pipeline/facesearch.h"

#include <utility>

#include "models/pipeline/face/align_face.h"
#include "models/pipeline/face/detect_faces.h"

namespace xcloud {
namespace {

constexpr int kNoFaceCode = 3;

}  // namespace

PipelineAnswer NoFace() {
  PipelineAnswer answer = PipelineAnswer::Of(AnswerValue::List({}));
  answer.code = kNoFaceCode;
  answer.message = "None face is detected";
  return answer;
}

FaceSearch::FaceSearch(const PipelineSpec& spec, GalleryShelf& shelf)
    : gallery_(spec, spec.embedding.empty() ? kEmbedding : spec.embedding, shelf),
      min_face_(spec.min_face) {}

std::vector<Stage> FaceSearch::stages() const {
  return {{kProposalNet}, {kRefineNet}, {kOutputNet}, {gallery_.embedding()}};
}

void FaceSearch::SetForm(AnswerForm& form) const {
  form.data_key = "results";
  form.message = "Success";
}

PipelineTask<PipelineAnswer> FaceSearch::Run(PipelineRun& run) const {
  const InferenceRequest& request = run.request();
  if (request.action == ServiceAction::kEntries) co_return gallery_.Entries();
  if (request.action == ServiceAction::kRemove) co_return gallery_.Remove(request.subject);
  const Result<FacePhoto> photo = DecodeFacePhoto(run);
  if (!photo.ok()) co_return PipelineAnswer::Failed(photo.status());
  const Result<std::vector<Face>> faces = co_await DetectFaces(run, photo->pixels, min_face_);
  if (!faces.ok()) co_return PipelineAnswer::Failed(faces.status());
  const bool enrols = request.action == ServiceAction::kEnrol;
  if (faces->empty() && enrols) {
    co_return PipelineAnswer::Failed(Status::InvalidArgument("no face was found in the photo"));
  }
  if (faces->empty()) co_return NoFace();
  const Face& face = LargestFace(*faces);
  std::vector<float> chip = AlignFace(photo->pixels, face.points, kEmbeddingChip);
  const Result<StageRows> rows = co_await run.Ask(gallery_.embedding(), 1, std::move(chip));
  if (!rows.ok()) co_return PipelineAnswer::Failed(rows.status());
  AnswerValue::Object described = DescribeFace(face, photo->scale);
  if (enrols) {
    PipelineAnswer enrolled = gallery_.Enrol(request.subject, *rows);
    if (enrolled.status.ok()) enrolled.beside = std::move(described);
    co_return enrolled;
  }
  const Result<std::vector<GalleryMatch>> matches = gallery_.Search(*rows, request.top_k);
  if (!matches.ok()) co_return PipelineAnswer::Failed(matches.status());
  AnswerValue::Array pairs;
  AnswerValue::Array distances;
  for (const GalleryMatch& match : *matches) {
    pairs.push_back(
        AnswerValue::List({AnswerValue::Text(match.id),
                           AnswerValue::Of(double{match.cosine}, GalleryPart::kDecimals)}));
    distances.push_back(AnswerValue::Of(double{match.distance}, GalleryPart::kDecimals));
  }
  PipelineAnswer answer = PipelineAnswer::Of(AnswerValue::List(std::move(pairs)));
  answer.beside.emplace_back("distances", AnswerValue::List(std::move(distances)));
  for (auto& field : described) answer.beside.push_back(std::move(field));
  co_return answer;
}

}  // namespace xcloud
