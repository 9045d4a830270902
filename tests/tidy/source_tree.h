// The project's own source files as the style test sees them: lines, includes, functions.
//
// It reads text, not a syntax tree: comments and literals are blanked, then braces are counted.
// That is exact enough for caps on lengths, and needs no compiler.
#pragma once

#include <string>
#include <vector>

namespace xcloud {

struct SourceFile {
  std::string path;                // from the root: "core/status.h"
  std::string room;                // first folder, or "" for a root file
  std::vector<std::string> lines;  // as written
  std::string code;                // comments and literals blanked, line breaks kept
};

struct FunctionSpan {
  std::string name;    // the text before its brace, for messages
  int first_line = 0;  // from 1
  int line_count = 0;
};

// Every .h, .cpp, .cu and .cuh below the rooms of `root`, and main.cpp.
std::vector<SourceFile> ReadSourceTree(const std::string& root);
// The paths in quotes that the file includes.
std::vector<std::string> QuotedIncludes(const SourceFile& file);
// Bodies of functions; a lambda belongs to the function around it.
std::vector<FunctionSpan> FindFunctions(const std::string& code);
// Blanks comments, string and character literals, keeping every line break.
std::string BlankCommentsAndLiterals(const std::string& text);

}  // namespace xcloud
