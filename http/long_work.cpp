#include "http/long_work.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <chrono>
#include <string>

#include "core/log.h"

namespace xcloud {
namespace {

constexpr int kNiceness = 5;
constexpr std::chrono::milliseconds kRetryAfter{1000};

}  // namespace

LongWork::~LongWork() {
  Stop();
}

bool LongWork::TryRun(Job job) {
  MutexLock lock(mutex_);
  if (stopped_) return false;
  while (threads_.size() < kThreads) {
    threads_.emplace_back([this, number = threads_.size()] { Run(number); });
  }
  return jobs_.TryPush(std::move(job));
}

void LongWork::Run(std::size_t number) {
  prctl(PR_SET_NAME, ("http-long/" + std::to_string(number)).c_str());
  (void)setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + kNiceness);
  while (const auto job = jobs_.Pop()) (*job)();
}

void LongWork::Stop() {
  std::vector<std::thread> threads;
  {
    MutexLock lock(mutex_);
    stopped_ = true;
    threads.swap(threads_);
  }
  (void)jobs_.TryPopUpTo(kCapacity);
  jobs_.Close();
  for (std::thread& thread : threads) thread.join();
}

Status long_work::Refused() {
  return Status::Overloaded("too many requests with long JSON; try again later", kRetryAfter);
}

Status long_work::Thrown(const std::exception& error) {
  spdlog::error("long work: {}", error.what());
  return Status::Internal("internal error");
}

}  // namespace xcloud
