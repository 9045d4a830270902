// LibTorch's tensors and errors in words, for messages to operators and callers. Shows LibTorch's
// types: include it from .cpp files only. Pure functions; any thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <exception>
#include <string>

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

namespace xcloud {

// "[2, 3, 224, 224]".
inline std::string TorchShape(const at::Tensor& tensor) {
  std::string text = "[";
  for (const std::int64_t size : tensor.sizes()) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(size);
  }
  return text + "]";
}

// The line of LibTorch's report that says why, cut to a sane length. A TorchScript traceback ends
// with it; every other report starts with it.
inline std::string TorchReason(const std::exception& error) {
  const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
  std::string text = torch_error != nullptr ? torch_error->what_without_backtrace() : error.what();
  while (!text.empty() && text.back() == '\n') text.pop_back();
  if (text.find("TorchScript interpreter") != std::string::npos) {
    text.erase(0, text.rfind('\n') + 1);
  }
  text.erase(std::min(text.find('\n'), text.size()));
  constexpr std::size_t kLongest = 300;
  text.erase(std::min(kLongest, text.size()));
  return text.empty() ? "no reason given" : text;
}

}  // namespace xcloud
