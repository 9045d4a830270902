// The style of shared words in ARCHITECTURE.md ("Rules that a test keeps"), as a test.

#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "tests/tidy/source_tree.h"

namespace xcloud {
namespace {

constexpr std::size_t kFileLines = 500;
constexpr int kFunctionLines = 70;
constexpr std::size_t kColumns = 100;

const std::vector<SourceFile>& Tree() {
  static const std::vector<SourceFile> tree = ReadSourceTree(XCLOUD_SOURCE_DIR);
  return tree;
}

// Code points, not bytes: a label with an accent is one column.
std::size_t Columns(const std::string& line) {
  std::size_t columns = 0;
  for (const char c : line) columns += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
  return columns;
}

TEST(TidyTest, SeesTheTree) {
  EXPECT_GT(Tree().size(), 50U);
}

TEST(TidyTest, RoomsIncludeOnlyWhatTheyMay) {
  const std::set<std::string> rooms = {"core", "http", "scheduler", "models", "storage"};
  for (const SourceFile& file : Tree()) {
    if (rooms.count(file.room) == 0) continue;
    for (const std::string& include : QuotedIncludes(file)) {
      const std::string target = include.substr(0, include.find('/'));
      EXPECT_TRUE(target == "core" || target == file.room)
          << file.path << " includes " << include << ": a room includes itself and core only";
    }
  }
}

TEST(TidyTest, IncludesAreWrittenFromTheRoot) {
  for (const SourceFile& file : Tree()) {
    for (const std::string& include : QuotedIncludes(file)) {
      EXPECT_NE(include.find('/'), std::string::npos) << file.path << " includes " << include;
    }
  }
}

TEST(TidyTest, FilesAreShort) {
  for (const SourceFile& file : Tree()) EXPECT_LE(file.lines.size(), kFileLines) << file.path;
}

TEST(TidyTest, LinesFitTheColumns) {
  for (const SourceFile& file : Tree()) {
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      EXPECT_LE(Columns(file.lines[i]), kColumns) << file.path << ":" << i + 1;
    }
  }
}

TEST(TidyTest, FunctionsAreShort) {
  for (const SourceFile& file : Tree()) {
    for (const FunctionSpan& function : FindFunctions(file.code)) {
      EXPECT_LE(function.line_count, kFunctionLines)
          << file.path << ":" << function.first_line << ": " << function.name;
    }
  }
}

TEST(TidyTest, HeadersOpenWithTheirContract) {
  for (const SourceFile& file : Tree()) {
    if (file.path.size() < 2 || file.path.compare(file.path.size() - 2, 2, ".h") != 0) continue;
    ASSERT_FALSE(file.lines.empty()) << file.path;
    EXPECT_EQ(file.lines[0].compare(0, 3, "// "), 0) << file.path << ": say what it is, first line";
    EXPECT_NE(file.code.find("#pragma once"), std::string::npos) << file.path;
  }
}

// What may not be written, where it may all the same, and what to write instead.
struct Ban {
  const char* pattern;
  const char* allowed;  // regex of paths
  const char* instead;
};

TEST(TidyTest, BannedCallsAreAbsent) {
  const std::vector<Ban> bans = {
      {R"(\b(steady_clock|system_clock)::now\b)", R"(^(core/clock\.h|bench/|tests/))",
       "take a Clock& and call Now()"},
      {R"(\bsleep_(for|until)\b|\busleep\()", R"(^$)", "wait on an event or a FakeClock"},
      {R"(\bstd::(mutex|condition_variable)\b)", R"(^(core/mutex\.h)$)", "Mutex, CondVar"},
      {R"(\b(rand|srand)\()", R"(^$)", "a seeded std::mt19937_64"},
      {R"(\busing namespace\b)", R"(^$)", "name what you use"},
  };
  for (const SourceFile& file : Tree()) {
    for (const Ban& ban : bans) {
      if (std::regex_search(file.path, std::regex(ban.allowed))) continue;
      std::smatch match;
      EXPECT_FALSE(std::regex_search(file.code, match, std::regex(ban.pattern)))
          << file.path << " has " << match.str() << "; instead: " << ban.instead;
    }
  }
}

TEST(TidyTest, NothingIsLeftForLater) {
  const std::regex leftover(std::string("\\b(TO") + "DO|FIX" + "ME|XX" + "X)\\b");
  for (const SourceFile& file : Tree()) {
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      EXPECT_FALSE(std::regex_search(file.lines[i], leftover)) << file.path << ":" << i + 1;
    }
  }
}

TEST(SourceTreeTest, BlanksCommentsAndLiterals) {
  EXPECT_EQ(BlankCommentsAndLiterals("a // b\nc \"{\\\"\" /* { */ 'x' 1'000"),
            "a     \nc                   1'000");
  EXPECT_EQ(BlankCommentsAndLiterals("R\"x({)x\" y"), "         y");
}

TEST(SourceTreeTest, MeasuresFunctionsAndNotClassesOrInitialisers) {
  const std::string code =
      "namespace n {\nclass C {\n  void F() {\n    if (x) {\n    }\n  }\n};\n"
      "const int a[] = {1};\nint G(int a,\n      int b) {\n  return 1;\n}\n}\n";
  const std::vector<FunctionSpan> found = FindFunctions(code);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].line_count, 4);
  EXPECT_EQ(found[1].first_line, 10);
  EXPECT_EQ(found[1].line_count, 3);
}

}  // namespace
}  // namespace xcloud
