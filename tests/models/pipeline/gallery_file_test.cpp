// The gallery's file: what is answered is there after a crash at any byte; damage is told, and
// nothing is mixed.
#include "models/pipeline/gallery_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/support/temp_folder.h"

namespace xcloud {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const GalleryStamp kStamp{"face_embedding", "3", 4};

class GalleryFileTest : public ::testing::Test {
 protected:
  std::filesystem::path Path() const { return folder_.path() / "state" / "g.index"; }
  std::unique_ptr<GalleryFile> Open(GalleryContents& contents) const {
    auto file = GalleryFile::Open(Path(), contents);
    EXPECT_TRUE(file.ok()) << file.status().message();
    return *std::move(file);
  }
  std::string Bytes() const {
    std::ifstream in(Path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  // Five records: three entries, one replaced, one removed. Gives the file's size after each.
  std::vector<std::size_t> WriteFive() const {
    GalleryContents contents;
    const auto file = Open(contents);
    std::vector<std::size_t> sizes;
    const auto note = [&](const Status& status) {
      EXPECT_TRUE(status.ok()) << status.message();
      sizes.push_back(Bytes().size());
    };
    note(file->Replace(kStamp, {{"anna", {1, 2, 3, 4}}}));
    note(file->Put("bob", std::vector<float>{5, 6, 7, 8}));
    note(file->Put("c@x.org", std::vector<float>{9, 9, 9, 9}));
    note(file->Put("anna", std::vector<float>{0, 0, 0, 1}));
    note(file->Remove("bob"));
    return sizes;
  }
  static std::vector<std::string> Ids(const GalleryContents& contents) {
    std::vector<std::string> ids;
    for (const GalleryRecord& entry : contents.entries) ids.push_back(entry.id);
    return ids;
  }

  const TempFolder folder_;
};

TEST_F(GalleryFileTest, KeepsWhatWasWritten) {
  WriteFive();
  GalleryContents contents;
  const auto file = Open(contents);
  EXPECT_EQ(contents.stamp, kStamp);
  EXPECT_THAT(Ids(contents), ElementsAre("c@x.org", "anna"));
  EXPECT_THAT(contents.entries[1].values, ElementsAre(0, 0, 0, 1)) << "the later one wins";
  EXPECT_EQ(contents.superseded, 3U);
  EXPECT_EQ(contents.torn_bytes, 0U);
}

TEST_F(GalleryFileTest, ACrashAtAnyByteLosesNoRecordThatWasWhole) {
  const std::vector<std::size_t> sizes = WriteFive();
  const std::string whole = Bytes();
  const std::vector<std::vector<std::string>> expected = {{"anna"},
                                                          {"anna", "bob"},
                                                          {"anna", "bob", "c@x.org"},
                                                          {"bob", "c@x.org", "anna"},
                                                          {"c@x.org", "anna"}};
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    std::ofstream(Path(), std::ios::binary | std::ios::trunc) << whole.substr(0, cut);
    std::size_t records = 0;
    while (records < sizes.size() && sizes[records] <= cut) ++records;
    {
      GalleryContents contents;
      const auto file = Open(contents);
      const bool complete = records > 0;
      ASSERT_EQ(Ids(contents), complete ? expected[records - 1] : std::vector<std::string>{})
          << "cut at " << cut;
      if (!contents.stamp) continue;
      ASSERT_TRUE(file->Put("new", std::vector<float>{1, 1, 1, 1}).ok());
    }
    GalleryContents again;
    const auto file = Open(again);
    ASSERT_EQ(again.torn_bytes, 0U) << "cut at " << cut;
    ASSERT_EQ(again.entries.back().id, "new") << "what is written behind a torn end is found";
  }
}

// After a power cut the end may hold anything of the last record's length.
TEST_F(GalleryFileTest, AnEndOfZerosOrRubbishIsDropped) {
  const std::vector<std::size_t> sizes = WriteFive();
  const std::string whole = Bytes();
  for (const char filler : {'\0', '\xff', 'x'}) {
    const std::string end(20, filler);
    const auto contents = ParseGallery(whole + end);
    ASSERT_TRUE(contents.ok()) << contents.status().message();
    EXPECT_EQ(contents->bytes, whole.size());
    EXPECT_EQ(contents->torn_bytes, end.size());
  }
  EXPECT_EQ(sizes.back(), whole.size());
}

TEST_F(GalleryFileTest, DamageBeforeTheEndIsToldAndNothingIsDropped) {
  GalleryContents contents;
  {
    const auto file = Open(contents);
    ASSERT_TRUE(file->Replace(kStamp, {{"first", {1, 2, 3, 4}}}).ok());
    for (int i = 0; i < 20; ++i) {
      ASSERT_TRUE(file->Put("p" + std::to_string(i), std::vector<float>{1, 2, 3, 4}).ok());
    }
  }
  const std::string whole = Bytes();
  for (const std::size_t at : {std::size_t{15}, std::size_t{70}, whole.size() / 2}) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x20);
    EXPECT_THAT(ParseGallery(damaged).status().message(), HasSubstr("damaged at byte"))
        << "a flipped bit at " << at;
  }
  std::ofstream(Path(), std::ios::binary | std::ios::trunc) << "GIF89a, not a gallery at all";
  const auto other = GalleryFile::Open(Path(), contents);
  EXPECT_THAT(other.status().message(), HasSubstr("not a gallery"));
  EXPECT_EQ(Bytes(), "GIF89a, not a gallery at all") << "it is left as it was";
}

TEST_F(GalleryFileTest, IsOpenInOnePlaceAtATime) {
  GalleryContents contents;
  const auto file = Open(contents);
  const Status other = GalleryFile::Open(Path(), contents).status();
  EXPECT_THAT(other.message(), HasSubstr("in use"));
  EXPECT_EQ(other.code(), StatusCode::kUnavailable) << "also while the old one is being closed";
}

// Dropping it would bring back what the whole record behind it removed.
TEST_F(GalleryFileTest, ABadRecordBeforeAWholeOneIsDamageAlsoNearTheEnd) {
  const std::vector<std::size_t> sizes = WriteFive();
  std::string damaged = Bytes();
  const std::size_t at = sizes[3] - 1;  // in the record before the removal
  damaged[at] = static_cast<char>(damaged[at] ^ 0x20);
  EXPECT_THAT(ParseGallery(damaged).status().message(), HasSubstr("damaged at byte"));
}

TEST_F(GalleryFileTest, NothingIsAcknowledgedIntoAFileThatIsNoLongerThere) {
  WriteFive();
  GalleryContents contents;
  const auto file = Open(contents);
  std::filesystem::remove(Path());
  const Status put = file->Put("lost", std::vector<float>{1, 2, 3, 4});
  EXPECT_EQ(put.code(), StatusCode::kUnavailable);
  EXPECT_THAT(put.message(), HasSubstr("unload the service"));
  EXPECT_FALSE(file->Remove("anna").ok());
  std::ofstream(Path()) << "another file";
  EXPECT_FALSE(file->Put("lost", std::vector<float>{1, 2, 3, 4}).ok());
}

TEST_F(GalleryFileTest, AFailedReplacementLeavesTheOldFile) {
  WriteFive();
  const std::string before = Bytes();
  std::filesystem::create_directory(Path().string() + ".tmp");  // in the temporary file's place
  GalleryContents contents;
  const auto file = Open(contents);
  EXPECT_FALSE(file->Replace(kStamp, {}).ok());
  EXPECT_EQ(Bytes(), before);
}

}  // namespace
}  // namespace xcloud
