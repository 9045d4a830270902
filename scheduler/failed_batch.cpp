#include "scheduler/failed_batch.h"

#include <cstddef>

#include "core/status.h"

namespace xcloud {

std::pair<std::vector<Waiting>, std::vector<Waiting>> Halve(std::vector<Waiting> parts) {
  std::size_t items = 0;
  for (const Waiting& part : parts) items += part.part.items;
  XC_CHECK(items >= 2);
  std::size_t room = (items + 1) / 2;
  std::pair<std::vector<Waiting>, std::vector<Waiting>> halves;
  for (Waiting& part : parts) {
    const std::size_t size = part.part.items;
    if (size <= room) {
      room -= size;
      halves.first.push_back(std::move(part));
      continue;
    }
    if (room > 0) {
      Waiting front = part;
      front.part.items = room;
      part.part.first += room;
      part.part.items -= room;
      halves.first.push_back(std::move(front));
      room = 0;
    }
    halves.second.push_back(std::move(part));
  }
  return halves;
}

}  // namespace xcloud
