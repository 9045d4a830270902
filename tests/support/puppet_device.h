// PuppetDevice: a Device whose networks answer at once, with item i's score rising with the class,
// and which a test can make fail or wait. Gate: a door that threads wait at until a test opens it.
#pragma once

#include <sys/resource.h>

#include <array>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/mutex.h"
#include "models/network.h"

namespace xcloud {

class Gate {
 public:
  // Waits until the gate is open.
  void Pass() {
    MutexLock lock(mutex_);
    ++waiting_;
    changed_.NotifyAll();
    while (!open_) changed_.Wait(mutex_);
  }
  void Open() {
    MutexLock lock(mutex_);
    open_ = true;
    changed_.NotifyAll();
  }
  // Blocks until `count` threads have come to the gate.
  void WaitForArrivals(std::size_t count) {
    MutexLock lock(mutex_);
    while (waiting_ < count) changed_.Wait(mutex_);
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool open_ XC_GUARDED_BY(mutex_) = false;
  std::size_t waiting_ XC_GUARDED_BY(mutex_) = 0;
};

class PuppetDevice final : public Device {
 public:
  PuppetDevice(std::string name, std::size_t lanes) : name_(std::move(name)), lanes_(lanes) {}

  const std::string& name() const override { return name_; }
  std::size_t lane_count() const override { return lanes_; }
  std::size_t depth() const override { return depth_of_lanes; }
  Duration hang_after() const override { return hang_after_of_lanes; }
  bool wants_decoded_images() const override { return resizes; }
  bool runs_on_host() const override { return on_host; }
  void PrepareLaneThread() override {
    MutexLock lock(mutex_);
    prepared_.insert(std::this_thread::get_id());
  }

  Result<std::vector<std::unique_ptr<Network>>> MakeNetworks(
      const ModelDefinition& model, const std::filesystem::path& weights) override {
    const std::string versioned = model.name + "/" + weights.parent_path().filename().string();
    {
      MutexLock lock(mutex_);
      made_.push_back(versioned);
    }
    for (const std::string& name : {model.name, versioned}) {
      if (const auto gate = gates.find(name); gate != gates.end()) gate->second->Pass();
      if (const auto failure = failures.find(name); failure != failures.end()) {
        return failure->second;
      }
    }
    std::vector<std::unique_ptr<Network>> networks;
    for (std::size_t lane = 0; lane < lanes_; ++lane) {
      networks.push_back(std::make_unique<DeviceNetwork>(
          *this, outputs.count(model.name) != 0 ? outputs[model.name] : model.labels.size()));
    }
    return networks;
  }

  // "m/2": what MakeNetworks was asked for, in order.
  std::vector<std::string> made() const {
    MutexLock lock(mutex_);
    return made_;
  }
  // Batches that were run on a thread that had not been prepared.
  int unprepared_runs() const {
    MutexLock lock(mutex_);
    return unprepared_runs_;
  }
  int runs() const {
    MutexLock lock(mutex_);
    return runs_;
  }

  std::set<std::thread::id> prepared() const {
    MutexLock lock(mutex_);
    return prepared_;
  }
  // Of the threads that ran batches, without repetition.
  std::set<int> niceness() const {
    MutexLock lock(mutex_);
    return niceness_;
  }

  // Set before a lane is made of it.
  std::size_t depth_of_lanes = 1;
  Duration hang_after_of_lanes{};
  bool resizes = false;
  bool on_host = false;
  // By model name, or by name and version, "m/2"; set before loading starts.
  std::map<std::string, Status> failures;
  std::map<std::string, Gate*> gates;
  std::map<std::string, std::size_t> outputs;  // instead of one a label

 private:
  class DeviceNetwork final : public Network {
   public:
    DeviceNetwork(PuppetDevice& device, std::size_t outputs) : device_(device), outputs_(outputs) {}
    std::size_t output_size() const override { return outputs_; }
    Status Stage(std::size_t slot, std::span<const NetworkItem> items, std::size_t) override {
      items_[slot] = items.size();
      return Status::Ok();
    }
    Status Collect(std::size_t slot, float* scores) override {
      for (std::size_t i = 0; i < items_[slot] * outputs_; ++i) {
        scores[i] = static_cast<float>(i % outputs_);
      }
      MutexLock lock(device_.mutex_);
      ++device_.runs_;
      const std::thread::id self = std::this_thread::get_id();
      if (device_.prepared_.count(self) == 0) ++device_.unprepared_runs_;
      device_.niceness_.insert(getpriority(PRIO_PROCESS, 0));
      return Status::Ok();
    }

   private:
    PuppetDevice& device_;
    const std::size_t outputs_;
    std::array<std::size_t, 2> items_{};  // staged, by slot
  };

  const std::string name_;
  const std::size_t lanes_;
  mutable Mutex mutex_;
  std::set<std::thread::id> prepared_ XC_GUARDED_BY(mutex_);
  std::set<int> niceness_ XC_GUARDED_BY(mutex_);
  std::vector<std::string> made_ XC_GUARDED_BY(mutex_);
  int runs_ XC_GUARDED_BY(mutex_) = 0;
  int unprepared_runs_ XC_GUARDED_BY(mutex_) = 0;
};

}  // namespace xcloud
