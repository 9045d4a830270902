#include "scheduler/profile_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/temp_folder.h"

namespace xcloud {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<ProfileEntry> SomeEntries() {
  return {{"cpu0", 1, 1, 1'234'567.25, 0},
          {"cpu0", 12, 10.1, 1.0 / 3, 7e-9},
          {"the second card", 256, 200.0, 5e9, 123456789.123456789}};
}

std::string TextOf(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

TEST(ProfileStoreTest, GivesBackExactlyWhatWasSaved) {
  TempFolder folder;
  ProfileStore store(folder.path() / "var" / "profiles");
  ASSERT_TRUE(store.Save("imagenet", "3", SomeEntries()).ok());
  EXPECT_EQ(store.Load("imagenet", "3"), SomeEntries());
  EXPECT_EQ(ProfileStore(folder.path() / "var" / "profiles").Load("imagenet", "3"), SomeEntries());
  EXPECT_THAT(store.Load("imagenet", "4"), IsEmpty());
  EXPECT_THAT(store.Load("places", "3"), IsEmpty());
}

TEST(ProfileStoreTest, ALaterSaveReplacesAndLeavesOneFile) {
  TempFolder folder;
  ProfileStore store(folder.path());
  ASSERT_TRUE(store.Save("m", "1", SomeEntries()).ok());
  ASSERT_TRUE(store.Save("m", "1", {SomeEntries()[1]}).ok());
  EXPECT_EQ(store.Load("m", "1"), std::vector<ProfileEntry>{SomeEntries()[1]});
  std::vector<std::string> names;
  for (const auto& item : std::filesystem::directory_iterator(folder.path())) {
    names.push_back(item.path().filename().string());
  }
  EXPECT_EQ(names, std::vector<std::string>{"m.1.profile"});
}

TEST(ProfileStoreTest, NoFolderKeepsNothing) {
  ProfileStore store("");
  EXPECT_FALSE(store.enabled());
  EXPECT_TRUE(store.Save("m", "1", SomeEntries()).ok());
  EXPECT_THAT(store.Load("m", "1"), IsEmpty());
}

TEST(ProfileStoreTest, NamesThatLeaveTheFolderAreRefused) {
  TempFolder folder;
  ProfileStore store(folder.path() / "profiles");
  for (const char* model : {"", "../m", "a/b", "M", "a.b", "a b"}) {
    EXPECT_EQ(store.Save(model, "1", {}).code(), StatusCode::kInvalidArgument) << model;
    EXPECT_THAT(store.Load(model, "1"), IsEmpty());
  }
  for (const char* version : {"", "..", "1a", "-1", "1/2"}) {
    EXPECT_EQ(store.Save("m", version, {}).code(), StatusCode::kInvalidArgument) << version;
    EXPECT_THAT(store.Load("m", version), IsEmpty());
  }
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "profiles"));
}

TEST(ProfileStoreTest, EntriesThatWouldNotReadBackAreRefused) {
  TempFolder folder;
  ProfileStore store(folder.path());
  ASSERT_TRUE(store.Save("m", "1", SomeEntries()).ok());
  ProfileEntry entry{"cpu0", 1, 1, 1, 1};
  for (const char* device : {"", "two\nlines"}) {
    entry.device = device;
    EXPECT_EQ(store.Save("m", "1", {entry}).code(), StatusCode::kInvalidArgument);
  }
  entry.device = "cpu0";
  entry.mean_ns = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(store.Save("m", "1", {entry}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(store.Load("m", "1"), SomeEntries()) << "a refused save must leave the old file";
}

TEST(ProfileStoreTest, EveryTruncationIsNoticed) {
  TempFolder folder;
  ProfileStore store(folder.path());
  ASSERT_TRUE(store.Save("m", "1", SomeEntries()).ok());
  const std::string whole = TextOf(folder.path() / "m.1.profile");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    folder.Write("m.1.profile", whole.substr(0, size));
    EXPECT_THAT(store.Load("m", "1"), IsEmpty()) << size;
  }
  folder.Write("m.1.profile", whole);
  EXPECT_EQ(store.Load("m", "1"), SomeEntries());
}

TEST(ProfileStoreTest, DamagedAndForeignFilesAreIgnoredAndReplaced) {
  TempFolder folder;
  ProfileStore store(folder.path());
  for (const std::string& text : {
           std::string("xcloud-profile 2 m 1 0\n"),                  // a later format
           std::string("xcloud-profile 1 n 1 0\n"),                  // another model's
           std::string("xcloud-profile 1 m 1 1\n1 1 x 0 cpu0\n"),    // not a number
           std::string("xcloud-profile 1 m 1 1\n1 1 5 cpu0\n"),      // a field is missing
           std::string("xcloud-profile 1 m 1 1\n-1 1 5 0 cpu0\n"),   // a negative size
           std::string("xcloud-profile 1 m 1 0\n1 1 5 0 cpu0\n"),    // a line too many
           std::string("xcloud-profile 1 m 1 99999999999999999\n"),  // would fill the memory
           std::string("xcloud-profile 1 m 1 0 \n"),
           std::string(3 << 20, 'x'),
       }) {
    folder.Write("m.1.profile", text);
    EXPECT_THAT(store.Load("m", "1"), IsEmpty()) << text.substr(0, 80);
  }
  ASSERT_TRUE(store.Save("m", "1", SomeEntries()).ok());
  EXPECT_EQ(store.Load("m", "1"), SomeEntries());
}

TEST(ProfileStoreTest, AFolderInPlaceOfTheFileIsAnErrorOfSaveAndNothingOfLoad) {
  TempFolder folder;
  std::filesystem::create_directories(folder.path() / "m.1.profile" / "x");
  ProfileStore store(folder.path());
  const Status status = store.Save("m", "1", SomeEntries());
  EXPECT_EQ(status.code(), StatusCode::kInternal);
  EXPECT_THAT(status.message(), HasSubstr("m.1.profile"));
  EXPECT_THAT(store.Load("m", "1"), IsEmpty());
}

TEST(ProfileStoreTest, AFolderThatCannotBeMadeIsNamed) {
  TempFolder folder;
  folder.Write("taken", "a file");
  ProfileStore store(folder.path() / "taken");
  const Status status = store.Save("m", "1", SomeEntries());
  EXPECT_EQ(status.code(), StatusCode::kInternal);
  EXPECT_THAT(status.message(), HasSubstr("taken"));
  EXPECT_THAT(store.Load("m", "1"), IsEmpty());
}

TEST(ProfileStoreTest, SavesOfSeveralThreadsDoNotMix) {
  TempFolder folder;
  ProfileStore store(folder.path());
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 3; ++t) {
    threads.emplace_back([&store, t] {
      const std::vector<ProfileEntry> entries(20 + t, SomeEntries()[t]);
      for (int i = 0; i < 5; ++i) {
        EXPECT_TRUE(store.Save("m" + std::to_string(t), "1", entries).ok());
        EXPECT_EQ(store.Load("m" + std::to_string(t), "1"), entries);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace xcloud
