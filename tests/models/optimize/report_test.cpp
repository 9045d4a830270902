#include "models/optimize/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/optimize/host_key.h"

namespace xcloud {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

OptimizeReport Sample() {
  OptimizeReport report;
  report.model = "imagenet";
  report.version = "2";
  report.made = "2026-11-24T12:00:00Z";
  report.host_key = "cpu-1";
  report.input = "squash 8 8";
  report.photos = 100;
  report.conditions = {{"processor", "\"Quoted\" CPU"}, {"cores", "2"}};
  report.reference = {"torchscript",          "torchscript", {{"model.pt", "aa"}}, "", 0, 1,
                      {{2, 1, 1, 20.5, 97.5}}};
  report.variants.push_back({"openvino fp32",
                             "openvino",
                             {{"o.xml", "bb"}, {"o.bin", "cc"}},
                             "",
                             1e-6,
                             1,
                             {{2, 1, 1, 10.25, 195}}});
  report.variants.push_back({"openvino int8", "openvino", {}, "needs photos", 0, 1, {}});
  report.chosen = "openvino fp32";
  report.why = "It is 100 % faster.";
  return report;
}

TEST(OptimizeReportTest, WhatIsWrittenIsRead) {
  const std::string json = WriteReportJson(Sample());
  const Result<OptimizeReport> read = ParseReportJson(json);
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ(WriteReportJson(*read), json);
  ASSERT_NE(read->ChosenVariant(), nullptr);
  EXPECT_EQ(read->ChosenVariant()->files[1].name, "o.bin");
  EXPECT_EQ(read->ChosenVariant()->timings.at(0).items_per_second, 195);
  EXPECT_EQ(read->variants[1].trouble, "needs photos");
  EXPECT_EQ(read->conditions[0].second, "\"Quoted\" CPU");
}

std::string Without(const std::string& from, const std::string& to) {
  std::string json = WriteReportJson(Sample());
  const std::size_t at = json.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return json.replace(at, from.size(), to);
}

TEST(OptimizeReportTest, DamagedReportsAreRefusedInWords) {
  for (const std::string& json :
       {std::string("{"), std::string("[]"), std::string(),
        Without("\"format\": 1", "\"format\": 2"), Without("\"o.xml\"", "\"../o.xml\""),
        Without("\"chosen\": \"openvino fp32\"", "\"chosen\": \"x\""),
        Without("\"chosen\": \"openvino fp32\"", "\"chosen\": \"openvino int8\""),
        Without("\"sha256\": \"aa\"", "\"sha256\": 7"), Without("\"variants\"", "\"other\"")}) {
    const Result<OptimizeReport> read = ParseReportJson(json);
    ASSERT_FALSE(read.ok()) << json;
    EXPECT_THAT(read.status().message(), HasSubstr("not a report"));
  }
}

TEST(OptimizeReportTest, ThePageTellsWhatWasChosenAndWhatWasLeftOut) {
  EXPECT_THAT(
      WriteReportMarkdown(Sample()),
      AllOf(HasSubstr("**openvino fp32**"), HasSubstr("| openvino fp32 | 2 x 1 | 1 | 10.25"),
            HasSubstr("not served: needs photos"), HasSubstr("- cores: 2")));
}

TEST(HostKeyTest, NamesTheProcessorItsFlagsAndTheLibraries) {
  const std::string one =
      "processor : 0\nmodel name\t: AMD EPYC 9654 96-Core\nflags\t\t: fpu avx2 fma\n\n"
      "processor : 1\nmodel name\t: Other\nflags\t\t: fpu\n";
  EXPECT_THAT(HostKeyOf(one), MatchesRegex("amd-epyc-9654-96-core-[0-9a-f]{8}[a-z0-9.-]*"));
  // The order of the flags means nothing; another flag, or another processor, is another host.
  EXPECT_EQ(HostKeyOf("model name : A\nflags : fma avx2\n"),
            HostKeyOf("model name : A\nflags : avx2 fma\n"));
  EXPECT_NE(HostKeyOf("model name : A\nflags : fma avx2\n"),
            HostKeyOf("model name : A\nflags : fma avx2 avx512f\n"));
  EXPECT_NE(HostKeyOf("model name : A\nflags : fma\n"), HostKeyOf("model name : B\nflags : fma\n"));
  EXPECT_THAT(HostKeyOf(""), MatchesRegex("unknown-.*"));
  EXPECT_THAT(CpuHostKey(), MatchesRegex("[a-z0-9.-]+"));
}

}  // namespace
}  // namespace xcloud
