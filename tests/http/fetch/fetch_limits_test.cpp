// Time, number and the end: what bounds a fetch, and what ends it from this side.

#include "tests/http/fetch/fetch_fixture.h"

namespace xcloud {
namespace {

using ::testing::HasSubstr;

class FetchLimitsTest : public FetchFixture {
 protected:
  void Pass(Duration time) {
    clock_.Advance(time);
    fetcher_->Wake();
  }
};

TEST_F(FetchLimitsTest, EndsAFetchAtItsTimeout) {
  Start();
  std::size_t asked = 0;
  for (const char* path : {"/silent", "/slow"}) {
    Pending photo = Begin(Url(path));
    ASSERT_TRUE(host_.WaitRequests(++asked));
    Pass(std::chrono::milliseconds(5000));
    ExpectStatus(Await(std::move(photo)), StatusCode::kDeadlineExceeded, "longer than 5000 ms");
  }
  EXPECT_TRUE(host_.WaitGone(2)) << "the connections are closed";
  EXPECT_EQ(Ended("late"), 2U);
}

TEST_F(FetchLimitsTest, DoesNotEndAFetchBeforeItsTime) {
  Start();
  Pending photo = Begin(Url("/hold"), Deadline::After(clock_.Now(), std::chrono::seconds(9)));
  ASSERT_TRUE(host_.WaitRequests(1));
  Pass(std::chrono::milliseconds(4999));
  // A second fetch is taken and answered after the clock was looked at.
  ASSERT_TRUE(Get(Url("/photo")).ok());
  host_.Release();
  EXPECT_TRUE(Await(std::move(photo)).ok());
}

TEST_F(FetchLimitsTest, TheRequestsDeadlineCountsWhereItIsEarlier) {
  Start();
  Pending photo = Begin(Url("/slow"), Deadline::After(clock_.Now(), std::chrono::milliseconds(80)));
  ASSERT_TRUE(host_.WaitRequests(1));
  Pass(std::chrono::milliseconds(80));
  ExpectStatus(Await(std::move(photo)), StatusCode::kDeadlineExceeded, "the deadline passed");
}

TEST_F(FetchLimitsTest, ADeadlineThatHasPassedOpensNoConnection) {
  Start();
  ExpectStatus(Await(Begin(Url("/photo"), Deadline::At(clock_.Now()))),
               StatusCode::kDeadlineExceeded, "the deadline passed");
  EXPECT_TRUE(connects().empty());
}

TEST_F(FetchLimitsTest, ALookupThatHangsIsLateAndItsAnswerIsDropped) {
  resolver_->Hold("slow.example.org");
  Start();
  Pending photo = Begin(Url("/photo", "slow.example.org"));
  ASSERT_TRUE(resolver_->WaitAsked(1));
  EXPECT_EQ(resolver_->cancelled(), 0U);
  Pass(std::chrono::milliseconds(5000));
  ExpectStatus(Await(std::move(photo)), StatusCode::kDeadlineExceeded, "longer than");
  EXPECT_EQ(resolver_->cancelled(), 1U) << "the resolver is told that nobody waits";
  resolver_->AnswerHeld({"127.0.0.1"});
  EXPECT_TRUE(Get(Url("/photo")).ok());
  EXPECT_EQ(connects().size(), 1U);
}

TEST_F(FetchLimitsTest, ALookupThatAnswersAfterTheFetcherHasGoneFindsNobody) {
  resolver_->Hold("slow.example.org");
  Start();
  Pending photo = Begin(Url("/photo", "slow.example.org"));
  ASSERT_TRUE(resolver_->WaitAsked(1));
  fetcher_.reset();
  ExpectStatus(Await(std::move(photo)), StatusCode::kUnavailable, "stopping");
  resolver_->AnswerHeld({"127.0.0.1"});
  EXPECT_TRUE(connects().empty());
}

// A listener whose queue is full drops what asks for a connection, as a dead host does.
class FullListener {
 public:
  explicit FullListener(std::uint16_t port) {
    address_.sin_family = AF_INET;
    address_.sin_port = htons(port);
    address_.sin_addr.s_addr = htonl(0x7F000002);
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto* raw = reinterpret_cast<sockaddr*>(&address_);
    if (bind(listener_, raw, sizeof(address_)) != 0 || listen(listener_, 0) != 0) std::abort();
    for (int& guest : guests_) {
      guest = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      connect(guest, raw, sizeof(address_));
    }
  }
  ~FullListener() {
    for (const int guest : guests_) close(guest);
    close(listener_);
  }
  FullListener(const FullListener&) = delete;
  FullListener& operator=(const FullListener&) = delete;

 private:
  sockaddr_in address_{};
  int listener_ = -1;
  int guests_[4] = {};
};

TEST_F(FetchLimitsTest, GivesUpOnAHostThatDoesNotAnswerTheConnection) {
  const FullListener dead(host_.port());
  resolver_->Add("dead.example.org", {"127.0.0.2"});
  config_.connect_timeout_ms = 200;
  Start();
  ExpectStatus(Get(Url("/photo", "dead.example.org")), StatusCode::kDeadlineExceeded,
               "did not accept a connection in time");
}

// Takes two seconds: curl gives the first address half of the time, and asks no clock of ours.
TEST_F(FetchLimitsTest, TriesTheNextAddressWhenOneDoesNotAnswer) {
  const FullListener dead(host_.port());
  resolver_->Add("half.example.org", {"127.0.0.2", "127.0.0.1"});
  config_.connect_timeout_ms = 4000;
  Start();
  EXPECT_TRUE(Get(Url("/photo", "half.example.org")).ok());
  EXPECT_EQ(connects().size(), 2U);
}

TEST_F(FetchLimitsTest, CancelEndsAFetchAndItsConnection) {
  Start();
  const auto cancel = std::make_shared<CancelToken>();
  Pending photo = Begin(Url("/slow"), {}, cancel);
  ASSERT_TRUE(host_.WaitRequests(1));
  cancel->Cancel();
  fetcher_->Wake();
  ExpectStatus(Await(std::move(photo)), StatusCode::kCancelled, "went away");
  EXPECT_TRUE(host_.WaitGone(1));
  EXPECT_EQ(Ended("cancelled"), 1U);
}

TEST_F(FetchLimitsTest, SeesATokenThatNobodyAnnounces) {
  Start();
  const auto cancel = std::make_shared<CancelToken>();
  Pending photo = Begin(Url("/slow"), {}, cancel);
  ASSERT_TRUE(host_.WaitRequests(1));
  cancel->Cancel();
  ExpectStatus(Await(std::move(photo)), StatusCode::kCancelled, "went away");
}

TEST_F(FetchLimitsTest, CancelEndsAFetchThatWaits) {
  config_.max_fetches = 1;
  Start();
  Pending first = Begin(Url("/hold"));
  ASSERT_TRUE(host_.WaitRequests(1));
  const auto cancel = std::make_shared<CancelToken>();
  Pending second = Begin(Url("/photo"), {}, cancel);
  cancel->Cancel();
  fetcher_->Wake();
  ExpectStatus(Await(std::move(second)), StatusCode::kCancelled, "went away");
  host_.Release();
  EXPECT_TRUE(Await(std::move(first)).ok());
  EXPECT_EQ(host_.requests().size(), 1U);
}

TEST_F(FetchLimitsTest, OneFetchTooManyIsToldToComeAgain) {
  config_.max_fetches = 1;
  config_.queue_capacity = 1;
  Start();
  Pending first = Begin(Url("/hold"));
  Pending second = Begin(Url("/photo"));
  const Result<std::string> third = Get(Url("/photo"));
  ExpectStatus(third, StatusCode::kOverloaded, "too many photos");
  EXPECT_GT(third.status().retry_after().count(), 0);
  host_.Release();
  EXPECT_TRUE(Await(std::move(first)).ok());
  EXPECT_TRUE(Await(std::move(second)).ok());
  EXPECT_TRUE(Get(Url("/photo")).ok()) << "there is room again";
  EXPECT_EQ(Ended("overloaded"), 1U);
}

TEST_F(FetchLimitsTest, AHostGetsAFewConnectionsAndOthersPassThoseThatWait) {
  config_.connections_per_host = 2;
  resolver_->Add("other.example.org", {"127.0.0.1"});
  Start();
  std::vector<Pending> photos;
  for (int i = 0; i < 5; ++i) photos.push_back(Begin(Url("/hold")));
  ASSERT_TRUE(Get(Url("/photo", "other.example.org")).ok());
  // The five stood before it in the queue, so all of them had been looked at.
  EXPECT_EQ(resolver_->asked("photos.example.org"), 2U);
  host_.Release();
  for (Pending& photo : photos) EXPECT_TRUE(Await(std::move(photo)).ok());
  EXPECT_EQ(resolver_->asked("photos.example.org"), 5U);
  EXPECT_LE(host_.accepted(), 3U) << "two for the one host, one for the other";
}

TEST_F(FetchLimitsTest, StopEndsWhatMovesAndWhatWaits) {
  config_.max_fetches = 1;
  Start();
  Pending first = Begin(Url("/slow"));
  Pending second = Begin(Url("/photo"));
  ASSERT_TRUE(host_.WaitRequests(1));
  fetcher_->Stop();
  ExpectStatus(Await(std::move(first)), StatusCode::kUnavailable, "the server is stopping");
  ExpectStatus(Await(std::move(second)), StatusCode::kUnavailable, "the server is stopping");
  ExpectStatus(Get(Url("/photo")), StatusCode::kUnavailable, "the server is stopping");
  fetcher_->Stop();
  fetcher_->Wake();
  EXPECT_EQ(Ended("stopping"), 3U);
  EXPECT_THAT(metrics_.Render(), HasSubstr("xcloud_fetches_open 0\n"));
}

TEST_F(FetchLimitsTest, DoneMayAskForTheNextPhoto) {
  Start();
  std::promise<Result<std::string>> promise;
  fetcher_->Fetch({Url("/photo"), {}, nullptr}, [&](const Result<std::string>&) {
    fetcher_->Fetch({Url("/photo"), {}, nullptr},
                    [&](Result<std::string> photo) { promise.set_value(std::move(photo)); });
  });
  EXPECT_TRUE(Await(promise.get_future()).ok());
}

TEST_F(FetchLimitsTest, ManyAtOnceEachEndOnce) {
  config_.connections_per_host = 4;
  Start();
  std::vector<Pending> photos;
  for (int i = 0; i < 200; ++i) {
    const auto cancel = std::make_shared<CancelToken>();
    if (i % 5 == 0) cancel->Cancel();
    photos.push_back(Begin(Url(i % 3 == 0 ? "/size?100" : "/photo"), {}, cancel));
  }
  std::size_t fetched = 0;
  for (Pending& photo : photos) fetched += Await(std::move(photo)).ok() ? 1 : 0;
  EXPECT_EQ(fetched, 160U);
  EXPECT_EQ(Ended("ok") + Ended("cancelled"), 200U);
}

}  // namespace
}  // namespace xcloud
