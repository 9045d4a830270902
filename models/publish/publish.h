// Publish: a trained network becomes a folder of the repository, or a new version in one.
//
//   ROOT/NAME/model.toml, labels.txt, VERSION/FILE, VERSION/SHA256SUMS
//
// Before anything is put into ROOT, the given photos are answered twice: by what serves (decode,
// preprocess, the lane's network) and by PyTorch itself, in a Python process that reads the photos
// with Pillow and prepares them as torchvision does. Only equal answers are published.
// The folder is made in ROOT/.publish-NAME-PID and renamed at the end, so a server that watches
// ROOT sees all of it or nothing, and nothing that is there is ever written over.
//
// Photos are decoded in full here; a server with reduced_decode may differ by a few levels of
// a pixel on large ones. Threads: any; takes seconds (Python's start). Nothing is thrown.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/result.h"
#include "models/publish/publish_request.h"

namespace xcloud {

struct PublishReport {
  std::filesystem::path folder;  // ROOT/NAME/VERSION
  std::string reference;         // what the answers were compared with, in words
  std::size_t photos = 0;
  double max_difference = 0;  // of a probability
};

// InvalidArgument: what CheckRequest finds, or a network that does not load, or answers that
// differ (each photo a line). AlreadyExists: the version is there. Internal: Python or the disk.
// `progress` gets a line before each long step; may be null.
Result<PublishReport> Publish(const PublishRequest& request,
                              const std::function<void(const std::string&)>& progress);

}  // namespace xcloud
