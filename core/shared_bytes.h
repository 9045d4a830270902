// SharedBytes: some bytes of a buffer, together with a share of whatever owns that buffer. A photo
// inside a request's body, or a tensor behind its JSON, is passed on without being copied; the
// buffer goes back where it came from when the last piece of it is dropped.
//
// Thread safety: as a value. The bytes never change once they are shared.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "core/status.h"

namespace xcloud {

class SharedBytes {
 public:
  SharedBytes() = default;
  // `bytes` must lie in memory that `owner` keeps alive and unchanged.
  SharedBytes(std::shared_ptr<const void> owner, std::string_view bytes)
      : owner_(std::move(owner)), bytes_(bytes) {}
  // Owns `text`.
  SharedBytes(std::string text) {  // NOLINT(google-explicit-constructor): a string is bytes
    auto owner = std::make_shared<const std::string>(std::move(text));
    bytes_ = *owner;
    owner_ = std::move(owner);
  }
  SharedBytes(const char* text) : SharedBytes(std::string(text)) {}  // NOLINT: likewise

  std::string_view view() const { return bytes_; }
  const char* data() const { return bytes_.data(); }
  std::size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }

  // `part` with a share of the same owner. REQUIRES: it lies within view().
  SharedBytes Slice(std::string_view part) const {
    const std::less_equal<const char*> before;
    XC_CHECK(before(bytes_.data(), part.data()) &&
             before(part.data() + part.size(), bytes_.data() + bytes_.size()));
    return {owner_, part};
  }

  friend bool operator==(const SharedBytes& a, std::string_view b) { return a.bytes_ == b; }

 private:
  std::shared_ptr<const void> owner_;
  std::string_view bytes_;
};

}  // namespace xcloud
