// The table of pipelines: what [pipeline] kind names.
#include "models/pipeline/cbir.h"
#include "models/pipeline/faces.h"
#include "models/pipeline/facesearch.h"
#include "models/pipeline/fbp.h"
#include "models/pipeline/pipeline.h"
#include "models/pipeline/zhihuliveeval.h"

namespace xcloud {

Result<std::shared_ptr<Pipeline>> MakePipeline(const ModelDefinition& definition,
                                               GalleryShelf& shelf) {
  const PipelineSpec& spec = definition.pipeline;
  std::shared_ptr<Pipeline> made;
  if (spec.kind == "cbir") made = std::make_shared<Cbir>(spec, shelf);
  if (spec.kind == "faces") made = std::make_shared<Faces>(spec);
  if (spec.kind == "facesearch") made = std::make_shared<FaceSearch>(spec, shelf);
  if (spec.kind == "fbp") made = std::make_shared<Fbp>(spec);
  if (spec.kind == "zhihuliveeval") made = std::make_shared<ZhihuLiveEval>(spec);
  if (made != nullptr) return made;
  return Status::InvalidArgument(definition.name + "/model.toml: [pipeline] kind: there is no '" +
                                 spec.kind + "'");
}

}  // namespace xcloud
