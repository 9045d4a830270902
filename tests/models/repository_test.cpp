#include "models/repository.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/temp_folder.h"

namespace xcloud {
namespace {

using ::testing::HasSubstr;

class RepositoryTest : public ::testing::Test {
 protected:
  void AddModel(const std::string& name, const std::string& toml = "") const {
    root_.Write(name + "/model.toml", toml);
    root_.Write(name + "/labels.txt", "a\nb\n");
  }
  std::vector<RepositoryEntry> Scan() const {
    auto entries = ScanRepository(root_.path());
    EXPECT_TRUE(entries.ok()) << entries.status().message();
    return entries.ok() ? *entries : std::vector<RepositoryEntry>();
  }
  const TempFolder root_;
};

TEST_F(RepositoryTest, FindsModelsByName) {
  AddModel("b");
  AddModel("a");
  root_.Write("a/1/model.pt", "x");
  root_.Write("README.md", "not a folder");
  const auto entries = Scan();
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].definition.name, "a");
  EXPECT_EQ(entries[0].state, ServiceState::kLoading);
  EXPECT_EQ(entries[0].version, "1");
  EXPECT_EQ(entries[0].weights, root_.path() / "a/1/model.pt");
  EXPECT_EQ(entries[1].definition.name, "b");
}

TEST_F(RepositoryTest, ServesTheHighestVersionThatHasItsFile) {
  AddModel("a");
  for (const char* file : {"a/2/model.pt", "a/9/model.pt", "a/10/model.pt", "a/11/other.pt",
                           "a/012/model.pt", "a/13x/model.pt", "a/-14/model.pt"}) {
    root_.Write(file, "x");
  }
  const auto entries = Scan();
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].version, "10");
}

TEST_F(RepositoryTest, OneFolderIsReadAsItIsNow) {
  AddModel("a");
  root_.Write("a/1/model.pt", "x");
  EXPECT_EQ(ReadRepositoryEntry(root_.path() / "a").version, "1");
  root_.Write("a/2/model.pt", "x");
  EXPECT_EQ(ReadRepositoryEntry(root_.path() / "a").version, "2");
  std::filesystem::remove_all(root_.path() / "a");
  const RepositoryEntry gone = ReadRepositoryEntry(root_.path() / "a");
  EXPECT_EQ(gone.state, ServiceState::kFailed);
  EXPECT_EQ(gone.definition.name, "a");
  EXPECT_THAT(gone.reason, HasSubstr("a/model.toml: there is no such file"));
}

TEST_F(RepositoryTest, WithoutWeightsSaysWhichFileIsMissing) {
  AddModel("a", "[model]\nfile = 'net.pt'\n");
  root_.Write("a/1/model.pt", "not the declared file");
  const auto entries = Scan();
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].state, ServiceState::kNoWeights);
  EXPECT_THAT(entries[0].reason, HasSubstr("a/1/net.pt"));
  EXPECT_THAT(entries[0].reason, HasSubstr("make weights"));
  EXPECT_THAT(entries[0].reason, ::testing::Not(HasSubstr(root_.path().string())))
      << "callers need not know where the repository lies";
  EXPECT_EQ(entries[0].version, "");
}

TEST_F(RepositoryTest, TheNullBackendNeedsNoWeights) {
  AddModel("a", "[model]\nbackend = 'null'\n");
  const auto entries = Scan();
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].state, ServiceState::kLoading);
  EXPECT_EQ(entries[0].version, "1");
}

TEST_F(RepositoryTest, AWrongFolderDoesNotStopTheOthers) {
  AddModel("a", "[model]\nbackend = 'null'\n");
  AddModel("broken", "[batching]\nmax_batsh = 1\n");
  root_.Write("empty/1/model.pt", "x");
  const auto entries = Scan();
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[0].state, ServiceState::kLoading);
  EXPECT_EQ(entries[1].definition.name, "broken");
  EXPECT_EQ(entries[1].state, ServiceState::kFailed);
  EXPECT_THAT(entries[1].reason, HasSubstr("broken/model.toml:2: batching.max_batsh: unknown key"));
  EXPECT_EQ(entries[2].definition.name, "empty");
  EXPECT_EQ(entries[2].state, ServiceState::kFailed);
  EXPECT_THAT(entries[2].reason, HasSubstr("empty/model.toml: there is no such file"));
}

TEST_F(RepositoryTest, SkipsFoldersWhoseNameIsNoModelName) {
  AddModel("good", "[model]\nbackend = 'null'\n");
  for (const char* name : {"Bad", "with space", ".hidden", "dot.ted"}) AddModel(name);
  const auto entries = Scan();
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].definition.name, "good");
}

TEST_F(RepositoryTest, AnEmptyRepositoryIsFineAndAMissingOneIsNot) {
  EXPECT_TRUE(Scan().empty());
  const auto missing = ScanRepository(root_.path() / "nowhere");
  EXPECT_EQ(missing.status().code(), StatusCode::kNotFound);
  EXPECT_THAT(missing.status().message(), HasSubstr("nowhere"));
}

}  // namespace
}  // namespace xcloud
