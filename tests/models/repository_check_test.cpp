#include "models/repository_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/temp_folder.h"

namespace xcloud {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RepositoryCheckTest : public ::testing::Test {
 protected:
  void AddModel(const std::string& name, const std::string& toml = "") const {
    root_.Write(name + "/model.toml", toml);
    root_.Write(name + "/labels.txt", "a\nb\n");
    root_.Write(name + "/1/model.pt", "x");
  }
  RepositoryReport Check(const std::string& below = "", bool load = false) const {
    RepositoryCheckOptions options;
    options.load = load;
    const auto report = CheckRepository(root_.path() / below, options);
    EXPECT_TRUE(report.ok()) << report.status().message();
    return report.ok() ? *report : RepositoryReport();
  }
  static std::vector<std::string> Texts(const RepositoryReport& report) {
    std::vector<std::string> texts;
    for (const auto& one : report.findings) texts.push_back(one.text);
    return texts;
  }
  const TempFolder root_;
};

TEST_F(RepositoryCheckTest, AGoodOneHasNothingWrong) {
  AddModel("a");
  AddModel("b", "[model]\nbackend = 'null'\n");
  root_.Write("a/2/model.pt", "y");
  root_.Write("README.md", "x");
  const RepositoryReport report = Check();
  EXPECT_EQ(report.services, 2U);
  EXPECT_EQ(report.versions, 3U);
  EXPECT_THAT(Texts(report), IsEmpty());
}

TEST_F(RepositoryCheckTest, EverythingThatIsWrongIsToldAtOnce) {
  AddModel("keys", "titel = 'x'\n[batching]\nmax_batch = 0\n");
  AddModel("labelled", "[versions]\nlabels = { stable = 3 }\n");
  AddModel("sums");
  root_.Write("sums/1/SHA256SUMS", std::string(64, '0') + "  model.pt\n");
  AddModel("versions");
  root_.Write("versions/02/model.pt", "x");
  root_.Write("versions/3/other.pt", "x");
  root_.Write("versions/optimized/x", "x");
  AddModel("link");
  std::filesystem::create_symlink("/etc", root_.path() / "link/4");
  AddModel("none");
  std::filesystem::remove_all(root_.path() / "none/1");
  root_.Write("Bad Name/model.toml", "");
  const RepositoryReport report = Check();
  const std::vector<std::string> texts = Texts(report);
  for (const char* text :
       {"keys/model.toml:1: titel: unknown key", "keys/model.toml:3: batching.max_batch: must be",
        "labelled/model.toml: versions.labels 'stable': there is no version 3",
        "sums/1/model.pt: its SHA-256 is", "versions/02: no version",
        "versions/3: there is no model.pt in it", "link/4: there is no model.pt in it"}) {
    EXPECT_THAT(texts, Contains(HasSubstr(text)));
  }
  EXPECT_EQ(report.wrong(), 7U);
  EXPECT_THAT(texts, Contains(HasSubstr("none: its weights are not installed")));
  EXPECT_THAT(texts, Contains(HasSubstr("Bad Name: skipped")));
  EXPECT_EQ(texts.size(), 9U);
}

TEST_F(RepositoryCheckTest, OneModelsFolderCanBeChecked) {
  AddModel("good");
  AddModel("bad", "x = 1\n");
  EXPECT_THAT(Texts(Check("good")), IsEmpty());
  EXPECT_THAT(Texts(Check("bad/")), ElementsAre(HasSubstr("bad/model.toml:1: x: unknown key")));
  EXPECT_EQ(CheckRepository(root_.path() / "nowhere", {}).status().code(), StatusCode::kNotFound);
}

TEST_F(RepositoryCheckTest, LoadTellsWhatIsNoModel) {
  AddModel("a");
  AddModel("n", "[model]\nbackend = 'null'\n");
  const RepositoryReport report = Check("", true);
  EXPECT_THAT(Texts(report), ElementsAre(HasSubstr("a/1/model.pt")));
}

}  // namespace
}  // namespace xcloud
