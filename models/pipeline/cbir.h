// Cbir: photos of a gallery that look like the caller's, by the cosine of their embeddings.
//
// data is the list of ids by falling cosine, as the first XCloud's cv/cbir gives file names; their
// cosines stand beside it in "scores".
#pragma once

#include <vector>

#include "models/pipeline/gallery_part.h"

namespace xcloud {

class Cbir final : public Pipeline {
 public:
  static constexpr const char* kEmbedding = "image_embedding";

  Cbir(const PipelineSpec& spec, GalleryShelf& shelf);
  std::vector<Stage> stages() const override { return {{gallery_.embedding()}}; }
  bool has_gallery() const override { return true; }
  Status Load() override { return gallery_.Load(); }
  Status CheckStages(const InferenceService& models) const override {
    return gallery_.CheckStages(models);
  }
  PipelineTask<PipelineAnswer> Run(PipelineRun& run) const override;

 private:
  GalleryPart gallery_;
};

}  // namespace xcloud
