// PuppetScheduler: a BatchScheduler that does what the test says and remembers what it was told.
// Nothing runs until the test takes the requests. Every method from any thread.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/batch_scheduler.h"
#include "core/mutex.h"

namespace xcloud {

class PuppetScheduler final : public BatchScheduler {
 public:
  struct Model {
    std::string name;
    std::string version;
    BatchLimits limits;
    std::vector<ProfilePoint> profile;
  };

  ModelId AddModel(std::string_view name, std::string_view version, const BatchLimits& limits,
                   const std::vector<ProfilePoint>& profile) override {
    if (before_add_model) before_add_model();
    MutexLock lock(mutex_);
    models_[++last_id_] = {std::string(name), std::string(version), limits, profile};
    changed_.NotifyAll();
    return last_id_;
  }

  void RemoveModel(ModelId model) override {
    std::vector<ScheduledRequestPtr> refused;
    {
      MutexLock lock(mutex_);
      models_.erase(model);
      changed_.NotifyAll();
      std::erase_if(waiting_, [&](auto& entry) {
        if (entry.first != model) return false;
        refused.push_back(std::move(entry.second));
        return true;
      });
    }
    for (ScheduledRequestPtr& request : refused) request->RefuseAll(Status::Unavailable("removed"));
  }

  void SetLimits(ModelId model, const BatchLimits& limits) override {
    MutexLock lock(mutex_);
    if (const auto found = models_.find(model); found != models_.end()) {
      found->second.limits = limits;
    }
  }

  std::vector<DeviceHealth> Devices() const override {
    MutexLock lock(mutex_);
    return devices_;
  }

  Status Admit(ModelId, const AdmitQuery& query) const override {
    MutexLock lock(mutex_);
    queries_.push_back(query);
    return admit_;
  }

  Status Submit(ModelId model, ScheduledRequestPtr& request) override {
    if (before_submit) before_submit();
    MutexLock lock(mutex_);
    if (!submit_.ok()) return submit_;
    if (models_.find(model) == models_.end()) return Status::Unavailable("no such model");
    ++submitted_;
    waiting_.emplace_back(model, std::move(request));
    changed_.NotifyAll();
    return Status::Ok();
  }

  // Blocks until `count` requests wait, then hands them over.
  std::vector<ScheduledRequestPtr> Take(std::size_t count) {
    MutexLock lock(mutex_);
    while (waiting_.size() < count) changed_.Wait(mutex_);
    std::vector<ScheduledRequestPtr> taken;
    for (auto& entry : waiting_) taken.push_back(std::move(entry.second));
    waiting_.clear();
    return taken;
  }

  // Blocks until the `count`-th model was added; models are numbered from 1.
  void WaitForAdded(ModelId count) {
    MutexLock lock(mutex_);
    while (last_id_ < count) changed_.Wait(mutex_);
  }
  // Blocks until the model, which was added, is removed.
  void WaitForRemoved(ModelId model) {
    MutexLock lock(mutex_);
    while (last_id_ < model || models_.count(model) != 0) changed_.Wait(mutex_);
  }

  void set_devices(std::vector<DeviceHealth> devices) {
    MutexLock lock(mutex_);
    devices_ = std::move(devices);
  }
  void set_admit(Status status) {
    MutexLock lock(mutex_);
    admit_ = std::move(status);
  }
  void set_submit(Status status) {
    MutexLock lock(mutex_);
    submit_ = std::move(status);
  }
  std::map<ModelId, Model> models() const {
    MutexLock lock(mutex_);
    return models_;
  }

  // What Admit was asked, in order.
  std::vector<AdmitQuery> queries() const {
    MutexLock lock(mutex_);
    return queries_;
  }
  // Requests that were queued, ever.
  std::size_t submitted() const {
    MutexLock lock(mutex_);
    return submitted_;
  }

  // Runs on the thread that adds a model, without locks. Set before that.
  std::function<void()> before_add_model;
  // Runs on the submitting thread, without locks: a test can hold a decode thread here. Set
  // before the first request.
  std::function<void()> before_submit;

 private:
  mutable Mutex mutex_;
  CondVar changed_;
  ModelId last_id_ XC_GUARDED_BY(mutex_) = 0;
  std::map<ModelId, Model> models_ XC_GUARDED_BY(mutex_);
  std::vector<std::pair<ModelId, ScheduledRequestPtr>> waiting_ XC_GUARDED_BY(mutex_);
  std::size_t submitted_ XC_GUARDED_BY(mutex_) = 0;
  mutable std::vector<AdmitQuery> queries_ XC_GUARDED_BY(mutex_);
  std::vector<DeviceHealth> devices_ XC_GUARDED_BY(mutex_);
  Status admit_ XC_GUARDED_BY(mutex_);
  Status submit_ XC_GUARDED_BY(mutex_);
};

}  // namespace xcloud
