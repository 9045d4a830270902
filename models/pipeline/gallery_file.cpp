#include "models/pipeline/gallery_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <system_error>
#include <unordered_map>
#include <utility>

#include "core/log.h"

namespace xcloud {
namespace {

static_assert(std::endian::native == std::endian::little, "the file is written as memory is");

constexpr std::string_view kMagic = "XCGALRY1";
constexpr std::size_t kFrame = 2 * sizeof(std::uint32_t);  // length and CRC
constexpr std::size_t kMaxHeader = 4096;
constexpr std::uint32_t kMaxWidth = 1 << 16;
constexpr char kPut = 1;
constexpr char kRemove = 2;

std::uint32_t Crc(std::string_view bytes) {
  return static_cast<std::uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

template <class T>
void AppendNumber(std::string& out, T number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

template <class T>
T NumberAt(std::string_view bytes, std::size_t at) {
  T number = 0;
  std::memcpy(&number, bytes.data() + at, sizeof number);
  return number;
}

std::string Framed(const std::string& body) {
  std::string out;
  AppendNumber(out, static_cast<std::uint32_t>(body.size()));
  AppendNumber(out, Crc(body));
  return out + body;
}

// The body of the frame at `at`; nothing when it is not whole or not as it was written.
std::optional<std::string_view> BodyAt(std::string_view bytes, std::size_t at, std::size_t limit) {
  if (bytes.size() - at < kFrame) return std::nullopt;
  const std::size_t length = NumberAt<std::uint32_t>(bytes, at);
  if (length > limit || bytes.size() - at - kFrame < length) return std::nullopt;
  const std::string_view body = bytes.substr(at + kFrame, length);
  if (NumberAt<std::uint32_t>(bytes, at + sizeof(std::uint32_t)) != Crc(body)) return std::nullopt;
  return body;
}

std::string HeaderOf(const GalleryStamp& stamp) {
  std::string body;
  AppendNumber(body, static_cast<std::uint32_t>(stamp.width));
  for (const std::string* text : {&stamp.model, &stamp.version}) {
    AppendNumber(body, static_cast<std::uint16_t>(text->size()));
    body += *text;
  }
  return std::string(kMagic) + Framed(body);
}

bool TakeText(std::string_view& rest, std::string& text) {
  if (rest.size() < sizeof(std::uint16_t)) return false;
  const std::size_t length = NumberAt<std::uint16_t>(rest, 0);
  rest.remove_prefix(sizeof(std::uint16_t));
  if (rest.size() < length) return false;
  text = rest.substr(0, length);
  rest.remove_prefix(length);
  return true;
}

std::optional<GalleryStamp> StampOf(std::string_view body) {
  GalleryStamp stamp;
  if (body.size() < sizeof(std::uint32_t)) return std::nullopt;
  const auto width = NumberAt<std::uint32_t>(body, 0);
  body.remove_prefix(sizeof(std::uint32_t));
  if (!TakeText(body, stamp.model) || !TakeText(body, stamp.version)) return std::nullopt;
  if (!body.empty() || width == 0 || width > kMaxWidth) return std::nullopt;
  stamp.width = width;
  return stamp;
}

std::string PutRecord(std::string_view id, std::span<const float> values) {
  std::string body{kPut, static_cast<char>(id.size())};
  body += id;
  body.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  return Framed(body);
}

std::string RemoveRecord(std::string_view id) {
  std::string body{kRemove, static_cast<char>(id.size())};
  body += id;
  return Framed(body);
}

bool IsRecord(std::string_view body, std::size_t width) {
  if (body.size() < 2) return false;
  const auto id = static_cast<std::size_t>(static_cast<unsigned char>(body[1]));
  const std::size_t values = body[0] == kPut ? width * sizeof(float) : 0;
  const bool known = body[0] == kPut || body[0] == kRemove;
  return known && id > 0 && id <= GalleryFile::kMaxIdBytes && body.size() == 2 + id + values;
}

// Is there a whole record somewhere behind `at`?
bool HasRecordBehind(std::string_view bytes, std::size_t at, std::size_t longest,
                     std::size_t width) {
  for (++at; bytes.size() - at > kFrame; ++at) {
    const std::optional<std::string_view> body = BodyAt(bytes, at, longest);
    if (body && IsRecord(*body, width)) return true;
  }
  return false;
}

Status Damaged(std::size_t at) {
  return Status::InvalidArgument("the gallery is damaged at byte " + std::to_string(at) +
                                 ": unload the service, put a copy in its place or remove it, " +
                                 "and load the service");
}

// Applies records in their order; an entry that goes leaves a hole until the end.
class Replay {
 public:
  void Apply(std::string_view body, std::size_t width, GalleryContents& contents) {
    const auto id_size = static_cast<std::size_t>(static_cast<unsigned char>(body[1]));
    std::string id(body.substr(2, id_size));
    const auto known = places_.find(id);
    if (known != places_.end()) {
      contents.entries[known->second].id.clear();
      contents.entries[known->second].values = {};
      ++contents.superseded;
      places_.erase(known);
    }
    if (body[0] == kRemove) {
      ++contents.superseded;
      return;
    }
    GalleryRecord record{id, std::vector<float>(width)};
    std::memcpy(record.values.data(), body.data() + 2 + id_size, width * sizeof(float));
    places_.emplace(std::move(id), contents.entries.size());
    contents.entries.push_back(std::move(record));
  }

 private:
  std::unordered_map<std::string, std::size_t> places_;
};

Status Failed(const std::string& what, const std::filesystem::path& path) {
  const std::string why = std::generic_category().message(errno);
  return Status::Internal("cannot " + what + " '" + path.string() + "': " + why);
}

bool WriteAll(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

// A rename is on disk when its folder is.
void SyncFolder(const std::filesystem::path& path) {
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  const int handle = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (handle < 0) return;
  (void)::fsync(handle);
  ::close(handle);
}

}  // namespace

Result<GalleryContents> ParseGallery(std::string_view bytes) {
  GalleryContents contents;
  const std::string_view start = bytes.substr(0, kMagic.size());
  if (start != kMagic.substr(0, start.size())) {
    return Status::InvalidArgument("it is not a gallery of this server");
  }
  const std::size_t framed = kMagic.size() + kFrame;
  const std::size_t length =
      bytes.size() < framed ? 0 : NumberAt<std::uint32_t>(bytes, kMagic.size());
  if (length > kMaxHeader) return Damaged(kMagic.size());
  if (bytes.size() < framed + length || bytes.size() < framed) {
    contents.torn_bytes = bytes.size();
    return contents;
  }
  const std::optional<std::string_view> header = BodyAt(bytes, kMagic.size(), kMaxHeader);
  if (header) contents.stamp = StampOf(*header);
  if (!contents.stamp) return Damaged(kMagic.size());
  const std::size_t width = contents.stamp->width;
  const std::size_t longest = 2 + GalleryFile::kMaxIdBytes + width * sizeof(float);
  Replay replay;
  std::size_t at = framed + length;
  while (at < bytes.size()) {
    const std::optional<std::string_view> body = BodyAt(bytes, at, longest);
    if (!body || !IsRecord(*body, width)) {
      if (bytes.size() - at > kFrame + longest) return Damaged(at);
      if (HasRecordBehind(bytes, at, longest, width)) return Damaged(at);
      contents.torn_bytes = bytes.size() - at;
      break;
    }
    replay.Apply(*body, width, contents);
    at += kFrame + body->size();
  }
  contents.bytes = at;
  std::erase_if(contents.entries, [](const GalleryRecord& one) { return one.id.empty(); });
  return contents;
}

Result<std::unique_ptr<GalleryFile>> GalleryFile::Open(const std::filesystem::path& path,
                                                       GalleryContents& contents) {
  std::error_code error;
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), error);
  const std::string lock_path = path.string() + ".lock";
  const int lock = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock < 0) return Failed("open", lock_path);
  std::unique_ptr<GalleryFile> gallery(new GalleryFile(path, lock));
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Failed("lock", lock_path);
    return Status::Unavailable("the gallery '" + path.string() +
                               "' is in use by another process, or is just being closed");
  }
  contents = {};
  if (!std::filesystem::exists(path, error)) return gallery;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) return Failed("read", path);
  std::ifstream in(path, std::ios::binary);
  std::string bytes(static_cast<std::size_t>(size), '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!in) return Failed("read", path);
  Result<GalleryContents> parsed = ParseGallery(bytes);
  if (!parsed.ok()) {
    return Status(parsed.status().code(), path.string() + ": " + parsed.status().message());
  }
  contents = *std::move(parsed);
  if (!contents.stamp) return gallery;
  gallery->file_ = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (gallery->file_ < 0) return Failed("write", path);
  gallery->bytes_ = contents.bytes;
  if (contents.torn_bytes > 0) {
    spdlog::warn("gallery '{}': dropping {} bytes of a record that was never finished",
                 path.string(), contents.torn_bytes);
    if (::ftruncate(gallery->file_, static_cast<off_t>(contents.bytes)) != 0 ||
        ::fsync(gallery->file_) != 0) {
      return Failed("write", path);
    }
  }
  return gallery;
}

GalleryFile::~GalleryFile() {
  if (file_ >= 0) ::close(file_);
  if (lock_ >= 0) ::close(lock_);
}

Status GalleryFile::Put(std::string_view id, std::span<const float> values) {
  return Append(PutRecord(id, values));
}

Status GalleryFile::Remove(std::string_view id) {
  return Append(RemoveRecord(id));
}

Status GalleryFile::CheckInPlace() const {
  struct stat ours {};
  struct stat theirs {};
  const bool same = ::fstat(file_, &ours) == 0 && ::stat(path_.c_str(), &theirs) == 0 &&
                    ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
  if (same) return Status::Ok();
  return Status::Unavailable("the gallery's file '" + path_.string() +
                             "' was removed or replaced while it was open: unload the service " +
                             "and load it, which reads what is there now");
}

Status GalleryFile::Append(const std::string& record) {
  XC_CHECK(file_ >= 0);
  if (Status there = CheckInPlace(); !there.ok()) return there;
  // What is left of one that failed would hide what is written behind it.
  if (dirty_ && ::ftruncate(file_, static_cast<off_t>(bytes_)) != 0) return Failed("write", path_);
  dirty_ = true;
  if (!WriteAll(file_, record) || ::fdatasync(file_) != 0) {
    const Status failed = Failed("write", path_);
    dirty_ = ::ftruncate(file_, static_cast<off_t>(bytes_)) != 0;
    return failed;
  }
  dirty_ = false;
  bytes_ += record.size();
  return CheckInPlace();  // it may have gone meanwhile
}

Status GalleryFile::Replace(const GalleryStamp& stamp, const std::vector<GalleryRecord>& entries) {
  const std::filesystem::path temporary = path_.string() + ".tmp";
  const int file =
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0) return Failed("write", temporary);
  std::string bytes = HeaderOf(stamp);
  std::size_t total = 0;
  bool good = true;
  for (std::size_t i = 0; good && i <= entries.size(); ++i) {
    if (i < entries.size()) bytes += PutRecord(entries[i].id, entries[i].values);
    if (i < entries.size() && bytes.size() < (1 << 20)) continue;
    good = WriteAll(file, bytes);
    total += bytes.size();
    bytes.clear();
  }
  if (!good || ::fsync(file) != 0 || ::rename(temporary.c_str(), path_.c_str()) != 0) {
    const Status failed = Failed("write", temporary);
    ::close(file);
    ::unlink(temporary.c_str());
    return failed;
  }
  SyncFolder(path_);
  if (file_ >= 0) ::close(file_);
  file_ = file;
  bytes_ = total;
  dirty_ = false;
  return Status::Ok();
}

}  // namespace xcloud
