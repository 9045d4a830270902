#include "http/multipart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <string>

namespace xcloud {
namespace {

using ::testing::HasSubstr;

const std::string kTwoParts =
    "--B\r\nContent-Disposition: form-data; name=\"k\"\r\n\r\n5\r\n"
    "--B\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.jpg\"\r\n"
    "Content-Type: image/jpeg\r\n\r\nJPEG\r\nBYTES\r\n--B--\r\n";

// A body that parses, kept alive for the views into it.
class MultipartTest : public ::testing::Test {
 protected:
  std::vector<Part> Parsed(const std::string& body, const std::string& boundary = "B") {
    bodies_.push_back(body);
    auto parts = ParseMultipart(bodies_.back(), boundary);
    EXPECT_TRUE(parts.ok()) << parts.status().message();
    return parts.ok() ? *parts : std::vector<Part>{};
  }

  std::deque<std::string> bodies_;
};

void ExpectMalformed(const std::string& body, const std::string& words,
                     const std::string& boundary = "B") {
  const auto parts = ParseMultipart(body, boundary);
  ASSERT_FALSE(parts.ok()) << body;
  EXPECT_EQ(parts.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(parts.status().message(), HasSubstr(words));
}

std::string OnePart(const std::string& disposition, const std::string& data) {
  return "--B\r\nContent-Disposition: " + disposition + "\r\n\r\n" + data + "\r\n--B--";
}

TEST_F(MultipartTest, SplitsPartsAndReadsTheirHeaders) {
  const std::vector<Part> parts = Parsed(kTwoParts);
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_EQ(parts[0].name, "k");
  EXPECT_EQ(parts[0].filename, "");
  EXPECT_EQ(parts[0].data, "5");
  EXPECT_EQ(parts[1].name, "image");
  EXPECT_EQ(parts[1].filename, "a.jpg");
  EXPECT_EQ(parts[1].content_type, "image/jpeg");
  EXPECT_EQ(parts[1].data, "JPEG\r\nBYTES");
  EXPECT_EQ(FindPart(parts, "image"), &parts[1]);
  EXPECT_EQ(FindPart(parts, "none"), nullptr);
}

TEST_F(MultipartTest, PointsIntoTheBody) {
  const std::vector<Part> parts = Parsed(kTwoParts);
  for (const Part& part : parts) {
    EXPECT_GE(part.data.data(), bodies_[0].data());
    EXPECT_LE(part.data.data() + part.data.size(), bodies_[0].data() + bodies_[0].size());
  }
}

TEST_F(MultipartTest, SkipsPreambleAndEpilogue) {
  const std::vector<Part> parts = Parsed("a preamble --B here\r\n" + kTwoParts + "an epilogue");
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_EQ(parts[1].data, "JPEG\r\nBYTES");
}

TEST_F(MultipartTest, AllowsBlanksAfterABoundary) {
  const std::vector<Part> parts =
      Parsed("--B \t\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--B--");
  ASSERT_EQ(parts.size(), 1U);
  EXPECT_EQ(parts[0].data, "x");
}

TEST_F(MultipartTest, WhatOnlyLooksLikeTheBoundaryIsData) {
  for (const std::string data :
       {"x--B", "\r\n--", "\r\n--Bx", "\r\n--B-", "\r\n\r\n--b--", "\n--B--", "\r\r\n--BB\r\n"}) {
    const std::vector<Part> parts = Parsed(OnePart("form-data; name=a", data));
    ASSERT_EQ(parts.size(), 1U) << data;
    EXPECT_EQ(parts[0].data, data);
  }
}

TEST_F(MultipartTest, APartMayBeEmpty) {
  const std::vector<Part> parts = Parsed(OnePart("form-data; name=a", ""));
  ASSERT_EQ(parts.size(), 1U);
  EXPECT_TRUE(parts[0].data.empty());
  // Without the empty line's own break before the boundary, too.
  const std::vector<Part> bare =
      Parsed("--B\r\nContent-Disposition: form-data; name=a\r\n\r\n--B--");
  ASSERT_EQ(bare.size(), 1U);
  EXPECT_TRUE(bare[0].data.empty());
}

TEST_F(MultipartTest, ReadsQuotedNames) {
  const Part part =
      Parsed(OnePart("form-data; name=\"a;b\"; filename=\"x \\\"y\\\".jpg\"", "d"))[0];
  EXPECT_EQ(part.name, "a;b");
  EXPECT_EQ(part.filename, "x \"y\".jpg");
}

TEST_F(MultipartTest, TakesAnyLegalBoundary) {
  const std::string boundary = "b'()+_,-./:=? 1";
  const std::vector<Part> parts =
      Parsed("--" + boundary + "\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--" +
                 boundary + "--",
             boundary);
  ASSERT_EQ(parts.size(), 1U);
  EXPECT_EQ(parts[0].data, "x");
}

TEST_F(MultipartTest, SaysWhatIsWrong) {
  ExpectMalformed("", "boundary never comes");
  ExpectMalformed("no boundary", "boundary never comes");
  ExpectMalformed(kTwoParts, "1 to 70", "");
  ExpectMalformed(kTwoParts, "1 to 70", std::string(71, 'B'));
  ExpectMalformed("--Bx", "line break");
  ExpectMalformed("--B\r\n", "within a part's headers");
  ExpectMalformed("--B\r\nContent-Disposition: form-data; name=a\r\n", "within a part's headers");
  ExpectMalformed("--B\r\nno colon\r\n\r\nx\r\n--B--", "colon");
  ExpectMalformed("--B\r\n\r\nx\r\n--B--", "no name");
  ExpectMalformed(OnePart("attachment; name=a", "x"), "not form-data");
  ExpectMalformed(OnePart("form-data; name=\"a", "x"), "not form-data");
  ExpectMalformed("--B\r\nContent-Disposition: form-data; name=a\r\n\r\nx", "closing boundary");
  ExpectMalformed("--B\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--B",
                  "closing boundary");
  ExpectMalformed("--B\r\nContent-Transfer-Encoding: base64\r\n\r\nx\r\n--B--", "not binary");
  ExpectMalformed("--B\r\nA: " + std::string(9000, 'a') + "\r\n\r\nx\r\n--B--", "8 KiB");
}

TEST_F(MultipartTest, BoundsTheNumberOfParts) {
  std::string body;
  for (int i = 0; i < 64; ++i) {
    body += "--B\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n";
  }
  EXPECT_EQ(Parsed(body + "--B--").size(), 64U);
  ExpectMalformed(body + "--B\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--B--", "64");
}

TEST_F(MultipartTest, EveryTruncationIsMalformed) {
  const std::size_t whole = kTwoParts.size() - 2;  // the last line break is not needed
  for (std::size_t size = 0; size < whole; ++size) {
    EXPECT_FALSE(ParseMultipart(kTwoParts.substr(0, size), "B").ok()) << size;
  }
}

TEST_F(MultipartTest, SurvivesMutations) {
  std::mt19937 random(20261124);
  int accepted = 0;
  for (int i = 0; i < 1000; ++i) {
    std::string body = kTwoParts;
    for (int changes = 1 + static_cast<int>(random() % 4); changes > 0; --changes) {
      const std::size_t at = random() % body.size();
      switch (random() % 3) {
        case 0:
          body[at] = static_cast<char>(random());
          break;
        case 1:
          body.erase(at, 1 + random() % 8);
          break;
        default:
          body.insert(at, body, random() % body.size(), random() % 16);
          break;
      }
      if (body.empty()) body.assign(1, '-');
    }
    const auto parts = ParseMultipart(body, "B");
    if (!parts.ok()) continue;
    ++accepted;
    for (const Part& part : *parts) {
      EXPECT_FALSE(part.name.empty());
      EXPECT_LE(part.data.size(), body.size());
    }
  }
  EXPECT_GT(accepted, 0) << "the mutations must not all be refused at the first byte";
}

}  // namespace
}  // namespace xcloud
