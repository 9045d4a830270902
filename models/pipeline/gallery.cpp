#include "models/pipeline/gallery.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "core/log.h"

namespace xcloud {
namespace {

constexpr std::size_t kChunkValues = 64 * 1024;  // 256 KB: what one change copies
constexpr std::size_t kWorn = 1000;              // superseded records that are left alone

std::size_t ChunkRows(std::size_t width) {
  return std::max<std::size_t>(16, kChunkValues / width);
}

// Sixteen sums side by side, so that the compiler makes them wide.
float Dot(const float* a, const float* b, std::size_t size) {
  constexpr std::size_t kLanes = 16;
  std::array<float, kLanes> sums{};
  std::size_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  }
  float sum = 0;
  for (; i < size; ++i) sum += a[i] * b[i];
  for (const float part : sums) sum += part;
  return sum;
}

float Norm(std::span<const float> values) {
  double sum = 0;
  for (const float value : values) sum += double{value} * value;
  return static_cast<float>(std::sqrt(sum));
}

// The file is held open while the service is loaded.
std::string AnewFrom(const std::filesystem::path& path) {
  return "unload the service, remove '" + path.string() + "', load it and enrol anew";
}

}  // namespace

bool IsGalleryId(std::string_view id) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '@' || c == '-';
  };
  return !id.empty() && id.size() <= GalleryFile::kMaxIdBytes &&
         std::all_of(id.begin(), id.end(), allowed);
}

Result<std::shared_ptr<Gallery>> Gallery::Open(const std::filesystem::path& path) {
  GalleryContents contents;
  Result<std::unique_ptr<GalleryFile>> file = GalleryFile::Open(path, contents);
  if (!file.ok()) return file.status();
  std::shared_ptr<Gallery> gallery(new Gallery(path, *std::move(file)));
  MutexLock lock(gallery->change_mutex_);
  Snapshot snapshot;
  snapshot.stamp = contents.stamp;
  gallery->superseded_ = contents.superseded;
  std::shared_ptr<Chunk> last;
  for (GalleryRecord& entry : contents.entries) {
    const std::size_t chunk_rows = ChunkRows(contents.stamp->width);
    if (snapshot.rows % chunk_rows == 0) {
      last = std::make_shared<Chunk>();
      snapshot.chunks.push_back(last);
    }
    last->norms.push_back(Norm(entry.values));
    last->values.insert(last->values.end(), entry.values.begin(), entry.values.end());
    gallery->rows_.emplace(entry.id, snapshot.rows++);
    last->ids.push_back(std::move(entry.id));
  }
  gallery->Publish(std::move(snapshot));
  return gallery;
}

std::shared_ptr<const Gallery::Snapshot> Gallery::snapshot() const {
  MutexLock lock(snapshot_mutex_);
  return snapshot_;
}

void Gallery::Publish(Snapshot next) {
  std::shared_ptr<const Snapshot> published = std::make_shared<const Snapshot>(std::move(next));
  MutexLock lock(snapshot_mutex_);
  snapshot_.swap(published);
}

Status Gallery::CheckStamp(std::string_view model, std::string_view version) const {
  return CheckStamp(*snapshot(), model, version);
}

Status Gallery::CheckStamp(const Snapshot& now, std::string_view model,
                           std::string_view version) const {
  if (now.rows == 0 || (now.stamp->model == model && now.stamp->version == version)) {
    return Status::Ok();
  }
  return Status::Unavailable("its gallery of " + std::to_string(now.rows) + " was made by " +
                             now.stamp->model + " version " + now.stamp->version + ", and " +
                             std::string(model) + " version " + std::string(version) +
                             " cannot be compared with it: serve that version, or " +
                             AnewFrom(path_));
}

Status Gallery::CheckStamp(const Snapshot& now, const GalleryStamp& stamp) const {
  if (Status same = CheckStamp(now, stamp.model, stamp.version); !same.ok()) return same;
  if (now.rows == 0 || now.stamp->width == stamp.width) return Status::Ok();
  return Status::Unavailable("its gallery of " + std::to_string(now.rows) + " holds " +
                             std::to_string(now.stamp->width) + " values a photo, and " +
                             stamp.model + " now gives " + std::to_string(stamp.width) +
                             ": serve what made them, or " + AnewFrom(path_));
}

Result<bool> Gallery::Enrol(std::string_view id, const GalleryStamp& stamp,
                            std::span<const float> values, std::size_t max_entries) {
  XC_CHECK(stamp.width == values.size());
  if (!IsGalleryId(id)) {
    return Status::InvalidArgument("an id has 1 to 64 of A-Z a-z 0-9 . _ @ -");
  }
  const float norm = Norm(values);
  if (!std::isfinite(norm) || norm <= 0) {
    return Status::Internal("the model's values have no direction");
  }
  MutexLock lock(change_mutex_);
  Snapshot next = *snapshot();
  if (Status same = CheckStamp(next, stamp); !same.ok()) return same;
  const auto known = rows_.find(std::string(id));
  const bool replaced = known != rows_.end();
  if (!replaced && next.rows >= max_entries) {
    return Status::TooLarge("the gallery is full: it holds " + std::to_string(next.rows));
  }
  if (Status written = Write(next, id, stamp, values); !written.ok()) return written;
  if (replaced) ++superseded_;
  next.stamp = stamp;
  const std::size_t row = replaced ? known->second : next.rows;
  SetRow(next, row, id, values);
  rows_[std::string(id)] = row;
  Publish(next);
  CompactIfWorn(next);
  return replaced;
}

// The first of an empty gallery makes the file: its header says whose values follow.
Status Gallery::Write(const Snapshot& now, std::string_view id, const GalleryStamp& stamp,
                      std::span<const float> values) {
  if (now.rows > 0) return file_->Put(id, values);
  const Status made =
      file_->Replace(stamp, {{std::string(id), std::vector<float>(values.begin(), values.end())}});
  if (made.ok()) superseded_ = 0;
  return made;
}

Status Gallery::Remove(std::string_view id) {
  MutexLock lock(change_mutex_);
  const auto known = rows_.find(std::string(id));
  if (known == rows_.end()) {
    return Status::NotFound("the gallery holds no '" + std::string(id.substr(0, 64)) + "'");
  }
  if (Status written = file_->Remove(id); !written.ok()) return written;
  superseded_ += 2;
  Snapshot next = *snapshot();
  const std::size_t row = known->second;
  rows_.erase(known);
  DropRow(next, row);
  Publish(next);
  CompactIfWorn(next);
  return Status::Ok();
}

void Gallery::SetRow(Snapshot& next, std::size_t row, std::string_view id,
                     std::span<const float> values) {
  const std::size_t width = values.size();
  const std::size_t chunk = row / ChunkRows(width);
  const std::size_t at = row % ChunkRows(width);
  auto changed = chunk < next.chunks.size() ? std::make_shared<Chunk>(*next.chunks[chunk])
                                            : std::make_shared<Chunk>();
  if (at == changed->ids.size()) {
    changed->ids.emplace_back();
    changed->norms.emplace_back();
    changed->values.resize((at + 1) * width);
    next.rows = row + 1;
  }
  changed->ids[at] = id;
  changed->norms[at] = Norm(values);
  std::copy(values.begin(), values.end(),
            changed->values.begin() + static_cast<std::ptrdiff_t>(at * width));
  if (chunk == next.chunks.size()) next.chunks.emplace_back();
  next.chunks[chunk] = std::move(changed);
}

// The last row comes into its place.
void Gallery::DropRow(Snapshot& next, std::size_t row) {
  const std::size_t width = next.stamp->width;
  const std::size_t last_row = next.rows - 1;
  const Chunk& tail = *next.chunks.back();
  const std::size_t tail_at = last_row % ChunkRows(width);
  if (row != last_row) {
    const std::string id = tail.ids[tail_at];
    const std::vector<float> values(
        tail.values.begin() + static_cast<std::ptrdiff_t>(tail_at * width),
        tail.values.begin() + static_cast<std::ptrdiff_t>((tail_at + 1) * width));
    SetRow(next, row, id, values);
    rows_[id] = row;
  }
  auto shorter = std::make_shared<Chunk>(*next.chunks.back());
  shorter->ids.pop_back();
  shorter->norms.pop_back();
  shorter->values.resize(tail_at * width);
  next.chunks.back() = std::move(shorter);
  if (tail_at == 0) next.chunks.pop_back();
  next.rows = last_row;
}

// What is dropped is more than what is kept: the file is written anew. A failure costs only room.
void Gallery::CompactIfWorn(const Snapshot& now) {
  if (superseded_ <= kWorn + now.rows || !now.stamp) return;
  if (Status made = file_->Replace(*now.stamp, Records(now)); !made.ok()) {
    spdlog::warn("gallery: {}", made.message());
    return;
  }
  superseded_ = 0;
}

std::vector<GalleryRecord> Gallery::Records(const Snapshot& snapshot) {
  std::vector<GalleryRecord> records;
  records.reserve(snapshot.rows);
  for (const auto& chunk : snapshot.chunks) {
    const std::size_t width = snapshot.stamp->width;
    for (std::size_t i = 0; i < chunk->ids.size(); ++i) {
      const auto begin = chunk->values.begin() + static_cast<std::ptrdiff_t>(i * width);
      records.push_back({chunk->ids[i], std::vector<float>(begin, begin + std::ptrdiff_t(width))});
    }
  }
  return records;
}

std::size_t Gallery::size() const {
  return snapshot()->rows;
}

std::vector<std::string> Gallery::Ids() const {
  const std::shared_ptr<const Snapshot> now = snapshot();
  std::vector<std::string> ids;
  ids.reserve(now->rows);
  for (const auto& chunk : now->chunks) ids.insert(ids.end(), chunk->ids.begin(), chunk->ids.end());
  std::sort(ids.begin(), ids.end());
  return ids;
}

Result<std::vector<GalleryMatch>> Gallery::Search(const GalleryStamp& stamp,
                                                  std::span<const float> values,
                                                  std::size_t count) const {
  XC_CHECK(stamp.width == values.size());
  const std::shared_ptr<const Snapshot> now = snapshot();
  if (Status same = CheckStamp(*now, stamp); !same.ok()) return same;
  if (now->rows == 0 || count == 0) return std::vector<GalleryMatch>{};
  const std::size_t width = now->stamp->width;
  struct Found {
    float cosine;
    const Chunk* chunk;
    std::size_t at;
  };
  const float norm = Norm(values);
  const auto nearer = [](const Found& a, const Found& b) { return a.cosine > b.cosine; };
  std::vector<Found> best;  // by falling cosine
  for (const auto& chunk : now->chunks) {
    for (std::size_t i = 0; i < chunk->ids.size(); ++i) {
      const float dot = Dot(values.data(), chunk->values.data() + i * width, width);
      const Found found{norm > 0 ? dot / (norm * chunk->norms[i]) : 0, chunk.get(), i};
      if (best.size() == count && !nearer(found, best.back())) continue;
      if (best.size() == count) best.pop_back();
      best.insert(std::upper_bound(best.begin(), best.end(), found, nearer), found);
    }
  }
  std::vector<GalleryMatch> matches;
  for (const Found& one : best) {
    const double other = one.chunk->norms[one.at];
    const double squared = double{norm} * norm + other * other - 2.0 * norm * other * one.cosine;
    matches.push_back({one.chunk->ids[one.at], std::clamp(one.cosine, -1.0F, 1.0F),
                       static_cast<float>(std::sqrt(std::max(0.0, squared)))});
  }
  return matches;
}

Result<std::shared_ptr<Gallery>> GalleryShelf::Open(const std::filesystem::path& path) {
  MutexLock lock(mutex_);
  std::weak_ptr<Gallery>& known = open_[path];
  if (std::shared_ptr<Gallery> gallery = known.lock()) return gallery;
  Result<std::shared_ptr<Gallery>> opened = Gallery::Open(path);
  if (opened.ok()) known = *opened;
  return opened;
}

}  // namespace xcloud
