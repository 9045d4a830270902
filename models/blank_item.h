// BlankItem: an item of a model that nobody sent, for warming up and for self tests: a mid-grey
// photo, or a tensor of zeros. Lives as long as what stages it.
#pragma once

#include <cstdint>
#include <vector>

#include "models/model_definition.h"
#include "models/network.h"

namespace xcloud {

inline constexpr std::uint8_t kBlankLevel = 128;  // of 255

class BlankItem {
 public:
  explicit BlankItem(const ModelDefinition& model) {
    if (model.tensor_input) {
      tensor_.resize(model.item_values());
    } else {
      pixels_.resize(model.preprocess.PixelBytes(), kBlankLevel);
    }
  }

  NetworkItem item() const {
    if (tensor_.empty()) return {pixels_.data(), nullptr, nullptr};
    return {nullptr, nullptr, reinterpret_cast<const char*>(tensor_.data())};
  }

 private:
  std::vector<std::uint8_t> pixels_;
  std::vector<float> tensor_;
};

}  // namespace xcloud
