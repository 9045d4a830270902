#include "models/item_request.h"

#include <algorithm>
#include <utility>

#include "models/preprocess.h"
#include "models/resize_plan.h"
#include "models/signature.h"
#include "models/top_k.h"

namespace xcloud {

ItemRequest::ItemRequest(std::shared_ptr<const LoadedModel> model, InferenceRequest request,
                         CheckedInputs inputs, InferenceCallback done)
    : model_(std::move(model)),
      request_(std::move(request)),
      form_(inputs.form),
      done_(std::move(done)),
      join_(inputs.items) {
  XC_CHECK(model_ != nullptr && done_ != nullptr);
  XC_CHECK(inputs.items == 1 || request_.answer == AnswerKind::kTensors);
  items = inputs.items;
  priority = request_.priority;
  arrival = request_.first_byte;
  deadline = request_.deadline;
  if (form_ == InputForm::kPhotos) photos_.resize(items);
  result_.model = model_->definition.name;
  result_.version = model_->version;
  result_.synthetic = model_->definition.synthetic();
  result_.stages.first_byte = request_.first_byte;
  result_.stages.received = request_.received;
  if (model_->statistics == nullptr) return;
  model_->statistics->Accepted();
  pending_.store(true);
}

ItemRequest::~ItemRequest() = default;

void ItemRequest::SetDecoded(std::size_t item, Image image, bool device_resizes) {
  Photo& photo = photos_.at(item);
  XC_CHECK(photo.image == nullptr && photo.pixels.empty());
  const PreprocessSpec& spec = model_->definition.preprocess;
  if (device_resizes && !model_->definition.on_host()) photo.image = MakeResizable(image, spec);
  if (photo.image != nullptr) return;
  photo.pixels.resize(spec.PixelBytes());
  ResizeAndCrop(image, spec, photo.pixels.data());
}

NetworkItem ItemRequest::item(std::size_t item) const {
  XC_CHECK(item < items);
  const std::size_t values = model_->definition.item_values();
  NetworkItem one;
  switch (form_) {
    case InputForm::kPhotos:
      one.image = photos_[item].image.get();
      if (one.image != nullptr) break;
      XC_CHECK(photos_[item].pixels.size() == values);
      one.pixels = photos_[item].pixels.data();
      break;
    case InputForm::kPixels:
      one.pixels = reinterpret_cast<const std::uint8_t*>(request_.inputs.front().data.data()) +
                   item * values;
      break;
    case InputForm::kTensor:
      one.tensor = request_.inputs.front().data.data() + item * values * sizeof(float);
      break;
    case InputForm::kEchoed:
      break;
  }
  return one;
}

bool ItemRequest::Cancelled() const {
  return request_.cancel != nullptr && request_.cancel->Cancelled();
}

void ItemRequest::Started() {
  if (pending_.exchange(false)) model_->statistics->Started();
}

void ItemRequest::Refuse(std::size_t first, std::size_t count, Status status) {
  XC_CHECK(!status.ok() && first + count <= items);
  End(count, std::move(status), nullptr);
}

void ItemRequest::Answer(std::size_t first, std::size_t count, std::span<const float> scores,
                         const PartRun& run) {
  XC_CHECK(count > 0 && first + count <= items && scores.size() % count == 0);
  Status status;
  if (form_ == InputForm::kEchoed) {
    // What it answers is in the request.
  } else if (request_.answer == AnswerKind::kPredictions) {
    status = MakePredictions(scores);
  } else {
    status = MakeProbabilities(first, scores);
  }
  End(count, std::move(status), &run);
}

Status ItemRequest::MakePredictions(std::span<const float> scores) {
  const ModelDefinition& definition = model_->definition;
  if (definition.values_output) return MakeValue(scores);
  const int wanted = request_.top_k > 0 ? request_.top_k : definition.answer.top_k;
  const Result<std::vector<ScoredClass>> best =
      TopK(scores, definition.activation, static_cast<std::size_t>(wanted));
  if (!best.ok()) return best.status();
  if (best->front().probability < static_cast<float>(definition.answer.threshold)) {
    result_.predictions.push_back({-1, "Unknown", best->front().probability});
    return Status::Ok();
  }
  result_.predictions.reserve(best->size());
  for (const ScoredClass& one : *best) {
    result_.predictions.push_back(
        {one.index, definition.labels.at(static_cast<std::size_t>(one.index)), one.probability});
  }
  return Status::Ok();
}

// {"beauty":3.1416}, {"embedding":[...]}.
Status ItemRequest::MakeValue(std::span<const float> scores) {
  const ModelDefinition& definition = model_->definition;
  std::vector<float> values(scores.size());
  Status finite = Probabilities(scores, Activation::kNone, values);
  if (!finite.ok()) return finite;
  const int decimals = definition.answer.decimals;
  AnswerValue::Array list;
  list.reserve(values.size());
  for (const float value : values) list.push_back(AnswerValue::Of(double{value}, decimals));
  AnswerValue value = list.size() == 1 ? list.front() : AnswerValue::List(std::move(list));
  result_.value = AnswerValue::Fields({{definition.values_output->name, std::move(value)}});
  return Status::Ok();
}

Status ItemRequest::MakeProbabilities(std::size_t first, std::span<const float> scores) {
  const ModelDefinition& definition = model_->definition;
  const std::size_t width = definition.score_count();
  const Activation activation =
      definition.values_output ? Activation::kNone : definition.activation;
  XC_CHECK(scores.size() % width == 0);
  float* row = ProbabilityRows() + first * width;
  for (std::size_t at = 0; at < scores.size(); at += width, row += width) {
    Status status = Probabilities(scores.subspan(at, width), activation, {row, width});
    if (!status.ok()) return status;
  }
  return Status::Ok();
}

// Parts write rows of their own; only making the buffer needs the lock. It is made when the first
// part has run, so that a request that is refused for its size never takes the memory.
float* ItemRequest::ProbabilityRows() {
  MutexLock lock(rows_mutex_);
  if (rows_ == nullptr) {
    rows_ = std::make_shared<std::vector<float>>(items * model_->definition.score_count());
  }
  return rows_->data();
}

void ItemRequest::TakeOutputs() {
  if (form_ == InputForm::kEchoed) {
    for (const EchoTensor& echo : model_->definition.echo) {
      const auto input =
          std::find_if(request_.inputs.begin(), request_.inputs.end(),
                       [&](const Tensor& one) { return one.name == echo.input.name; });
      result_.outputs.push_back({echo.output, input->type, input->shape, input->data});
    }
    return;
  }
  if (request_.answer != AnswerKind::kTensors) return;
  MutexLock lock(rows_mutex_);
  const std::string_view bytes(reinterpret_cast<const char*>(rows_->data()),
                               rows_->size() * sizeof(float));
  TensorSpec spec = OutputSpecs(model_->definition).front();
  spec.dims.front() = static_cast<std::int64_t>(items);
  result_.outputs.push_back(
      {std::move(spec.name), spec.type, std::move(spec.dims), SharedBytes(rows_, bytes)});
}

void ItemRequest::End(std::size_t count, Status status, const PartRun* run) {
  if (!join_.End(count, std::move(status))) return;
  result_.status = join_.TakeStatus();
  if (run != nullptr) {
    result_.batch_items = run->batch_items;
    result_.lane = run->lane;
    result_.stages.batch_closed = run->batch_closed;
    result_.stages.forward_start = run->forward_start;
    result_.stages.forward_end = run->forward_end;
  }
  if (result_.status.ok()) TakeOutputs();
  Started();  // at the latest
  // Emptied first: a second end of the same request is a broken invariant, never a second answer.
  InferenceCallback done = std::exchange(done_, nullptr);
  XC_CHECK(done != nullptr);
  done(std::move(result_));
}

}  // namespace xcloud
