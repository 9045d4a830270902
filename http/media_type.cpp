#include "http/media_type.h"

#include <algorithm>
#include <cstddef>

namespace xcloud {
namespace {

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string ToLower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), Lower);
  return out;
}

// Takes a quoted string off the front of `text`, quotes included. Nothing when it stays open.
std::optional<std::string> TakeQuoted(std::string_view& text) {
  std::string out;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') {
      text.remove_prefix(i + 1);
      return out;
    }
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    out += text[i];
  }
  return std::nullopt;
}

// Takes `name=value` off the front; nothing when it is not one.
std::optional<std::pair<std::string, std::string>> TakeParameter(std::string_view& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals > text.find(';')) return std::nullopt;
  std::string name = ToLower(TrimBlanks(text.substr(0, equals)));
  text = TrimBlanks(text.substr(equals + 1));
  if (!text.empty() && text.front() == '"') {
    auto value = TakeQuoted(text);
    if (!value) return std::nullopt;
    text = TrimBlanks(text);
    if (!text.empty() && text.front() != ';') return std::nullopt;
    return std::pair(std::move(name), std::move(*value));
  }
  const std::size_t end = std::min(text.find(';'), text.size());
  std::string value(TrimBlanks(text.substr(0, end)));
  text.remove_prefix(end);
  return std::pair(std::move(name), std::move(value));
}

}  // namespace

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return Lower(x) == Lower(y); });
}

std::string_view TrimBlanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

const std::string* MediaType::Parameter(std::string_view name) const {
  for (const auto& [key, value] : parameters) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::optional<MediaType> ParseMediaType(std::string_view text) {
  MediaType type;
  const std::size_t end = std::min(text.find(';'), text.size());
  type.value = ToLower(TrimBlanks(text.substr(0, end)));
  if (type.value.empty()) return std::nullopt;
  text.remove_prefix(end);
  while (!text.empty()) {
    text = TrimBlanks(text.substr(1));  // the ';'
    if (text.empty()) break;
    if (text.front() == ';') continue;
    auto parameter = TakeParameter(text);
    if (!parameter) return std::nullopt;
    type.parameters.push_back(std::move(*parameter));
  }
  return type;
}

}  // namespace xcloud
