// Checksum: are the files of a version those that its publisher meant?
//
// Two lists are honoured, both where there are both:
//   VERSION/SHA256SUMS      as `sha256sum` of coreutils writes it: HEX, two blanks (or a blank and
//                           *), NAME; NAME lies below VERSION
//   VERSION/manifest.json   "file" and "file_sha256", as models/weights/install.py writes it
// Without either nothing is known and nothing is refused.
//
// Reads whole files (some 1 GB/s where the processor has SHA instructions): the loader's threads
// only. The files are read again when they are loaded, so who can change them in between can
// cheat: this is for accidents of copying and publishing, not against who may write there.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace xcloud {

inline constexpr std::string_view kSumsFile = "SHA256SUMS";
inline constexpr std::string_view kManifestFile = "manifest.json";

// 64 hex digits. NotFound when the file cannot be read.
Result<std::string> Sha256OfFile(const std::filesystem::path& file);

// A line of such a list.
struct ListedFile {
  std::string name;    // below the version's folder
  std::string sha256;  // lower case
};

// InvalidArgument names the first line that is none, or whose name leaves the folder.
Result<std::vector<ListedFile>> ParseSums(std::string_view text);
// Empty when the manifest names no checksum. `file`: the name where the manifest says none.
Result<std::vector<ListedFile>> ParseManifest(std::string_view json, std::string_view file);

// Compares the files of `version` (ROOT/NAME/VERSION) with its lists. A list that does not name
// `file`, which is what gets loaded, is wrong too. InvalidArgument holds every difference, one a
// line, each "NAME/VERSION/FILE: why".
Status CheckChecksums(const std::filesystem::path& version, std::string_view file);

}  // namespace xcloud
