// facesearch, faces and fbp over puppet networks: every step's geometry, and every answer's form.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

#include "tests/models/pipeline/face_photos.h"
#include "tests/models/pipeline/pipeline_fixture.h"

namespace xcloud {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Patch kWhite{60, 40, 50, 255, 255, 255};

// The mean of each colour, so faces of one colour are alike.
Result<std::vector<float>> Colours(const PuppetModels::Question& question) {
  std::vector<float> mean(3);
  const std::size_t plane = question.values.size() / 3;
  for (std::size_t c = 0; c < 3; ++c) {
    const auto begin = question.values.begin() + static_cast<std::ptrdiff_t>(c * plane);
    mean[c] = std::accumulate(begin, begin + static_cast<std::ptrdiff_t>(plane), 0.6F * plane) /
              static_cast<float>(plane);
  }
  return mean;
}

std::vector<std::int64_t> Integers(const AnswerValue& list) {
  std::vector<std::int64_t> numbers;
  for (const AnswerValue& one : *list.list()) numbers.push_back(*one.integer());
  return numbers;
}

const AnswerValue* Beside(const InferenceResult& result, std::string_view name) {
  for (const auto& [key, value] : result.beside) {
    if (key == name) return &value;
  }
  return nullptr;
}

class FaceServicesTest : public PipelineTest {
 protected:
  FaceServicesTest() {
    AddFaceModels(models_);
    models_.Add("face_embedding", {3, 150, 150}, Colours);
    for (const char* kind : {"facesearch", "faces", "fbp"}) AddPipeline(kind);
  }
  // `tolerance`: pixels.
  static void ExpectBox(const AnswerValue* box, const Patch& patch, double tolerance) {
    ASSERT_NE(box, nullptr);
    const std::vector<std::int64_t> sides = Integers(*box);
    ASSERT_EQ(sides.size(), 4U);
    EXPECT_NEAR(double(sides[0]), patch.x, tolerance);
    EXPECT_NEAR(double(sides[1]), patch.y, tolerance);
    EXPECT_NEAR(double(sides[2]), patch.side, tolerance);
    EXPECT_NEAR(double(sides[3]), patch.side, tolerance);
  }
};

TEST_F(FaceServicesTest, FindsFacesWhereTheyAre) {
  Serve();
  const Patch small{20, 130, 24, 255, 255, 255};
  const InferenceResult found = Ask(Request("faces", PatchPhoto(200, 170, {kWhite, small})));
  ASSERT_TRUE(found.status.ok()) << found.status.message();
  const AnswerValue::Array& faces = *found.value->list();
  ASSERT_EQ(faces.size(), 2U);
  const bool first = Integers(*faces[0].Find("box"))[2] > 40;
  ExpectBox(faces[first ? 0 : 1].Find("box"), kWhite, 2);
  ExpectBox(faces[first ? 1 : 0].Find("box"), small, 2);
  const AnswerValue* eye = faces[first ? 0 : 1].Find("keypoints")->Find("left_eye");
  EXPECT_NEAR(double(Integers(*eye)[0]), 60 + 0.3 * 50, 3);
  EXPECT_NEAR(double(Integers(*eye)[1]), 40 + 0.4 * 50, 3);
  EXPECT_THAT(models_.asked(), ::testing::Contains("mtcnn_pnet 1"));
}

// Shrunk to be looked at, told in the caller's pixels.
TEST_F(FaceServicesTest, TellsPixelsOfTheCallersPhoto) {
  Serve();
  const Patch large{1500, 400, 700, 255, 255, 255};
  const InferenceResult found = Ask(Request("faces", PatchPhoto(2600, 1400, {large})));
  ASSERT_TRUE(found.status.ok()) << found.status.message();
  ASSERT_EQ(found.value->list()->size(), 1U);
  ExpectBox(found.value->list()->front().Find("box"), large, 20);
}

TEST_F(FaceServicesTest, LooksAtSmallPhotosToo) {
  Serve();
  const Patch tiny{8, 8, 20, 255, 255, 255};
  const InferenceResult found = Ask(Request("faces", PatchPhoto(36, 36, {tiny})));
  ASSERT_TRUE(found.status.ok()) << found.status.message();
  ASSERT_EQ(found.value->list()->size(), 1U);
  ExpectBox(found.value->list()->front().Find("box"), tiny, 2);
}

TEST_F(FaceServicesTest, APhotoWithoutAFaceSaysSo) {
  Serve();
  for (const char* service : {"faces", "facesearch"}) {
    const InferenceResult none = Ask(Request(service, PatchPhoto(120, 100, {})));
    ASSERT_TRUE(none.status.ok());
    EXPECT_EQ(none.code, 3);
    EXPECT_EQ(none.message, "None face is detected");
    EXPECT_THAT(*none.value->list(), IsEmpty());
  }
  EXPECT_THAT(models_.asked(), ElementsAre("mtcnn_pnet 1", "mtcnn_pnet 1")) << "and asks no more";
  const InferenceResult odd = Ask(Request("faces", PatchPhoto(1, 300, {})));
  EXPECT_EQ(odd.code, 3) << "too thin for a face";
}

TEST_F(FaceServicesTest, APhotoWithoutAFaceIsNotEnrolled) {
  Serve();
  const InferenceResult none =
      Ask(About("facesearch", ServiceAction::kEnrol, "anna", PatchPhoto(120, 100, {})));
  EXPECT_EQ(none.status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(none.status.message(), "no face was found in the photo");
  const InferenceResult entries = Ask(About("facesearch", ServiceAction::kEntries, ""));
  EXPECT_THAT(*entries.value->Find("entries")->list(), IsEmpty());
}

TEST_F(FaceServicesTest, SearchesByTheLargestFace) {
  Serve();
  const auto enrol = [&](const std::string& id, int red, int green, int blue) {
    const auto result = Ask(About("facesearch", ServiceAction::kEnrol, id,
                                  PatchPhoto(160, 160, {{50, 50, 60, red, green, blue}})));
    ASSERT_TRUE(result.status.ok()) << result.status.message();
    ASSERT_NE(Beside(result, "box"), nullptr);
  };
  enrol("red", 255, 0, 0);
  enrol("green", 0, 255, 0);
  enrol("blue", 0, 0, 255);
  EXPECT_EQ(server_->Find("facesearch")->answer.data_key, "results");
  EXPECT_EQ(server_->Find("facesearch")->answer.message, "Success");
  const Patch greenish{70, 50, 80, 40, 250, 30};
  const InferenceResult found =
      Ask(Request("facesearch", PatchPhoto(260, 200, {greenish, {10, 10, 30, 255, 0, 0}})));
  ASSERT_TRUE(found.status.ok()) << found.status.message();
  const AnswerValue::Array& results = *found.value->list();
  ASSERT_EQ(results.size(), 3U);
  EXPECT_EQ(*results[0].list()->at(0).text(), "green");
  EXPECT_GT(results[0].list()->at(1).number()->value, 0.95);
  EXPECT_LT(results[1].list()->at(1).number()->value, results[0].list()->at(1).number()->value);
  ExpectBox(Beside(found, "box"), greenish, 7);
  ASSERT_NE(Beside(found, "distances"), nullptr);
  EXPECT_EQ(Beside(found, "distances")->list()->size(), 3U);
}

TEST_F(FaceServicesTest, AgeAndGenderAreTheModelsWhereTheyAre) {
  models_.Add("age", {3, 64, 64}, [](const PuppetModels::Question& question) {
    std::vector<float> ages(question.items * 81, 0.0F);
    for (std::size_t i = 0; i < question.items; ++i) {
      ages[i * 81] = 0.2F;
      ages[i * 81 + 30] = 0.8F;
    }
    return Result<std::vector<float>>(ages);
  });
  Serve();
  InferenceResult found = Ask(Request("faces", PatchPhoto(200, 170, {kWhite})));
  ASSERT_TRUE(found.status.ok()) << found.status.message();
  const AnswerValue& face = found.value->list()->front();
  ASSERT_NE(face.Find("age"), nullptr);
  EXPECT_NEAR(face.Find("age")->number()->value, 0.2 * 0.25 + 0.8 * 30, 1e-4);
  EXPECT_EQ(face.Find("gender"), nullptr);
  ASSERT_NE(Beside(found, "missing"), nullptr);
  EXPECT_NE(Beside(found, "missing")->Find("gender"), nullptr);
  EXPECT_EQ(Beside(found, "missing")->Find("age"), nullptr);
  models_.Add("gender", {3, 32, 32}, [](const PuppetModels::Question& question) {
    std::vector<float> values;
    for (std::size_t i = 0; i < question.items; ++i) values.insert(values.end(), {0.75F, 0.25F});
    return Result<std::vector<float>>(values);
  });
  found = Ask(Request("faces", PatchPhoto(200, 170, {kWhite})));
  EXPECT_EQ(*found.value->list()->front().Find("gender")->text(), "female");
  EXPECT_EQ(found.value->list()->front().Find("gender_probability")->number()->value, 0.75);
  EXPECT_EQ(Beside(found, "missing"), nullptr);
}

TEST_F(FaceServicesTest, BeautyHasNoWeightsAndSaysSo) {
  Serve();
  EXPECT_EQ(server_->Find("fbp")->state, ServiceState::kNoWeights);
  EXPECT_THAT(server_->Find("fbp")->reason, HasSubstr("fbp_beauty"));
  const InferenceResult refused = Ask(Request("fbp", PatchPhoto(200, 170, {kWhite})));
  EXPECT_EQ(refused.status.code(), StatusCode::kUnavailable);
  EXPECT_FALSE(refused.value.has_value());
}

TEST_F(FaceServicesTest, BeautyIsRatedOnTheBoxWithItsMargin) {
  std::vector<std::int64_t> shape;
  std::string pixels;
  models_.Add("fbp_beauty", {}, [&](const PuppetModels::Question& question) {
    shape = question.request.inputs.front().shape;
    pixels = question.request.inputs.front().data.view();
    return Result<std::vector<float>>(std::vector<float>{3.14159F});
  });
  Serve();
  const InferenceResult rated = Ask(Request("fbp", PatchPhoto(200, 170, {kWhite})));
  ASSERT_TRUE(rated.status.ok()) << rated.status.message();
  EXPECT_NEAR(rated.value->Find("beauty")->number()->value, 3.14159, 1e-5);
  EXPECT_EQ(rated.value->Find("beauty")->number()->decimals, 2);
  ExpectBox(rated.value->Find("detection")->Find("box"), kWhite, 2);
  EXPECT_THAT(shape, ElementsAre(1, 224, 224, 3));
  // 50 pixels of face in about 70: black at the border, white inside.
  const auto pixel = [&](std::size_t x, std::size_t y) {
    return static_cast<int>(static_cast<unsigned char>(pixels.at((y * 224 + x) * 3)));
  };
  EXPECT_EQ(pixel(112, 112), 255);
  EXPECT_EQ(pixel(10, 112), 0);
  EXPECT_EQ(pixel(112, 10), 0);
  EXPECT_EQ(pixel(50, 50), 255);
}

TEST_F(FaceServicesTest, AStageThatFailsInTheMiddleEndsTheRequest) {
  models_.Add("mtcnn_onet", {3, 48, 48}, [](const PuppetModels::Question&) {
    return Result<std::vector<float>>(Status::Overloaded("full", std::chrono::milliseconds(9)));
  });
  Serve();
  const InferenceResult full = Ask(Request("faces", PatchPhoto(200, 170, {kWhite})));
  EXPECT_EQ(full.status.code(), StatusCode::kOverloaded);
  EXPECT_EQ(full.status.retry_after().count(), 9);
  const InferenceResult broken = Ask(Request("faces", "no photo"));
  EXPECT_EQ(broken.status.code(), StatusCode::kUnsupportedMedia);
}

TEST_F(FaceServicesTest, CorrectionsBeyondSenseDropTheBox) {
  models_.Add("mtcnn_rnet", {3, 24, 24}, [](const PuppetModels::Question& question) {
    std::vector<float> out;
    for (std::size_t i = 0; i < question.items; ++i) {
      const bool away = i % 2 == 0;
      const float near = away ? 1e30F : -0.6F;
      const float far = away ? 3e30F : -1.9F;
      out.insert(out.end(), {0.1F, 0.9F, near, near, far, far});
    }
    return Result<std::vector<float>>(out);
  });
  Serve();
  const InferenceResult none = Ask(Request("faces", PatchPhoto(200, 170, {kWhite})));
  ASSERT_TRUE(none.status.ok()) << none.status.message();
  EXPECT_EQ(none.code, 3);
}

TEST_F(FaceServicesTest, ANetworkThatDoesNotFitIsOurFault) {
  models_.Add("mtcnn_rnet", {3, 24, 24}, [](const PuppetModels::Question& question) {
    return Result<std::vector<float>>(std::vector<float>(question.items * 7));
  });
  Serve();
  const InferenceResult wrong = Ask(Request("faces", PatchPhoto(200, 170, {kWhite})));
  EXPECT_EQ(wrong.status.code(), StatusCode::kInternal);
  EXPECT_THAT(wrong.status.message(), HasSubstr("mtcnn_rnet"));
}

}  // namespace
}  // namespace xcloud
