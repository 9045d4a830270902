#include "models/signature.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace xcloud {
namespace {

std::string Text(const std::vector<TensorSpec>& specs) {
  std::string text;
  for (const TensorSpec& one : specs) {
    text += one.name + " " + std::string(DataTypeName(one.type)) + " " + ShapeText(one.dims) + ";";
  }
  return text;
}

ModelDefinition Photos() {
  ModelDefinition model;
  model.backend = "torchscript";
  model.labels = {"a", "b", "c"};
  model.preprocess.crop_height = 8;
  model.preprocess.crop_width = 6;
  return model;
}

TEST(SignatureTest, APhotoModelTakesWhatItsProtocolSectionDeclares) {
  ModelDefinition model = Photos();
  EXPECT_EQ(Text(InputSpecs(model)), "image BYTES [-1,1];");
  model.image_type = DataType::kUint8;
  EXPECT_EQ(Text(InputSpecs(model)), "image UINT8 [-1,8,6,3];");
  model.image_type = DataType::kFp32;
  EXPECT_EQ(Text(InputSpecs(model)), "image FP32 [-1,3,8,6];");
  model.preprocess.layout = TensorLayout::kNhwc;
  EXPECT_EQ(Text(InputSpecs(model)), "image FP32 [-1,8,6,3];");
  EXPECT_EQ(Text(OutputSpecs(model)), "probabilities FP32 [-1,3];");
}

TEST(SignatureTest, PlatformsAreTritonsWhereItHasThem) {
  ModelDefinition model = Photos();
  EXPECT_EQ(PlatformName(model), "pytorch_libtorch");
  model.backend = "null";
  EXPECT_EQ(PlatformName(model), "null");
  EXPECT_EQ(Text(OutputSpecs(model)), "probabilities FP32 [-1,3];");
}

TEST(SignatureTest, AnEchoModelGivesBackWhatItTakes) {
  ModelDefinition model;
  model.backend = "echo";
  model.echo = {{{"IN0", DataType::kBf16, {-1, 16}}, "OUT0"},
                {{"IN1", DataType::kBytes, {-1}}, "OUT1"}};
  EXPECT_EQ(PlatformName(model), "echo");
  EXPECT_EQ(Text(InputSpecs(model)), "IN0 BF16 [-1,16];IN1 BYTES [-1];");
  EXPECT_EQ(Text(OutputSpecs(model)), "OUT0 BF16 [-1,16];OUT1 BYTES [-1];");
}

}  // namespace
}  // namespace xcloud
