// SampleItems: what a model's variants are checked, timed and calibrated on: the photos of a
// folder, through the decoding and preprocessing that serve; or, where there are none, made items.
//
// Holds its items' memory. Any one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "models/model_definition.h"
#include "models/network.h"

namespace xcloud {

class SampleItems {
 public:
  // The photos of `folder`, by name, `most` at most; those that cannot be decoded are skipped and
  // logged. NotFound or InvalidArgument when there is none. REQUIRES: model.of_pictures().
  static Result<SampleItems> ReadPhotos(const ModelDefinition& model,
                                        const std::filesystem::path& folder, std::size_t most);
  // Smooth pictures, or tensors of values that are spread normally. Same seed, same items.
  static SampleItems Make(const ModelDefinition& model, std::size_t count, std::uint64_t seed);

  std::size_t size() const { return pixels_.size() + tensors_.size(); }
  bool photos() const { return photos_; }
  // Valid as long as this.
  std::vector<NetworkItem> Items() const;

  // Writes the items of these numbers as the network's input: rows of fp32, nothing else. Internal
  // when the file cannot be written.
  Status WriteRows(const std::filesystem::path& file, std::span<const std::size_t> numbers) const;

 private:
  explicit SampleItems(const ModelDefinition& model) : model_(model) {}

  ModelDefinition model_;
  bool photos_ = false;
  std::vector<std::vector<std::uint8_t>> pixels_;
  std::vector<std::vector<float>> tensors_;
};

}  // namespace xcloud
