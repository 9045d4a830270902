// Labels: the names of a network's outputs, from labels.txt. Pure functions, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace xcloud {

// One label a line, UTF-8; row = output index. A byte order mark, CRLF and blank lines at the end
// are tolerated; a blank line before the end is an error, because it would shift what follows.
// InvalidArgument holds every wrong line, one a line, each "file:line: why".
Result<std::vector<std::string>> ParseLabels(std::string_view text, std::string_view file);

// UTF-8 without control characters: safe to write into JSON, pages and logs.
bool IsPlainUtf8(std::string_view text);

}  // namespace xcloud
