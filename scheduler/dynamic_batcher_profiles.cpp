// What was learned of the models' batch times, on its way to the store.

#include <utility>

#include "core/log.h"
#include "scheduler/dynamic_batcher.h"

namespace xcloud {

DynamicBatcher::Learned DynamicBatcher::LearnedBy(const Model& model) const {
  Learned learned{model.name, model.version, {}};
  for (const auto& [device, number] : devices_) {
    for (ProfileEntry& entry : model.profile.Export(number, device)) {
      learned.entries.push_back(std::move(entry));
    }
  }
  return learned;
}

void DynamicBatcher::Save(const Learned& learned) {
  if (store_ == nullptr || learned.entries.empty()) return;
  const Status saved = store_->Save(learned.model, learned.version, learned.entries);
  if (!saved.ok()) spdlog::warn("batch times were not kept: {}", saved.message());
}

void DynamicBatcher::SaveProfiles() {
  if (store_ == nullptr) return;
  std::vector<Learned> all;
  {
    MutexLock lock(mutex_);
    for (const auto& [id, model] : models_) all.push_back(LearnedBy(model));
  }
  for (const Learned& learned : all) Save(learned);
}

}  // namespace xcloud
