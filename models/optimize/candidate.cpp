#include "models/optimize/candidate.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "models/cpu_device.h"

namespace xcloud {
namespace {

// One lane's part of a timed run.
struct LaneRun {
  Status status;
  std::vector<double> batch_ms;
  double items_per_second = 0;
};

void TimeLane(Network& network, std::span<const NetworkItem> items, std::size_t batch,
              double seconds, const Clock& clock, LaneRun& out) {
  std::vector<NetworkItem> batch_items(batch);
  std::vector<float> scores(batch * network.output_size());
  std::size_t next = 0;
  const auto run = [&] {
    for (NetworkItem& item : batch_items) item = items[next++ % items.size()];
    out.status = network.Run(0, batch_items, batch, scores.data());
    return out.status.ok();
  };
  if (!run()) return;
  const TimePoint start = clock.Now();
  TimePoint now = start;
  while (out.batch_ms.size() < 2 || ToMilliseconds(now - start) < 1e3 * seconds) {
    if (!run()) return;
    const TimePoint end = clock.Now();
    out.batch_ms.push_back(ToMilliseconds(end - now));
    now = end;
  }
  out.items_per_second =
      1e3 * static_cast<double>(batch * out.batch_ms.size()) / ToMilliseconds(now - start);
}

}  // namespace

LaneLayout DefaultLayout() {
  constexpr std::size_t kMostLanes = 4;
  const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
  const std::size_t lanes = std::min(cores, kMostLanes);
  return {lanes, cores / lanes};
}

Result<std::unique_ptr<Candidate>> Candidate::Load(const ServedFile& file, LaneLayout layout) {
  std::unique_ptr<Candidate> candidate(new Candidate());
  candidate->max_batch_ = std::max<std::size_t>(file.definition.batching.max_batch, 1);
  candidate->device_ = MakeCpuDevice({"cpu0", layout.lanes, layout.threads, {}});
  Status status;
  std::thread prepared([&] {
    candidate->device_->PrepareLaneThread();
    auto networks = candidate->device_->MakeNetworks(file.definition, file.file);
    status = networks.status();
    if (networks.ok()) candidate->networks_ = *std::move(networks);
  });
  prepared.join();
  if (!status.ok()) return status;
  return candidate;
}

Result<std::vector<float>> Candidate::Scores(std::span<const NetworkItem> items) {
  Network& network = *networks_.front();
  std::vector<float> scores(items.size() * network.output_size());
  Status status;
  std::thread prepared([&] {
    device_->PrepareLaneThread();
    for (std::size_t first = 0; status.ok() && first < items.size(); first += max_batch_) {
      const std::size_t count = std::min(max_batch_, items.size() - first);
      status = network.Run(0, items.subspan(first, count), count,
                           scores.data() + first * network.output_size());
    }
  });
  prepared.join();
  if (!status.ok()) return status;
  return scores;
}

Result<TimedRun> Candidate::Time(std::span<const NetworkItem> items, std::size_t batch,
                                 double seconds) {
  XC_CHECK(!items.empty() && batch >= 1 && batch <= max_batch_);
  std::vector<LaneRun> runs(networks_.size());
  std::vector<std::thread> lanes;
  for (std::size_t lane = 0; lane < networks_.size(); ++lane) {
    lanes.emplace_back([&, lane] {
      device_->PrepareLaneThread();
      TimeLane(*networks_[lane], items, batch, seconds, clock_, runs[lane]);
    });
  }
  for (std::thread& lane : lanes) lane.join();
  TimedRun all;
  for (LaneRun& run : runs) {
    if (!run.status.ok()) return run.status;
    all.batch_ms.insert(all.batch_ms.end(), run.batch_ms.begin(), run.batch_ms.end());
    all.items_per_second += run.items_per_second;
  }
  return all;
}

}  // namespace xcloud
