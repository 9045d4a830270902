// ProfileSaver: a thread that writes what the batcher has learned to disk now and then, so that a
// crash costs little of it. Unload and stop write too, without this. interval = 0: does nothing.
#pragma once

#include <thread>

#include "core/clock.h"
#include "core/mutex.h"

namespace xcloud {

class DynamicBatcher;

class ProfileSaver {
 public:
  // Both must outlive it.
  ProfileSaver(DynamicBatcher& batcher, Clock& clock, Duration interval);
  ~ProfileSaver();
  ProfileSaver(const ProfileSaver&) = delete;
  ProfileSaver& operator=(const ProfileSaver&) = delete;

 private:
  void Loop() XC_EXCLUDES(mutex_);

  DynamicBatcher& batcher_;
  Clock& clock_;
  const Duration interval_;
  Mutex mutex_;
  CondVar stopped_;
  bool stopping_ XC_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last; not joinable when there is nothing to do
};

}  // namespace xcloud
