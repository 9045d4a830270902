// InferenceService: the seam between http and what answers. Implemented by models.
//
// Every method may be called from any thread and returns without waiting for I/O, decoding or a
// network: http calls them on its io threads.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/batch_scheduler.h"
#include "core/batching.h"
#include "core/model_statistics.h"
#include "core/request.h"
#include "core/result.h"
#include "core/status.h"
#include "core/tensor.h"

namespace xcloud {

enum class ServiceState {
  kLoading,    // weights are being read or warmed
  kReady,      // answers
  kNoWeights,  // declared, but its weights file is not installed; never answers a score
  kUnloaded,   // taken out by an operator
  kFailed,     // the weights could not be loaded; `reason` says why
};
std::string_view ServiceStateName(ServiceState state);  // "loading", "ready", ...

// How a prediction is written as JSON: each of the original XCloud's routes has its own keys.
struct AnswerForm {
  std::string label_key = "category";
  std::string index_key;  // empty = the index is not written
  std::string probability_key = "prob";
  int decimals = 4;                // digits after the point of a probability
  int top_k = 5;                   // predictions when the caller names no k
  double threshold = 0;            // top-1 below it answers one item "Unknown", index -1
  int index_base = 0;              // what the first label's index is written as; "Unknown" stays -1
  bool probability_first = false;  // the order of an item's keys
  std::string data_key = "data";   // what holds the items or the value
  std::string message = "success";
};

// One version of a service, as it stands.
struct VersionState {
  std::string version;  // "2"
  ServiceState state = ServiceState::kLoading;
  std::string reason;               // why it is not ready; of a ready one, why its reload failed
  std::vector<std::string> labels;  // "canary": names for it, by name
};

// What is told about a service, or about one version of it: routes, pages, metadata. A snapshot;
// never changes once made.
struct ServiceInfo {
  std::string name;          // "imagenet": folder name and last part of the route
  std::string route;         // "/cv/imagenet"
  bool internal = false;     // a stage of other services: not shown to people
  bool has_gallery = false;  // takes ServiceAction::kEnrol and the like
  bool takes_rows = false;   // answers about `subject`, not about a photo
  std::string title;         // for people
  std::string description;   // one or two sentences, for its page
  std::string source;        // where the weights come from and their licence
  std::string version;       // "1"; empty while there is none
  std::string backend;       // "torchscript", "null", ...
  ServiceState state = ServiceState::kLoading;
  std::string reason;  // why it is not ready; empty when ready
  AnswerForm answer;
  std::size_t label_count = 0;
  std::size_t max_batch = 1;
  Duration latency_goal{};                // default deadline, from the first byte; zero = none
  Priority priority = Priority::kNormal;  // of requests that name none
  bool synthetic = false;

  // As the Open Inference Protocol tells them. Of a service that answers about photos there is one
  // input, "image", which takes three types whatever `inputs` declares: BYTES [n] or [n,1], n
  // encoded photos; UINT8 [n,height,width,3], photos of the network's size; FP32, the network's own
  // normalised input. Its one output, "probabilities", is FP32 [n,label_count].
  std::string platform;  // "pytorch_libtorch", "null", ...
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  std::shared_ptr<const std::vector<std::string>> labels;  // null = the outputs have none

  // By rising number: those that answer and those that should. Empty: `version` is the only one.
  std::vector<VersionState> versions;
  std::string version_policy = "latest";  // "latest", "all" or "listed"
  std::size_t version_count = 1;          // of latest: so many
};
using ServiceInfoPtr = std::shared_ptr<const ServiceInfo>;

// ServiceInfo::versions; where that is empty, the one that the rest of `info` tells about.
std::vector<VersionState> VersionsOf(const ServiceInfo& info);
// Those that answer, with their labels: "1 (stable), 2"; "none".
std::string ServedVersions(const std::vector<VersionState>& versions);

// How an operation that goes on in the background ended. Called once, from any thread; must not
// block.
using StatusCallback = std::function<void(Status)>;

class InferenceService {
 public:
  virtual ~InferenceService() = default;

  // Sorted by name.
  virtual std::vector<ServiceInfoPtr> List() const = 0;
  // Null when no folder of that name was published. What is told is of the version that a request
  // gets that names none: the one labelled "stable" if there is one, else the highest that is
  // ready.
  virtual ServiceInfoPtr Find(std::string_view name) const = 0;
  // `version`: a number, a label, or empty for Find's. NotFound says what is served; a version that
  // is not ready is found, with its reason.
  virtual Result<ServiceInfoPtr> FindVersion(std::string_view name,
                                             std::string_view version) const = 0;

  // Would a request for one item of that version (as FindVersion has it) be taken now, and answered
  // by `deadline`? Asked when the header is in and before the body is read, so that a refusal costs
  // neither. NotFound, Unavailable, Overloaded (with retry_after) or DeadlineExceeded. A refusal is
  // counted as a request that failed, so whoever is refused asks no more and does not call Infer;
  // being admitted counts nothing, so it may be asked again for the same request.
  virtual Status Admit(std::string_view name, std::string_view version, Priority priority,
                       Deadline deadline) const = 0;

  // Takes the request and answers it exactly once through `done`, also when it is refused. Inputs
  // that do not fit the model are InvalidArgument, in the words that Triton's clients know.
  virtual void Infer(InferenceRequest request, InferenceCallback done) = 0;

  // OK when every service that has weights is loaded and warm; else Unavailable with the reason.
  virtual Status Ready() const = 0;
  // In the order of the configuration.
  virtual std::vector<DeviceHealth> Devices() const = 0;

  // The batching knobs of a service that is loaded, and how they came to be. NotFound, or
  // Unavailable while it is not loaded.
  virtual Result<BatchingView> Batching(std::string_view name) const = 0;
  // Applies the patch to requests that wait and that come; nothing is reloaded, no request lost.
  // Gives the new view. InvalidArgument names every wrong value; NotFound also for an unknown
  // version; AlreadyExists when expected_version is not the current one; nothing is changed then.
  virtual Result<BatchingView> ChangeBatching(std::string_view name,
                                              const BatchingPatch& patch) = 0;

  // Since that version (as FindVersion has it) was loaded. NotFound; Unavailable while it is not.
  virtual Result<ModelStatistics> Statistics(std::string_view name,
                                             std::string_view version) const = 0;

  // Loads and warms the versions that the service's folder now says in the background, also of a
  // folder that is new; what serves goes on until the new is warm, and when it fails. OK = begun:
  // then `done` (if there is one) is told how it ended, Cancelled when an unload overtook it.
  // NotFound, Unavailable (stopping, or the repository is not under explicit control).
  virtual Status Load(std::string_view name, StatusCallback done) = 0;
  // Takes all versions of the service out and gives their memory back in the background, once the
  // requests that it has accepted are answered; then `done`. Of a service that is being loaded it
  // stops that load. NotFound, Unavailable (neither loaded nor being loaded, or stopping).
  virtual Status Unload(std::string_view name, StatusCallback done) = 0;
};

}  // namespace xcloud
