// The brisque backend against what is known of the measure: blur and noise make a photo worse. With
// OpenCV's own model file (Debian: opencv-data).
#include "models/brisque_backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include <opencv2/imgproc.hpp>

#include "models/input_check.h"
#include "tests/support/temp_folder.h"

namespace xcloud {
namespace {

using ::testing::HasSubstr;

constexpr int kSide = 256;
const std::filesystem::path kModel = "/usr/share/opencv4/quality/brisque_model_live.yml";

ModelDefinition Definition() {
  ModelDefinition model;
  model.name = "iqa";
  model.backend = "brisque";
  model.preprocess.crop_width = model.preprocess.crop_height = kSide;
  model.values_output = TensorSpec{"brisque", DataType::kFp32, {-1, 1}};
  return model;
}

// Something like a photo: shapes with edges and shading, and a little grain.
cv::Mat Scene() {
  cv::Mat scene(kSide, kSide, CV_8UC3);
  std::mt19937 random(3);
  std::normal_distribution<float> grain(0, 3);
  for (int y = 0; y < kSide; ++y) {
    for (int x = 0; x < kSide; ++x) {
      const int shade = 60 + (x * 120) / kSide + ((x / 40 + y / 56) % 2) * 50;
      const auto level = cv::saturate_cast<std::uint8_t>(static_cast<float>(shade) + grain(random));
      scene.at<cv::Vec3b>(y, x) = {level, level, static_cast<std::uint8_t>(255 - level)};
    }
  }
  cv::circle(scene, {90, 120}, 48, {200, 60, 40}, cv::FILLED, cv::LINE_AA);
  cv::GaussianBlur(scene, scene, {3, 3}, 0.7);
  return scene;
}

class BrisqueTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kModel)) GTEST_SKIP() << "needs Debian's opencv-data: " << kModel;
    auto networks = MakeBrisqueNetworks(Definition(), kModel, 1);
    ASSERT_TRUE(networks.ok()) << networks.status().message();
    network_ = std::move(networks->front());
  }
  float Score(const cv::Mat& photo) {
    const NetworkItem item{photo.data, nullptr, nullptr};
    float score = -1;
    const Status status = network_->Run(0, {&item, 1}, 1, &score);
    EXPECT_TRUE(status.ok()) << status.message();
    return score;
  }
  std::unique_ptr<Network> network_;
};

TEST_F(BrisqueTest, BlurAndNoiseMakeAPhotoWorse) {
  const cv::Mat scene = Scene();
  cv::Mat blurred;
  cv::GaussianBlur(scene, blurred, {0, 0}, 4);
  cv::Mat noisy = scene.clone();
  cv::Mat noise(scene.size(), CV_8UC3);
  cv::RNG random(5);
  random.fill(noise, cv::RNG::UNIFORM, 0, 120);
  noisy += noise;
  const float good = Score(scene);
  EXPECT_GE(good, 0);
  EXPECT_GT(Score(blurred), good + 10);
  EXPECT_GT(Score(noisy), good + 10);
  EXPECT_FLOAT_EQ(Score(scene), good) << "it keeps nothing of the photo before";
}

TEST_F(BrisqueTest, AnEmptyPhotoIsTheWorst) {
  EXPECT_FLOAT_EQ(Score(cv::Mat(kSide, kSide, CV_8UC3, cv::Scalar::all(7))), 100);
}

TEST_F(BrisqueTest, EachItemOfABatchHasItsOwnScore) {
  const cv::Mat scene = Scene();
  cv::Mat blurred;
  cv::GaussianBlur(scene, blurred, {0, 0}, 4);
  const NetworkItem items[] = {{scene.data, nullptr, nullptr}, {blurred.data, nullptr, nullptr}};
  float scores[2] = {};
  ASSERT_TRUE(network_->Run(1, items, 2, scores).ok());
  EXPECT_FLOAT_EQ(scores[0], Score(scene));
  EXPECT_FLOAT_EQ(scores[1], Score(blurred));
}

TEST(BrisqueInputTest, ATensorOfANetworkIsRefused) {
  InferenceRequest request;
  request.answer = AnswerKind::kTensors;
  request.inputs = {{"image", DataType::kFp32, {1, 3, kSide, kSide}, {}}};
  EXPECT_THAT(CheckInputs(Definition(), request).status().message(),
              HasSubstr("expects 'BYTES' or 'UINT8'"));
}

TEST(BrisqueFilesTest, WhatIsNoModelIsSaidSo) {
  TempFolder folder;
  folder.Write("1/brisque_model_x.yml", "%YAML:1.0\n---\n");
  const auto file = folder.path() / "1" / "brisque_model_x.yml";
  EXPECT_THAT(MakeBrisqueNetworks(Definition(), file, 1).status().message(),
              HasSubstr("iqa/1/brisque_range_x.yml: no such file"));
  folder.Write("1/brisque_range_x.yml", "nothing");
  EXPECT_THAT(MakeBrisqueNetworks(Definition(), file, 1).status().message(),
              HasSubstr("iqa/1/brisque_model_x.yml: not a BRISQUE model"));
  ModelDefinition labels = Definition();
  labels.values_output.reset();
  EXPECT_THAT(MakeBrisqueNetworks(labels, file, 1).status().message(), HasSubstr("one value"));
}

}  // namespace
}  // namespace xcloud
