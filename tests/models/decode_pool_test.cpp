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

// Set once, waited for by others. Must outlive the pool whose jobs use it.
class Signal {
 public:
  void Set() {
    MutexLock lock(mutex_);
    set_ = true;
    changed_.NotifyAll();
  }
  void Wait() {
    MutexLock lock(mutex_);
    while (!set_) changed_.Wait(mutex_);
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool set_ XC_GUARDED_BY(mutex_) = false;
};

// A pool of one thread whose thread is held inside a job until Open() is called.
class HeldPool {
 public:
  HeldPool(const Clock& clock, std::size_t capacity)
      : pool_(std::make_unique<DecodePool>(DecodePoolOptions{1, capacity, 0}, clock)) {
    const Status status = pool_->Submit([this] {
      started_.Set();
      gate_.Wait();
    });
    EXPECT_TRUE(status.ok());
    started_.Wait();
  }
  ~HeldPool() { Open(); }
  void Open() { gate_.Set(); }
  DecodePool* operator->() { return pool_.get(); }

 private:
  Signal started_;
  Signal gate_;
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
  Signal started;
  Signal gate;
  HeldPool pool(clock, 3);
  clock.Advance(milliseconds(40));  // what the held job will have taken
  pool.Open();
  const Status second = pool->Submit([&] {
    started.Set();
    gate.Wait();
  });
  ASSERT_TRUE(second.ok());
  started.Wait();  // by now the first job is learnt
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(pool->Submit([] {}).ok());
  const Status status = pool->Submit([] {});
  gate.Set();
  EXPECT_EQ(status.code(), StatusCode::kOverloaded);
  EXPECT_EQ(status.retry_after(), milliseconds(160));  // three that wait and the one that runs
}

TEST(DecodePoolTest, ExpectedDelayCountsWhatWaitsAndTheJobItself) {
  FakeClock clock;
  Signal started;
  Signal gate;
  HeldPool pool(clock, 3);
  EXPECT_EQ(pool->ExpectedDelay(), Duration::zero()) << "nothing is measured";
  clock.Advance(milliseconds(40));
  pool.Open();
  const Status second = pool->Submit([&] {
    started.Set();
    gate.Wait();
  });
  ASSERT_TRUE(second.ok());
  started.Wait();
  EXPECT_EQ(pool->ExpectedDelay(), milliseconds(40));
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(pool->Submit([] {}).ok());
  EXPECT_EQ(pool->ExpectedDelay(), milliseconds(120));
  gate.Set();
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
  Signal destroying;
  Status status;
  auto pool = std::make_unique<DecodePool>(DecodePoolOptions{1, 4, 0}, clock);
  DecodePool& ref = *pool;
  const Status first = ref.Submit([&] {
    destroying.Wait();
    // The destructor may not have begun: go on until it has.
    do {
      status = ref.Submit([] {});
    } while (status.code() != StatusCode::kUnavailable);
  });
  EXPECT_TRUE(first.ok());
  destroying.Set();
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

std::vector<DecodePool::Job> Jobs(std::size_t count, std::atomic<int>& runs) {
  return std::vector<DecodePool::Job>(count, [&runs] { ++runs; });
}

TEST(DecodePoolTest, ASetOfJobsIsTakenWholeOrNotAtAll) {
  FakeClock clock;
  std::atomic<int> runs = 0;
  {
    HeldPool pool(clock, 4);
    EXPECT_TRUE(pool->SubmitAll(Jobs(3, runs)).ok());
    const Status full = pool->SubmitAll(Jobs(2, runs));
    EXPECT_EQ(full.code(), StatusCode::kOverloaded);
    EXPECT_GT(full.retry_after(), milliseconds(0));
    EXPECT_EQ(pool->counters().waiting, 3U);
    EXPECT_EQ(pool->counters().refused, 2U);
    EXPECT_TRUE(pool->SubmitAll(Jobs(1, runs)).ok()) << "there is room for one";
  }
  EXPECT_EQ(runs, 4);
}

TEST(DecodePoolTest, ASetThatCanNeverFitIsTheCallersMistake) {
  FakeClock clock;
  std::atomic<int> runs = 0;
  DecodePool pool({1, 4, 0}, clock);
  const Status status = pool.SubmitAll(Jobs(5, runs));
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "a request may hold at most 4 photos, this one holds 5");
}

}  // namespace
}  // namespace xcloud
