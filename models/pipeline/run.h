// PipelineRun: one request on its way through a pipeline.
//
//   Start -> pool: the pipeline's code -> stage (scheduler, lane) -> pool: the pipeline's code ...
//
// Invariants
// 1. `ended` is called exactly once, with a pool thread or with Start's, and after it nothing of
//    the pipeline or of the server is touched.
// 2. The pipeline's code runs on the pool, one thread at a time. A stage's callback, on a lane
//    thread, only hands the run back to the pool; should the pool refuse, it ends the run there.
// 3. At most one job of a run is in the pool, so a pool as large as the number of runs never
//    refuses one that was begun.
#pragma once

#include <coroutine>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/inference_service.h"
#include "core/request.h"
#include "core/result.h"
#include "models/decode.h"
#include "models/decode_pool.h"
#include "models/image.h"
#include "models/pipeline/pipeline.h"
#include "models/pipeline/task.h"

namespace xcloud {

// What all runs of a server use; outlives them.
struct PipelineTools {
  InferenceService& models;
  DecodePool& pool;
  const Clock& clock;
  DecodeLimits limits;
};

// What a stage answered: rows * width values.
struct StageRows {
  std::string version;  // of the model
  std::size_t rows = 0;
  std::size_t width = 0;
  std::vector<float> values;

  std::span<const float> Row(std::size_t row) const {
    return std::span<const float>(values).subspan(row * width, width);
  }
};

class StageCall;

class PipelineRun : public std::enable_shared_from_this<PipelineRun> {
 public:
  using Ended = std::function<void(InferenceResult)>;

  // Begins on the pool. OK: `ended` will be called. Else it will not: the pool had no room.
  static Status Start(const PipelineTools& tools, std::shared_ptr<const Pipeline> pipeline,
                      InferenceRequest request, Ended ended);

  const InferenceRequest& request() const { return request_; }
  const PipelineTools& tools() const { return tools_; }
  // The photo, which is not needed again.
  SharedBytes TakePhoto() { return std::move(request_.image); }
  StageTimes& stages() { return result_.stages; }
  // Cancelled or DeadlineExceeded once nobody waits for the answer any more.
  Status StillWanted() const;
  // Is that model there to be asked?
  bool IsReady(std::string_view model) const;

  // co_await run.Ask(...) gives a Result<StageRows>. `values` are `items` inputs of `model`, one
  // behind the other. An error of the caller's request (a deadline, no room) comes as it is; what
  // is wrong between the stages comes as Internal, a model that is not there as Unavailable.
  StageCall Ask(std::string_view model, std::size_t items, std::vector<float> values);
  // The same with one picture of the size that a model of pictures takes, not normalised: its
  // model.toml says how.
  StageCall AskAboutPixels(std::string_view model, Image image);
  // The same with the request's photo.
  StageCall AskAboutPhoto(std::string_view model);

 private:
  friend class StageCall;

  PipelineRun(const PipelineTools& tools, std::shared_ptr<const Pipeline> pipeline,
              InferenceRequest request, Ended ended);

  PipelineTask<bool> Drive();
  void Step();
  void Send(std::coroutine_handle<> next, InferenceRequest request);
  void StageEnded(InferenceResult result);
  Result<StageRows> TakeRows();
  void End();
  InferenceRequest StageRequest(std::string_view model) const;
  StageCall AskWith(std::string_view model, std::size_t items, Tensor input);

  const PipelineTools tools_;
  std::shared_ptr<const Pipeline> pipeline_;
  InferenceRequest request_;
  Ended ended_;
  InferenceResult result_;
  InferenceResult stage_;         // of the stage that has just ended
  std::size_t stage_items_ = 0;   // that were sent
  bool stage_has_photo_ = false;  // its InvalidArgument is about the caller's photo
  PipelineTask<bool> root_;
  std::coroutine_handle<> next_;
  bool* ended_here_ = nullptr;  // of the Step that runs
};

// One question to one model.
class StageCall {
 public:
  bool await_ready() const { return !refused_.ok(); }
  // Touches nothing of the coroutine once the question is sent: it may have gone on elsewhere.
  void await_suspend(std::coroutine_handle<> next) { run_.Send(next, std::move(request_)); }
  Result<StageRows> await_resume() {
    if (!refused_.ok()) return refused_;
    return run_.TakeRows();
  }

 private:
  friend class PipelineRun;
  StageCall(PipelineRun& run, InferenceRequest request, Status refused)
      : run_(run), request_(std::move(request)), refused_(std::move(refused)) {}

  PipelineRun& run_;
  InferenceRequest request_;
  Status refused_;
};

}  // namespace xcloud
