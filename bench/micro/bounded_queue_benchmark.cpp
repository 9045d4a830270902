// The queue between threads: alone, contended, and handing over to a thread that waits.

#include "core/bounded_queue.h"

#include <benchmark/benchmark.h>

#include <cstdint>
#include <thread>

namespace xcloud {
namespace {

void PushAndPop(benchmark::State& state) {
  static BoundedQueue<std::uint64_t> queue(4096);  // shared by the benchmark's threads
  for (auto _ : state) {
    queue.TryPush(1);  // room is certain: each thread takes out what it put in
    benchmark::DoNotOptimize(queue.Pop());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(PushAndPop)->Threads(1)->Threads(2)->UseRealTime();

void RefuseWhenFull(benchmark::State& state) {
  BoundedQueue<std::uint64_t> queue(1);
  queue.TryPush(1);
  for (auto _ : state) benchmark::DoNotOptimize(queue.TryPush(2));
}
BENCHMARK(RefuseWhenFull);

// There and back: two hand-overs, each of which wakes a sleeping thread. What a request pays
// twice on its way through the decode pool and a lane.
void RoundTripBetweenThreads(benchmark::State& state) {
  BoundedQueue<std::uint64_t> there(1);
  BoundedQueue<std::uint64_t> back(1);
  std::thread echo([&] {
    while (auto value = there.Pop()) back.TryPush(std::move(*value));
  });
  for (auto _ : state) {
    there.TryPush(1);
    benchmark::DoNotOptimize(back.Pop());
  }
  there.Close();
  echo.join();
}
BENCHMARK(RoundTripBetweenThreads)->UseRealTime();

void TakeABatch(benchmark::State& state) {
  const auto batch = static_cast<std::size_t>(state.range(0));
  BoundedQueue<std::uint64_t> queue(4096);
  for (auto _ : state) {
    for (std::size_t i = 0; i < batch; ++i) queue.TryPush(std::uint64_t{i});
    benchmark::DoNotOptimize(queue.TryPopUpTo(batch));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(TakeABatch)->Arg(8)->Arg(64);

}  // namespace
}  // namespace xcloud
