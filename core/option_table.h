// Option table: options as rows of a Markdown table, from the same declarations that read them.
//
// Used for configs/README.md and models/README.md, and printed by 'xcloud config' and
// 'xcloud model-keys'; tests keep the files equal to the declarations. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/options.h"

namespace xcloud {

// Appends one row per visited option to `out`.
class OptionTablePrinter final : public OptionVisitor {
 public:
  explicit OptionTablePrinter(std::string& out) : out_(out) {}
  void Integer(const OptionDoc& doc, std::int64_t& value, std::int64_t min,
               std::int64_t max) override;
  void Number(const OptionDoc& doc, double& value, double min, double max) override;
  void Flag(const OptionDoc& doc, bool& value) override;
  void Text(const OptionDoc& doc, std::string& value,
            const std::vector<std::string_view>& allowed) override;
  void Numbers(const OptionDoc& doc, std::vector<double>& value, std::size_t size, double min,
               double max) override;
  void Texts(const OptionDoc& doc, std::vector<std::string>& value) override;

 private:
  void Row(const OptionDoc& doc, const std::string& value, const std::string& range);
  std::string& out_;
};

// The heading and the first rows of one section's table. `heading` is a section, "[server]", or
// words, for keys above the first section.
void AppendOptionTableHead(std::string& out, std::string_view heading);

// Appends the whole table of one section, with the defaults of `Knobs`.
template <class Knobs>
void AppendOptionTable(std::string& out, std::string_view heading,
                       void (*visit)(OptionVisitor&, Knobs&)) {
  AppendOptionTableHead(out, heading);
  Knobs defaults;
  OptionTablePrinter printer(out);
  visit(printer, defaults);
}

}  // namespace xcloud
