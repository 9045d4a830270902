#include "core/toml_reader.h"

#include <algorithm>
#include <sstream>
#include <utility>

namespace xcloud {
namespace {

std::string Place(const std::string& file, const toml::node* node) {
  std::ostringstream out;
  out << file;
  if (node != nullptr && node->source().begin) out << ':' << node->source().begin.line;
  return out.str();
}

std::string Shown(double value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

// Levenshtein distance, for "did you mean"; keys are short, so the plain table is enough.
std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

}  // namespace

Result<toml::table> ParseToml(std::string_view text, std::string_view file) {
  try {
    return toml::parse(text, file);
  } catch (const toml::parse_error& error) {
    std::ostringstream out;
    out << file << ':' << error.source().begin.line << ':' << error.source().begin.column << ": "
        << error.description();
    return Status::InvalidArgument(out.str());
  }
}

TomlReader::TomlReader(const toml::table& table, std::string file, std::string section,
                       std::vector<std::string>& errors)
    : table_(table), file_(std::move(file)), section_(std::move(section)), errors_(errors) {}

void TomlReader::Finish() {
  for (const auto& [key, node] : table_) {
    const std::string_view name = key.str();
    if (known_.find(name) != known_.end()) continue;
    std::string why = "unknown key";
    const auto nearest = std::min_element(known_.begin(), known_.end(),
                                          [name](const std::string& a, const std::string& b) {
                                            return EditDistance(a, name) < EditDistance(b, name);
                                          });
    if (nearest != known_.end() && EditDistance(*nearest, name) <= 3) {
      why += "; did you mean '" + Name(*nearest) + "'?";
    }
    errors_.push_back(Place(file_, &node) + ": " + Name(name) + ": " + why);
  }
}

void TomlReader::Integer(const OptionDoc& doc, std::int64_t& value, std::int64_t min,
                         std::int64_t max) {
  const toml::node* node = Take(doc.key);
  if (node == nullptr) return;
  if (!node->is_integer()) return Fail(doc.key, "must be a whole number");
  const std::int64_t read = **node->as_integer();
  if (read < min || read > max) {
    return Fail(doc.key, "must be " + std::to_string(min) + " to " + std::to_string(max) + ", is " +
                             std::to_string(read));
  }
  value = read;
}

void TomlReader::Number(const OptionDoc& doc, double& value, double min, double max) {
  const toml::node* node = Take(doc.key);
  if (node == nullptr) return;
  const auto read = node->value<double>();
  if (!read.has_value() || !node->is_number()) return Fail(doc.key, "must be a number");
  if (!(*read >= min && *read <= max)) {
    return Fail(doc.key, "must be " + Shown(min) + " to " + Shown(max) + ", is " + Shown(*read));
  }
  value = *read;
}

void TomlReader::Flag(const OptionDoc& doc, bool& value) {
  const toml::node* node = Take(doc.key);
  if (node == nullptr) return;
  if (!node->is_boolean()) return Fail(doc.key, "must be true or false");
  value = **node->as_boolean();
}

void TomlReader::Text(const OptionDoc& doc, std::string& value,
                      const std::vector<std::string_view>& allowed) {
  const toml::node* node = Take(doc.key);
  if (node == nullptr) return;
  if (!node->is_string()) return Fail(doc.key, "must be text in quotes");
  const std::string& read = **node->as_string();
  if (!allowed.empty() && std::find(allowed.begin(), allowed.end(), read) == allowed.end()) {
    std::string why = "must be one of";
    for (const std::string_view word : allowed) why.append(" '").append(word).append("'");
    return Fail(doc.key, why + ", is '" + read + "'");
  }
  value = read;
}

void TomlReader::Numbers(const OptionDoc& doc, std::vector<double>& value, std::size_t size,
                         double min, double max) {
  const toml::node* node = Take(doc.key);
  if (node == nullptr) return;
  const toml::array* list = node->as_array();
  if (list == nullptr) return Fail(doc.key, "must be a list of numbers");
  if (size != 0 && list->size() != size) {
    return Fail(doc.key, "must have " + std::to_string(size) + " numbers, has " +
                             std::to_string(list->size()));
  }
  std::vector<double> read;
  for (const toml::node& element : *list) {
    const auto number = element.value<double>();
    if (!number.has_value() || !(*number >= min && *number <= max)) {
      return Fail(doc.key, "each must be a number from " + Shown(min) + " to " + Shown(max));
    }
    read.push_back(*number);
  }
  value = std::move(read);
}

void TomlReader::Texts(const OptionDoc& doc, std::vector<std::string>& value) {
  const toml::node* node = Take(doc.key);
  if (node == nullptr) return;
  const toml::array* list = node->as_array();
  if (list == nullptr) return Fail(doc.key, "must be a list of texts, [\"...\"]");
  std::vector<std::string> read;
  for (const toml::node& element : *list) {
    if (!element.is_string()) return Fail(doc.key, "each must be text in quotes");
    read.push_back(**element.as_string());
  }
  value = std::move(read);
}

const toml::table* TomlReader::Section(std::string_view key) {
  const toml::node* node = Take(key);
  if (node == nullptr) return nullptr;
  if (!node->is_table()) Fail(key, "must be a section, [" + Name(key) + "]");
  return node->as_table();
}

bool TomlReader::Has(std::string_view key) const {
  return table_.get(key) != nullptr;
}

void TomlReader::Fail(std::string_view key, std::string_view why) {
  errors_.push_back(Place(file_, table_.get(key)) + ": " + Name(key) + ": " + std::string(why));
}

const toml::node* TomlReader::Take(std::string_view key) {
  known_.emplace(key);
  return table_.get(key);
}

std::string TomlReader::Name(std::string_view key) const {
  return section_.empty() ? std::string(key) : section_ + "." + std::string(key);
}

}  // namespace xcloud
