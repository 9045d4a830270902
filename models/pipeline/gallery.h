// Gallery: values of enrolled photos by id, searched by cosine.
//
// Thread safety: every method from any thread. Search reads an immutable snapshot and waits for
// nobody; changes run one after the other and each waits for the disk (milliseconds), so they
// belong on a pool thread.
// Invariants: what a change answered with OK is found by every later search, and after a crash. All
// values were made by one version of one model (GalleryStamp); an empty gallery takes any.
// A search is a plain product over all rows: 100 000 of 128 values take some milliseconds.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/mutex.h"
#include "core/result.h"
#include "models/pipeline/gallery_file.h"

namespace xcloud {

struct GalleryMatch {
  std::string id;
  float cosine = 0;
  float distance = 0;  // Euclidean, of the values as the model gave them
};

// [A-Za-z0-9._@-], 1 to 64 of them.
bool IsGalleryId(std::string_view id);

class Gallery {
 public:
  // As GalleryFile::Open.
  static Result<std::shared_ptr<Gallery>> Open(const std::filesystem::path& path);

  // Unavailable, in words, when it holds values that another model or version made.
  Status CheckStamp(std::string_view model, std::string_view version) const;
  // Gives whether the id was there before. InvalidArgument: a wrong id, or values that are no
  // direction; TooLarge: it is full; Unavailable: as Search, or GalleryFile's; Internal: the disk.
  Result<bool> Enrol(std::string_view id, const GalleryStamp& stamp, std::span<const float> values,
                     std::size_t max_entries);
  // NotFound when it is not there.
  Status Remove(std::string_view id);

  std::size_t size() const;
  std::vector<std::string> Ids() const;  // sorted
  // The `count` nearest by falling cosine. Unavailable, in words, when `stamp` is not that of what
  // it searches. REQUIRES: stamp.width values.
  Result<std::vector<GalleryMatch>> Search(const GalleryStamp& stamp, std::span<const float> values,
                                           std::size_t count) const;

 private:
  // Some rows; a change copies one chunk, not the gallery.
  struct Chunk {
    std::vector<std::string> ids;
    std::vector<float> values;  // ids.size() * width
    std::vector<float> norms;
  };
  struct Snapshot {
    std::optional<GalleryStamp> stamp;
    std::size_t rows = 0;  // every chunk but the last is full
    std::vector<std::shared_ptr<const Chunk>> chunks;
  };

  Gallery(std::filesystem::path path, std::unique_ptr<GalleryFile> file)
      : path_(std::move(path)), file_(std::move(file)) {}
  Status CheckStamp(const Snapshot& now, std::string_view model, std::string_view version) const;
  Status CheckStamp(const Snapshot& now, const GalleryStamp& stamp) const;
  std::shared_ptr<const Snapshot> snapshot() const XC_EXCLUDES(snapshot_mutex_);
  void Publish(Snapshot next) XC_EXCLUDES(snapshot_mutex_);
  void SetRow(Snapshot& next, std::size_t row, std::string_view id, std::span<const float> values)
      XC_REQUIRES(change_mutex_);
  void DropRow(Snapshot& next, std::size_t row) XC_REQUIRES(change_mutex_);
  Status Write(const Snapshot& now, std::string_view id, const GalleryStamp& stamp,
               std::span<const float> values) XC_REQUIRES(change_mutex_);
  void CompactIfWorn(const Snapshot& now) XC_REQUIRES(change_mutex_);
  static std::vector<GalleryRecord> Records(const Snapshot& snapshot);

  const std::filesystem::path path_;
  mutable Mutex change_mutex_;  // held over the disk; taken before the other one
  std::unique_ptr<GalleryFile> file_ XC_GUARDED_BY(change_mutex_);
  std::unordered_map<std::string, std::size_t> rows_ XC_GUARDED_BY(change_mutex_);
  std::size_t superseded_ XC_GUARDED_BY(change_mutex_) = 0;  // records of the file
  mutable Mutex snapshot_mutex_;
  std::shared_ptr<const Snapshot> snapshot_ XC_GUARDED_BY(snapshot_mutex_) =
      std::make_shared<const Snapshot>();
};

// The galleries that are open, by their file: a service that is loaded again finds the one that
// its old requests still use. Any thread.
class GalleryShelf {
 public:
  Result<std::shared_ptr<Gallery>> Open(const std::filesystem::path& path) XC_EXCLUDES(mutex_);

 private:
  Mutex mutex_;
  std::map<std::filesystem::path, std::weak_ptr<Gallery>> open_ XC_GUARDED_BY(mutex_);
};

}  // namespace xcloud
