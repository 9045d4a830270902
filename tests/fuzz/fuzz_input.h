// FuzzInput: a fuzzer's bytes, split into what goes over the wire and a few choices about it.
//
// Choices come off the end, so that a seed is plain wire text with a short tail, and mutations of
// one rarely disturb the other. Out of bytes, every choice is 0. One thread; the bytes must outlive
// it. ExactCopy: bytes in an allocation of just their size, so that AddressSanitizer sees a read of
// one byte too many even when more bytes of the same input follow.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace xcloud {

class ExactCopy {
 public:
  explicit ExactCopy(std::string_view bytes) : bytes_(bytes.begin(), bytes.end()) {}
  std::string_view view() const { return {bytes_.data(), bytes_.size()}; }

 private:
  std::vector<char> bytes_;
};

class FuzzInput {
 public:
  FuzzInput(const std::uint8_t* data, std::size_t size)
      : rest_(reinterpret_cast<const char*>(data), size) {}

  std::size_t TakeByte() {
    if (rest_.empty()) return 0;
    const auto byte = static_cast<unsigned char>(rest_.back());
    rest_.remove_suffix(1);
    return byte;
  }
  std::size_t TakeTwoBytes() {
    const std::size_t low = TakeByte();
    return TakeByte() << 8 | low;
  }
  // Up to 15 positions in what is left, in order; the last is its end.
  std::vector<std::size_t> TakeCuts() {
    std::vector<std::size_t> cuts(TakeByte() % 16);
    for (std::size_t& cut : cuts) cut = TakeTwoBytes();
    for (std::size_t& cut : cuts) cut %= rest_.size() + 1;
    cuts.push_back(rest_.size());
    std::sort(cuts.begin(), cuts.end());
    return cuts;
  }
  // What is left: the wire's bytes.
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

}  // namespace xcloud
