#include "models/zoo/state_dict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include "models/zoo/layers.h"
#include "models/zoo/load.h"
#include "models/zoo/safetensors.h"
#include "tests/support/temp_folder.h"

namespace xcloud::zoo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

LayerPtr Make(std::string_view name) {
  Result<LayerPtr> made = MakeZooNetwork(name, 0);
  Initialize(**made, 4);
  return *std::move(made);
}

// A network's weights, which do not share its memory.
StateDict CopyOf(const Layer& network) {
  StateDict copy = StateDictOf(network);
  for (auto& [name, tensor] : copy) tensor = tensor.detach().clone();
  return copy;
}

TEST(StateDictTest, NamesEveryMismatchAtOnce) {
  const LayerPtr network = Make("mtnet");
  StateDict weights = CopyOf(*network);
  weights.erase("branch1.bf1.weight");
  weights.erase("branch2.bf2.bias");
  weights["stranger"] = at::ones({1});
  weights["layers.fc1.0.bias"] = at::ones({17});
  const Status status = LoadStateDict(weights, "", *network);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), AllOf(HasSubstr("2 missing: branch1.bf1.weight, branch2.bf2.bias"),
                                      HasSubstr("1 unexpected: stranger"),
                                      HasSubstr("layers.fc1.0.bias is [17] instead of [16]")));
}

TEST(StateDictTest, AFailedLoadChangesNothing) {
  const LayerPtr network = Make("mtnet");
  const StateDict before = CopyOf(*network);
  StateDict weights = CopyOf(*network);
  for (auto& [name, tensor] : weights) tensor.zero_();
  weights.erase("branch1.bf1.weight");
  EXPECT_FALSE(LoadStateDict(weights, "", *network).ok());
  for (const auto& [name, tensor] : StateDictOf(*network)) {
    EXPECT_TRUE(tensor.equal(before.at(name))) << name;
  }
}

TEST(StateDictTest, OnlyTheCountOfBatchesMayBeMissing) {
  const LayerPtr network = Make("iqanet");
  StateDict weights = CopyOf(*network);
  ASSERT_EQ(weights.erase("bn1.num_batches_tracked"), 1U);
  EXPECT_TRUE(LoadStateDict(weights, "", *network).ok());
  weights.erase("bn1.running_var");
  EXPECT_THAT(LoadStateDict(weights, "", *network).message(), HasSubstr("bn1.running_var"));
}

TEST(StateDictTest, WeightsOfTrainingOnlyAreLeftOut) {
  const LayerPtr network = Make("mtnet");
  StateDict weights = CopyOf(*network);
  weights["loss.weight"] = at::ones({3});
  EXPECT_FALSE(LoadStateDict(weights, "", *network).ok());
  EXPECT_TRUE(LoadStateDict(weights, "loss.", *network).ok());
}

TEST(StateDictTest, HalvesAndDoublesBecomeFloats) {
  const LayerPtr network = Make("mtnet");
  StateDict weights = CopyOf(*network);
  weights["branch1.bf1.bias"] = at::ones({4}, at::kHalf);
  weights["branch2.bf1.bias"] = at::ones({3}, at::kDouble);
  ASSERT_TRUE(LoadStateDict(weights, "", *network).ok());
  const StateDict loaded = StateDictOf(*network);
  EXPECT_TRUE(loaded.at("branch1.bf1.bias").equal(at::ones({4})));
  EXPECT_EQ(loaded.at("branch2.bf1.bias").scalar_type(), at::kFloat);
}

TEST(StateDictTest, PrefixesOfWrappersAreTakenOffFromAllNamesOrNone) {
  const TempFolder folder;
  const std::filesystem::path file = folder.path() / "w.safetensors";
  ASSERT_TRUE(WriteSafetensors(file, {{"module._orig_mod.a", at::ones({1})},
                                      {"module._orig_mod.b", at::ones({1})}})
                  .ok());
  Result<StateDict> read = ReadStateDict(file);
  ASSERT_TRUE(read.ok());
  EXPECT_TRUE(read->contains("a") && read->contains("b"));
  ASSERT_TRUE(WriteSafetensors(file, {{"module.a", at::ones({1})}, {"b", at::ones({1})}}).ok());
  read = ReadStateDict(file);
  EXPECT_TRUE(read->contains("module.a"));
}

// Runs a few lines of Python in the environment that the build has; `file` is where they write.
void RunPython(const std::string& lines, const std::filesystem::path& file) {
  const std::string command =
      "'" XCLOUD_VENV "/bin/python' -W ignore -c '" + lines + "' '" + file.string() + "'";
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
}

TEST(StateDictTest, SaysWhatIsWrongWithFilesOfTorchSave) {
  const TempFolder folder;
  const auto file = [&](const char* name) { return folder.path() / name; };
  RunPython(R"(
import argparse, collections, sys, torch
def save(name, value, **how): torch.save(value, sys.argv[1] + "/" + name, **how)
w = torch.arange(6.).reshape(2, 3)
state = collections.OrderedDict(a=w.t(), b=w[1], c=torch.nn.Parameter(w[:1]))
save("good.pth", {"epoch": 3, "state_dict": state})
save("legacy.pth", {"a": w}, _use_new_zipfile_serialization=False)
save("object.pth", {"args": argparse.Namespace(lr=1), "state_dict": {"a": w}})
save("list.pth", [w])
)",
            folder.path());
  const Result<StateDict> good = ReadStateDict(file("good.pth"));
  ASSERT_TRUE(good.ok()) << good.status().ToString();
  const at::Tensor w = at::ones({6}).cumsum(0).sub(1).view({2, 3});
  EXPECT_TRUE(good->at("a").equal(w.t()));
  EXPECT_TRUE(good->at("b").equal(w[1]));
  EXPECT_TRUE(good->at("c").equal(w.narrow(0, 0, 1)));

  const auto why = [&](const char* name) { return ReadStateDict(file(name)).status().message(); };
  EXPECT_THAT(why("legacy.pth"),
              AllOf(HasSubstr("convert_checkpoint.py"), Not(HasSubstr(folder.path().string()))));
  EXPECT_THAT(why("object.pth"), HasSubstr("'argparse.Namespace'"));
  EXPECT_THAT(why("list.pth"), HasSubstr("no state dict"));
  EXPECT_THAT(why("absent.pth"), HasSubstr("no such file"));
  std::filesystem::resize_file(file("good.pth"), std::filesystem::file_size(file("good.pth")) / 2);
  EXPECT_THAT(why("good.pth"), HasSubstr("damaged"));
  folder.Write("empty.pth", "");
  EXPECT_THAT(why("empty.pth"), HasSubstr("neither"));
}

TEST(StateDictTest, ACheckpointOfAnotherNetworkIsRefusedByName) {
  const TempFolder folder;
  const std::filesystem::path file = folder.path() / "w.safetensors";
  ASSERT_TRUE(WriteSafetensors(file, StateDictOf(*Make("iqanet"))).ok());
  const auto loaded = LoadZooModule("iqacnn++", 1, file);
  EXPECT_THAT(loaded.status().message(),
              AllOf(HasSubstr("w.safetensors, read as iqacnn++"), HasSubstr("missing: "),
                    HasSubstr("bn2.weight"), HasSubstr("conv1.weight is [50, 3, 7, 7]")));
}

}  // namespace
}  // namespace xcloud::zoo
