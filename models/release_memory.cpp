#include "models/release_memory.h"

#include <malloc.h>

#include <cstddef>

// jemalloc's, where the program is linked with it (CMakeLists.txt); null in tests and sanitizers.
extern "C" int mallctl(const char* name, void* old, std::size_t* old_size, void* wanted,
                       std::size_t wanted_size) __attribute__((weak));

namespace xcloud {

void ReleaseFreeMemory() {
  if (mallctl != nullptr) {
    // 4096 is MALLCTL_ARENAS_ALL of jemalloc 5. Failure leaves the pages to the allocator's decay.
    (void)mallctl("arena.4096.purge", nullptr, nullptr, nullptr, 0);
    return;
  }
  (void)malloc_trim(0);
}

}  // namespace xcloud
