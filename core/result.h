// Result<T>: a T or the Status that says why there is none.
//
// std::expected is C++23; this is the small part of it that we use. Invariant: status() is OK
// exactly when there is a value. Reading the value of a failed Result aborts (tier two).
#pragma once

#include <optional>
#include <utility>

#include "core/status.h"

namespace xcloud {

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}         // NOLINT(google-explicit-constructor)
  Result(Status status) : status_(std::move(status)) {  // NOLINT(google-explicit-constructor)
    XC_CHECK(!status_.ok());
  }

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }

  T& value() & {
    XC_CHECK(ok());
    return *value_;
  }
  const T& value() const& {
    XC_CHECK(ok());
    return *value_;
  }
  T&& value() && {
    XC_CHECK(ok());
    return std::move(*value_);
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  Status status_;
  std::optional<T> value_;
};

}  // namespace xcloud
