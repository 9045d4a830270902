// Pipeline: a service that asks several models, one after the other, and makes its answer of what
// they say. One small class each; PipelineServer asks it, PipelineRun carries one request.
//
// Thread safety: after Load every method from any thread, at once for many requests. Run's body
// runs on threads of the pipelines' pool only, never on an io or lane thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/answer_value.h"
#include "core/inference_service.h"
#include "core/result.h"
#include "models/model_definition.h"
#include "models/pipeline/task.h"

namespace xcloud {

class GalleryShelf;
class PipelineRun;

// A model that it asks. Without a required one the service does not answer.
struct Stage {
  std::string model;
  bool required = true;
};

// The fields of InferenceResult that a service of its own form fills.
struct PipelineAnswer {
  Status status;
  AnswerValue value;
  AnswerValue::Object beside;
  int code = 0;
  std::string message;

  static PipelineAnswer Failed(Status status) {
    PipelineAnswer answer;
    answer.status = std::move(status);
    return answer;
  }
  static PipelineAnswer Of(AnswerValue value) {
    PipelineAnswer answer;
    answer.value = std::move(value);
    return answer;
  }
};

class Pipeline {
 public:
  virtual ~Pipeline() = default;

  // In the order in which they are asked; never changes.
  virtual std::vector<Stage> stages() const = 0;
  virtual bool has_gallery() const { return false; }
  virtual bool takes_rows() const { return false; }
  // How its JSON differs from the labels' form.
  virtual void SetForm(AnswerForm&) const {}

  // Reads what it keeps on disk; once, before anything is asked. Unavailable = it is not there
  // (kNoWeights; the message says how to get it), else it is wrong (kFailed).
  virtual Status Load() { return Status::Ok(); }
  // Why it cannot answer with these weights, although all its models are ready.
  virtual Status CheckStages(const InferenceService&) const { return Status::Ok(); }

  // Answers run.request(). `run` outlives the task.
  virtual PipelineTask<PipelineAnswer> Run(PipelineRun& run) const = 0;
};

// The pipeline that [pipeline] kind names; InvalidArgument when it names none. Galleries are opened
// through `shelf`, which outlives it.
Result<std::shared_ptr<Pipeline>> MakePipeline(const ModelDefinition& definition,
                                               GalleryShelf& shelf);

}  // namespace xcloud
