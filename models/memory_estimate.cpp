#include "models/memory_estimate.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>

namespace xcloud {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kWeightCopies = 3;
constexpr std::uint64_t kLayers = 16;

std::string ReadText(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// The number behind `key` at the start of a line, blanks and a colon skipped; `key` empty: the
// text's first.
std::optional<std::uint64_t> NumberOf(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.starts_with(key)) continue;
    line.remove_prefix(key.size());
    const std::size_t digits = line.find_first_not_of(": \t");
    if (digits == std::string_view::npos) continue;
    std::uint64_t number = 0;
    const auto parsed = std::from_chars(line.data() + digits, line.data() + line.size(), number);
    if (parsed.ec == std::errc()) return number;
  }
  return std::nullopt;
}

// What one cgroup leaves; none where it bounds nothing.
std::optional<std::uint64_t> CgroupRoom(const fs::path& group) {
  const auto most = NumberOf(ReadText(group / "memory.max"), "");  // "max" is no number
  const auto used = NumberOf(ReadText(group / "memory.current"), "");
  if (!most || !used) return std::nullopt;
  const std::uint64_t cache =
      NumberOf(ReadText(group / "memory.stat"), "inactive_file ").value_or(0);
  const std::uint64_t held = *used - std::min(*used, cache);
  return *most - std::min(*most, held);
}

std::uint64_t AllCgroupsRoom(const fs::path& root) {
  const std::string own = ReadText(root / "proc/self/cgroup");
  std::uint64_t room = UINT64_MAX;
  const std::size_t start = own.find("0::/");  // version 2's line
  if (start == std::string::npos) return room;
  const std::string path = own.substr(start + 4, own.find('\n', start) - start - 4);
  const fs::path top = root / "sys/fs/cgroup";
  for (fs::path group = path; true; group = group.parent_path()) {
    room = std::min(room, CgroupRoom(top / group).value_or(UINT64_MAX));
    if (group.empty()) return room;
  }
}

std::string Mb(std::uint64_t bytes) {
  return std::to_string(bytes / kMiB) + " MiB";
}

}  // namespace

MemoryNeed EstimateMemory(std::uint64_t file_bytes, std::uint64_t item_bytes, std::size_t max_batch,
                          const MemoryLanes& lanes) {
  MemoryNeed need;
  need.weights = kWeightCopies * lanes.weight_copies * file_bytes;
  need.staging = lanes.slots * max_batch * item_bytes;
  need.activations = kLayers * lanes.lanes * max_batch * item_bytes;
  return need;
}

MemoryRoom ReadMemoryRoom(const fs::path& root) {
  MemoryRoom room;
  if (const auto kib = NumberOf(ReadText(root / "proc/meminfo"), "MemAvailable")) {
    room.machine = *kib * 1024;
  }
  if (const auto kib = NumberOf(ReadText(root / "proc/self/status"), "VmRSS")) {
    room.process = *kib * 1024;
  }
  room.cgroup = AllCgroupsRoom(root);
  return room;
}

Status CheckMemory(const std::string& what, const MemoryNeed& need, const MemoryRoom& room,
                   std::int64_t limit_mb) {
  const std::string wants = what + " needs about " + Mb(need.total()) + " (weights " +
                            Mb(need.weights) + ", staging " + Mb(need.staging) + ", activations " +
                            Mb(need.activations) + ")";
  if (limit_mb > 0) {
    const std::uint64_t limit = static_cast<std::uint64_t>(limit_mb) * kMiB;
    if (room.process + need.total() > limit) {
      return Status::Unavailable(wants + "; the process holds " + Mb(room.process) +
                                 ", and [repository] memory_limit_mb is " +
                                 std::to_string(limit_mb));
    }
  }
  if (need.total() > room.cgroup) {
    return Status::Unavailable(wants + "; the memory limit of the cgroup leaves " +
                               Mb(room.cgroup));
  }
  if (need.total() > room.machine) {
    return Status::Unavailable(wants + "; the machine has " + Mb(room.machine) + " left");
  }
  return Status::Ok();
}

Result<MemoryReservations::Held> MemoryReservations::TryReserve(const std::string& what,
                                                                const MemoryNeed& need,
                                                                std::int64_t limit_mb) {
  MutexLock lock(mutex_);
  return Try(what, need, limit_mb);
}

Result<MemoryReservations::Held> MemoryReservations::Reserve(const std::string& what,
                                                             const MemoryNeed& need,
                                                             std::int64_t limit_mb) {
  MutexLock lock(mutex_);
  while (true) {
    Result<Held> held = Try(what, need, limit_mb);
    if (held.ok() || held_ == 0) return held;
    changed_.Wait(mutex_);
  }
}

Result<MemoryReservations::Held> MemoryReservations::Try(const std::string& what,
                                                         const MemoryNeed& need,
                                                         std::int64_t limit_mb) {
  MemoryRoom room = room_();
  room.process += held_;
  for (std::uint64_t* left : {&room.machine, &room.cgroup}) {
    if (*left != UINT64_MAX) *left -= std::min(*left, held_);
  }
  if (Status status = CheckMemory(what, need, room, limit_mb); !status.ok()) return status;
  const std::uint64_t bytes = need.total();
  held_ += bytes;
  return Held(this,
              [bytes](void* self) { static_cast<MemoryReservations*>(self)->GiveBack(bytes); });
}

void MemoryReservations::GiveBack(std::uint64_t bytes) {
  MutexLock lock(mutex_);
  held_ -= bytes;
  changed_.NotifyAll();
}

}  // namespace xcloud
