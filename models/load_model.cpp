#include "models/load_model.h"

#include <sys/resource.h>

#include <algorithm>
#include <string>
#include <thread>
#include <utility>

#include "core/log.h"
#include "models/optimize/chosen_variant.h"

namespace xcloud {
namespace {

// Added to the niceness: warming up must not slow the lanes, the decoders and the io threads.
constexpr int kLoaderNiceness = 10;

// Linux keeps a niceness for each thread, and 0 means the calling one. Best effort: a refusal
// only leaves the warm-up at the priority of what serves.
void YieldToWhatServes() {
  const int current = getpriority(PRIO_PROCESS, 0);
  (void)setpriority(PRIO_PROCESS, 0, current + kLoaderNiceness);
}

void KeepSlowest(const std::vector<ProfilePoint>& measured, std::vector<ProfilePoint>& profile) {
  for (const ProfilePoint& point : measured) {
    const auto known = std::find_if(profile.begin(), profile.end(), [&](const ProfilePoint& p) {
      return p.device == point.device && p.items == point.items;
    });
    if (known == profile.end()) {
      profile.push_back(point);
    } else {
      known->elapsed = std::max(known->elapsed, point.elapsed);
    }
  }
}

Status LoadOnDevice(Device& device, const ServedFile& served, const Clock& clock, WarmModel& warm) {
  const ModelDefinition& definition = served.definition;
  auto networks = device.MakeNetworks(definition, served.file);
  if (!networks.ok()) return networks.status();
  XC_CHECK(networks->size() == device.lane_count());
  std::vector<ProfilePoint> profile;
  for (std::unique_ptr<Network>& network : *networks) {
    if (network->output_size() != definition.score_count()) {
      return Status::InvalidArgument(definition.ScoresDeclared() + ", but the network gives " +
                                     std::to_string(network->output_size()) + " scores");
    }
    const bool first = &network == &networks->front();
    if (device.runs_on_host() && !first) {
      if (Status status = WarmLane(*network, definition, device); !status.ok()) return status;
      continue;
    }
    Result<std::vector<ProfilePoint>> measured = WarmUp(*network, definition, device, clock);
    if (!measured.ok()) return measured.status();
    KeepSlowest(*measured, profile);
  }
  KeepSlowest(profile, warm.profile);
  for (std::unique_ptr<Network>& network : *networks) {
    warm.model->networks.push_back(std::move(network));
  }
  return Status::Ok();
}

// "openvino fp32", or of devices that run different things all of them.
void AddBackend(const std::string& shown, std::string& all) {
  if (all.find(shown) == std::string::npos) all += (all.empty() ? "" : ", ") + shown;
}

// The variant that was chosen for this host, or else what it was made from.
Status LoadBestOnDevice(Device& device, const RepositoryEntry& entry, const Clock& clock,
                        WarmModel& warm) {
  const ServedFile reference = ReferenceOf(entry);
  VariantChoice choice = ChooseVariant(entry, device.host_key());
  if (choice.variant) {
    const Status status = LoadOnDevice(device, *choice.variant, clock, warm);
    if (status.ok()) {
      spdlog::info("model '{}' version {} on {}: the variant {}", entry.definition.name,
                   entry.version, device.name(), choice.variant->shown);
      AddBackend(choice.variant->shown, warm.model->backend);
      return status;
    }
    choice.trouble = choice.variant->shown + " cannot be loaded";
    spdlog::warn("model '{}': {}", entry.definition.name, status.message());
  }
  const Status status = LoadOnDevice(device, reference, clock, warm);
  if (!status.ok()) return status;
  AddBackend(reference.shown, warm.model->backend);
  if (!choice.trouble.empty()) {
    spdlog::warn("model '{}' version {} on {}: serving the reference, {}: {}",
                 entry.definition.name, entry.version, device.name(), reference.shown,
                 choice.trouble);
    warm.model->backend += " (" + choice.trouble + ")";
  }
  return status;
}

}  // namespace

Result<WarmModel> LoadModel(const RepositoryEntry& entry,
                            const std::vector<std::unique_ptr<Device>>& devices, const Clock& clock,
                            bool beside_serving) {
  XC_CHECK(entry.state == ServiceState::kLoading && !devices.empty());
  WarmModel warm;
  warm.model = std::make_unique<LoadedModel>();
  warm.model->definition = entry.definition;
  warm.model->version = entry.version;
  warm.model->output_size = entry.definition.score_count();
  for (const std::unique_ptr<Device>& device : devices) {
    Status status;
    std::thread prepared([&] {
      if (beside_serving) YieldToWhatServes();
      device->PrepareLaneThread();
      status = LoadBestOnDevice(*device, entry, clock, warm);
    });
    prepared.join();
    if (!status.ok()) return status;
  }
  return warm;
}

}  // namespace xcloud
