// The shell under real threads: submitters, lanes with threads of their own, cancels, short
// deadlines, models that come and go, a stop in the middle. Bounded in requests, not in time; the
// ledger aborts when a request ends twice. Meant for the tsan and asan presets.

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "core/bounded_queue.h"
#include "scheduler/dynamic_batcher.h"
#include "tests/support/puppet_request.h"

namespace xcloud {
namespace {

// Answers each batch at once, from its own thread.
class ThreadedLane final : public BatchExecutor {
 public:
  ThreadedLane(std::string name, std::string device) {
    info_.name = std::move(name);
    info_.device = std::move(device);
    thread_ = std::thread([this] { Loop(); });
  }
  ~ThreadedLane() override {
    work_.Close();
    thread_.join();
  }
  const LaneInfo& info() const override { return info_; }
  void Start(Batch batch, BatchDone done) override {
    XC_CHECK(work_.TryPush({std::move(batch), std::move(done)}));
  }
  void Probe(BatchDone done) override { XC_CHECK(work_.TryPush({{}, std::move(done)})); }
  std::size_t items() const { return items_.load(); }
  // Each n-th batch fails; 0 = none. Of those each third is the device's fault.
  std::atomic<std::size_t> fail_each{0};

 private:
  struct Work {
    Batch batch;
    BatchDone done;
  };
  void Loop() {
    while (std::optional<Work> work = work_.Pop()) {
      BatchReport report;
      report.elapsed = std::chrono::microseconds(5);
      ++batches_;
      const std::size_t each = fail_each.load();
      if (!work->batch.parts.empty() && each > 0 && batches_ % each == 0) {
        const bool device = batches_ % (3 * each) == 0;
        report.outcome = device ? BatchOutcome::kDeviceFailed : BatchOutcome::kBatchFailed;
        report.status = Status::Internal("as asked");
      } else {
        Answer(work->batch);
      }
      work->batch.parts.clear();
      work->done(std::move(report));
    }
  }

  void Answer(const Batch& batch) {
    if (batch.parts.empty()) return;
    XC_CHECK(batch.claim->Take());
    items_ += batch.items;
    for (const BatchPart& part : batch.parts) {
      static_cast<PuppetRequest&>(*part.request).Answer(part.items);
    }
  }

  LaneInfo info_;
  std::size_t batches_ = 0;
  BoundedQueue<Work> work_{1};
  std::atomic<std::size_t> items_{0};
  std::thread thread_;
};

struct Tally {
  std::atomic<std::size_t> taken{0};
  std::atomic<std::size_t> left{0};  // refused by Submit: still the caller's
};

class StressTest : public testing::Test {
 protected:
  static BatchLimits Limits(std::size_t max_batch, Duration delay) {
    BatchLimits limits;
    limits.max_batch = max_batch;
    limits.queue_capacity = 64;
    limits.max_queue_delay = delay;
    return limits;
  }

  void Submitter(std::uint64_t seed, int requests, const std::vector<ModelId>& models) {
    std::mt19937_64 random(seed);
    for (int i = 0; i < requests; ++i) {
      auto request = std::make_shared<PuppetRequest>(ledger_);
      request->items = 1 + random() % 3;
      request->priority = static_cast<Priority>(1 + random() % 3);
      if (random() % 4 == 0) {
        request->deadline =
            Deadline::After(clock_.Now(), std::chrono::microseconds(random() % 300));
      }
      const CancelTokenPtr cancel = random() % 8 == 0 ? request->cancel() : nullptr;
      const std::size_t id = request->id();
      ScheduledRequestPtr moved = std::move(request);
      const ModelId model = models[random() % models.size()];
      (void)batcher_.Admit(model, {});
      // A full queue empties: lanes answer, and Stop and RemoveModel give another refusal.
      Status status = batcher_.Submit(model, moved);
      for (; status.code() == StatusCode::kOverloaded; status = batcher_.Submit(model, moved)) {
        XC_CHECK(moved != nullptr);
        std::this_thread::yield();
      }
      if (status.ok()) {
        XC_CHECK(moved == nullptr);
        ++tally_.taken;
      } else {
        XC_CHECK(moved != nullptr);
        ++tally_.left;
        ledger_.End(id, Ending::kRefused);
      }
      if (cancel != nullptr) cancel->Cancel();
    }
  }

  std::vector<std::thread> StartSubmitters(int threads, int requests,
                                           const std::vector<ModelId>& models) {
    std::vector<std::thread> submitters;
    for (int i = 0; i < threads; ++i) {
      submitters.emplace_back([this, i, requests, models] {
        Submitter(static_cast<std::uint64_t>(i), requests, models);
      });
    }
    return submitters;
  }
  void ExpectEachEndedOnce(std::size_t requests) {
    EXPECT_EQ(ledger_.size(), requests);
    EXPECT_EQ(ledger_.Count(Ending::kOpen), 0U);
    EXPECT_EQ(tally_.taken + tally_.left, requests);
    EXPECT_GE(ledger_.Count(Ending::kRefused), tally_.left);
  }

  RequestLedger ledger_;
  Tally tally_;
  SystemClock clock_;
  MetricsRegistry metrics_;
  ThreadedLane lane0_{"a/0", "a"};
  ThreadedLane lane1_{"a/1", "a"};
  ThreadedLane lane2_{"b/0", "b"};
  DynamicBatcher batcher_{clock_, metrics_, {&lane0_, &lane1_, &lane2_}};
};

TEST_F(StressTest, EveryRequestEndsExactlyOnce) {
  const std::vector<ModelId> models = {
      batcher_.AddModel("prompt", "1", Limits(8, Duration::zero()), {}),
      batcher_.AddModel("patient", "1", Limits(4, std::chrono::microseconds(200)), {}),
      batcher_.AddModel("single", "1", Limits(2, Duration::zero()), {})};
  for (std::thread& thread : StartSubmitters(4, 2000, models)) thread.join();
  EXPECT_TRUE(batcher_.WaitIdle(TimePoint::max()));
  ExpectEachEndedOnce(8000);
  EXPECT_GE(lane0_.items() + lane1_.items() + lane2_.items(), ledger_.Count(Ending::kAnswered));
}

TEST_F(StressTest, LanesThatFailLoseNobody) {
  const std::vector<ModelId> models = {
      batcher_.AddModel("prompt", "1", Limits(8, Duration::zero()), {}),
      batcher_.AddModel("single", "1", Limits(2, Duration::zero()), {})};
  lane0_.fail_each = 3;
  lane2_.fail_each = 5;
  for (std::thread& thread : StartSubmitters(4, 1000, models)) thread.join();
  lane0_.fail_each = 0;
  lane2_.fail_each = 0;
  EXPECT_TRUE(batcher_.WaitIdle(TimePoint::max()));
  ExpectEachEndedOnce(4000);
}

TEST_F(StressTest, ModelsComeAndGoUnderLoad) {
  std::vector<ModelId> models;
  for (int i = 0; i < 8; ++i) {
    models.push_back(batcher_.AddModel(std::to_string(i), "1", Limits(4, Duration::zero()), {}));
  }
  std::vector<std::thread> submitters = StartSubmitters(3, 1000, models);
  for (int i = 0; i < 7; ++i) {
    batcher_.RemoveModel(models[static_cast<std::size_t>(i)]);
    BatchLimits limits = Limits(1 + static_cast<std::size_t>(i) % 5, Duration::zero());
    limits.queue_capacity = 8 + static_cast<std::size_t>(i) * 8;
    batcher_.SetLimits(models.back(), limits);
    batcher_.AddModel("again", "1", Limits(4, Duration::zero()), {});
    metrics_.Render();
  }
  for (std::thread& thread : submitters) thread.join();
  EXPECT_TRUE(batcher_.WaitIdle(TimePoint::max()));
  ExpectEachEndedOnce(3000);
}

TEST_F(StressTest, StopInTheMiddleLeavesNobodyUnanswered) {
  const std::vector<ModelId> models = {
      batcher_.AddModel("a", "1", Limits(4, Duration::zero()), {}),
      batcher_.AddModel("b", "1", Limits(4, std::chrono::milliseconds(50)), {})};
  std::vector<std::thread> submitters = StartSubmitters(3, 1000, models);
  while (tally_.taken < 200) std::this_thread::yield();
  batcher_.Stop();
  for (std::thread& thread : submitters) thread.join();
  ExpectEachEndedOnce(3000);
  EXPECT_GE(tally_.taken, 200U);
}

}  // namespace
}  // namespace xcloud
