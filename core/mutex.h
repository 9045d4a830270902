// Mutex, MutexLock and CondVar: std primitives that Clang's -Wthread-safety can see.
//
// libstdc++'s own mutex carries no annotations, so members guarded by it cannot be checked.
// State the guard on the member (XC_GUARDED_BY) and the precondition on the private method
// (XC_REQUIRES); g++ ignores both.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define XC_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define XC_THREAD_ATTRIBUTE(x)
#endif
#define XC_CAPABILITY(x) XC_THREAD_ATTRIBUTE(capability(x))
#define XC_SCOPED_CAPABILITY XC_THREAD_ATTRIBUTE(scoped_lockable)
#define XC_GUARDED_BY(x) XC_THREAD_ATTRIBUTE(guarded_by(x))
#define XC_REQUIRES(...) XC_THREAD_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define XC_EXCLUDES(...) XC_THREAD_ATTRIBUTE(locks_excluded(__VA_ARGS__))
#define XC_ACQUIRE(...) XC_THREAD_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define XC_RELEASE(...) XC_THREAD_ATTRIBUTE(release_capability(__VA_ARGS__))
#define XC_NO_THREAD_SAFETY_ANALYSIS XC_THREAD_ATTRIBUTE(no_thread_safety_analysis)

namespace xcloud {

class XC_CAPABILITY("mutex") Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() XC_ACQUIRE() { mutex_.lock(); }
  void Unlock() XC_RELEASE() { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

class XC_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) XC_ACQUIRE(mutex) : mutex_(mutex) { mutex_.Lock(); }
  ~MutexLock() XC_RELEASE() { mutex_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// A condition variable used with Mutex. Spurious wake-ups happen: wait in a loop.
class CondVar {
 public:
  void Wait(Mutex& mutex) XC_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    cv_.wait(lock);
    lock.release();
  }
  // False when `when` passed before a notification.
  bool WaitUntil(Mutex& mutex, std::chrono::steady_clock::time_point when) XC_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    const bool notified = cv_.wait_until(lock, when) == std::cv_status::no_timeout;
    lock.release();
    return notified;
  }
  void NotifyOne() { cv_.notify_one(); }
  void NotifyAll() { cv_.notify_all(); }

 private:
  std::condition_variable cv_;
};

}  // namespace xcloud
