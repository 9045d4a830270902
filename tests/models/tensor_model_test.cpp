// Models of tensors and of values: what model.toml declares, what requests may hold, what is
// answered.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/input_check.h"
#include "models/item_request.h"
#include "models/model_definition.h"
#include "models/signature.h"

namespace xcloud {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kRating = R"(
group = "dm"
[input]
name = "features"
dims = [2, 3]
[output]
kind = "values"
name = "score"
dims = [1]
)";

ModelDefinition Rating() {
  const Result<ModelDefinition> model = ParseModelDefinition("rating", kRating, std::nullopt);
  EXPECT_TRUE(model.ok()) << model.status().message();
  return *model;
}

Tensor Features(std::vector<std::int64_t> shape, std::vector<float> values) {
  auto owner = std::make_shared<std::vector<float>>(std::move(values));
  const std::string_view bytes(reinterpret_cast<const char*>(owner->data()),
                               owner->size() * sizeof(float));
  return {"features", DataType::kFp32, std::move(shape), SharedBytes(owner, bytes)};
}

TEST(TensorModel, DeclaresItsInputAndOutput) {
  const ModelDefinition model = Rating();
  EXPECT_FALSE(model.takes_photos());
  EXPECT_EQ(model.item_values(), 6U);
  EXPECT_EQ(model.score_count(), 1U);
  EXPECT_EQ(model.group, "dm");
  EXPECT_EQ(InputSpecs(model).front().name, "features");
  EXPECT_THAT(InputSpecs(model).front().dims, ElementsAre(-1, 2, 3));
  EXPECT_EQ(OutputSpecs(model).front().name, "score");
  EXPECT_THAT(OutputSpecs(model).front().dims, ElementsAre(-1, 1));
}

TEST(TensorModel, RefusesWhatCannotBe) {
  const Result<ModelDefinition> model = ParseModelDefinition("m",
                                                             R"([input]
dims = [1.5]
[output]
name = "x"
)",
                                                             "cat\n");
  ASSERT_FALSE(model.ok());
  EXPECT_THAT(model.status().message(), HasSubstr("input.dims: must be whole numbers"));
  EXPECT_THAT(model.status().message(), HasSubstr("output.name: only with kind = \"values\""));
  EXPECT_FALSE(ParseModelDefinition("m", "[input]\nname = \"a\"\n", "cat\n").ok());
  EXPECT_FALSE(ParseModelDefinition("m", "[input]\ndims = [9000, 9000]\n", "cat\n").ok());
}

TEST(TensorModel, NeedsLabelsOnlyForLabels) {
  EXPECT_FALSE(ParseModelDefinition("m", "", std::nullopt).ok());
  const char* const pipeline = "[model]\nbackend = 'pipeline'\n[pipeline]\nkind = 'cbir'\n";
  EXPECT_TRUE(ParseModelDefinition("m", pipeline, std::nullopt).ok());
}

TEST(TensorModel, BackendOfAutoIsWhatTheFileSays) {
  const auto backend = [](const std::string& keys) {
    const Result<ModelDefinition> model = ParseModelDefinition("m", "[model]\n" + keys, "cat\n");
    return model.ok() ? std::string(model->reference_backend()) : model.status().message();
  };
  EXPECT_EQ(backend(""), "torchscript");
  EXPECT_EQ(backend("file = \"m.onnx\"\n"), "openvino");
  EXPECT_EQ(backend("file = \"m.pt2\"\n"), "aotinductor");
  EXPECT_EQ(backend("file = \"m.pth\"\nnetwork = \"resnet18\"\n"), "native");
  EXPECT_EQ(backend("file = \"m.bin\"\nbackend = \"openvino\"\n"), "openvino");
  EXPECT_THAT(backend("file = \"m.pth\"\n"), HasSubstr("need `network`"));
  EXPECT_THAT(backend("network = \"resnet18\"\n"), HasSubstr("only with backend = \"native\""));
}

TEST(TensorModel, TakesTheDeclaredTensorAndNoPhoto) {
  const ModelDefinition model = Rating();
  InferenceRequest request;
  request.answer = AnswerKind::kTensors;
  request.inputs = {Features({2, 2, 3}, std::vector<float>(12, 0.5F))};
  const Result<CheckedInputs> checked = CheckInputs(model, request);
  ASSERT_TRUE(checked.ok()) << checked.status().message();
  EXPECT_EQ(checked->items, 2U);
  EXPECT_EQ(checked->form, InputForm::kTensor);
  request.inputs = {Features({2, 3}, std::vector<float>(6, 0.5F))};
  EXPECT_THAT(CheckInputs(model, request).status().message(), HasSubstr("unexpected shape"));
  InferenceRequest photo;
  photo.image = SharedBytes(std::string("jpeg"));
  EXPECT_THAT(CheckInputs(model, photo).status().message(),
              HasSubstr("takes the input 'features', not photos"));
}

std::vector<InferenceResult> Answer(InferenceRequest request, std::size_t items,
                                    std::vector<float> scores) {
  auto model = std::make_shared<LoadedModel>();
  model->definition = Rating();
  model->output_size = model->definition.score_count();
  std::vector<InferenceResult> results;
  CheckedInputs inputs{InputForm::kTensor, items};
  ItemRequest item(model, std::move(request), inputs,
                   [&](InferenceResult result) { results.push_back(std::move(result)); });
  item.Answer(0, items, scores, {});
  return results;
}

TEST(TensorModel, AnswersItsValueByName) {
  InferenceRequest request;
  request.inputs = {Features({1, 2, 3}, std::vector<float>(6, 0.5F))};
  const auto results = Answer(request, 1, {4.25F});
  ASSERT_EQ(results.size(), 1U);
  ASSERT_TRUE(results[0].value.has_value());
  const AnswerValue* score = results[0].value->Find("score");
  ASSERT_NE(score, nullptr);
  ASSERT_NE(score->number(), nullptr);
  EXPECT_DOUBLE_EQ(score->number()->value, 4.25);
}

TEST(TensorModel, GivesItsOutputAsATensor) {
  InferenceRequest request;
  request.answer = AnswerKind::kTensors;
  request.inputs = {Features({2, 2, 3}, std::vector<float>(12, 0.5F))};
  const auto results = Answer(request, 2, {4.25F, -1.5F});
  ASSERT_EQ(results.size(), 1U);
  ASSERT_EQ(results[0].outputs.size(), 1U);
  const Tensor& score = results[0].outputs[0];
  EXPECT_EQ(score.name, "score");
  EXPECT_THAT(score.shape, ElementsAre(2, 1));
  std::array<float, 2> values{};
  ASSERT_EQ(score.data.size(), sizeof values);
  std::memcpy(values.data(), score.data.data(), sizeof values);
  EXPECT_THAT(values, ElementsAre(4.25F, -1.5F)) << "values pass no softmax";
}

TEST(TensorModel, ANumberThatIsNotFiniteIsAnError) {
  InferenceRequest request;
  request.inputs = {Features({1, 2, 3}, std::vector<float>(6, 0.5F))};
  const auto results = Answer(request, 1, {std::nanf("")});
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(results[0].status.code(), StatusCode::kInternal);
}

}  // namespace
}  // namespace xcloud
