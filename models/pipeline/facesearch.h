// FaceSearch: whose face it is, among those of a gallery: the largest face of the photo is found,
// turned upright, and its embedding compared by cosine.
//
// The answer is that of the first XCloud's cv/facesearch: "results" holds [id, cosine] pairs by
// falling cosine. Beside it stand "distances" (Euclidean: the network was trained so that two
// photos of one person lie nearer than 0.6) and the face that was compared. A photo without a face
// answers code 3; one that was to be enrolled is InvalidArgument.
#pragma once

#include <vector>

#include "models/pipeline/gallery_part.h"

namespace xcloud {

class FaceSearch final : public Pipeline {
 public:
  static constexpr const char* kEmbedding = "face_embedding";

  FaceSearch(const PipelineSpec& spec, GalleryShelf& shelf);
  std::vector<Stage> stages() const override;
  bool has_gallery() const override { return true; }
  void SetForm(AnswerForm& form) const override;
  Status Load() override { return gallery_.Load(); }
  Status CheckStages(const InferenceService& models) const override {
    return gallery_.CheckStages(models);
  }
  PipelineTask<PipelineAnswer> Run(PipelineRun& run) const override;

 private:
  GalleryPart gallery_;
  const double min_face_;
};

// Of services about a face: there is none in the photo.
PipelineAnswer NoFace();

}  // namespace xcloud
