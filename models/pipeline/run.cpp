#include "models/pipeline/run.h"

#include <cmath>
#include <cstring>
#include <utility>

namespace xcloud {
namespace {

// The stage of a pipeline and what it said, for people.
std::string Said(const std::string& model, const std::string& message) {
  return "stage '" + model + "': " + message;
}

}  // namespace

PipelineRun::PipelineRun(const PipelineTools& tools, std::shared_ptr<const Pipeline> pipeline,
                         InferenceRequest request, Ended ended)
    : tools_(tools),
      pipeline_(std::move(pipeline)),
      request_(std::move(request)),
      ended_(std::move(ended)) {
  result_.stages.first_byte = request_.first_byte;
  result_.stages.received = request_.received;
}

Status PipelineRun::Start(const PipelineTools& tools, std::shared_ptr<const Pipeline> pipeline,
                          InferenceRequest request, Ended ended) {
  std::shared_ptr<PipelineRun> run(
      new PipelineRun(tools, std::move(pipeline), std::move(request), std::move(ended)));
  run->root_ = run->Drive();
  run->next_ = run->root_.handle();
  return tools.pool.Submit([run] { run->Step(); });
}

PipelineTask<bool> PipelineRun::Drive() {
  PipelineAnswer answer;
  answer.status = StillWanted();
  if (answer.status.ok()) answer = co_await pipeline_->Run(*this);
  result_.status = std::move(answer.status);
  if (result_.status.ok()) result_.value = std::move(answer.value);
  result_.beside = std::move(answer.beside);
  result_.code = answer.code;
  result_.message = std::move(answer.message);
  *ended_here_ = true;
  co_return true;
}

// When the coroutine waits for a stage, another thread may be in the next Step already: only what
// is on this stack tells whether the run has ended here.
void PipelineRun::Step() {
  bool ended = false;
  ended_here_ = &ended;
  std::exchange(next_, nullptr).resume();
  if (ended) End();
}

void PipelineRun::End() {
  root_ = {};
  pipeline_ = nullptr;
  const Ended ended = std::exchange(ended_, nullptr);
  XC_CHECK(ended != nullptr);
  ended(std::move(result_));
}

Status PipelineRun::StillWanted() const {
  if (request_.cancel != nullptr && request_.cancel->Cancelled()) {
    return Status::Cancelled("the caller closed the connection");
  }
  if (request_.deadline.Expired(tools_.clock.Now())) {
    return Status::DeadlineExceeded("the deadline passed between two stages");
  }
  return Status::Ok();
}

bool PipelineRun::IsReady(std::string_view model) const {
  const ServiceInfoPtr info = tools_.models.Find(model);
  return info != nullptr && info->state == ServiceState::kReady;
}

// It keeps its place in the queues: it counts from the caller's first byte.
InferenceRequest PipelineRun::StageRequest(std::string_view model) const {
  InferenceRequest stage;
  stage.request_id = request_.request_id;
  stage.service = model;
  stage.answer = AnswerKind::kTensors;
  stage.priority = request_.priority;
  stage.first_byte = request_.first_byte;
  stage.received = tools_.clock.Now();
  stage.deadline = request_.deadline;
  stage.cancel = request_.cancel;
  return stage;
}

// `input` lacks only what the model calls it.
StageCall PipelineRun::AskWith(std::string_view model, std::size_t items, Tensor input) {
  Status wanted = StillWanted();
  InferenceRequest stage = StageRequest(model);
  const ServiceInfoPtr info = tools_.models.Find(model);
  if (wanted.ok() && (info == nullptr || info->inputs.empty())) {
    wanted = Status::Unavailable(Said(std::string(model), "there is no such model"));
  }
  if (!wanted.ok()) return {*this, std::move(stage), std::move(wanted)};
  input.name = info->inputs.front().name;
  if (input.shape.empty()) input.shape = info->inputs.front().dims;
  if (input.shape.empty()) input.shape = {0};
  input.shape.front() = static_cast<std::int64_t>(items);
  stage.inputs.push_back(std::move(input));
  stage_items_ = items;
  stage_has_photo_ = false;
  return {*this, std::move(stage), Status::Ok()};
}

StageCall PipelineRun::Ask(std::string_view model, std::size_t items, std::vector<float> values) {
  auto owner = std::make_shared<const std::vector<float>>(std::move(values));
  const std::string_view bytes(reinterpret_cast<const char*>(owner->data()),
                               owner->size() * sizeof(float));
  return AskWith(model, items, {"", DataType::kFp32, {}, SharedBytes(std::move(owner), bytes)});
}

StageCall PipelineRun::AskAboutPixels(std::string_view model, Image image) {
  auto owner = std::make_shared<const std::vector<std::uint8_t>>(std::move(image.rgb));
  const std::string_view bytes(reinterpret_cast<const char*>(owner->data()), owner->size());
  return AskWith(model, 1,
                 {"",
                  DataType::kUint8,
                  {1, image.height, image.width, 3},
                  SharedBytes(std::move(owner), bytes)});
}

StageCall PipelineRun::AskAboutPhoto(std::string_view model) {
  InferenceRequest stage = StageRequest(model);
  stage.image = TakePhoto();
  stage_items_ = 1;
  stage_has_photo_ = true;
  return {*this, std::move(stage), StillWanted()};
}

void PipelineRun::Send(std::coroutine_handle<> next, InferenceRequest request) {
  next_ = next;
  tools_.models.Infer(std::move(request), [run = shared_from_this()](InferenceResult result) {
    run->StageEnded(std::move(result));
  });
}

void PipelineRun::StageEnded(InferenceResult result) {
  stage_ = std::move(result);
  Status handed = tools_.pool.Submit([run = shared_from_this()] { run->Step(); });
  if (handed.ok()) return;
  result_.status = std::move(handed);
  End();
}

// What the caller is told of a stage: `result_` keeps when and where the last one ran.
Result<StageRows> PipelineRun::TakeRows() {
  InferenceResult stage = std::exchange(stage_, InferenceResult());
  const TimePoint decode_start = result_.stages.decode_start;
  const TimePoint decode_end = result_.stages.decode_end;
  result_.stages = stage.stages;
  result_.stages.first_byte = request_.first_byte;
  result_.stages.received = request_.received;
  if (!stage_has_photo_) {
    result_.stages.decode_start = decode_start;
    result_.stages.decode_end = decode_end;
  }
  result_.lane = std::move(stage.lane);
  result_.batch_items = stage.batch_items;
  result_.synthetic = result_.synthetic || stage.synthetic;
  if (!stage.status.ok()) {
    const std::string why = Said(stage.model, stage.status.message());
    if (stage.status.code() == StatusCode::kNotFound) return Status::Unavailable(why);
    const bool ours = stage.status.code() == StatusCode::kInvalidArgument && !stage_has_photo_;
    return ours ? Status::Internal(why) : std::move(stage.status);
  }
  const bool whole = stage.outputs.size() == 1 && stage.outputs.front().type == DataType::kFp32;
  const std::size_t count = whole ? stage.outputs.front().data.size() / sizeof(float) : 0;
  if (count == 0 || count % stage_items_ != 0) {
    return Status::Internal(Said(stage.model, "its output is not a row for each input"));
  }
  StageRows rows{std::move(stage.version), stage_items_, count / stage_items_, {}};
  rows.values.resize(count);
  std::memcpy(rows.values.data(), stage.outputs.front().data.data(), count * sizeof(float));
  return rows;
}

}  // namespace xcloud
