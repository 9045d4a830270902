// Which file of a version a host serves: the report, its checksums, and what happens when they or
// the variant are not as they should be.
#include "models/optimize/chosen_variant.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <vector>

#include "models/checksum.h"
#include "models/load_model.h"
#include "models/optimize/report.h"
#include "tests/support/fake_clock.h"
#include "tests/support/puppet_network.h"
#include "tests/support/temp_folder.h"

namespace xcloud {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kHost = "cpu-a";

void Write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}

class ChosenVariantTest : public ::testing::Test {
 protected:
  ChosenVariantTest() {
    entry_.definition.name = "m";
    entry_.definition.folder = folder_.path() / "m";
    entry_.definition.backend = "auto";
    entry_.definition.labels = {"a", "b", "c", "d"};
    entry_.version = "1";
    entry_.weights = folder_.path() / "m/1/model.pt";
    Write(entry_.weights, "reference weights");
    Write(Variant("o.xml"), "variant");
    Write(Variant("o.bin"), "variant weights");
    report_.host_key = kHost;
    report_.reference = {"torchscript", "torchscript", {Named(entry_.weights)}, "", 0, 1, {}};
    report_.variants.push_back({"openvino fp32",
                                "openvino",
                                {Named(Variant("o.xml")), Named(Variant("o.bin"))},
                                "",
                                0,
                                1,
                                {}});
    report_.chosen = "openvino fp32";
    report_.input = InputText(entry_.definition);
    WriteReport();
  }

  fs::path Variant(const std::string& name) const {
    return folder_.path() / "m/1/optimized" / kHost / name;
  }
  static VariantFile Named(const fs::path& file) {
    return {file.filename().string(), *Sha256OfFile(file)};
  }
  void WriteReport() { Write(Variant(kReportFile), WriteReportJson(report_)); }
  std::string Trouble(const std::string& host = kHost) {
    const VariantChoice choice = ChooseVariant(entry_, host);
    EXPECT_FALSE(choice.variant);
    return choice.trouble;
  }

  TempFolder folder_;
  RepositoryEntry entry_;
  OptimizeReport report_;
};

TEST_F(ChosenVariantTest, TheReportsChoiceIsServedOnItsHost) {
  const VariantChoice choice = ChooseVariant(entry_, kHost);
  ASSERT_TRUE(choice.variant) << choice.trouble;
  EXPECT_EQ(choice.trouble, "");
  EXPECT_EQ(choice.variant->file, Variant("o.xml"));
  EXPECT_EQ(choice.variant->definition.reference_backend(), "openvino");
  EXPECT_EQ(choice.variant->shown, "openvino fp32");
}

TEST_F(ChosenVariantTest, OtherHostsAndOtherBackendsServeTheReference) {
  EXPECT_THAT(Trouble("cpu-b"), AllOf(HasSubstr("other hosts"), HasSubstr("cpu-a")));
  EXPECT_EQ(Trouble(""), "") << "a device without variants is nothing to worry about";
  entry_.definition.backend = "torchscript";
  EXPECT_EQ(Trouble(), "") << "who names a backend gets it";
}

TEST_F(ChosenVariantTest, WithoutAnyReportThereIsNoTrouble) {
  fs::remove_all(folder_.path() / "m/1/optimized");
  EXPECT_EQ(Trouble(), "");
}

TEST_F(ChosenVariantTest, WhatIsStillBeingMadeIsNobodysHost) {
  fs::rename(folder_.path() / "m/1/optimized" / kHost, folder_.path() / "m/1/optimized/.cpu-b.7");
  EXPECT_EQ(Trouble(), "");
}

TEST_F(ChosenVariantTest, AReportThatKeepsTheReferenceIsNoTrouble) {
  report_.chosen = kReferenceName;
  WriteReport();
  EXPECT_EQ(Trouble(), "");
}

TEST_F(ChosenVariantTest, AVariantThatWasJudgedOnOtherInputsIsNotServed) {
  entry_.definition.preprocess.mean[2] += 0.01F;
  EXPECT_THAT(Trouble(), HasSubstr("another [preprocess]"));
}

TEST_F(ChosenVariantTest, WhatHasChangedIsNotServed) {
  Write(Variant("o.bin"), "other weights");
  EXPECT_THAT(Trouble(), HasSubstr("o.bin is not the file that was measured"));
  fs::remove(Variant("o.bin"));
  EXPECT_THAT(Trouble(), HasSubstr("o.bin is missing"));
}

TEST_F(ChosenVariantTest, AVariantOfOtherWeightsIsNotServed) {
  Write(entry_.weights, "retrained weights");
  EXPECT_THAT(Trouble(), HasSubstr("model.pt is not the file that was measured"));
}

TEST_F(ChosenVariantTest, ADamagedReportIsNotFollowed) {
  Write(Variant(kReportFile), "{");
  EXPECT_THAT(Trouble(), HasSubstr("not a report"));
  fs::remove(Variant(kReportFile));
  EXPECT_THAT(Trouble(), HasSubstr("report.json is missing"));
}

// Loads what it is given, but for backends that it cannot run.
class TwoBackends final : public Device {
 public:
  const std::string& name() const override { return name_; }
  std::size_t lane_count() const override { return 2; }
  void PrepareLaneThread() override {}
  std::string host_key() const override { return kHost; }
  Result<std::vector<std::unique_ptr<Network>>> MakeNetworks(const ModelDefinition& model,
                                                             const fs::path& file) override {
    asked.push_back(file.filename().string());
    if (model.reference_backend() == broken) return Status::InvalidArgument("cannot");
    std::vector<std::unique_ptr<Network>> networks;
    for (int lane = 0; lane < 2; ++lane)
      networks.push_back(std::make_unique<PuppetNetwork>(clock_));
    return networks;
  }

  std::string broken;
  std::vector<std::string> asked;

 private:
  const std::string name_ = "cpu0";
  FakeClock clock_;
};

class LoadVariantTest : public ChosenVariantTest {
 protected:
  std::string Backend() {
    const auto warm = LoadModel(entry_, devices_, clock_);
    EXPECT_TRUE(warm.ok()) << warm.status().ToString();
    EXPECT_EQ(warm->model->networks.size(), 2U);
    EXPECT_EQ(warm->model->definition.backend, "auto");
    return warm->model->backend;
  }
  TwoBackends* const device_ = new TwoBackends();
  std::vector<std::unique_ptr<Device>> devices_ = [this] {
    std::vector<std::unique_ptr<Device>> devices;
    devices.emplace_back(device_);
    return devices;
  }();
  FakeClock clock_;
};

TEST_F(LoadVariantTest, TheChosenVariantIsLoadedAndTold) {
  EXPECT_EQ(Backend(), "openvino fp32");
  EXPECT_THAT(device_->asked, ElementsAre("o.xml"));
}

TEST_F(LoadVariantTest, AVariantThatDoesNotLoadGivesWayToTheReference) {
  device_->broken = "openvino";
  EXPECT_EQ(Backend(), "torchscript (openvino fp32 cannot be loaded)");
  EXPECT_THAT(device_->asked, ElementsAre("o.xml", "model.pt"));
}

TEST_F(LoadVariantTest, WhyTheReferenceIsServedIsTold) {
  fs::remove(Variant("o.bin"));
  EXPECT_EQ(Backend(), "torchscript (openvino fp32: o.bin is missing)");
  fs::remove_all(folder_.path() / "m/1/optimized");
  EXPECT_EQ(Backend(), "torchscript");
}

TEST_F(LoadVariantTest, AReferenceThatDoesNotLoadFailsTheModel) {
  device_->broken = "torchscript";
  fs::remove_all(folder_.path() / "m/1/optimized");
  EXPECT_EQ(LoadModel(entry_, devices_, clock_).status().message(), "cannot");
}

}  // namespace
}  // namespace xcloud
