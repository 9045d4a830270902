// HostKey: names what an optimised variant of a model belongs to: the processor that it was built
// and timed on, and the libraries that run it. Variants of another key are not served: code that
// was compiled for this processor may not run on another one, and what was fastest here need not be
// there.
//
//   amd-epyc-3f9a01c2-openvino2026.4.1-torch2.11.0
//
// The eight digits are over all instruction-set flags that the kernel tells, so a kernel that tells
// more of them gives another key, too: the model is then served as it is until it is optimised
// again. Any thread; reads /proc/cpuinfo.
#pragma once

#include <string>
#include <string_view>

namespace xcloud {

// From the text of /proc/cpuinfo; a name for a folder: [a-z0-9.-]+.
std::string HostKeyOf(std::string_view cpuinfo);

// Of this host and this program.
std::string CpuHostKey();

}  // namespace xcloud
