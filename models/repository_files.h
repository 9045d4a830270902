// RepositoryFiles: what can be told about the files of a repository without reading them: have they
// changed, and do they lie inside it.
//
// Any thread; a few system calls a file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/status.h"

namespace xcloud {

// One file as it was when looked at. Two looks at a file that is being written differ; so do those
// at two files that were put in each other's place, whatever their times say (the inode).
struct FileStamp {
  std::string name;  // below the folder
  std::uint64_t size = 0;
  std::int64_t changed_ns = 0;  // mtime
  std::uint64_t inode = 0;

  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};
using FolderStamp = std::vector<FileStamp>;  // by name

// Every file below `folder`, four folders deep and 4096 files at the most; empty when there is
// none. Without what begins with "." in folder/optimized/: those are variants in the making.
FolderStamp StampOf(const std::filesystem::path& folder);

// Of a version's files, but for the variants in optimized/: a network may lie in several (.xml and
// .bin).
std::uint64_t BytesToLoad(const std::filesystem::path& version);

// A service's folder: what says how it is run, and each of its versions.
struct ServiceStamp {
  FolderStamp definition;                        // model.toml and labels.txt
  std::map<std::int64_t, FolderStamp> versions;  // by number

  friend bool operator==(const ServiceStamp&, const ServiceStamp&) = default;
};
ServiceStamp StampOfService(const std::filesystem::path& folder);

// OK when `path`, all symbolic links followed, lies inside `root`. Links from one place of a
// repository to another are fine (a version that is another's alias); one that leads out would
// serve files that nobody put there, and is InvalidArgument, as is one that leads nowhere.
// `shown` names it in the message. What is not there at all is OK.
Status CheckInside(const std::filesystem::path& root, const std::filesystem::path& path,
                   const std::string& shown);

}  // namespace xcloud
