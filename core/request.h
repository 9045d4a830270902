// The words of one inference, as http hands it in and gets it back. Plain values: no JSON, no
// tensors, no threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/answer_value.h"
#include "core/cancel.h"
#include "core/clock.h"
#include "core/deadline.h"
#include "core/shared_bytes.h"
#include "core/status.h"
#include "core/tensor.h"

namespace xcloud {

// Order in which queues are served; smaller is more urgent. Part 2 of the plan gives each its
// own queue and a starvation bound.
enum class Priority : std::uint8_t { kHigh = 1, kNormal = 2, kLow = 3 };

// Instants of one request's life. A stage that was not reached stays at TimePoint{}.
struct StageTimes {
  TimePoint first_byte;     // the connection's first byte of this request
  TimePoint received;       // body complete
  TimePoint decode_start;   // a decode worker took it
  TimePoint decode_end;     // pixels resized and cropped
  TimePoint enqueued;       // handed to the scheduler
  TimePoint batch_closed;   // the policy gave it to a lane
  TimePoint forward_start;  // staging done, network starts
  TimePoint forward_end;    // network done
  TimePoint answered;       // result ready for the connection
};

// What is asked for.
enum class AnswerKind {
  kPredictions,  // InferenceResult::predictions: labels, the likeliest first; or ::value, of a
                 // service that has an answer of its own
  kTensors,      // InferenceResult::outputs: the model's outputs, one row an item
};

// What is to be done with it. All but kAnswer are for services that keep a gallery.
enum class ServiceAction {
  kAnswer,
  kEnrol,    // put `image` into the gallery as `subject`, in place of what has that name
  kRemove,   // take `subject` out of the gallery
  kEntries,  // what is in the gallery
};

// One call: either one photo (`image`), or the tensors that the model's metadata names (`inputs`),
// whose first dimension is the number of items. kPredictions is for one item only.
struct InferenceRequest {
  std::string request_id;
  std::string service;  // "imagenet"
  std::string version;  // empty = the one that the repository serves by default
  SharedBytes image;    // an encoded file: JPEG, PNG, WebP, BMP
  std::vector<Tensor> inputs;
  AnswerKind answer = AnswerKind::kPredictions;
  ServiceAction action = ServiceAction::kAnswer;
  std::string subject;  // a gallery's entry; the row's id where a service answers about rows
  int top_k = 0;        // 0 = the service's own default
  Priority priority = Priority::kNormal;
  TimePoint first_byte;
  TimePoint received;
  Deadline deadline;
  CancelTokenPtr cancel;  // may be null: cannot be cancelled
};

struct Prediction {
  std::int32_t index = -1;  // row of labels.txt, from 0; -1 = "Unknown"
  std::string label;
  float probability = 0.0F;
};

// The outcome of one InferenceRequest. What was asked for is filled only when status is OK. Of a
// request that left in several batches, `batch_items`, `lane` and `stages` are those of the last.
struct InferenceResult {
  Status status;
  std::string model;
  std::string version;
  std::vector<Prediction> predictions;  // by falling probability
  std::optional<AnswerValue> value;     // instead of them
  AnswerValue::Object beside;           // fields that are written behind it
  int code = 0;                         // of a value: the answer's "code"; 0 = success
  std::string message;                  // of a value: its "msg"; empty = the form's
  std::vector<Tensor> outputs;          // in the order of ServiceInfo::outputs
  bool synthetic = false;               // made by the null backend: not an answer about the photo
  std::size_t batch_items = 0;          // items in the batch that carried it
  std::string lane;                     // "cpu0/0"
  StageTimes stages;
};

// Called exactly once, from a decode or lane thread (or inline from Infer when it is refused at
// once). Must return quickly and not throw: it holds up the lane's next batch.
using InferenceCallback = std::function<void(InferenceResult)>;

}  // namespace xcloud
