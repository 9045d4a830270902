#include "models/model_lease.h"

#include <utility>

namespace xcloud {

ModelLease::ModelLease(std::unique_ptr<LoadedModel> model) : state_(std::make_shared<State>()) {
  XC_CHECK(model != nullptr);
  state_->model = std::move(model);
}

void ModelLease::SetId(ModelId id) {
  MutexLock lock(state_->mutex);
  XC_CHECK(!state_->shared);
  state_->model->id = id;
}

std::shared_ptr<const LoadedModel> ModelLease::Share() {
  MutexLock lock(state_->mutex);
  XC_CHECK(!state_->shared);
  state_->shared = true;
  // The state is moved out of the deleter, which lives as long as a lane's weak pointer does.
  auto last_user_is_gone = [state = state_](const LoadedModel*) mutable {
    const std::shared_ptr<State> mine = std::move(state);
    MutexLock state_lock(mine->mutex);
    mine->unused = true;
    mine->changed.NotifyAll();
  };
  return {state_->model.get(), std::move(last_user_is_gone)};
}

bool ModelLease::WaitUnused(Clock& clock, TimePoint until) {
  MutexLock lock(state_->mutex);
  while (!state_->unused && !state_->interrupted) {
    if (!clock.WaitUntil(state_->changed, state_->mutex, until)) break;
  }
  return state_->unused;
}

void ModelLease::Interrupt() {
  MutexLock lock(state_->mutex);
  state_->interrupted = true;
  state_->changed.NotifyAll();
}

}  // namespace xcloud
