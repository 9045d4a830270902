#include "tests/tidy/source_tree.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

namespace xcloud {
namespace {

namespace fs = std::filesystem;

// The end of the raw string literal that starts at `start` (the R), or npos.
std::size_t RawStringEnd(const std::string& text, std::size_t start) {
  const std::size_t paren = text.find('(', start);
  if (paren == std::string::npos) return std::string::npos;
  const std::string close = ")" + text.substr(start + 2, paren - start - 2) + "\"";
  const std::size_t end = text.find(close, paren);
  return end == std::string::npos ? end : end + close.size();
}

std::size_t LiteralEnd(const std::string& text, std::size_t start) {
  std::size_t i = start + 1;
  while (i < text.size() && text[i] != text[start] && text[i] != '\n') i += text[i] == '\\' ? 2 : 1;
  return std::min(i + 1, text.size());
}

// Where the comment or literal at `i` ends; `i` when none starts there.
std::size_t SkipEnd(const std::string& text, std::size_t i) {
  if (text.compare(i, 2, "//") == 0) return std::min(text.find('\n', i), text.size());
  if (text.compare(i, 2, "/*") == 0) return std::min(text.find("*/", i + 2), text.size() - 2) + 2;
  const bool in_word = i > 0 && (std::isalnum(static_cast<unsigned char>(text[i - 1])) != 0);
  if (text.compare(i, 2, "R\"") == 0 && !in_word) {
    return std::min(RawStringEnd(text, i), text.size());
  }
  if (text[i] == '"' || (text[i] == '\'' && !in_word)) return LiteralEnd(text, i);
  return i;
}

bool OpensFunction(const std::string& head) {
  static const std::regex other(
      R"(^\s*(namespace|class|struct|enum|union|extern|template\s*<[^()]*>\s*(class|struct))\b)");
  if (head.find('(') == std::string::npos || std::regex_search(head, other)) return false;
  // `T x = {` and `x{` at namespace scope are initialisers.
  static const std::regex assigned(R"(=\s*$)");
  return !std::regex_search(head, assigned);
}

std::string LastWords(const std::string& head) {
  const std::size_t paren = head.find('(');
  const std::size_t line = head.rfind('\n', paren);
  std::string name = head.substr(line == std::string::npos ? 0 : line + 1);
  std::replace(name.begin(), name.end(), '\n', ' ');
  return name.substr(0, 60);
}

}  // namespace

std::string BlankCommentsAndLiterals(const std::string& text) {
  std::string out = text;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t end = SkipEnd(text, i);
    if (end == i) {
      ++i;
      continue;
    }
    for (std::size_t k = i; k < end; ++k) {
      if (out[k] != '\n') out[k] = ' ';
    }
    i = end;
  }
  return out;
}

std::vector<FunctionSpan> FindFunctions(const std::string& code) {
  std::vector<FunctionSpan> found;
  std::vector<bool> in_function;  // one entry an open brace
  std::vector<FunctionSpan> open;
  std::size_t head_start = 0;
  int line = 1;
  for (std::size_t i = 0; i < code.size(); ++i) {
    const char c = code[i];
    if (c == '\n') ++line;
    if (c == '{') {
      const std::string head = code.substr(head_start, i - head_start);
      const bool inside = !in_function.empty() && in_function.back();
      const bool starts = !inside && OpensFunction(head);
      if (starts) open.push_back({LastWords(head), line, 0});
      in_function.push_back(inside || starts);
    } else if (c == '}' && !in_function.empty()) {
      const bool was = in_function.back();
      in_function.pop_back();
      if (was && (in_function.empty() || !in_function.back())) {
        open.back().line_count = line - open.back().first_line + 1;
        found.push_back(open.back());
        open.pop_back();
      }
    }
    if (c == '{' || c == '}' || c == ';' || (c == '\n' && code[head_start] == '#')) {
      head_start = i + 1;
    }
  }
  return found;
}

std::vector<std::string> QuotedIncludes(const SourceFile& file) {
  static const std::regex include(R"(^\s*#include \"([^\"]+)\")");
  std::vector<std::string> out;
  for (const std::string& line : file.lines) {
    std::smatch match;
    if (std::regex_search(line, match, include)) out.push_back(match[1]);
  }
  return out;
}

std::vector<SourceFile> ReadSourceTree(const std::string& root) {
  std::vector<fs::path> paths = {fs::path(root) / "main.cpp"};
  for (const char* room : {"core", "http", "scheduler", "models", "storage", "bench", "tests"}) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(root) / room)) {
      const std::string extension = entry.path().extension();
      if (extension == ".h" || extension == ".cpp" || extension == ".cu" || extension == ".cuh") {
        paths.push_back(entry.path());
      }
    }
  }
  std::sort(paths.begin(), paths.end());
  std::vector<SourceFile> files;
  for (const fs::path& path : paths) {
    std::ifstream in(path);
    std::ostringstream text;
    text << in.rdbuf();
    SourceFile file;
    file.path = fs::relative(path, root).generic_string();
    const std::size_t slash = file.path.find('/');
    if (slash != std::string::npos) file.room = file.path.substr(0, slash);
    file.code = BlankCommentsAndLiterals(text.str());
    std::istringstream lines(text.str());
    for (std::string line; std::getline(lines, line);) file.lines.push_back(line);
    files.push_back(std::move(file));
  }
  return files;
}

}  // namespace xcloud
