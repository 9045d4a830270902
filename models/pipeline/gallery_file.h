// GalleryFile: what a gallery keeps on disk, so that it is there after a kill -9 or a power cut.
//
//   header  "XCGALRY1", length, CRC-32, then width, model and version that made the values
//   record  length, CRC-32, kind (1 put, 2 remove), id, and of a put `width` FP32 values
//
// Numbers are little-endian; a length and a CRC are of what follows them. Records are only
// appended, each is on disk before the next is written, and a later one of an id wins. So the one
// thing that a crash can leave is a last record that is not whole: it was never answered, and is
// dropped when the file is opened. Anything wrong before that, or with a whole record behind it, is
// damage, and is refused with its place. A whole file is replaced by a rename.
//
// Thread safety: none; the owner locks. One process at a time: PATH.lock is held while it is open.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace xcloud {

// Whose values a gallery holds. Values of different weights cannot be compared.
struct GalleryStamp {
  std::string model;    // "face_embedding"
  std::string version;  // "1"
  std::size_t width = 0;

  friend bool operator==(const GalleryStamp&, const GalleryStamp&) = default;
};

struct GalleryRecord {
  std::string id;
  std::vector<float> values;
};

// What a file says.
struct GalleryContents {
  std::optional<GalleryStamp> stamp;   // none: an empty file
  std::vector<GalleryRecord> entries;  // the last of each id, in the order of the file
  std::size_t bytes = 0;               // of whole records and the header
  std::size_t torn_bytes = 0;          // behind them, of a record that was being written
  std::size_t superseded = 0;          // records that no longer count
};

// InvalidArgument when it is no gallery, or is damaged before its last record.
Result<GalleryContents> ParseGallery(std::string_view bytes);

class GalleryFile {
 public:
  static constexpr std::size_t kMaxIdBytes = 64;

  // Reads what is there, which may be nothing; drops a torn end. Unavailable while another process
  // has it open; Internal when it cannot be read.
  static Result<std::unique_ptr<GalleryFile>> Open(const std::filesystem::path& path,
                                                   GalleryContents& contents);
  ~GalleryFile();
  GalleryFile(const GalleryFile&) = delete;
  GalleryFile& operator=(const GalleryFile&) = delete;

  // Each returns when it is on disk. A failure leaves what was there before. Unavailable when the
  // file is no longer at its path: what is written to it would not be found again.
  Status Put(std::string_view id, std::span<const float> values);
  Status Remove(std::string_view id);
  // The whole file anew.
  Status Replace(const GalleryStamp& stamp, const std::vector<GalleryRecord>& entries);

 private:
  GalleryFile(std::filesystem::path path, int lock) : path_(std::move(path)), lock_(lock) {}
  Status CheckInPlace() const;
  Status Append(const std::string& record);

  const std::filesystem::path path_;
  int lock_ = -1;
  int file_ = -1;          // -1: there is none yet
  std::size_t bytes_ = 0;  // written and whole
  bool dirty_ = false;     // something may lie behind them
};

}  // namespace xcloud
