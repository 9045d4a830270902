#include "models/pipeline/gallery_part.h"

#include <cstdint>
#include <utility>

namespace xcloud {

Status GalleryPart::Load() {
  Result<std::shared_ptr<Gallery>> opened = shelf_.Open(spec_.state);
  if (opened.ok()) gallery_ = *std::move(opened);
  return opened.status();
}

Status GalleryPart::CheckStages(const InferenceService& models) const {
  const ServiceInfoPtr info = models.Find(embedding_);
  if (info == nullptr || gallery_ == nullptr) return Status::Ok();
  return gallery_->CheckStamp(embedding_, info->version);
}

PipelineAnswer GalleryPart::Enrol(const std::string& id, const StageRows& rows) const {
  const GalleryStamp stamp{embedding_, rows.version, rows.width};
  const Result<bool> replaced = gallery_->Enrol(id, stamp, rows.Row(0), spec_.max_entries);
  if (!replaced.ok()) return PipelineAnswer::Failed(replaced.status());
  return PipelineAnswer::Of(AnswerValue::Fields(
      {{"id", AnswerValue::Text(id)},
       {"entries", AnswerValue::Integer(static_cast<std::int64_t>(gallery_->size()))},
       {"replaced", AnswerValue::Bool(*replaced)}}));
}

PipelineAnswer GalleryPart::Remove(const std::string& id) const {
  if (Status removed = gallery_->Remove(id); !removed.ok()) {
    return PipelineAnswer::Failed(std::move(removed));
  }
  return PipelineAnswer::Of(AnswerValue::Fields(
      {{"id", AnswerValue::Text(id)},
       {"entries", AnswerValue::Integer(static_cast<std::int64_t>(gallery_->size()))}}));
}

PipelineAnswer GalleryPart::Entries() const {
  AnswerValue::Array ids;
  for (std::string& id : gallery_->Ids()) ids.push_back(AnswerValue::Text(std::move(id)));
  const auto count = static_cast<std::int64_t>(ids.size());
  return PipelineAnswer::Of(AnswerValue::Fields(
      {{"entries", AnswerValue::List(std::move(ids))}, {"count", AnswerValue::Integer(count)}}));
}

// The model may have been replaced since the service was found ready, so its version is asked of
// the values themselves.
Result<std::vector<GalleryMatch>> GalleryPart::Search(const StageRows& rows, int top_k) const {
  return gallery_->Search({embedding_, rows.version, rows.width}, rows.Row(0),
                          static_cast<std::size_t>(top_k > 0 ? top_k : kMatches));
}

}  // namespace xcloud
