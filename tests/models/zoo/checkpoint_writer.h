// Writes pickles and safetensors files by hand, so that tests can lie in each place of them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace xcloud::zoo::testing {

// A safetensors file with this header, the length that it really has or `length`, and so many
// bytes of values.
inline void WriteRawSafetensors(const std::filesystem::path& file, std::string_view header,
                                std::size_t value_bytes, std::int64_t length = -1) {
  const std::uint64_t size = length < 0 ? header.size() : static_cast<std::uint64_t>(length);
  std::ofstream out(file, std::ios::binary);
  out.write(reinterpret_cast<const char*>(&size), sizeof size);
  out << header << std::string(value_bytes, '\1');
}

// The pieces of a pickle of protocol 2, as Python writes them.
inline std::string Text(std::string_view text) {
  std::string out = "X";
  for (int i = 0; i < 4; ++i) out += static_cast<char>(text.size() >> (8 * i) & 0xff);
  return out + std::string(text);
}
inline std::string Global(std::string_view module, std::string_view name) {
  return "c" + std::string(module) + "\n" + std::string(name) + "\n";
}
inline std::string Pickle(std::string_view body) {
  return std::string("\x80\x02", 2) + std::string(body) + ".";
}

}  // namespace xcloud::zoo::testing
