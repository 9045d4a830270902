// ModelLease: one loaded model, and the question whether anybody still uses it.
//
// What is published and what requests hold is the pointer of Share(). When the last copy of it is
// gone the lease wakes whoever waits, but frees nothing: the model dies with the last lease, so
// the thread that waited frees the networks and no lane or io thread has to. When the lease went
// first (the server is gone and a lane still answers), the last user frees the model.
//
// Threads: Share once, before the model is published; the rest from any thread.
#pragma once

#include <memory>

#include "core/clock.h"
#include "core/mutex.h"
#include "models/loaded_model.h"

namespace xcloud {

class ModelLease {
 public:
  explicit ModelLease(std::unique_ptr<LoadedModel> model);

  // REQUIRES: not shared yet.
  void SetId(ModelId id);
  std::shared_ptr<const LoadedModel> Share();

  ModelId id() const { return state_->model->id; }

  // Blocks until nobody holds a copy of Share()'s pointer: true. False when `until` passed or
  // Interrupt was called before that.
  bool WaitUnused(Clock& clock, TimePoint until);
  // Ends this WaitUnused and every later one.
  void Interrupt();

 private:
  struct State {
    std::unique_ptr<LoadedModel> model;
    Mutex mutex;
    CondVar changed;
    bool shared XC_GUARDED_BY(mutex) = false;
    bool unused XC_GUARDED_BY(mutex) = false;
    bool interrupted XC_GUARDED_BY(mutex) = false;
  };
  const std::shared_ptr<State> state_;
};

}  // namespace xcloud
