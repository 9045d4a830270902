#include "core/option_table.h"

#include <sstream>

namespace xcloud {
namespace {

// "0.5", "3600000", "0.003921569": as a person would write it in the file.
std::string Shown(double value) {
  std::ostringstream out;
  out.precision(7);
  out << value;
  return out.str();
}

std::string ShownRange(double min, double max) {
  return Shown(min) + " to " + Shown(max);
}

}  // namespace

void OptionTablePrinter::Integer(const OptionDoc& doc, std::int64_t& value, std::int64_t min,
                                 std::int64_t max) {
  Row(doc, std::to_string(value), std::to_string(min) + " to " + std::to_string(max));
}

void OptionTablePrinter::Number(const OptionDoc& doc, double& value, double min, double max) {
  Row(doc, Shown(value), ShownRange(min, max));
}

void OptionTablePrinter::Flag(const OptionDoc& doc, bool& value) {
  Row(doc, value ? "true" : "false", "true, false");
}

void OptionTablePrinter::Text(const OptionDoc& doc, std::string& value,
                              const std::vector<std::string_view>& allowed) {
  std::string range;
  for (const std::string_view word : allowed) {
    range += (range.empty() ? "" : ", ") + std::string(word);
  }
  Row(doc, '"' + value + '"', range.empty() ? "text" : range);
}

void OptionTablePrinter::Numbers(const OptionDoc& doc, std::vector<double>& value, std::size_t size,
                                 double min, double max) {
  std::string shown;
  for (const double number : value) shown += (shown.empty() ? "" : ", ") + Shown(number);
  const std::string count = size == 0 ? "numbers" : std::to_string(size) + " numbers";
  Row(doc, "[" + shown + "]", count + ", " + ShownRange(min, max));
}

void OptionTablePrinter::Texts(const OptionDoc& doc, std::vector<std::string>& value) {
  std::string shown;
  for (const std::string& text : value) shown += (shown.empty() ? "\"" : ", \"") + text + '"';
  Row(doc, "[" + shown + "]", "texts");
}

void OptionTablePrinter::Row(const OptionDoc& doc, const std::string& value,
                             const std::string& range) {
  out_ += "| `" + std::string(doc.key) + "` | `" + value + "` | " + range + " | " +
          std::string(doc.effect) + " | " + (doc.danger.empty() ? "-" : std::string(doc.danger)) +
          " |\n";
}

void AppendOptionTableHead(std::string& out, std::string_view heading) {
  const std::string quote = heading.starts_with('[') ? "`" : "";
  out += "\n## " + quote + std::string(heading) + quote +
         "\n\n| key | default | range | effect | danger |\n| --- | --- | --- | --- | --- |\n";
}

}  // namespace xcloud
