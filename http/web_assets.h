// WebAssets: the files of http/web as they were at build time, held in the program.
//
// web/embed.cmake generates the definition. The data is constant and lives as long as the
// program: any thread may read it, and the views never dangle.
#pragma once

#include <span>
#include <string_view>

namespace xcloud {

struct WebAsset {
  std::string_view path;          // file name in http/web: "index.html"
  std::string_view content_type;  // with the charset where there is one
  std::string_view body;          // the file's bytes, unchanged
  std::string_view etag;          // strong and quoted: the SHA-256 of the body in hex
};

// Sorted by path.
std::span<const WebAsset> WebAssets();

}  // namespace xcloud
