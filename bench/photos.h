// Photos: the request bodies of a benchmark, read or made before the first request leaves.
//
// Free functions; any thread. Errors name the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"

namespace xcloud {

struct Photo {
  std::string name;          // file name, without its folder
  std::string content_type;  // from its first bytes: "image/jpeg"
  std::string bytes;
};

// All photos together may take this much memory.
inline constexpr std::size_t kMaxPhotoBytes = std::size_t{1} << 30;

// Each path is a file, or a folder whose image files (by suffix, sorted by name) are taken.
// NotFound, InvalidArgument (a folder without images) or TooLarge. A named file may hold anything
// (malformed uploads can be measured too); one of unknown kind is sent as
// application/octet-stream.
Result<std::vector<Photo>> LoadPhotos(const std::vector<std::string>& paths);

// A JPEG of 500 x 375, the usual size of ImageNet's photos, drawn from `seed`: smooth shades,
// shapes and a little grain, about as many bytes as a real photo. Same seed, same bytes (for one
// version of the JPEG library).
Photo MakePhoto(std::uint64_t seed);

}  // namespace xcloud
