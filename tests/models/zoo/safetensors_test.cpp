#include "models/zoo/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>

#include "tests/models/zoo/checkpoint_writer.h"
#include "tests/support/temp_folder.h"

namespace xcloud::zoo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::WriteRawSafetensors;

class SafetensorsTest : public ::testing::Test {
 protected:
  std::filesystem::path File() const { return folder_.path() / "w.safetensors"; }

  // Why a file with this header, and so many bytes of values, is refused.
  std::string WhyRefused(std::string_view header, std::size_t values, std::int64_t length = -1) {
    WriteRawSafetensors(File(), header, values, length);
    const auto read = ReadSafetensors(File());
    EXPECT_FALSE(read.ok()) << header;
    if (read.ok()) return "";
    EXPECT_EQ(read.status().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(read.status().message(),
                AllOf(HasSubstr("w.safetensors"), Not(HasSubstr(folder_.path().string()))));
    return read.status().message();
  }

  TempFolder folder_;
};

TEST_F(SafetensorsTest, WhatWasWrittenIsRead) {
  const std::map<std::string, at::Tensor> tensors = {
      {"floats", at::arange(6, at::kFloat).view({2, 3})},
      {"column", at::arange(6, at::kFloat).view({2, 3}).t()},  // not contiguous
      {"halves", at::arange(3, at::kHalf)},
      {"brains", at::arange(3, at::kBFloat16)},
      {"count", at::arange(7, 8, at::kLong).view({})},
      {"flags", at::zeros({2}, at::kBool)},
      {"none", at::zeros({0, 3})}};
  ASSERT_TRUE(WriteSafetensors(File(), tensors).ok());
  const auto read = ReadSafetensors(File());
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  ASSERT_EQ(read->size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    EXPECT_EQ(read->at(name).scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(at::equal(read->at(name), tensor)) << name;
  }
  EXPECT_FALSE(std::filesystem::exists(File().string() + ".part"));
}

TEST_F(SafetensorsTest, TakesMetadataAndPadding) {
  WriteRawSafetensors(
      File(), R"({"__metadata__":{"a":"b"},"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}  )",
      2);
  const auto read = ReadSafetensors(File());
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ(read->size(), 1U);
}

TEST_F(SafetensorsTest, RefusesHeadersThatAreNone) {
  EXPECT_THAT(WhyRefused("{}", 0, 1), HasSubstr("no JSON object"));
  EXPECT_THAT(WhyRefused("[]", 0), HasSubstr("no JSON object"));
  EXPECT_THAT(WhyRefused("", 0), HasSubstr("no JSON object"));
  EXPECT_THAT(WhyRefused("{}", 0, 3), HasSubstr("more than the file has"));
  EXPECT_THAT(WhyRefused("{}", 0, std::int64_t{1} << 62), HasSubstr("more than the file has"));
  folder_.Write("w.safetensors", "1234567");
  EXPECT_THAT(ReadSafetensors(File()).status().message(), HasSubstr("too short"));
}

TEST_F(SafetensorsTest, RefusesTensorsThatLie) {
  const auto one = [](const std::string& fields) { return "{\"x\":{" + fields + "}}"; };
  EXPECT_THAT(WhyRefused(one(R"("dtype":"F9","shape":[1],"data_offsets":[0,4])"), 4),
              AllOf(HasSubstr("'x'"), HasSubstr("unknown dtype \"F9\"")));
  EXPECT_THAT(WhyRefused(one(R"("dtype":"F64","shape":[1],"data_offsets":[0,4])"), 4),
              HasSubstr("need 8 bytes, its data_offsets hold 4"));
  EXPECT_THAT(WhyRefused(one(R"("dtype":"F32","shape":[1],"data_offsets":[0,8])"), 4),
              HasSubstr("do not lie in the file's 4 bytes"));
  EXPECT_THAT(WhyRefused(one(R"("dtype":"F32","shape":[1],"data_offsets":[4,0])"), 4),
              HasSubstr("do not lie"));
  EXPECT_THAT(WhyRefused(one(R"("dtype":"F32","shape":[-1],"data_offsets":[0,4])"), 4),
              HasSubstr("wrong shape"));
  EXPECT_THAT(WhyRefused(one(R"("dtype":"F32","shape":[1.5],"data_offsets":[0,4])"), 4),
              HasSubstr("wrong shape"));
  // 2^31 * 2^31 * 4 bytes is 2^64: zero, if nobody looks.
  EXPECT_THAT(
      WhyRefused(one(R"("dtype":"F32","shape":[2147483648,2147483648],"data_offsets":[0,0])"), 0),
      HasSubstr("wrong shape"));
  EXPECT_THAT(WhyRefused(one(R"("dtype":"F32","shape":[1])"), 4), HasSubstr("needs dtype"));
  EXPECT_THAT(WhyRefused("{\"x\":3}", 0), HasSubstr("needs dtype"));
}

TEST_F(SafetensorsTest, RefusesOverlapsGapsAndTails) {
  const auto two = [](int first, int second) {
    const auto entry = [](const char* name, int at) {
      return std::string("\"") + name + R"(":{"dtype":"F32","shape":[1],"data_offsets":[)" +
             std::to_string(at) + "," + std::to_string(at + 4) + "]}";
    };
    return "{" + entry("x", first) + "," + entry("y", second) + "}";
  };
  EXPECT_THAT(WhyRefused(two(0, 2), 6), HasSubstr("overlap"));
  EXPECT_THAT(WhyRefused(two(0, 0), 4), HasSubstr("overlap"));
  EXPECT_THAT(WhyRefused(two(0, 8), 12), HasSubstr("leave a gap"));
  EXPECT_THAT(WhyRefused(two(0, 4), 9), HasSubstr("1 bytes that belong to no tensor"));
  const std::string entry = R"("x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  EXPECT_THAT(WhyRefused("{" + entry + "," + entry + "}", 1), HasSubstr("'x' comes twice"));
}

TEST_F(SafetensorsTest, RefusesAFileCutShort) {
  ASSERT_TRUE(WriteSafetensors(File(), {{"x", at::arange(100, at::kFloat)}}).ok());
  const auto size = std::filesystem::file_size(File());
  for (const std::uintmax_t length : {size - 1, size - 399, size - 401, std::uintmax_t{9}}) {
    std::filesystem::resize_file(File(), length);
    EXPECT_FALSE(ReadSafetensors(File()).ok()) << length;
  }
}

}  // namespace
}  // namespace xcloud::zoo
