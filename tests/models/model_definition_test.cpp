#include "models/model_definition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "tests/support/temp_folder.h"

namespace xcloud {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// What is wrong with `toml`, as one text; empty when nothing is.
std::string Errors(const std::string& toml) {
  return ParseModelDefinition("m", toml, "a\nb\n").status().message();
}

TEST(ModelDefinitionTest, AnEmptyFileHasEveryDefault) {
  const auto model = ParseModelDefinition("m", "", "a\nb\n");
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ(model->name, "m");
  EXPECT_EQ(model->title, "m") << "the folder's name stands in";
  EXPECT_EQ(model->backend, "auto");
  EXPECT_EQ(model->reference_backend(), "torchscript");
  EXPECT_EQ(model->file, "model.pt");
  EXPECT_EQ(model->preprocess.mode, ResizeMode::kShortSide);
  EXPECT_EQ(model->preprocess.resize_width, 256);
  EXPECT_EQ(model->preprocess.crop_width, 224);
  EXPECT_EQ(model->preprocess.crop_height, 224);
  EXPECT_EQ(model->preprocess.scale, PreprocessSpec().scale);
  EXPECT_EQ(model->preprocess.mean, PreprocessSpec().mean);
  EXPECT_EQ(model->preprocess.std, PreprocessSpec().std);
  EXPECT_EQ(model->activation, Activation::kSoftmax);
  EXPECT_EQ(model->answer.label_key, AnswerForm().label_key);
  EXPECT_EQ(model->answer.top_k, AnswerForm().top_k);
  EXPECT_EQ(model->batching.max_batch, 8U);
  EXPECT_EQ(model->batching.queue_capacity, BatchLimits().queue_capacity);
  EXPECT_EQ(model->batching.latency_goal, Duration::zero());
  EXPECT_FALSE(model->batching.defer);
  EXPECT_EQ(model->batching.priority, Priority::kNormal);
  EXPECT_EQ(model->batching.patience, BatchLimits().patience);
  EXPECT_THAT(model->labels, ElementsAre("a", "b"));
  EXPECT_TRUE(model->reduced_decode);
  EXPECT_FALSE(model->synthetic());
}

TEST(ModelDefinitionTest, ReadsHowItsRequestsWait) {
  const auto model = ParseModelDefinition(
      "m", "[batching]\ndefer = true\npriority = \"low\"\npatience_ms = 1500\n", "a\nb\n");
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_TRUE(model->batching.defer);
  EXPECT_EQ(model->batching.priority, Priority::kLow);
  EXPECT_EQ(model->batching.patience, std::chrono::milliseconds(1500));
  const auto high = ParseModelDefinition("m", "[batching]\npriority = \"high\"\n", "a\n");
  ASSERT_TRUE(high.ok()) << high.status().message();
  EXPECT_EQ(high->batching.priority, Priority::kHigh);
}

TEST(ModelDefinitionTest, ReadsHowItIsToldAndWritten) {
  const auto plain = ParseModelDefinition("m", "", "a\n");
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->image_type, DataType::kBytes);
  EXPECT_EQ(plain->answer.index_base, 0);
  EXPECT_FALSE(plain->answer.probability_first);
  const auto other = ParseModelDefinition("m", R"(
[answer]
index_base = 1
order = "probability_first"
[protocol]
input_type = "fp32"
)",
                                          "a\n");
  ASSERT_TRUE(other.ok()) << other.status().message();
  EXPECT_EQ(other->image_type, DataType::kFp32);
  EXPECT_EQ(other->answer.index_base, 1);
  EXPECT_TRUE(other->answer.probability_first);
  const auto pixels = ParseModelDefinition("m", "[protocol]\ninput_type = 'uint8'\n", "a\n");
  EXPECT_EQ(pixels->image_type, DataType::kUint8);
  EXPECT_THAT(Errors("[answer]\nindex_base = 2\n"), HasSubstr("answer.index_base"));
  EXPECT_THAT(Errors("[answer]\norder = 'random'\n"), HasSubstr("answer.order"));
  EXPECT_THAT(Errors("[protocol]\ninput_type = 'jpeg'\n"), HasSubstr("protocol.input_type"));
}

TEST(ModelDefinitionTest, ReadsEveryKey) {
  const auto model = ParseModelDefinition("m", R"(
title = "T"
description = "D"
source = "S"
[model]
backend = "null"
file = "net.pt"
[preprocess]
resize_mode = "squash"
resize_width = 300
resize_height = 310
crop_width = 200
crop_height = 210
color = "bgr"
layout = "nhwc"
scale = 1
mean = [104, 117, 123]
std = [1.0, 2.0, 3.0]
reduced_decode = false
[answer]
activation = "none"
label_key = "type"
index_key = "id"
probability_key = "probability"
decimals = 2
top_k = 3
threshold = 0.25
[batching]
max_batch = 16
queue_capacity = 32
max_queue_delay_ms = 1.5
[latency]
goal_ms = 250
[null]
base_ms = 4
item_ms = 0.25
)",
                                          "a\nb\n");
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ(model->title, "T");
  EXPECT_EQ(model->description, "D");
  EXPECT_EQ(model->source, "S");
  EXPECT_EQ(model->file, "net.pt");
  EXPECT_EQ(model->preprocess.mode, ResizeMode::kSquash);
  EXPECT_EQ(model->preprocess.resize_width, 300);
  EXPECT_EQ(model->preprocess.resize_height, 310);
  EXPECT_EQ(model->preprocess.crop_width, 200);
  EXPECT_EQ(model->preprocess.crop_height, 210);
  EXPECT_EQ(model->preprocess.color, ColorOrder::kBgr);
  EXPECT_EQ(model->preprocess.layout, TensorLayout::kNhwc);
  EXPECT_EQ(model->preprocess.scale, 1.0F);
  EXPECT_THAT(model->preprocess.mean, ElementsAre(104.0F, 117.0F, 123.0F));
  EXPECT_THAT(model->preprocess.std, ElementsAre(1.0F, 2.0F, 3.0F));
  EXPECT_FALSE(model->reduced_decode);
  EXPECT_EQ(model->activation, Activation::kNone);
  EXPECT_EQ(model->answer.label_key, "type");
  EXPECT_EQ(model->answer.index_key, "id");
  EXPECT_EQ(model->answer.probability_key, "probability");
  EXPECT_EQ(model->answer.decimals, 2);
  EXPECT_EQ(model->answer.top_k, 3);
  EXPECT_EQ(model->answer.threshold, 0.25);
  EXPECT_EQ(model->batching.max_batch, 16U);
  EXPECT_EQ(model->batching.queue_capacity, 32U);
  EXPECT_EQ(model->batching.max_queue_delay, std::chrono::microseconds(1500));
  EXPECT_EQ(model->batching.latency_goal, std::chrono::milliseconds(250));
  EXPECT_EQ(model->null_backend.base_ms, 4.0);
  EXPECT_EQ(model->null_backend.item_ms, 0.25);
  EXPECT_TRUE(model->synthetic());
}

TEST(ModelDefinitionTest, NamesEveryWrongKeyWithFileAndLine) {
  EXPECT_EQ(Errors("titel = 'x'\n"
                   "[model]\n"
                   "backend = 'tensorflow'\n"
                   "[preprocess]\n"
                   "crop = 'big'\n"
                   "mean = [1, 2]\n"
                   "std = [1, 0, 1]\n"
                   "[answer]\n"
                   "threshold = 2\n"
                   "[batching]\n"
                   "max_batch = 0\n"
                   "[latency]\n"
                   "goal_ms = -1\n"
                   "[extra]\n"),
            "m/model.toml:3: model.backend: must be one of 'auto' 'torchscript' 'openvino' "
            "'aotinductor' 'native' 'null' 'echo' 'brisque' 'pipeline', is "
            "'tensorflow'\n"
            "m/model.toml:5: preprocess.crop: must be a whole number\n"
            "m/model.toml:6: preprocess.mean: must have 3 numbers, has 2\n"
            "m/model.toml:7: preprocess.std: each must be a number from 1e-06 to 10000\n"
            "m/model.toml:9: answer.threshold: must be 0 to 1, is 2\n"
            "m/model.toml:11: batching.max_batch: must be 1 to 1024, is 0\n"
            "m/model.toml:13: latency.goal_ms: must be 0 to 3.6e+06, is -1\n"
            "m/model.toml:14: extra: unknown key\n"
            "m/model.toml:1: titel: unknown key; did you mean 'title'?");
}

TEST(ModelDefinitionTest, RefusesKeysThatDoNotFitTogether) {
  EXPECT_THAT(Errors("[preprocess]\nresize = 200\n"),
              HasSubstr("m/model.toml:2: preprocess.resize: the crop of 224 x 224 does not fit "
                        "into the resized photo of 200 x 200"));
  EXPECT_THAT(Errors("[preprocess]\nresize_width = 300\n"),
              HasSubstr("m/model.toml:2: preprocess.resize_width: only with resize_mode"));
  EXPECT_THAT(Errors("[batching]\nmax_batch = 300\n"),
              HasSubstr("m/model.toml:2: batching.max_batch: a queue of 256 cannot hold"));
  EXPECT_THAT(Errors("[answer]\nlabel_key = 'prob'\n"),
              HasSubstr("answer.probability_key: must differ from label_key"));
  EXPECT_THAT(Errors("[answer]\nindex_key = 'prob'\n"),
              HasSubstr("m/model.toml:2: answer.index_key: must differ"));
  EXPECT_THAT(Errors("[answer]\nlabel_key = ''\n"),
              HasSubstr("m/model.toml:2: answer.label_key: must not be empty"));
  EXPECT_THAT(Errors("[null]\nbase_ms = 1\n"),
              HasSubstr("m/model.toml:1: null: only with backend = \"null\""));
}

TEST(ModelDefinitionTest, TheWeightsFileCannotLieElsewhere) {
  for (const char* file : {"", "../model.pt", "/etc/passwd", "a/b.pt", "..", ".hidden", "a\\\\b"}) {
    EXPECT_THAT(Errors("[model]\nfile = \"" + std::string(file) + "\"\n"),
                HasSubstr("m/model.toml:2: model.file: must be the name of a file"))
        << file;
  }
}

TEST(ModelDefinitionTest, TellsWrongTomlAndWrongLabelsTogether) {
  const auto model = ParseModelDefinition("m", "a = = 1\n", "a\n\nb\n");
  ASSERT_FALSE(model.ok());
  EXPECT_THAT(model.status().message(), HasSubstr("m/model.toml:1:"));
  EXPECT_THAT(model.status().message(), HasSubstr("m/labels.txt:2: must not be blank"));
}

TEST(ModelDefinitionTest, ReadsAFolderAndNamesTheFilesThatItLacks) {
  const TempFolder root;
  root.Write("full/model.toml", "title = 'Full'\n");
  root.Write("full/labels.txt", "a\n");
  root.Write("empty/readme", "");
  const auto full = ReadModelDefinition(root.path() / "full");
  ASSERT_TRUE(full.ok()) << full.status().message();
  EXPECT_EQ(full->title, "Full");
  EXPECT_EQ(full->folder, root.path() / "full");
  const auto empty = ReadModelDefinition(root.path() / "empty");
  EXPECT_THAT(empty.status().message(), HasSubstr("empty/model.toml: there is no such file"));
  EXPECT_THAT(empty.status().message(), HasSubstr("empty/labels.txt: there is no such file"));
}

TEST(IsModelNameTest, AllowsOnlyWhatIsSafeInPathsAndRoutes) {
  for (const char* good : {"imagenet", "a", "5", "face_search-2"}) EXPECT_TRUE(IsModelName(good));
  for (const char* bad : {"", ".", "..", "A", "a b", "a/b", "\xC3\xA9", "a.b", "%2e"}) {
    EXPECT_FALSE(IsModelName(bad)) << bad;
  }
}

TEST(ModelDefinitionTest, TheShippedModelsAreValid) {
  const std::string root = XCLOUD_SOURCE_DIR;
  for (const auto& [folder, labels] : {std::pair{"/configs/models/imagenet", 1000U},
                                       {"/configs/models/nsfw", 2U},
                                       {"/bench/models/null", 4U},
                                       {"/bench/models/null5", 4U}}) {
    const auto model = ReadModelDefinition(root + folder);
    ASSERT_TRUE(model.ok()) << model.status().message();
    EXPECT_EQ(model->labels.size(), labels);
    EXPECT_FALSE(model->title.empty());
    EXPECT_FALSE(model->source.empty());
  }
}

TEST(ModelDefinitionTest, TheReadmeListsEveryKeyAsDeclared) {
  std::ifstream in(std::string(XCLOUD_SOURCE_DIR) + "/models/README.md");
  std::ostringstream text;
  text << in.rdbuf();
  EXPECT_THAT(text.str(), HasSubstr(DescribeModelToml()))
      << "paste the output of 'xcloud model-keys' into models/README.md";
}

}  // namespace
}  // namespace xcloud
