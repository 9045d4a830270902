#include "models/zoo/zoo.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include <ATen/ops/ones.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include "models/zoo/layers.h"
#include "models/zoo/load.h"
#include "models/zoo/safetensors.h"
#include "models/zoo/state_dict.h"
#include "models/zoo/trace.h"
#include "tests/support/temp_folder.h"

namespace xcloud::zoo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

LayerPtr Make(std::string_view name, std::int64_t outputs = 0) {
  Result<LayerPtr> made = MakeZooNetwork(name, outputs);
  EXPECT_TRUE(made.ok()) << made.status().ToString();
  return *std::move(made);
}

std::int64_t CountParameters(const Layer& network) {
  std::int64_t count = 0;
  for (const at::Tensor& parameter : network.parameters()) count += parameter.numel();
  return count;
}

at::Tensor Input(const std::vector<std::int64_t>& dims, std::int64_t batch) {
  std::vector<std::int64_t> shape = {batch};
  shape.insert(shape.end(), dims.begin(), dims.end());
  at::Tensor input = at::ones(shape);
  float* data = input.data_ptr<float>();
  for (std::int64_t i = 0; i < input.numel(); ++i) {
    data[i] = static_cast<float>((i * i / 7 + i * 31) % 241) / 120.0F - 1.0F;
  }
  return input;
}

// Of torchvision's table of weights, and of the papers.
TEST(ZooTest, HasThePublishedNumbersOfParameters) {
  const std::map<std::string, std::int64_t> published = {{"resnet18", 11'689'512},
                                                         {"resnet50", 25'557'032},
                                                         {"resnet152", 60'192'808},
                                                         {"densenet121", 7'978'856},
                                                         {"densenet161", 28'681'000},
                                                         {"densenet169", 14'149'480},
                                                         {"mobilenet_v2", 3'504'872},
                                                         {"shufflenet_v2_x1_0", 2'278'604},
                                                         {"efficientnet_lite0", 4'652'008},
                                                         {"hmtnet", 101'779'533},
                                                         {"mtnet", 715}};
  for (const auto& [name, parameters] : published) {
    EXPECT_EQ(CountParameters(*Make(name)), parameters) << name;
  }
}

TEST(ZooTest, RefusesNamesAndSizesThatItDoesNotHave) {
  EXPECT_EQ(FindZooEntry("resnet19"), nullptr);
  const auto unknown = MakeZooNetwork("resnet19", 10);
  EXPECT_THAT(unknown.status().message(), AllOf(HasSubstr("'resnet19'"), HasSubstr("resnet152")));
  EXPECT_THAT(MakeZooNetwork("hmtnet", 7).status().message(), HasSubstr("5 outputs, not 7"));
  EXPECT_FALSE(MakeZooNetwork("resnet18", -1).ok());
  EXPECT_FALSE(MakeZooNetwork("resnet18", 1LL << 40).ok());
}

// The networks that are quick enough to differentiate here, one of each family.
TEST(ZooTest, EveryParameterIsTrained) {
  for (const char* name :
       {"resnet18", "densenet121", "mobilenet_v2", "shufflenet_v2_x1_0", "efficientnet_lite0",
        "crnet", "mtnet", "iqanet", "iqacnn++", "deeppatchcnn"}) {
    const LayerPtr network = Make(name);
    Initialize(*network, 5);
    network->train();
    std::vector<std::int64_t> dims = FindZooEntry(name)->input;
    if (dims.back() == 224) dims = {3, 64, 64};
    network->forward(Input(dims, 2)).square().sum().backward();
    for (const auto& item : network->named_parameters()) {
      EXPECT_TRUE(item.value().grad().defined()) << name << " " << item.key();
    }
  }
}

TEST(ZooTest, TrainingMovesTheStatisticsAndEvaluatingDoesNot) {
  const LayerPtr network = Make("iqanet");
  Initialize(*network, 1);
  const at::Tensor mean = StateDictOf(*network).at("bn1.running_mean");
  const at::Tensor batches = StateDictOf(*network).at("bn1.num_batches_tracked");
  const at::Tensor before = mean.clone();
  network->eval();
  network->forward(Input({3, 32, 32}, 2));
  EXPECT_TRUE(mean.equal(before));
  network->train();
  network->forward(Input({3, 32, 32}, 2));
  EXPECT_FALSE(mean.equal(before));
  EXPECT_EQ(batches.item<std::int64_t>(), 1);
}

TEST(ZooTest, WeightsDependOnTheSeedAlone) {
  const LayerPtr first = Make("deeppatchcnn"), second = Make("deeppatchcnn");
  Initialize(*first, 7);
  Initialize(*second, 7);
  const StateDict a = StateDictOf(*first), b = StateDictOf(*second);
  for (const auto& [name, tensor] : a) EXPECT_TRUE(tensor.equal(b.at(name))) << name;
  Initialize(*second, 8);
  EXPECT_FALSE(a.at("conv1.weight").equal(b.at("conv1.weight")));
}

// The recording was made on a batch of two: it must not have kept that, nor the photo's size.
TEST(ZooTest, ATraceRunsEveryBatchAsTheNetworkItself) {
  for (const char* name :
       {"resnet18", "densenet121", "mobilenet_v2", "shufflenet_v2_x1_0", "efficientnet_lite0",
        "crnet", "mtnet", "sphereface20", "iqanet", "iqacnn++", "deeppatchcnn"}) {
    const LayerPtr network = Make(name);
    Initialize(*network, 11);
    std::vector<std::int64_t> dims = FindZooEntry(name)->input;
    if (dims.back() == 224) dims = {3, 64, 64};
    Result<torch::jit::Module> traced = TraceNetwork(*network, dims);
    ASSERT_TRUE(traced.ok()) << traced.status().ToString();
    for (const std::int64_t batch : {1, 2, 5}) {
      const at::Tensor input = Input(dims, batch);
      const at::Tensor expected = network->forward(input);
      const at::Tensor given = traced->forward({input}).toTensor();
      ASSERT_EQ(given.sizes(), expected.sizes()) << name;
      const double largest = expected.abs().max().item<double>();
      EXPECT_GT(largest, 0) << name;
      EXPECT_LE((given - expected).abs().max().item<double>(), 1e-5 * largest)
          << name << ", batch " << batch;
    }
  }
}

TEST(ZooTest, ATraceCanBeSavedForOtherTools) {
  const TempFolder folder;
  const LayerPtr network = Make("iqanet", 3);
  Initialize(*network, 2);
  Result<torch::jit::Module> traced = TraceNetwork(*network, FindZooEntry("iqanet")->input);
  ASSERT_TRUE(traced.ok()) << traced.status().ToString();
  traced->save((folder.path() / "network.pt").string());
  torch::jit::Module read = torch::jit::load((folder.path() / "network.pt").string());
  const at::Tensor input = Input({3, 32, 32}, 4);
  EXPECT_TRUE(read.forward({input}).toTensor().equal(network->forward(input)));
  EXPECT_EQ(read.named_parameters().size(), network->named_parameters().size());
  // It is no state dict, and says so.
  EXPECT_THAT(ReadStateDict(folder.path() / "network.pt").status().message(),
              HasSubstr("TorchScript file, not a state dict"));
}

TEST(ZooTest, LoadsWhatItSaved) {
  const TempFolder folder;
  const std::filesystem::path file = folder.path() / "weights.safetensors";
  const LayerPtr network = Make("shufflenet_v2_x1_0", 12);
  Initialize(*network, 3);
  ASSERT_TRUE(WriteSafetensors(file, StateDictOf(*network)).ok());
  Result<torch::jit::Module> loaded = LoadZooModule("shufflenet_v2_x1_0", 12, file);
  ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
  network->eval();
  const at::Tensor input = Input({3, 64, 64}, 2);
  EXPECT_TRUE(loaded->forward({input}).toTensor().allclose(network->forward(input)));
}

}  // namespace
}  // namespace xcloud::zoo
