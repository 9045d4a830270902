// The whole of `xcloud model optimize` on a tiny model, with a script in place of Python that
// brings variants that were made before.
#include "models/optimize/optimize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "models/optimize/chosen_variant.h"
#include "models/optimize/host_key.h"
#include "tests/support/temp_folder.h"

namespace xcloud {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class OptimizeTest : public ::testing::Test {
 protected:
  OptimizeTest() {
    folder_.Write("models/m/model.toml",
                  "[preprocess]\nresize_mode = \"squash\"\nresize_width = 8\nresize_height = 6\n"
                  "crop_width = 8\ncrop_height = 6\nmean = [0, 0, 0]\nstd = [1, 1, 1]\n"
                  "[batching]\nmax_batch = 2\n");
    folder_.Write("models/m/labels.txt", "a\nb\nc\n");
    fs::create_directories(folder_.path() / "models/m/1");
    fs::copy(Modules() / "reference.pt", folder_.path() / "models/m/1/model.pt");
    options_.repository = folder_.path() / "models";
    options_.model = "m";
    options_.variants = {"openvino-fp32"};
    options_.rules.layout = {1, 1};
    options_.rules.min_gain = -1;  // which one is faster is no matter here
    options_.layouts = {{1, 1}};
    options_.rounds = 1;
    options_.seconds = 0;
    options_.tools = {folder_.path() / "python", "no script"};
  }

  static fs::path Modules() { return fs::path(XCLOUD_BINARY_DIR) / "test_modules"; }

  void Python(const std::string& commands) {
    folder_.Write("python",
                  "#!/bin/sh\nkind=$4\nwhile [ \"$1\" != --output ]; do shift; done\nout=$2\n" +
                      commands + "\n");
    fs::permissions(folder_.path() / "python", fs::perms::owner_all);
  }
  // It brings that IR of the tests.
  void PythonBrings(const std::string& ir) {
    const std::string from = (Modules() / "openvino" / ir).string();
    Python("cp " + from + ".xml $out/v.xml && cp " + from +
           ".bin $out/v.bin && echo '{\"files\": [\"v.xml\", \"v.bin\"]}' > $out/$kind.json");
  }

  OptimizeReport Run() {
    Result<OptimizeReport> report = Optimize(options_, [](const std::string&) {});
    EXPECT_TRUE(report.ok()) << report.status().ToString();
    return *std::move(report);
  }
  VariantChoice Choice() const {
    return ChooseVariant(ReadRepositoryEntry(options_.repository / "m"), CpuHostKey());
  }
  std::vector<std::string> Left() const {
    std::vector<std::string> names;
    const fs::path folder = options_.repository / "m/1/optimized";
    for (const auto& item : fs::recursive_directory_iterator(folder)) {
      names.push_back(item.path().filename().string());
    }
    return names;
  }

  TempFolder folder_;
  OptimizeOptions options_;
};

TEST_F(OptimizeTest, ACloseVariantIsServedFromThenOn) {
  PythonBrings("reference");
  const OptimizeReport report = Run();
  EXPECT_EQ(report.chosen, "openvino fp32");
  EXPECT_EQ(report.reference.name, "torchscript");
  EXPECT_LT(report.variants.at(0).max_error, 1e-5);
  // Batches of 1 and 2.
  EXPECT_EQ(report.variants.at(0).timings.size(), 2U);
  EXPECT_EQ(report.reference.timings.size(), 2U);

  const VariantChoice choice = Choice();
  ASSERT_TRUE(choice.variant) << choice.trouble;
  EXPECT_EQ(choice.variant->file.filename(), "v.xml");
  EXPECT_THAT(Left(), ::testing::UnorderedElementsAre(CpuHostKey(), "v.xml", "v.bin", "build.log",
                                                      kReportFile, kReportText));
}

TEST_F(OptimizeTest, AVariantThatAnswersOtherwiseIsNot) {
  PythonBrings("not_a_number");  // a network of the same shape
  const OptimizeReport report = Run();
  EXPECT_EQ(report.chosen, kReferenceName);
  EXPECT_GT(report.variants.at(0).max_error, 1e-3);
  EXPECT_THAT(report.why, HasSubstr("largest error"));
  EXPECT_FALSE(Choice().variant);
  EXPECT_EQ(Choice().trouble, "");
  EXPECT_THAT(Left(), ::testing::Not(::testing::Contains("v.bin"))) << "weights that nobody serves";
}

TEST_F(OptimizeTest, WhatCannotBeBuiltOrRunIsTold) {
  for (const auto& [commands, why] :
       {std::pair{"echo out of memory >&2; exit 3", "ended with 3: out of memory"},
        {"echo '{\"trouble\": \"no such operator\"}' > $out/$kind.json", "no such operator"},
        {"true", "left no result"},
        {"echo '{\"files\": [\"v.xml\"]}' > $out/$kind.json", "left no v.xml"},
        {"echo x > $out/v.xml; echo '{\"files\": [\"v.xml\"]}' > $out/$kind.json",
         "cannot read it"}}) {
    Python(commands);
    const OptimizeReport report = Run();
    EXPECT_EQ(report.chosen, kReferenceName);
    EXPECT_THAT(report.variants.at(0).trouble, HasSubstr(why));
  }
}

TEST_F(OptimizeTest, ANewRunReplacesTheLastOne) {
  PythonBrings("reference");
  (void)Run();
  Python("exit 1");
  EXPECT_EQ(Run().chosen, kReferenceName);
  EXPECT_FALSE(Choice().variant);
}

TEST_F(OptimizeTest, RefusesWhatItCannotServeAndLeavesNothing) {
  Python("true");
  options_.photos = folder_.path() / "absent";
  EXPECT_EQ(Optimize(options_, [](const std::string&) {}).status().code(), StatusCode::kNotFound);
  EXPECT_THAT(Left(), ::testing::IsEmpty());

  options_.model = "../m";
  EXPECT_FALSE(Optimize(options_, [](const std::string&) {}).ok());
  options_.model = "m";
  folder_.Write("models/m/model.toml", "[model]\nbackend = \"torchscript\"\n");
  EXPECT_THAT(Optimize(options_, [](const std::string&) {}).status().message(),
              HasSubstr("only \"auto\""));
}

}  // namespace
}  // namespace xcloud
