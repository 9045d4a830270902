// PuppetModels: an InferenceService of models that answer as a test says, in place of ModelServer.
//
// A model answers its inputs' rows through a function, at once, on the thread that asks; while
// held, questions wait for Release. Thread safety: every method from any thread; models are added
// before use.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/inference_service.h"
#include "core/mutex.h"

namespace xcloud {

class PuppetModels final : public InferenceService {
 public:
  // What it is asked: `items` inputs of `width` values, or a photo.
  struct Question {
    std::string photo;
    std::size_t items = 1;
    std::vector<float> values;
    InferenceRequest request;
  };
  // Its outputs, or why not.
  using Network = std::function<Result<std::vector<float>>(const Question&)>;

  void Add(const std::string& name, std::vector<std::int64_t> dims, Network network) {
    ServiceInfo info;
    info.name = name;
    info.internal = true;
    info.version = "1";
    info.state = ServiceState::kReady;
    if (!dims.empty()) dims.insert(dims.begin(), -1);
    info.inputs = {{"input", DataType::kFp32, dims}};
    infos_[name] = std::make_shared<const ServiceInfo>(std::move(info));
    networks_[name] = std::move(network);
  }
  void Set(const std::string& name, ServiceState state, std::string reason) {
    MutexLock lock(mutex_);
    ServiceInfo info = *infos_.at(name);
    info.state = state;
    info.reason = std::move(reason);
    infos_[name] = std::make_shared<const ServiceInfo>(std::move(info));
  }
  void SetVersion(const std::string& name, std::string version) {
    MutexLock lock(mutex_);
    ServiceInfo info = *infos_.at(name);
    info.version = std::move(version);
    infos_[name] = std::make_shared<const ServiceInfo>(std::move(info));
  }
  void SetAdmit(Status status) {
    MutexLock lock(mutex_);
    admit_ = std::move(status);
  }
  void Hold() {
    MutexLock lock(mutex_);
    holding_ = true;
  }
  void WaitForHeld(std::size_t count) {
    MutexLock lock(mutex_);
    while (held_.size() < count) changed_.Wait(mutex_);
  }
  // Ends what is held, with the networks' answers or with `refusal`, and holds no more.
  void Release(const Status& refusal = {}) {
    std::deque<std::pair<InferenceRequest, InferenceCallback>> held;
    {
      MutexLock lock(mutex_);
      holding_ = false;
      held.swap(held_);
    }
    for (auto& [request, done] : held) Answer(std::move(request), done, refusal);
  }
  void Inspect(const std::function<void(const InferenceRequest&)>& look) {
    MutexLock lock(mutex_);
    for (const auto& [request, done] : held_) look(request);
  }
  // "mtcnn_pnet 1", in order.
  std::vector<std::string> asked() const {
    MutexLock lock(mutex_);
    return asked_;
  }

  std::vector<ServiceInfoPtr> List() const override {
    MutexLock lock(mutex_);
    std::vector<ServiceInfoPtr> list;
    for (const auto& [name, info] : infos_) list.push_back(info);
    return list;
  }
  ServiceInfoPtr Find(std::string_view name) const override {
    MutexLock lock(mutex_);
    const auto found = infos_.find(std::string(name));
    return found == infos_.end() ? nullptr : found->second;
  }
  Status Admit(std::string_view, std::string_view, Priority, Deadline) const override {
    MutexLock lock(mutex_);
    return admit_;
  }
  void Infer(InferenceRequest request, InferenceCallback done) override {
    {
      MutexLock lock(mutex_);
      const std::size_t items =
          request.inputs.empty() ? 1 : static_cast<std::size_t>(request.inputs[0].shape[0]);
      asked_.push_back(request.service + " " + std::to_string(items));
      if (holding_) {
        held_.emplace_back(std::move(request), std::move(done));
        changed_.NotifyAll();
        return;
      }
    }
    Answer(std::move(request), done, {});
  }
  Status Ready() const override { return Status::Ok(); }
  std::vector<DeviceHealth> Devices() const override { return {}; }
  Result<BatchingView> Batching(std::string_view) const override { return BatchingView{}; }
  Result<BatchingView> ChangeBatching(std::string_view, const BatchingPatch&) override {
    return BatchingView{};
  }
  Result<ModelStatistics> Statistics(std::string_view, std::string_view) const override {
    return ModelStatistics{};
  }
  Result<ServiceInfoPtr> FindVersion(std::string_view name, std::string_view) const override {
    return Find(name);
  }
  Status Load(std::string_view, StatusCallback) override { return Status::Ok(); }
  Status Unload(std::string_view, StatusCallback) override { return Status::Ok(); }

 private:
  void Answer(InferenceRequest request, const InferenceCallback& done, const Status& refusal) {
    InferenceResult result;
    result.model = request.service;
    result.status = refusal;
    if (refusal.ok()) Compute(std::move(request), result);
    done(std::move(result));
  }
  void Compute(InferenceRequest request, InferenceResult& result) {
    const ServiceInfoPtr info = Find(request.service);
    if (info == nullptr) {
      result.status = Status::NotFound("no service named '" + request.service + "'");
      return;
    }
    result.version = info->version;
    Question question;
    question.photo = request.image.view();
    if (!request.inputs.empty()) {
      const Tensor& input = request.inputs.front();
      question.items = static_cast<std::size_t>(input.shape.front());
      const auto* values = reinterpret_cast<const float*>(input.data.data());
      question.values.assign(values, values + input.data.size() / sizeof(float));
    }
    question.request = std::move(request);
    Result<std::vector<float>> values = networks_.at(info->name)(question);
    result.status = values.status();
    if (!values.ok()) return;
    auto owner = std::make_shared<const std::vector<float>>(*std::move(values));
    const std::string_view bytes(reinterpret_cast<const char*>(owner->data()),
                                 owner->size() * sizeof(float));
    const auto items = static_cast<std::int64_t>(question.items);
    const auto width = static_cast<std::int64_t>(owner->size()) / items;
    result.outputs.push_back(
        {"output", DataType::kFp32, {items, width}, SharedBytes(owner, bytes)});
  }

  mutable Mutex mutex_;
  CondVar changed_;
  std::map<std::string, ServiceInfoPtr> infos_;
  std::map<std::string, Network> networks_;
  Status admit_ XC_GUARDED_BY(mutex_);
  bool holding_ XC_GUARDED_BY(mutex_) = false;
  std::vector<std::string> asked_ XC_GUARDED_BY(mutex_);
  std::deque<std::pair<InferenceRequest, InferenceCallback>> held_ XC_GUARDED_BY(mutex_);
};

}  // namespace xcloud
