// Append: printf into the end of a string. What passes 1023 bytes in one call is cut off.
// Pure; any thread.
#pragma once

#include <cstdarg>
#include <cstdio>
#include <string>

namespace xcloud {

__attribute__((format(printf, 2, 3))) inline void Append(std::string& out, const char* format,
                                                         ...) {
  char text[1024];
  va_list values;
  va_start(values, format);
  std::vsnprintf(text, sizeof(text), format, values);
  va_end(values);
  out += text;
}

}  // namespace xcloud
