#include "scheduler/profile_saver.h"

#include <pthread.h>

#include "scheduler/dynamic_batcher.h"

namespace xcloud {

ProfileSaver::ProfileSaver(DynamicBatcher& batcher, Clock& clock, Duration interval)
    : batcher_(batcher), clock_(clock), interval_(interval) {
  if (interval_ > Duration::zero()) thread_ = std::thread([this] { Loop(); });
}

ProfileSaver::~ProfileSaver() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    stopped_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void ProfileSaver::Loop() {
  pthread_setname_np(pthread_self(), "xc-profiles");
  TimePoint next = clock_.Now() + interval_;
  while (true) {
    {
      MutexLock lock(mutex_);
      while (!stopping_ && clock_.Now() < next) clock_.WaitUntil(stopped_, mutex_, next);
      if (stopping_) return;
    }
    batcher_.SaveProfiles();
    next = clock_.Now() + interval_;
  }
}

}  // namespace xcloud
