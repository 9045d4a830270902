#include "models/pipeline/cbir.h"

#include <utility>

namespace xcloud {

Cbir::Cbir(const PipelineSpec& spec, GalleryShelf& shelf)
    : gallery_(spec, spec.embedding.empty() ? kEmbedding : spec.embedding, shelf) {}

PipelineTask<PipelineAnswer> Cbir::Run(PipelineRun& run) const {
  const InferenceRequest& request = run.request();
  if (request.action == ServiceAction::kEntries) co_return gallery_.Entries();
  if (request.action == ServiceAction::kRemove) co_return gallery_.Remove(request.subject);
  const Result<StageRows> rows = co_await run.AskAboutPhoto(gallery_.embedding());
  if (!rows.ok()) co_return PipelineAnswer::Failed(rows.status());
  if (request.action == ServiceAction::kEnrol) co_return gallery_.Enrol(request.subject, *rows);
  const Result<std::vector<GalleryMatch>> matches = gallery_.Search(*rows, request.top_k);
  if (!matches.ok()) co_return PipelineAnswer::Failed(matches.status());
  AnswerValue::Array ids;
  AnswerValue::Array scores;
  for (const GalleryMatch& match : *matches) {
    ids.push_back(AnswerValue::Text(match.id));
    scores.push_back(AnswerValue::Of(double{match.cosine}, GalleryPart::kDecimals));
  }
  PipelineAnswer answer = PipelineAnswer::Of(AnswerValue::List(std::move(ids)));
  answer.beside.emplace_back("scores", AnswerValue::List(std::move(scores)));
  co_return answer;
}

}  // namespace xcloud
