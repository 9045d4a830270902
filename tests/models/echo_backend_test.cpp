// The echo backend, from its [[input]] tables to its outputs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "models/echo_inputs.h"
#include "models/null_backend.h"
#include "tests/models/model_server_fixture.h"

namespace xcloud {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kEcho = "[model]\nbackend = 'echo'\n";

Result<ModelDefinition> Parse(const std::string& inputs) {
  return ParseModelDefinition("e", kEcho + inputs, std::nullopt);
}
std::string Why(const std::string& inputs) {
  return Parse(inputs).status().message();
}

TEST(EchoInputsTest, EachTableIsAnInputAndTheOutputThatRepeatsIt) {
  const auto model = Parse(
      "[[input]]\nname = 'A'\ndatatype = 'BF16'\ndims = [-1, 3]\noutput = 'B'\n"
      "[[input]]\nname = 'C'\ndatatype = 'BYTES'\ndims = []\n");
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_TRUE(model->echoes());
  EXPECT_TRUE(model->synthetic());
  EXPECT_EQ(model->score_count(), 0U);
  ASSERT_EQ(model->echo.size(), 2U);
  EXPECT_EQ(model->echo[0].input.name, "A");
  EXPECT_EQ(model->echo[0].input.type, DataType::kBf16);
  EXPECT_THAT(model->echo[0].input.dims, ElementsAre(-1, -1, 3));
  EXPECT_EQ(model->echo[0].output, "B");
  EXPECT_THAT(model->echo[1].input.dims, ElementsAre(-1));
  EXPECT_EQ(model->echo[1].output, "C");
  EXPECT_THAT(model->labels, IsEmpty());
}

TEST(EchoInputsTest, EveryTypeOfTheProtocolCanBeDeclared) {
  for (const char* type : {"BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32",
                           "INT64", "FP16", "FP32", "FP64", "BF16", "BYTES"}) {
    const auto model = Parse("[[input]]\nname = 'A'\ndatatype = '" + std::string(type) + "'\n");
    ASSERT_TRUE(model.ok()) << model.status().message();
    EXPECT_EQ(DataTypeName(model->echo[0].input.type), type);
  }
}

TEST(EchoInputsTest, WhatIsWrongIsNamedWithItsLine) {
  EXPECT_THAT(Why(""), HasSubstr("needs 1 to 64 tables [[input]]"));
  EXPECT_THAT(Why("[[input]]\ndatatype = 'FP32'\n"), HasSubstr("input.0.name: must not be empty"));
  EXPECT_THAT(Why("[[input]]\nname = 'A'\ndatatype = 'FP8'\n"),
              HasSubstr("e/model.toml:5: input.0.datatype"));
  EXPECT_THAT(Why("[[input]]\nname = 'A'\ndims = [1.5]\n"), HasSubstr("whole numbers"));
  EXPECT_THAT(Why("[[input]]\nname = 'A'\ndims = [0]\n"), HasSubstr("whole numbers"));
  EXPECT_THAT(Why("[[input]]\nname = 'A'\nshape = [1]\n"), HasSubstr("input.0.shape"));
  EXPECT_THAT(Why("[[input]]\nname = 'A'\n[[input]]\nname = 'A'\noutput = 'B'\n"),
              HasSubstr("two inputs are named 'A'"));
  EXPECT_THAT(Why("[[input]]\nname = 'A'\n[[input]]\nname = 'B'\noutput = 'A'\n"),
              HasSubstr("two outputs are named 'A'"));
}

TEST(EchoInputsTest, OnlyAnEchoModelHasInputsAndMayHaveNoLabels) {
  EXPECT_THAT(ParseModelDefinition("m", "[model]\nbackend = 'null'\n[[input]]\nname = 'A'\n", "a\n")
                  .status()
                  .message(),
              HasSubstr("m/model.toml:3: input"));
  EXPECT_THAT(ParseModelDefinition("m", "", std::nullopt).status().message(),
              HasSubstr("m/labels.txt: there is no such file"));
  const auto model =
      ParseModelDefinition("e", kEcho + std::string("[[input]]\nname = 'A'\n"), "a\nb\n");
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ(model->labels.size(), 2U);
}

TEST(EchoNetworkTest, TakesTheDeclaredTimeAndGivesNoScores) {
  ModelDefinition model;
  model.backend = "echo";
  model.labels = {"a"};
  model.null_backend = {2.0, 0.5};
  std::vector<Duration> slept;
  auto networks = MakeNullNetworks(model, 1, [&](Duration time) { slept.push_back(time); });
  ASSERT_TRUE(networks.ok());
  Network& network = *networks->front();
  EXPECT_EQ(network.output_size(), 0U);
  float untouched = -1;
  const std::vector<NetworkItem> items(2);
  EXPECT_TRUE(network.Run(0, items, 4, &untouched).ok());
  EXPECT_EQ(untouched, -1);
  EXPECT_THAT(slept, ElementsAre(std::chrono::milliseconds(4)));
}

class EchoServerTest : public ModelServerTest {
 protected:
  void ServeEcho() {
    root_.Write("e/model.toml", kEcho + std::string("[[input]]\nname = 'A'\ndims = [2]\n"
                                                    "datatype = 'UINT16'\noutput = 'X'\n"
                                                    "[[input]]\nname = 'B'\ndims = []\n"
                                                    "datatype = 'BYTES'\noutput = 'Y'\n"));
    puppet_->outputs["e"] = 0;
    Serve();
  }
};

TEST_F(EchoServerTest, GivesBackTheCallersOwnBytesOnceTheBatchHasRun) {
  ServeEcho();
  InferenceRequest request = TensorRequest("e", {"A", DataType::kUint16, {3, 2}, "abcdefghijkl"});
  std::string strings;
  for (const char* one : {"x", "", "yz"}) AppendBytesElement(strings, one);
  request.inputs.insert(request.inputs.begin(), {"B", DataType::kBytes, {3}, strings});
  const char* const bytes = request.inputs[1].data.data();
  Infer(std::move(request));
  auto taken = scheduler_.Take(1);
  EXPECT_EQ(taken[0]->items, 3U);
  auto& items = static_cast<ItemRequest&>(*taken[0]);
  items.Answer(0, 2, {}, {2, "cpu0/0", {}, {}, {}});
  EXPECT_EQ(answers_.count(), 0U);
  items.Answer(2, 1, {}, {1, "cpu0/0", {}, {}, {}});
  const InferenceResult result = answers_.WaitFor(1)[0];
  ASSERT_TRUE(result.status.ok());
  EXPECT_TRUE(result.synthetic);
  ASSERT_EQ(result.outputs.size(), 2U);
  EXPECT_EQ(result.outputs[0].name, "X") << "in the order of the outputs, not of the request";
  EXPECT_EQ(result.outputs[0].type, DataType::kUint16);
  EXPECT_THAT(result.outputs[0].shape, ElementsAre(3, 2));
  EXPECT_EQ(result.outputs[0].data.data(), bytes) << "nothing is copied";
  EXPECT_EQ(result.outputs[1].name, "Y");
  EXPECT_EQ(result.outputs[1].data, strings);
}

TEST_F(EchoServerTest, IsServedWithoutWeightsOrLabelsAndTellsItsTensors) {
  ServeEcho();
  const ServiceInfoPtr info = server_->Find("e");
  ASSERT_EQ(info->state, ServiceState::kReady) << info->reason;
  EXPECT_EQ(info->platform, "echo");
  EXPECT_EQ(info->version, "1");
  EXPECT_TRUE(info->synthetic);
  EXPECT_EQ(info->inputs.size(), 2U);
  EXPECT_EQ(info->outputs.at(0).name, "X");
  EXPECT_EQ(info->labels, nullptr);
}

TEST_F(EchoServerTest, APhotoIsRefusedInWords) {
  ServeEcho();
  const Status status = Refusal(Request("e"));
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("takes tensors, not photos"));
}

}  // namespace
}  // namespace xcloud
