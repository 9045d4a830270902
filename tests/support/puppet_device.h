// PuppetDevice: a Device whose networks answer at once, with item i's score rising with the class,
// and which a test can make fail or wait. Gate: a door that threads wait at until a test opens it.
#pragma once

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
  void PrepareLaneThread() override {
    MutexLock lock(mutex_);
    prepared_.insert(std::this_thread::get_id());
  }

  Result<std::vector<std::unique_ptr<Network>>> MakeNetworks(
      const ModelDefinition& model, const std::filesystem::path&) override {
    if (const auto gate = gates.find(model.name); gate != gates.end()) gate->second->Pass();
    if (const auto failure = failures.find(model.name); failure != failures.end()) {
      return failure->second;
    }
    std::vector<std::unique_ptr<Network>> networks;
    for (std::size_t lane = 0; lane < lanes_; ++lane) {
      networks.push_back(std::make_unique<PuppetNetwork>(
          *this, outputs.count(model.name) != 0 ? outputs[model.name] : model.labels.size()));
    }
    return networks;
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

  // By model name; set before loading starts.
  std::map<std::string, Status> failures;
  std::map<std::string, Gate*> gates;
  std::map<std::string, std::size_t> outputs;  // instead of one a label

 private:
  class PuppetNetwork final : public Network {
   public:
    PuppetNetwork(PuppetDevice& device, std::size_t outputs) : device_(device), outputs_(outputs) {}
    std::size_t output_size() const override { return outputs_; }
    Status Run(std::span<const std::uint8_t* const> items, float* scores, TimePoint*) override {
      for (std::size_t i = 0; i < items.size() * outputs_; ++i) {
        scores[i] = static_cast<float>(i % outputs_);
      }
      MutexLock lock(device_.mutex_);
      ++device_.runs_;
      if (device_.prepared_.count(std::this_thread::get_id()) == 0) ++device_.unprepared_runs_;
      return Status::Ok();
    }

   private:
    PuppetDevice& device_;
    const std::size_t outputs_;
  };

  const std::string name_;
  const std::size_t lanes_;
  mutable Mutex mutex_;
  std::set<std::thread::id> prepared_ XC_GUARDED_BY(mutex_);
  int runs_ XC_GUARDED_BY(mutex_) = 0;
  int unprepared_runs_ XC_GUARDED_BY(mutex_) = 0;
};

}  // namespace xcloud
