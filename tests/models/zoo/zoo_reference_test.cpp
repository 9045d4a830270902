// The zoo's outputs against torchvision's own and against definitions in Python
// (reference_networks.py), each through a file of weights as people have them.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/jit/api/module.h>

#include "models/zoo/load.h"
#include "models/zoo/safetensors.h"
#include "models/zoo/zoo.h"
#include "tests/support/temp_folder.h"

namespace xcloud::zoo {
namespace {

namespace fs = std::filesystem;

// Of the largest output. Float32 sums in another order; 152 layers add up.
constexpr double kTolerance = 1e-4;

bool RunPython(const std::string& script, const std::vector<fs::path>& arguments) {
  std::string command =
      "'" XCLOUD_VENV "/bin/python' -W ignore '" XCLOUD_SOURCE_DIR "/" + script + "'";
  for (const fs::path& argument : arguments) command += " '" + argument.string() + "'";
  return std::system(command.c_str()) == 0;
}

// Largest difference of the network with these weights to what Python gave, as a share.
void ExpectReference(const std::string& network, std::int64_t outputs, const fs::path& weights,
                     const fs::path& io) {
  const auto values = ReadSafetensors(io);
  ASSERT_TRUE(values.ok()) << values.status().ToString();
  const at::Tensor input = values->at("input");
  const at::Tensor expected = values->at("expected");
  Result<torch::jit::Module> module =
      LoadZooModule(network, outputs, weights, input.sizes().slice(1));
  ASSERT_TRUE(module.ok()) << network << ": " << module.status().ToString();
  const c10::InferenceMode no_autograd;
  const at::Tensor given = module->forward({input}).toTensor();
  ASSERT_EQ(given.sizes(), expected.sizes()) << network;
  const double largest = expected.abs().max().item<double>();
  const double share = (given - expected).abs().max().item<double>() / largest;
  std::printf("%-20s %.1e\n", network.c_str(), share);
  EXPECT_LE(share, kTolerance) << network;
  // The comparison can fail: another input gives something else.
  const at::Tensor other = module->forward({input * 0.5}).toTensor();
  EXPECT_GT((other - expected).abs().max().item<double>(), kTolerance * largest) << network;
  // One item alone, too.
  const at::Tensor first = module->forward({input.narrow(0, 0, 1)}).toTensor();
  EXPECT_LE((first - expected.narrow(0, 0, 1)).abs().max().item<double>(), kTolerance * largest);
}

TEST(ZooReferenceTest, NetworksGiveWhatPythonGives) {
  const TempFolder folder;
  ASSERT_TRUE(RunPython("tests/models/zoo/reference_networks.py", {folder.path()}));
  std::ifstream cases(folder.path() / "cases.txt");
  std::string network, file;
  std::int64_t outputs = 0;
  std::size_t count = 0;
  while (cases >> network >> outputs >> file) {
    ExpectReference(network, outputs, folder.path() / file,
                    folder.path() / (network + ".io.safetensors"));
    ++count;
  }
  EXPECT_EQ(count, ListZoo().size()) << "a network of the zoo has no reference";
}

// The one published file of the paper's own networks: of torch.save before 1.6, converted once.
TEST(ZooReferenceTest, MtNetGivesThePublishedWeightsAnswers) {
  const fs::path published =
      fs::path(XCLOUD_SOURCE_DIR) / "../shared/data/zhihu/ZhihuLive_MTNet.pth";
  if (!fs::exists(published)) GTEST_SKIP() << "needs ../shared/data/zhihu/ZhihuLive_MTNet.pth";
  const TempFolder folder;
  const fs::path weights = folder.path() / "mtnet.safetensors";
  EXPECT_FALSE(LoadZooModule("mtnet", 1, published).ok()) << "a legacy file was read as it is";
  ASSERT_TRUE(RunPython("models/zoo/convert_checkpoint.py", {published, weights}));
  const fs::path io = folder.path() / "io.safetensors";
  ASSERT_TRUE(RunPython("tests/models/zoo/reference_networks.py", {folder.path(), published, io}));
  ExpectReference("mtnet", 1, weights, io);
}

}  // namespace
}  // namespace xcloud::zoo
