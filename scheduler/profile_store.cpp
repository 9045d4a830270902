#include "scheduler/profile_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <optional>
#include <string>
#include <system_error>

#include "core/log.h"

namespace xcloud {
namespace {

constexpr std::string_view kFormat = "xcloud-profile 1 ";
// 64 devices of 28 buckets take 150 KB; what is larger is not ours.
constexpr std::size_t kMostBytes = 1 << 20;

bool IsSafeModel(std::string_view name) {
  return !name.empty() && name.size() <= 128 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

bool IsSafeVersion(std::string_view version) {
  return !version.empty() && version.size() <= 20 &&
         std::all_of(version.begin(), version.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool IsOneLine(std::string_view text) {
  return !text.empty() && text.size() <= 256 && std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < ' ';
  });
}

template <class Number>
void AppendNumber(std::string& out, Number number) {
  char text[64];
  const auto written = std::to_chars(std::begin(text), std::end(text), number);
  out.append(text, written.ptr);  // shortest form that reads back as the same number
  out += ' ';
}

// Takes one number and the space after it from the front of `line`.
template <class Number>
bool TakeNumber(std::string_view& line, Number& number) {
  const char* const end = line.data() + line.size();
  const auto parsed = std::from_chars(line.data(), end, number);
  if (parsed.ec != std::errc() || parsed.ptr == end || *parsed.ptr != ' ') return false;
  line.remove_prefix(static_cast<std::size_t>(parsed.ptr - line.data()) + 1);
  return true;
}

// Takes the front of `text` up to a newline; none when there is no newline left.
std::optional<std::string_view> TakeLine(std::string_view& text) {
  const std::size_t newline = text.find('\n');
  if (newline == std::string_view::npos) return std::nullopt;
  const std::string_view line = text.substr(0, newline);
  text.remove_prefix(newline + 1);
  return line;
}

std::string Header(std::string_view model, std::string_view version) {
  return std::string(kFormat) + std::string(model) + ' ' + std::string(version) + ' ';
}

std::optional<std::vector<ProfileEntry>> Parse(std::string_view text, std::string_view header) {
  std::optional<std::string_view> first = TakeLine(text);
  if (!first || !first->starts_with(header)) return std::nullopt;
  const std::string count_text = std::string(first->substr(header.size())) + ' ';
  std::string_view rest = count_text;
  std::size_t count = 0;
  if (!TakeNumber(rest, count) || !rest.empty() || count > text.size()) return std::nullopt;
  std::vector<ProfileEntry> entries(count);
  for (ProfileEntry& entry : entries) {
    std::optional<std::string_view> line = TakeLine(text);
    if (!line || !TakeNumber(*line, entry.size) || !TakeNumber(*line, entry.items) ||
        !TakeNumber(*line, entry.mean_ns) || !TakeNumber(*line, entry.deviation_ns) ||
        !IsOneLine(*line)) {
      return std::nullopt;
    }
    entry.device = *line;
  }
  if (!text.empty()) return std::nullopt;
  return entries;
}

Status Failed(const std::filesystem::path& file, const char* what) {
  return Status::Internal("cannot " + std::string(what) + " '" + file.string() +
                          "': " + std::strerror(errno));
}

Status WriteAndSync(const std::filesystem::path& file, std::string_view text) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return Failed(file, "create");
  Status status;
  while (status.ok() && !text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written > 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (written < 0 && errno != EINTR) {
      status = Failed(file, "write");
    }
  }
  if (status.ok() && ::fsync(fd) != 0) status = Failed(file, "sync");
  if (::close(fd) != 0 && status.ok()) status = Failed(file, "close");
  return status;
}

}  // namespace

std::filesystem::path ProfileStore::FileOf(std::string_view model, std::string_view version) const {
  return folder_ / (std::string(model) + "." + std::string(version) + ".profile");
}

Status ProfileStore::Save(std::string_view model, std::string_view version,
                          const std::vector<ProfileEntry>& entries) {
  if (!enabled()) return Status::Ok();
  if (!IsSafeModel(model) || !IsSafeVersion(version)) {
    return Status::InvalidArgument("no profile is kept of model '" + std::string(model) +
                                   "' version '" + std::string(version) +
                                   "': it cannot be a file's name");
  }
  std::string text = Header(model, version) + std::to_string(entries.size()) + '\n';
  for (const ProfileEntry& entry : entries) {
    if (!IsOneLine(entry.device) || !std::isfinite(entry.items) || !std::isfinite(entry.mean_ns) ||
        !std::isfinite(entry.deviation_ns)) {
      return Status::InvalidArgument("the profile of '" + std::string(model) +
                                     "' has an entry that is no measurement");
    }
    AppendNumber(text, entry.size);
    AppendNumber(text, entry.items);
    AppendNumber(text, entry.mean_ns);
    AppendNumber(text, entry.deviation_ns);
    text += entry.device + '\n';
  }
  if (text.size() > kMostBytes) {
    return Status::InvalidArgument("the profile of '" + std::string(model) + "' is over 1 MiB");
  }
  const std::filesystem::path file = FileOf(model, version);
  const std::filesystem::path temporary = folder_ / ".writing";
  MutexLock lock(mutex_);
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error) {
    return Status::Internal("cannot make the folder '" + folder_.string() +
                            "': " + error.message());
  }
  if (Status status = WriteAndSync(temporary, text); !status.ok()) return status;
  if (::rename(temporary.c_str(), file.c_str()) != 0) return Failed(file, "replace");
  return Status::Ok();
}

std::vector<ProfileEntry> ProfileStore::Load(std::string_view model,
                                             std::string_view version) const {
  if (!enabled() || !IsSafeModel(model) || !IsSafeVersion(version)) return {};
  const std::filesystem::path file = FileOf(model, version);
  std::error_code error;
  if (!std::filesystem::exists(file, error) && !error) return {};
  std::string text;
  if (std::filesystem::is_regular_file(file, error)) {  // a pipe would block
    text.resize(kMostBytes + 1);
    std::ifstream in(file, std::ios::binary);
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
  }
  if (text.size() <= kMostBytes) {
    if (auto entries = Parse(text, Header(model, version))) return *std::move(entries);
  }
  spdlog::warn("profile '{}' is ignored: it is damaged, or not a profile of {} version {}",
               file.string(), model, version);
  return {};
}

}  // namespace xcloud
