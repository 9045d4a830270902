// The gallery in memory: searching, changing, and reading while it changes.
#include "models/pipeline/gallery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/temp_folder.h"

namespace xcloud {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::size_t kAny = 1000;

class GalleryTest : public ::testing::Test {
 protected:
  void Open() {
    gallery_ = nullptr;
    auto opened = Gallery::Open(folder_.path() / "g.index");
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    gallery_ = *opened;
  }
  Result<bool> Enrol(const std::string& id, std::vector<float> values, std::string version = "1",
                     std::size_t max = kAny) {
    return gallery_->Enrol(id, {"net", std::move(version), values.size()}, values, max);
  }
  std::vector<GalleryMatch> Search(const std::vector<float>& values, std::size_t count) const {
    const auto found = gallery_->Search({"net", "1", values.size()}, values, count);
    EXPECT_TRUE(found.ok()) << found.status().message();
    return found.ok() ? *found : std::vector<GalleryMatch>{};
  }
  std::vector<std::string> Nearest(const std::vector<float>& values, std::size_t count) const {
    std::vector<std::string> ids;
    for (const GalleryMatch& match : Search(values, count)) ids.push_back(match.id);
    return ids;
  }

  const TempFolder folder_;
  std::shared_ptr<Gallery> gallery_;
};

TEST_F(GalleryTest, FindsByCosineAndTellsTheDistance) {
  Open();
  EXPECT_THAT(Search(std::vector<float>{1, 0, 0}, 10), IsEmpty());
  ASSERT_TRUE(Enrol("x", {2, 0, 0}).ok());
  ASSERT_TRUE(Enrol("xy", {1, 1, 0}).ok());
  ASSERT_TRUE(Enrol("away", {-3, 0, 0}).ok());
  const auto matches = Search(std::vector<float>{5, 0, 0}, 10);
  ASSERT_EQ(matches.size(), 3U);
  EXPECT_EQ(matches[0].id, "x");
  EXPECT_FLOAT_EQ(matches[0].cosine, 1);
  EXPECT_NEAR(matches[0].distance, 3, 1e-5) << "of the values, not of their directions";
  EXPECT_EQ(matches[1].id, "xy");
  EXPECT_FLOAT_EQ(matches[1].cosine, std::sqrt(0.5F));
  EXPECT_FLOAT_EQ(matches[2].cosine, -1);
  EXPECT_NEAR(matches[2].distance, 8, 1e-5);
  EXPECT_THAT(Nearest({0, 9, 0}, 1), ElementsAre("xy"));
}

TEST_F(GalleryTest, ReplacesRemovesAndRemembers) {
  Open();
  EXPECT_FALSE(*Enrol("a", {1, 0}));
  EXPECT_FALSE(*Enrol("b", {0, 1}));
  EXPECT_TRUE(*Enrol("a", {0, -1})) << "was there";
  EXPECT_EQ(gallery_->size(), 2U);
  EXPECT_TRUE(gallery_->Remove("b").ok());
  EXPECT_EQ(gallery_->Remove("b").code(), StatusCode::kNotFound);
  Open();
  EXPECT_THAT(gallery_->Ids(), ElementsAre("a"));
  EXPECT_FLOAT_EQ(Search(std::vector<float>{0, -1}, 1)[0].cosine, 1);
}

TEST_F(GalleryTest, RefusesWhatItCannotHold) {
  Open();
  EXPECT_EQ(Enrol("no/slash", {1, 0}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Enrol("", {1, 0}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Enrol(std::string(65, 'a'), {1, 0}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_FALSE(Enrol("zero", {0, 0}).ok());
  EXPECT_FALSE(Enrol("nan", {NAN, 0}).ok());
  ASSERT_TRUE(Enrol("A.z_0@-", {1, 0}, "1", 1).ok());
  EXPECT_EQ(Enrol("b", {1, 0}, "1", 1).status().code(), StatusCode::kTooLarge);
  EXPECT_TRUE(Enrol("A.z_0@-", {0, 1}, "1", 1).ok()) << "a full one takes a replacement";
}

TEST_F(GalleryTest, DoesNotMixWeights) {
  Open();
  ASSERT_TRUE(Enrol("a", {1, 0}).ok());
  const Result<bool> mixed = Enrol("b", {1, 0}, "2");
  EXPECT_EQ(mixed.status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(mixed.status().message(), HasSubstr("made by net version 1"));
  EXPECT_FALSE(gallery_->CheckStamp("other", "1").ok());
  for (const GalleryStamp& other :
       {GalleryStamp{"net", "2", 2}, GalleryStamp{"other", "1", 2}, GalleryStamp{"net", "1", 3}}) {
    const std::vector<float> values(other.width, 1.0F);
    EXPECT_EQ(gallery_->Search(other, values, 1).status().code(), StatusCode::kUnavailable);
  }
  Open();
  EXPECT_FALSE(gallery_->CheckStamp("net", "2").ok()) << "the file remembers";
  ASSERT_TRUE(gallery_->Remove("a").ok());
  EXPECT_TRUE(gallery_->CheckStamp("net", "2").ok()) << "an empty one takes any";
  ASSERT_TRUE(Enrol("b", {1, 0, 0}, "2").ok());
  Open();
  EXPECT_THAT(gallery_->Ids(), ElementsAre("b"));
  EXPECT_TRUE(gallery_->CheckStamp("net", "2").ok());
}

// Against a model that is a plain map, over chunks' borders and compactions.
TEST_F(GalleryTest, HoldsWhatAMapHoldsThroughRandomChanges) {
  Open();
  std::mt19937 random(7);
  std::map<std::string, std::vector<float>> expected;
  constexpr std::size_t kWidth = 2048;  // 32 rows a chunk
  for (int step = 0; step < 500; ++step) {
    const std::string id = "id" + std::to_string(random() % 120);
    if (random() % 3 == 0 && expected.contains(id)) {
      ASSERT_TRUE(gallery_->Remove(id).ok());
      expected.erase(id);
      continue;
    }
    std::vector<float> values(kWidth, 0.0F);
    values[random() % kWidth] = 1;
    values[random() % kWidth] += 0.5F;
    ASSERT_TRUE(Enrol(id, values).ok());
    expected[id] = values;
  }
  for (int pass = 0; pass < 2; ++pass) {
    ASSERT_EQ(gallery_->size(), expected.size());
    for (const auto& [id, values] : expected) {
      const auto matches = Search(values, expected.size());
      ASSERT_EQ(matches.size(), expected.size());
      ASSERT_NEAR(matches[0].cosine, 1, 1e-5);
      ASSERT_TRUE(std::any_of(matches.begin(), matches.end(), [&](const GalleryMatch& match) {
        return match.id == id && match.cosine > 0.9999F;
      })) << id;
    }
    Open();
  }
}

TEST_F(GalleryTest, IsSearchedWhileItChanges) {
  Open();
  ASSERT_TRUE(Enrol("always", {1, 0}).ok());
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    while (!stop.load()) {
      const auto matches = Search(std::vector<float>{1, 0}, 1);
      ASSERT_EQ(matches.size(), 1U);
      ASSERT_EQ(matches[0].id, "always");
    }
  });
  for (int i = 0; i < 100; ++i) {
    const std::string id = "p" + std::to_string(i % 40);
    ASSERT_TRUE(Enrol(id, {0, 1}).ok());
    if (i % 3 != 0) continue;
    ASSERT_TRUE(gallery_->Remove(id).ok());
  }
  stop.store(true);
  reader.join();
}

TEST(GalleryShelf, GivesTheGalleryThatIsOpen) {
  const TempFolder folder;
  GalleryShelf shelf;
  const auto first = shelf.Open(folder.path() / "g.index");
  const auto second = shelf.Open(folder.path() / "g.index");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(*first, *second);
}

}  // namespace
}  // namespace xcloud
