// GalleryPart: what services with a gallery have in common: the actions that change or list it, and
// how their answers are written. As Pipeline: after Load any thread; changes wait for the disk.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/inference_service.h"
#include "models/pipeline/gallery.h"
#include "models/pipeline/pipeline.h"
#include "models/pipeline/run.h"

namespace xcloud {

class GalleryPart {
 public:
  static constexpr int kMatches = 10;  // as the first XCloud's; a caller's top_k wins
  static constexpr int kDecimals = 6;  // of a cosine or a distance

  // `embedding`: the model whose values it holds.
  GalleryPart(const PipelineSpec& spec, std::string embedding, GalleryShelf& shelf)
      : spec_(spec), embedding_(std::move(embedding)), shelf_(shelf) {}

  const std::string& embedding() const { return embedding_; }
  Status Load();
  Status CheckStages(const InferenceService& models) const;

  // {"id":"anna","entries":12,"replaced":false}; `rows` holds the photo's values.
  PipelineAnswer Enrol(const std::string& id, const StageRows& rows) const;
  // {"id":"anna","entries":11}
  PipelineAnswer Remove(const std::string& id) const;
  // {"entries":["anna",...],"count":11}
  PipelineAnswer Entries() const;
  // The nearest by falling cosine, `top_k` of them or kMatches.
  Result<std::vector<GalleryMatch>> Search(const StageRows& rows, int top_k) const;

 private:
  const PipelineSpec spec_;
  const std::string embedding_;
  GalleryShelf& shelf_;
  std::shared_ptr<Gallery> gallery_;
};

}  // namespace xcloud
