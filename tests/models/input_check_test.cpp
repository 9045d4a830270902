#include "models/input_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace xcloud {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

using Shape = std::vector<std::int64_t>;

class InputCheckTest : public ::testing::Test {
 protected:
  InputCheckTest() {
    model_.name = "x";
    model_.backend = "torchscript";
    model_.labels = {"a", "b"};
    model_.preprocess.crop_height = 2;
    model_.preprocess.crop_width = 4;
  }
  static Tensor Image(DataType type, Shape shape, std::string data) {
    return {"image", type, std::move(shape), std::move(data)};
  }
  static Tensor Strings(Shape shape, const std::vector<std::string>& strings) {
    std::string data;
    for (const std::string& one : strings) AppendBytesElement(data, one);
    return Image(DataType::kBytes, std::move(shape), std::move(data));
  }
  // An echo model of these inputs.
  void Echo(std::vector<TensorSpec> inputs) {
    model_.backend = "echo";
    for (TensorSpec& input : inputs) model_.echo.push_back({std::move(input), "out"});
  }
  Result<CheckedInputs> Check(std::vector<Tensor> inputs,
                              AnswerKind answer = AnswerKind::kTensors) const {
    InferenceRequest request;
    request.inputs = std::move(inputs);
    request.answer = answer;
    return CheckInputs(model_, request);
  }
  std::string Why(std::vector<Tensor> inputs, AnswerKind answer = AnswerKind::kTensors) const {
    const auto checked = Check(std::move(inputs), answer);
    EXPECT_EQ(checked.status().code(), StatusCode::kInvalidArgument);
    return checked.status().message();
  }
  void ExpectItems(const Tensor& input, InputForm form, std::size_t items) const {
    const auto checked = Check({input});
    ASSERT_TRUE(checked.ok()) << checked.status().message();
    EXPECT_EQ(checked->form, form);
    EXPECT_EQ(checked->items, items);
  }

  ModelDefinition model_;
};

TEST_F(InputCheckTest, APhotoModelTakesThreeTypesInItsShapes) {
  ExpectItems(Strings({2}, {"jpeg", ""}), InputForm::kPhotos, 2);
  ExpectItems(Strings({2, 1}, {"jpeg", "png"}), InputForm::kPhotos, 2);
  ExpectItems(Image(DataType::kUint8, {3, 2, 4, 3}, std::string(72, 'p')), InputForm::kPixels, 3);
  ExpectItems(Image(DataType::kFp32, {1, 3, 2, 4}, std::string(96, 'f')), InputForm::kTensor, 1);
}

TEST_F(InputCheckTest, ATensorHasTheNetworksLayout) {
  model_.preprocess.layout = TensorLayout::kNhwc;
  ExpectItems(Image(DataType::kFp32, {2, 2, 4, 3}, std::string(192, 'f')), InputForm::kTensor, 2);
  EXPECT_THAT(Why({Image(DataType::kFp32, {1, 3, 2, 4}, std::string(96, 'f'))}),
              HasSubstr("Expected [-1,2,4,3], got [1,3,2,4]"));
}

TEST_F(InputCheckTest, APhotoByItselfIsOneItemWhateverIsInIt) {
  InferenceRequest request;
  request.image = "jpeg";
  for (const AnswerKind answer : {AnswerKind::kPredictions, AnswerKind::kTensors}) {
    request.answer = answer;
    const auto checked = CheckInputs(model_, request);
    ASSERT_TRUE(checked.ok());
    EXPECT_EQ(checked->form, InputForm::kPhotos);
    EXPECT_EQ(checked->items, 1U);
  }
  request.inputs.push_back(Strings({1}, {"png"}));
  EXPECT_EQ(CheckInputs(model_, request).status().message(),
            "a request holds a photo or inputs, not both");
}

TEST_F(InputCheckTest, LabelsAreForOnePhoto) {
  EXPECT_TRUE(Check({Strings({1}, {"jpeg"})}, AnswerKind::kPredictions).ok());
  EXPECT_THAT(Why({Strings({2}, {"jpeg", "png"})}, AnswerKind::kPredictions),
              HasSubstr("this request holds 2"));
}

TEST_F(InputCheckTest, ATensorOfNumbersIsFinite) {
  using Limits = std::numeric_limits<float>;
  constexpr std::size_t kItem = 3UL * 20 * 30;  // longer than what is looked at in one go
  model_.preprocess.crop_height = 20;
  model_.preprocess.crop_width = 30;
  const auto check = [&](std::size_t at, float value) {
    std::vector<float> values(2 * kItem, -1.5F);
    values[at] = value;
    std::string data(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
    return Check({Image(DataType::kFp32, {2, 3, 20, 30}, std::move(data))}).status();
  };
  for (const std::size_t at : {std::size_t{0}, std::size_t{1030}, 2 * kItem - 1}) {
    for (const float value : {Limits::quiet_NaN(), -Limits::quiet_NaN(), Limits::signaling_NaN(),
                              Limits::infinity(), -Limits::infinity()}) {
      EXPECT_EQ(check(at, value),
                Status::InvalidArgument("NaN or infinity for input 'image' for model 'x': its "
                                        "values are to be finite"))
          << value << " at " << at;
    }
    for (const float value : {Limits::max(), Limits::lowest(), Limits::denorm_min(), 0.0F, -0.0F}) {
      EXPECT_TRUE(check(at, value).ok()) << value << " at " << at;
    }
  }
}

TEST_F(InputCheckTest, AnEchoModelTakesAnyNumber) {
  Echo({{"A", DataType::kFp32, {-1}}});
  EXPECT_TRUE(Check({{"A", DataType::kFp32, {1}, std::string(4, '\xff')}}).ok());
}

// The sentences of Triton's own clients and tests.

TEST_F(InputCheckTest, MissingInputsAreNamed) {
  EXPECT_EQ(Why({}),
            "expected 1 inputs but got 0 inputs for model 'x'. Got input(s) [], but missing "
            "required input(s) ['image']. Please provide all required input(s).");
  Echo({{"A", DataType::kInt32, {-1}}, {"B", DataType::kInt32, {-1}}});
  EXPECT_EQ(Why({{"A", DataType::kInt32, {1}, std::string(4, '\0')}}),
            "expected 2 inputs but got 1 inputs for model 'x'. Got input(s) ['A'], but missing "
            "required input(s) ['B']. Please provide all required input(s).");
}

TEST_F(InputCheckTest, UnknownAndRepeatedInputsAreNamed) {
  Tensor foo = Strings({1}, {"jpeg"});
  foo.name = "foo";
  EXPECT_EQ(Why({foo}), "unexpected inference input 'foo' for model 'x'");
  EXPECT_EQ(Why({Strings({1}, {"jpeg"}), foo}), "unexpected inference input 'foo' for model 'x'");
  EXPECT_EQ(Why({Strings({1}, {"a"}), Strings({1}, {"b"})}),
            "input 'image' already exists in request");
}

TEST_F(InputCheckTest, AWrongTypeNamesThoseThatAreTaken) {
  EXPECT_EQ(Why({Image(DataType::kInt8, {1}, "x")}),
            "inference input 'image' data-type is 'INT8', but model 'x' expects 'BYTES', 'UINT8' "
            "or 'FP32'");
  Echo({{"A", DataType::kBf16, {-1}}});
  EXPECT_EQ(Why({{"A", DataType::kFp16, {1}, "xx"}}),
            "inference input 'A' data-type is 'FP16', but model 'x' expects 'BF16'");
}

TEST_F(InputCheckTest, AWrongShapeTellsTheRightOne) {
  EXPECT_THAT(Why({Strings({2, 7}, {})}),
              StartsWith("unexpected shape for input 'image' for model 'x'. Expected [-1,1], got "
                         "[2,7]."));
  EXPECT_THAT(Why({Strings({}, {})}), HasSubstr("Expected [-1,1], got []."));
  EXPECT_THAT(Why({Strings({-1}, {})}), HasSubstr("got [-1]."));
  EXPECT_THAT(Why({Image(DataType::kUint8, {2, 4, 3}, std::string(24, 'p'))}),
              HasSubstr("Expected [-1,2,4,3], got [2,4,3]."));
  EXPECT_THAT(Why({Strings({0}, {})}), HasSubstr("[0] holds no items"));
}

TEST_F(InputCheckTest, DataAsLongAsItsShapeSays) {
  EXPECT_EQ(Why({Image(DataType::kUint8, {1, 2, 4, 3}, std::string(8, 'p'))}),
            "input byte size mismatch for input 'image' for model 'x'. Expected 24, got 8");
  Echo({{"A", DataType::kFp64, {-1, -1, -1}}});
  const std::int64_t large = std::int64_t{1} << 31;
  EXPECT_THAT(Why({{"A", DataType::kFp64, {large, large, 1}, "x"}}),
              HasSubstr("has too many elements"))
      << "2^62 elements fit, their 2^65 bytes do not";
  EXPECT_THAT(Why({{"A", DataType::kFp64, {large, large, large}, "x"}}),
              HasSubstr("has too many elements"));
}

TEST_F(InputCheckTest, StringsAreCountedAndWhole) {
  EXPECT_EQ(Why({Strings({1}, {"a", "b"})}),
            "expected 1 strings for inference input 'image', got 2");
  EXPECT_EQ(Why({Strings({1}, {"a", "b", "c"})}),
            "expected 1 strings for inference input 'image', got 2 or more");
  EXPECT_EQ(Why({Strings({3}, {"a", "b"})}),
            "expected 3 strings for inference input 'image', got 2");
  EXPECT_EQ(Why({Image(DataType::kBytes, {1}, "abc")}),
            "incomplete string length indicator for inference input 'image', expecting 4 bytes but "
            "only 3 bytes available");
  EXPECT_EQ(Why({Image(DataType::kBytes, {1}, std::string("\x05\0\0\0abc", 7))}),
            "incomplete string data for inference input 'image', expecting string of length 5 but "
            "only 3 bytes available");
}

TEST_F(InputCheckTest, AnEchoModelTakesItsOwnInputsInAnyOrder) {
  Echo({{"A", DataType::kInt32, {-1, 2}}, {"B", DataType::kBytes, {-1}}});
  const Tensor a{"A", DataType::kInt32, {3, 2}, std::string(24, 'a')};
  Tensor b = Strings({3}, {"x", "", "z"});
  b.name = "B";
  const auto checked = Check({b, a});
  ASSERT_TRUE(checked.ok()) << checked.status().message();
  EXPECT_EQ(checked->form, InputForm::kEchoed);
  EXPECT_EQ(checked->items, 3U);
  b = Strings({2}, {"x", "y"});
  b.name = "B";
  EXPECT_EQ(Why({a, b}), "input 'B' batch size does not match other inputs for 'x'");
}

TEST_F(InputCheckTest, AMessageDoesNotRepeatWhatIsLong) {
  const std::string name(1'000'000, 'n');
  std::vector<Tensor> many;
  for (int i = 0; i < 1000; ++i) many.push_back({name, DataType::kFp32, {1}, "abcd"});
  EXPECT_LT(Why(many).size(), 2000U);
  many.resize(1);
  EXPECT_LT(Why(many).size(), 500U);
  EXPECT_LT(Why({Image(DataType::kFp32, Shape(50'000, 1), "abcd")}).size(), 500U);
}

TEST_F(InputCheckTest, AnEchoModelTakesNoPhotosAndGivesNoLabels) {
  Echo({{"A", DataType::kInt32, {-1}}});
  InferenceRequest request;
  request.image = "jpeg";
  EXPECT_THAT(CheckInputs(model_, request).status().message(),
              HasSubstr("model 'x' takes tensors, not photos"));
  EXPECT_THAT(Why({{"A", DataType::kInt32, {1}, "abcd"}}, AnswerKind::kPredictions),
              HasSubstr("takes tensors, not photos"));
}

}  // namespace
}  // namespace xcloud
