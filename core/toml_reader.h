// TomlReader: reads one TOML table strictly. An unknown key, a wrong type or a value out of range
// is an error that names file, line and key; errors are collected, so one run tells them all.
//
// Used for the server's file, for --set, and for model.toml. Not thread-safe; the table must
// outlive the reader.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#define TOML_HEADER_ONLY 0
#include <toml++/toml.h>

#include "core/options.h"
#include "core/result.h"

namespace xcloud {

// Parses `text`; InvalidArgument with "file:line:column: why" when it is not TOML.
Result<toml::table> ParseToml(std::string_view text, std::string_view file);

class TomlReader final : public OptionVisitor {
 public:
  // `section` ("server") prefixes keys in messages; empty at the top of a file.
  TomlReader(const toml::table& table, std::string file, std::string section,
             std::vector<std::string>& errors);
  // Reports keys that no visit asked for.
  void Finish();

  void Integer(const OptionDoc& doc, std::int64_t& value, std::int64_t min,
               std::int64_t max) override;
  void Number(const OptionDoc& doc, double& value, double min, double max) override;
  void Flag(const OptionDoc& doc, bool& value) override;
  void Text(const OptionDoc& doc, std::string& value,
            const std::vector<std::string_view>& allowed) override;
  void Numbers(const OptionDoc& doc, std::vector<double>& value, std::size_t size, double min,
               double max) override;
  void Texts(const OptionDoc& doc, std::vector<std::string>& value) override;

  // The sub-table `key`, or null when absent; marks the key as known. A non-table is an error.
  const toml::table* Section(std::string_view key);
  // Says that `key` is read by other means than a visit (an array of tables).
  void MarkKnown(std::string_view key) { known_.emplace(key); }
  // True when the file sets `key` (which must also be visited).
  bool Has(std::string_view key) const;
  // Reports an error about `key`, with its line when it is in the file.
  void Fail(std::string_view key, std::string_view why);

 private:
  const toml::node* Take(std::string_view key);
  std::string Name(std::string_view key) const;

  const toml::table& table_;
  const std::string file_;
  const std::string section_;
  std::vector<std::string>& errors_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace xcloud
