// PuppetInferenceService: an InferenceService that does what a test says.
//
// Answers at once with `answer`, or, while held, keeps each request until the test takes it with
// Take() and calls `done` itself, from whatever thread it likes.
// Thread safety: every method from any thread; `answer` and the services are set before use.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/inference_service.h"
#include "core/mutex.h"

namespace xcloud {

struct HeldRequest {
  InferenceRequest request;
  InferenceCallback done;
};

class PuppetInferenceService final : public InferenceService {
 public:
  // One service named `name`, ready, with the default answer form.
  explicit PuppetInferenceService(const std::string& name = "demo") {
    ServiceInfo info;
    info.name = name;
    info.route = "/cv/" + name;
    info.title = "Demo";
    info.version = "1";
    info.backend = "puppet";
    info.state = ServiceState::kReady;
    info.label_count = 3;
    info.platform = "puppet";
    info.inputs = {{"image", DataType::kBytes, {-1, 1}}};
    info.outputs = {{"probabilities", DataType::kFp32, {-1, 3}}};
    info.labels = std::make_shared<const std::vector<std::string>>(
        std::vector<std::string>{"cat", "bird", "dog"});
    AddService(info);
    answer.model = name;
    answer.version = "1";
    answer.predictions = {{0, "cat", 0.75F}, {2, "dog", 0.25F}};
    answer.batch_items = 1;
    answer.lane = "puppet/0";
  }

  void AddService(ServiceInfo info) {
    if (info.route.empty()) info.route = "/cv/" + info.name;
    services_.push_back(std::make_shared<const ServiceInfo>(std::move(info)));
  }
  void SetAdmit(Status status) {
    MutexLock lock(mutex_);
    admit_ = std::move(status);
  }
  void SetReady(Status status) {
    MutexLock lock(mutex_);
    ready_ = std::move(status);
  }
  void SetDevices(std::vector<DeviceHealth> devices) {
    MutexLock lock(mutex_);
    devices_ = std::move(devices);
  }
  void SetBatching(BatchingView view) {
    MutexLock lock(mutex_);
    batching_ = std::move(view);
  }
  void SetChange(Status status) {
    MutexLock lock(mutex_);
    change_ = std::move(status);
  }
  void SetStatistics(ModelStatistics statistics) {
    MutexLock lock(mutex_);
    statistics_ = std::move(statistics);
  }
  // How a load or unload that has begun ends.
  void SetOperation(Status status) {
    MutexLock lock(mutex_);
    operation_ = std::move(status);
  }
  // A load or unload that begins ends when the test calls what TakeOperation gives.
  void HoldOperations() {
    MutexLock lock(mutex_);
    holding_operations_ = true;
  }
  // Waits for the next held load or unload.
  StatusCallback TakeOperation() {
    MutexLock lock(mutex_);
    while (held_operations_.empty()) arrived_.Wait(mutex_);
    StatusCallback done = std::move(held_operations_.front());
    held_operations_.pop_front();
    return done;
  }
  void Hold() {
    MutexLock lock(mutex_);
    holding_ = true;
  }
  // Waits for the next held request.
  HeldRequest Take() {
    MutexLock lock(mutex_);
    while (held_.empty()) arrived_.Wait(mutex_);
    HeldRequest held = std::move(held_.front());
    held_.pop_front();
    return held;
  }
  std::size_t admit_calls() const {
    MutexLock lock(mutex_);
    return admit_calls_;
  }
  Priority admitted_priority() const {
    MutexLock lock(mutex_);
    return admitted_priority_;
  }
  std::string admitted_version() const {
    MutexLock lock(mutex_);
    return admitted_version_;
  }
  // What ChangeBatching was asked, in order.
  std::vector<BatchingPatch> patches() const {
    MutexLock lock(mutex_);
    return patches_;
  }
  // "load demo", "unload demo": in order.
  std::vector<std::string> operations() const {
    MutexLock lock(mutex_);
    return operations_;
  }
  // The requests answered at once, in order.
  std::vector<InferenceRequest> requests() const {
    MutexLock lock(mutex_);
    return requests_;
  }

  std::vector<ServiceInfoPtr> List() const override { return services_; }
  ServiceInfoPtr Find(std::string_view name) const override {
    for (const ServiceInfoPtr& service : services_) {
      if (service->name == name) return service;
    }
    return nullptr;
  }
  // Of the services' own versions; another is NotFound.
  Result<ServiceInfoPtr> FindVersion(std::string_view name,
                                     std::string_view version) const override {
    ServiceInfoPtr info = Find(name);
    if (info == nullptr) return Status::NotFound("no service named " + std::string(name));
    if (version.empty() || version == info->version) return info;
    for (const VersionState& one : info->versions) {
      const bool labelled =
          std::find(one.labels.begin(), one.labels.end(), version) != one.labels.end();
      if (one.version != version && !labelled) continue;
      auto found = std::make_shared<ServiceInfo>(*info);
      found->version = one.version;
      found->state = one.state;
      found->reason = one.reason;
      return ServiceInfoPtr(std::move(found));
    }
    return Status::NotFound("no version " + std::string(version));
  }
  Status Admit(std::string_view, std::string_view version, Priority priority,
               Deadline) const override {
    MutexLock lock(mutex_);
    ++admit_calls_;
    admitted_version_ = version;
    admitted_priority_ = priority;
    return admit_;
  }
  void Infer(InferenceRequest request, InferenceCallback done) override {
    {
      MutexLock lock(mutex_);
      if (holding_) {
        held_.push_back({std::move(request), std::move(done)});
        arrived_.NotifyAll();
        return;
      }
    }
    InferenceResult result = answer;
    FillStages(request, result);
    {
      MutexLock lock(mutex_);
      requests_.push_back(std::move(request));
    }
    done(std::move(result));
  }
  Status Ready() const override {
    MutexLock lock(mutex_);
    return ready_;
  }
  std::vector<DeviceHealth> Devices() const override {
    MutexLock lock(mutex_);
    return devices_;
  }
  Result<BatchingView> Batching(std::string_view name) const override {
    MutexLock lock(mutex_);
    if (Find(name) == nullptr) return Status::NotFound("no service named " + std::string(name));
    return batching_;
  }
  // Notes the patch and gives the next version, unless `SetChange` says how it fails.
  Result<BatchingView> ChangeBatching(std::string_view, const BatchingPatch& patch) override {
    MutexLock lock(mutex_);
    patches_.push_back(patch);
    if (!change_.ok()) return change_;
    ++batching_.current.version;
    return batching_;
  }
  // Ends at once, as SetOperation says.
  Status Load(std::string_view name, StatusCallback done) override {
    return Operate("load ", name, std::move(done));
  }
  Status Unload(std::string_view name, StatusCallback done) override {
    return Operate("unload ", name, std::move(done));
  }
  Result<ModelStatistics> Statistics(std::string_view name,
                                     std::string_view version) const override {
    MutexLock lock(mutex_);
    if (Find(name) == nullptr) return Status::NotFound("no service named " + std::string(name));
    ModelStatistics statistics = statistics_;
    if (statistics.version.empty()) statistics.version = version;
    return statistics;
  }

  // 1 ms to wait for decode, 2 of decode, 3 of queue, 4 of staging, 5 of infer after `received`.
  static void FillStages(const InferenceRequest& request, InferenceResult& result) {
    using std::chrono::milliseconds;
    StageTimes& s = result.stages;
    s.first_byte = request.first_byte;
    s.received = request.received;
    s.decode_start = s.received + milliseconds(1);
    s.decode_end = s.decode_start + milliseconds(2);
    s.enqueued = s.decode_end;
    s.batch_closed = s.decode_end + milliseconds(3);
    s.forward_start = s.batch_closed + milliseconds(4);
    s.forward_end = s.forward_start + milliseconds(5);
    s.answered = s.forward_end;
  }

  InferenceResult answer;

 private:
  Status Operate(const std::string& what, std::string_view name, StatusCallback done) {
    Status ended;
    {
      MutexLock lock(mutex_);
      if (Find(name) == nullptr) return Status::NotFound("no service named " + std::string(name));
      operations_.push_back(what + std::string(name));
      if (holding_operations_) {
        held_operations_.push_back(std::move(done));
        arrived_.NotifyAll();
        return Status::Ok();
      }
      ended = operation_;
    }
    if (done != nullptr) done(std::move(ended));
    return Status::Ok();
  }

  std::vector<ServiceInfoPtr> services_;
  mutable Mutex mutex_;
  CondVar arrived_;
  bool holding_ XC_GUARDED_BY(mutex_) = false;
  Status admit_ XC_GUARDED_BY(mutex_);
  Status ready_ XC_GUARDED_BY(mutex_);
  mutable std::size_t admit_calls_ XC_GUARDED_BY(mutex_) = 0;
  mutable std::string admitted_version_ XC_GUARDED_BY(mutex_);
  mutable Priority admitted_priority_ XC_GUARDED_BY(mutex_) = Priority::kNormal;
  std::vector<DeviceHealth> devices_ XC_GUARDED_BY(mutex_);
  BatchingView batching_ XC_GUARDED_BY(mutex_);
  Status change_ XC_GUARDED_BY(mutex_);
  Status operation_ XC_GUARDED_BY(mutex_);
  ModelStatistics statistics_ XC_GUARDED_BY(mutex_);
  std::vector<BatchingPatch> patches_ XC_GUARDED_BY(mutex_);
  std::vector<std::string> operations_ XC_GUARDED_BY(mutex_);
  bool holding_operations_ XC_GUARDED_BY(mutex_) = false;
  std::deque<StatusCallback> held_operations_ XC_GUARDED_BY(mutex_);
  std::deque<HeldRequest> held_ XC_GUARDED_BY(mutex_);
  std::vector<InferenceRequest> requests_ XC_GUARDED_BY(mutex_);
};

}  // namespace xcloud
