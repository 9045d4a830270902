// Options: one declaration per configuration key, used to read it, to check it and to print it.
//
// A struct of knobs is described by a function `void Visit(OptionVisitor&, Knobs&)` that names
// each key once with its unit, range, effect and danger. core/toml_reader.h reads a file through
// it; configs/README.md is checked against it (tests/core/config_test.cpp).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace xcloud {

struct OptionDoc {
  std::string_view key;     // "body_limit_bytes"; the unit is last in the name
  std::string_view effect;  // what it does, and what 0 means where 0 is special
  std::string_view danger;  // what a bad value costs; empty when nothing
};

class OptionVisitor {
 public:
  virtual ~OptionVisitor() = default;
  // Inclusive bounds.
  virtual void Integer(const OptionDoc& doc, std::int64_t& value, std::int64_t min,
                       std::int64_t max) = 0;
  virtual void Number(const OptionDoc& doc, double& value, double min, double max) = 0;
  virtual void Flag(const OptionDoc& doc, bool& value) = 0;
  // `allowed` empty = any text.
  virtual void Text(const OptionDoc& doc, std::string& value,
                    const std::vector<std::string_view>& allowed) = 0;
  // A list of numbers, each within the bounds; `size` 0 = any length.
  virtual void Numbers(const OptionDoc& doc, std::vector<double>& value, std::size_t size,
                       double min, double max) = 0;
  // A list of texts, of any length.
  virtual void Texts(const OptionDoc& doc, std::vector<std::string>& value) = 0;
};

}  // namespace xcloud
