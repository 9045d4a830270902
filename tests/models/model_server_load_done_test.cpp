// Who asked for a load or an unload is told how it ended.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "models/model_server.h"
#include "tests/models/model_server_fixture.h"

namespace xcloud {
namespace {

using ::testing::HasSubstr;

// Collects what callbacks are told; waits for them.
class Told {
 public:
  StatusCallback Callback() {
    return [this](Status status) {
      MutexLock lock(mutex_);
      statuses_.push_back(std::move(status));
      changed_.NotifyAll();
    };
  }
  std::vector<Status> WaitFor(std::size_t count) {
    MutexLock lock(mutex_);
    while (statuses_.size() < count) changed_.Wait(mutex_);
    return statuses_;
  }
  std::size_t count() const {
    MutexLock lock(mutex_);
    return statuses_.size();
  }

 private:
  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<Status> statuses_ XC_GUARDED_BY(mutex_);
};

class ModelServerLoadDoneTest : public ModelServerTest {
 protected:
  ~ModelServerLoadDoneTest() override {
    gate_.Open();
    server_.reset();  // before what its callbacks write to
  }
  void ServeM() {
    AddModel("m");
    Serve();
  }
  // A load of "m" that stays in the device until gate_ opens.
  void BeginALoad() {
    puppet_->gates["m"] = &gate_;
    ASSERT_TRUE(server_->Load("m", load_.Callback()).ok());
    gate_.WaitForArrivals(1);
  }

  Told load_;
  Told waiting_;
  Told unload_;
};

TEST_F(ModelServerLoadDoneTest, ALoadIsDoneWhenTheModelIsPublished) {
  ServeM();
  Infer(Request("m"));
  auto running = scheduler_.Take(1);  // keeps the old one from being released
  ASSERT_TRUE(server_->Load("m", load_.Callback()).ok());
  EXPECT_TRUE(load_.WaitFor(1)[0].ok());
  EXPECT_EQ(scheduler_.models().count(2), 1U);
  EXPECT_EQ(server_->Find("m")->state, ServiceState::kReady);
  Answer(running[0]);
}

TEST_F(ModelServerLoadDoneTest, AFailedLoadTellsWhy) {
  ServeM();
  puppet_->failures["m"] = Status::InvalidArgument("not a TorchScript file");
  ASSERT_TRUE(server_->Load("m", load_.Callback()).ok());
  EXPECT_EQ(load_.WaitFor(1)[0], Status::InvalidArgument("not a TorchScript file"));
  AddModel("m", "nonsense = 1\n");
  ASSERT_TRUE(server_->Load("m", load_.Callback()).ok());
  EXPECT_EQ(load_.WaitFor(2)[1].code(), StatusCode::kInvalidArgument);
  AddModel("m", "");
  ASSERT_TRUE(server_->Load("m", load_.Callback()).ok());
  EXPECT_EQ(load_.WaitFor(3)[2].code(), StatusCode::kUnavailable);
  EXPECT_THAT(load_.WaitFor(3)[2].message(), HasSubstr("weights are not installed"));
}

TEST_F(ModelServerLoadDoneTest, AnUnloadIsDoneWhenTheModelIsGone) {
  ServeM();
  Infer(Request("m"));
  auto running = scheduler_.Take(1);
  ASSERT_TRUE(server_->Unload("m", unload_.Callback()).ok());
  clock_.WaitForSleepers(1);
  EXPECT_EQ(unload_.count(), 0U) << "a request of it is not answered";
  Answer(running[0]);
  running.clear();
  EXPECT_TRUE(unload_.WaitFor(1)[0].ok());
  EXPECT_EQ(scheduler_.models().count(1), 0U);
}

TEST_F(ModelServerLoadDoneTest, LoadsThatAreOneLoadAreAllTold) {
  ServeM();
  BeginALoad();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(server_->Load("m", waiting_.Callback()).ok());
  EXPECT_EQ(waiting_.count(), 0U);
  gate_.Open();
  EXPECT_TRUE(load_.WaitFor(1)[0].ok());
  for (const Status& status : waiting_.WaitFor(3)) EXPECT_TRUE(status.ok());
  EXPECT_EQ(scheduler_.models().rbegin()->first, 3U) << "one load for the three";
}

TEST_F(ModelServerLoadDoneTest, LoadsThatAnUnloadOvertookAreCancelled) {
  ServeM();
  BeginALoad();
  ASSERT_TRUE(server_->Load("m", waiting_.Callback()).ok());
  ASSERT_TRUE(server_->Unload("m", unload_.Callback()).ok());
  EXPECT_EQ(waiting_.WaitFor(1)[0].code(), StatusCode::kCancelled) << "at once: it never began";
  gate_.Open();
  EXPECT_EQ(load_.WaitFor(1)[0].code(), StatusCode::kCancelled);
  EXPECT_TRUE(unload_.WaitFor(1)[0].ok());
  server_->Stop();
  EXPECT_EQ(load_.count() + waiting_.count() + unload_.count(), 3U) << "each once";
}

TEST_F(ModelServerLoadDoneTest, AnUnloadStopsTheFirstLoadThatRuns) {
  AddModel("m");
  Create();
  puppet_->gates["m"] = &gate_;
  server_->StartLoading();
  gate_.WaitForArrivals(1);
  ASSERT_TRUE(server_->Unload("m", unload_.Callback()).ok());
  EXPECT_EQ(server_->Find("m")->state, ServiceState::kUnloaded);
  EXPECT_EQ(unload_.count(), 0U) << "the load still holds its memory";
  gate_.Open();
  EXPECT_TRUE(unload_.WaitFor(1)[0].ok());
  server_->WaitLoaded();
  EXPECT_EQ(server_->Find("m")->state, ServiceState::kUnloaded);
  EXPECT_TRUE(scheduler_.models().empty());
  EXPECT_EQ(server_->Unload("m", unload_.Callback()).code(), StatusCode::kUnavailable);
}

TEST_F(ModelServerLoadDoneTest, AnUnloadDropsTheFirstLoadThatWaits) {
  AddModel("m");
  AddModel("z");
  Create();
  puppet_->gates["m"] = &gate_;
  server_->StartLoading();
  gate_.WaitForArrivals(1);
  ASSERT_TRUE(server_->Load("z", waiting_.Callback()).ok());  // the same load
  ASSERT_TRUE(server_->Unload("z", unload_.Callback()).ok());
  EXPECT_EQ(waiting_.WaitFor(1)[0].code(), StatusCode::kCancelled);
  gate_.Open();
  EXPECT_TRUE(unload_.WaitFor(1)[0].ok());
  server_->WaitLoaded();  // waits for no load that was dropped
  EXPECT_EQ(server_->Find("m")->state, ServiceState::kReady);
  EXPECT_EQ(server_->Find("z")->state, ServiceState::kUnloaded);
  ASSERT_TRUE(server_->Load("z", load_.Callback()).ok());
  EXPECT_TRUE(load_.WaitFor(1)[0].ok());
}

TEST_F(ModelServerLoadDoneTest, AStopCancelsTheLoadThatRunsAndTheOneThatWaits) {
  AddModel("z");
  ServeM();
  BeginALoad();
  ASSERT_TRUE(server_->Load("z", waiting_.Callback()).ok());
  std::thread stopper([this] { server_->Stop(); });
  server_->WaitLoaded();
  while (server_->Ready().ok()) std::this_thread::yield();  // until Stop has begun
  gate_.Open();
  stopper.join();
  EXPECT_EQ(load_.WaitFor(1)[0].code(), StatusCode::kCancelled);
  EXPECT_EQ(waiting_.WaitFor(1)[0].code(), StatusCode::kCancelled);
}

TEST_F(ModelServerLoadDoneTest, WhatWasNotBegunIsNotTold) {
  ServeM();
  EXPECT_EQ(server_->Load("nobody", load_.Callback()).code(), StatusCode::kNotFound);
  server_->Stop();
  EXPECT_EQ(server_->Load("m", load_.Callback()).code(), StatusCode::kUnavailable);
  EXPECT_EQ(server_->Unload("m", unload_.Callback()).code(), StatusCode::kUnavailable);
  EXPECT_EQ(load_.count() + unload_.count(), 0U);
}

}  // namespace
}  // namespace xcloud
