#include "http/endpoints/photo_fetch.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "core/cancel.h"
#include "http/completion_wait.h"
#include "http/fetch/photo_fetcher.h"

namespace xcloud {
namespace {

// Ends the download however the wait for it ends, also when the coroutine is destroyed.
class Download {
 public:
  Download(PhotoFetcher& fetcher, ByteBudget& budget)
      : fetcher_(fetcher), share_(std::make_shared<BodyShare>(budget)) {}
  Download(const Download&) = delete;
  Download& operator=(const Download&) = delete;
  ~Download() {
    if (ended_) return;
    token_->Cancel();
    fetcher_.Wake();
  }

  const CancelTokenPtr& token() const { return token_; }
  // The fetcher's until set_ended().
  const std::shared_ptr<BodyShare>& share() const { return share_; }
  void set_ended() { ended_ = true; }

 private:
  PhotoFetcher& fetcher_;
  const CancelTokenPtr token_ = std::make_shared<CancelToken>();
  const std::shared_ptr<BodyShare> share_;
  bool ended_ = false;
};

}  // namespace

Task<std::optional<HttpError>> FetchPhoto(RequestContext& context, Deadline deadline,
                                          BodyShare& share, PhotoSource& source) {
  PhotoFetcher* const fetcher = context.server().fetcher;  // never null
  const std::chrono::milliseconds patience(context.server().config.answer_timeout_ms);
  const TimePoint give_up_at = std::min(deadline.when(), context.server().clock.Now() + patience);
  Download download(*fetcher, context.server().bodies.budget);
  FetchRequest request{std::move(source.url), deadline, download.token(), download.share()};
  auto begin = [fetcher, &request](PhotoFetcher::Done done) {
    fetcher->Fetch(std::move(request), std::move(done));
  };
  WaitOutcome<Result<std::string>> outcome = co_await WaitForCompletion<Result<std::string>>(
      context.worker, context.connection, give_up_at, begin);
  if (!outcome.value) {
    co_return NotAnswered(outcome.end, "the photo was not downloaded by the deadline");
  }
  download.set_ended();
  if (download.share()->refused()) co_return NoRoomFor("photos");
  if (!outcome.value->ok()) co_return ToHttpError(outcome.value->status());
  share.Absorb(*download.share());
  source.photo = SharedBytes(*std::move(*outcome.value));
  co_return std::nullopt;
}

}  // namespace xcloud
