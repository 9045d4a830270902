// gzip and deflate as bytes and as header values.
#include "http/content_coding.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace xcloud {
namespace {

using State = Inflater::State;
using std::string_view_literals::operator""sv;

// Python's gzip and zlib made these of "photo".
constexpr std::string_view kGzip =
    "\x1F\x8B\x08\x00\x00\x00\x00\x00\x02\x03\x2B\xC8\xC8\x2F\xC9\x07\x00\x18\x84\xB7\x14\x05\x00"
    "\x00\x00"sv;
constexpr std::string_view kZlib = "\x78\x9C\x2B\xC8\xC8\x2F\xC9\x07\x00\x06\x79\x02\x2B"sv;
constexpr std::string_view kRaw = "\x2B\xC8\xC8\x2F\xC9\x07\x00"sv;

struct Inflated {
  State state = State::kMore;
  std::string text;
  std::size_t steps = 0;
  std::size_t bytes = 0;  // decoded when it ended, however that was
};

Inflated Inflate(ContentCoding coding, std::string_view body, std::uint64_t limit = 1 << 20) {
  BodyPool pool;
  Inflater inflater(coding, body, limit, pool);
  Inflated out;
  while (out.state == State::kMore) {
    out.state = inflater.Step();
    ++out.steps;
  }
  out.bytes = inflater.size();
  if (out.state == State::kDone) out.text = inflater.Take().view();
  return out;
}

std::string Encode(ContentCoding coding, std::string_view body) {
  Deflater deflater(coding, body);
  while (deflater.Step()) {
  }
  return deflater.Take();
}

// Text that compresses, but not to nothing.
std::string Words(std::size_t bytes) {
  std::string text;
  text.reserve(bytes + 16);
  for (std::uint32_t i = 1; text.size() < bytes; i = i * 1664525 + 1013904223) {
    text += std::to_string(i >> 12) + ",";
  }
  text.resize(bytes);
  return text;
}

TEST(ContentCodingTest, ReadsWhatOthersWrote) {
  EXPECT_EQ(Inflate(ContentCoding::kGzip, kGzip).text, "photo");
  EXPECT_EQ(Inflate(ContentCoding::kDeflate, kZlib).text, "photo");
  EXPECT_EQ(Inflate(ContentCoding::kDeflate, kRaw).text, "photo") << "without zlib's header";
}

TEST(ContentCodingTest, BothWaysOfAllSizes) {
  for (const std::size_t size : {0UL, 1UL, 1000UL, kInflateSlice, kInflateSlice + 1, 256UL * 1024,
                                 256UL * 1024 + 1, 3'000'000UL}) {
    const std::string text = Words(size);
    for (const ContentCoding coding : {ContentCoding::kGzip, ContentCoding::kDeflate}) {
      const Inflated back = Inflate(coding, Encode(coding, text), 3'000'000);
      ASSERT_EQ(back.state, State::kDone) << size;
      EXPECT_TRUE(back.text == text) << size << " bytes came back as " << back.text.size();
    }
  }
}

TEST(ContentCodingTest, WorksInSlices) {
  const std::string text = Words(16 * kInflateSlice);
  Deflater deflater(ContentCoding::kGzip, text);
  std::size_t steps = 1;
  while (deflater.Step()) ++steps;
  EXPECT_GE(steps, 64U);
  const Inflated back = Inflate(ContentCoding::kGzip, deflater.Take(), text.size());
  EXPECT_GE(back.steps, 16U);
}

TEST(ContentCodingTest, GzipMayBeOfSeveralMembers) {
  const std::string two = std::string(kGzip) + std::string(kGzip);
  EXPECT_EQ(Inflate(ContentCoding::kGzip, two).text, "photophoto");
  EXPECT_EQ(Inflate(ContentCoding::kGzip, std::string(kGzip) + "more").state, State::kMalformed);
  EXPECT_EQ(Inflate(ContentCoding::kDeflate, std::string(kZlib) + "more").state, State::kMalformed);
}

TEST(ContentCodingTest, TellsTruncatedAndDamagedBodies) {
  for (std::size_t length = 0; length < kGzip.size(); ++length) {
    EXPECT_EQ(Inflate(ContentCoding::kGzip, kGzip.substr(0, length)).state, State::kTruncated)
        << length;
  }
  EXPECT_EQ(Inflate(ContentCoding::kDeflate, kZlib.substr(0, 8)).state, State::kTruncated);
  std::string damaged(kGzip);
  damaged[18] ^= 1;  // of the checksum
  EXPECT_EQ(Inflate(ContentCoding::kGzip, damaged).state, State::kMalformed);
  EXPECT_EQ(Inflate(ContentCoding::kGzip, "photo").state, State::kMalformed);
  EXPECT_EQ(Inflate(ContentCoding::kGzip, kZlib).state, State::kMalformed);
  EXPECT_EQ(Inflate(ContentCoding::kDeflate, "\xFF\xFF\xFF\xFF").state, State::kMalformed);
}

TEST(ContentCodingTest, TheLimitIsOfDecodedBytes) {
  const std::string text = Words(300'000);
  for (const ContentCoding coding : {ContentCoding::kGzip, ContentCoding::kDeflate}) {
    const std::string body = Encode(coding, text);
    EXPECT_EQ(Inflate(coding, body, 300'000).state, State::kDone);
    EXPECT_EQ(Inflate(coding, body, 299'999).state, State::kTooLarge);
    EXPECT_EQ(Inflate(coding, body, 0).state, State::kTooLarge);
  }
}

TEST(ContentCodingTest, ABombStopsAtTheLimit) {
  const std::string body = Encode(ContentCoding::kGzip, std::string(32 << 20, '\0'));
  EXPECT_LT(body.size(), 200'000U);
  const Inflated out = Inflate(ContentCoding::kGzip, body, 1 << 20);
  EXPECT_EQ(out.state, State::kTooLarge);
  EXPECT_LE(out.bytes, (1U << 20) + 1) << "one byte is enough to see it";
  EXPECT_LE(out.steps, 20U);
}

TEST(ContentCodingTest, NamesOfCodings) {
  EXPECT_EQ(ParseContentCoding(""), ContentCoding::kIdentity);
  EXPECT_EQ(ParseContentCoding("Identity"), ContentCoding::kIdentity);
  EXPECT_EQ(ParseContentCoding(" GZIP "), ContentCoding::kGzip);
  EXPECT_EQ(ParseContentCoding("x-gzip"), ContentCoding::kGzip);
  EXPECT_EQ(ParseContentCoding("deflate"), ContentCoding::kDeflate);
  for (const char* other : {"br", "zstd", "compress", "gzip, gzip", "gzip;q=1", "*"}) {
    EXPECT_EQ(ParseContentCoding(other), std::nullopt) << other;
  }
  EXPECT_EQ(ContentCodingName(ContentCoding::kGzip), "gzip");
  EXPECT_EQ(ContentCodingName(ContentCoding::kDeflate), "deflate");
}

struct AcceptCase {
  const char* header;
  ContentCoding best;
  bool identity;
};

TEST(ContentCodingTest, ChoosesByWeight) {
  constexpr auto kGz = ContentCoding::kGzip;
  constexpr auto kDef = ContentCoding::kDeflate;
  constexpr auto kPlain = ContentCoding::kIdentity;
  const AcceptCase cases[] = {
      {"", kPlain, true},
      {"gzip", kGz, true},
      {"deflate", kDef, true},
      {"gzip, deflate, br", kGz, true},
      {"gzip;q=0.5, deflate;q=0.8", kDef, true},
      {"GZIP;Q=0.1", kGz, true},
      {"x-gzip", kGz, true},
      {"br, zstd", kPlain, true},
      {"gzip;q=0", kPlain, true},
      {"gzip; q=0.000 , deflate ;q=0.001", kDef, true},
      {"identity, gzip;q=0.5", kPlain, true},
      {"identity;q=0.5, gzip", kGz, true},
      {"*", kGz, true},
      {"*;q=0.1, gzip;q=0", kDef, true},
      {"identity;q=0", kPlain, false},
      {"*;q=0", kPlain, false},
      {"*;q=0, identity", kPlain, true},
      {"identity;q=0, gzip", kGz, false},
      {"*;q=0, deflate", kDef, false},
      // No weights: as if they were not there.
      {"gzip;q=2, deflate;q=0.1234", kPlain, true},
      {"gzip;q=", kPlain, true},
      {"gzip;level=9", kPlain, true},
      {",,;,", kPlain, true},
  };
  for (const AcceptCase& c : cases) {
    const CodingChoice choice = ChooseCoding(c.header);
    EXPECT_EQ(choice.best, c.best) << c.header;
    EXPECT_EQ(choice.identity, c.identity) << c.header;
    EXPECT_EQ(choice.none(), c.best == kPlain && !c.identity) << c.header;
  }
}

}  // namespace
}  // namespace xcloud
