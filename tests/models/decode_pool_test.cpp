#include "models/decode_pool.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/resource.h>

#include <array>
#include <future>
#include <memory>
#include <string>

#include "tests/support/fake_clock.h"

namespace xcloud {
namespace {

using std::chrono::milliseconds;

// A pool of one thread whose thread is held inside a job until Open() is called.
class HeldPool {
 public:
  HeldPool(const Clock& clock, std::size_t capacity)
      : pool_(std::make_unique<DecodePool>(DecodePoolOptions{1, capacity, 0}, clock)) {
    std::promise<void> started;
    const Status status = pool_->Submit([this, &started] {
      started.set_value();
      gate_.get_future().wait();
    });
    EXPECT_TRUE(status.ok());
    started.get_future().wait();
  }
  ~HeldPool() {
    if (!open_) Open();
  }
  void Open() {
    open_ = true;
    gate_.set_value();
  }
  DecodePool& operator*() { return *pool_; }
  DecodePool* operator->() { return pool_.get(); }

 private:
  std::promise<void> gate_;
  bool open_ = false;
  std::unique_ptr<DecodePool> pool_;
};

TEST(DecodePoolTest, RunsEveryAcceptedJobOnceAlsoWhenDestroyed) {
  FakeClock clock;
  std::array<std::atomic<int>, 200> runs{};
  {
    DecodePool pool({3, 200, 0}, clock);
    for (auto& run : runs) ASSERT_TRUE(pool.Submit([&run] { ++run; }).ok());
  }
  for (const auto& run : runs) EXPECT_EQ(run, 1);
}

TEST(DecodePoolTest, AFullQueueRefusesAndLeavesTheJobWithTheCaller) {
  FakeClock clock;
  HeldPool pool(clock, 2);
  ASSERT_TRUE(pool->Submit([] {}).ok());
  ASSERT_TRUE(pool->Submit([] {}).ok());
  bool ran = false;
  DecodePool::Job job = [&ran] { ran = true; };
  const Status status = pool->Submit(std::move(job));
  EXPECT_EQ(status.code(), StatusCode::kOverloaded);
  EXPECT_GT(status.retry_after(), milliseconds(0));
  ASSERT_TRUE(job);
  job();
  EXPECT_TRUE(ran);
}

TEST(DecodePoolTest, RetryAfterIsTheMeasuredTimeOfWhatWaits) {
  FakeClock clock;
  HeldPool pool(clock, 3);
  clock.Advance(milliseconds(40));  // what the held job will have taken
  pool.Open();
  std::promise<void> started;
  std::promise<void> gate;
  ASSERT_TRUE(pool->Submit([&] {
                    started.set_value();
                    gate.get_future().wait();
                  })
                  .ok());
  started.get_future().wait();  // by now the first job is learnt
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(pool->Submit([] {}).ok());
  const Status status = pool->Submit([] {});
  EXPECT_EQ(status.code(), StatusCode::kOverloaded);
  EXPECT_EQ(status.retry_after(), milliseconds(160));  // three that wait and the one that runs
  gate.set_value();
}

TEST(DecodePoolTest, CountsJobs) {
  FakeClock clock;
  HeldPool pool(clock, 1);
  ASSERT_TRUE(pool->Submit([] {}).ok());
  EXPECT_FALSE(pool->Submit([] {}).ok());
  const DecodePoolCounters counters = pool->counters();
  EXPECT_EQ(counters.accepted, 2U);
  EXPECT_EQ(counters.refused, 1U);
  EXPECT_EQ(counters.finished, 0U);
  EXPECT_EQ(counters.waiting, 1U);
}

TEST(DecodePoolTest, AJobThatSubmitsWhileThePoolIsDestroyedIsToldSo) {
  FakeClock clock;
  std::promise<void> destroying;
  Status status;
  auto pool = std::make_unique<DecodePool>(DecodePoolOptions{1, 4, 0}, clock);
  DecodePool& ref = *pool;
  ASSERT_TRUE(ref.Submit([&] {
                   destroying.get_future().wait();
                   // The destructor may not have begun: go on until it has.
                   do {
                     status = ref.Submit([] {});
                   } while (status.code() != StatusCode::kUnavailable);
                 })
                  .ok());
  destroying.set_value();
  pool.reset();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
}

TEST(DecodePoolTest, ThreadsAreNamedAndNicedBelowTheRest) {
  FakeClock clock;
  const int own = getpriority(PRIO_PROCESS, 0);
  std::promise<std::pair<std::string, int>> told;
  {
    DecodePool pool({1, 1, 5}, clock);
    ASSERT_TRUE(pool.Submit([&told] {
                      std::array<char, 16> name{};
                      pthread_getname_np(pthread_self(), name.data(), name.size());
                      told.set_value({name.data(), getpriority(PRIO_PROCESS, 0)});
                    })
                    .ok());
  }
  const auto [name, nice] = told.get_future().get();
  EXPECT_EQ(name, "decode/0");
  EXPECT_EQ(nice, std::min(own + 5, 19));
  EXPECT_EQ(getpriority(PRIO_PROCESS, 0), own);
}

TEST(DecodePoolTest, ZeroThreadsMeansOneForEachUsableCore) {
  FakeClock clock;
  EXPECT_GE(DecodePool({}, clock).thread_count(), 1U);
}

}  // namespace
}  // namespace xcloud
