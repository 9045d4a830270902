// The answer of an infer request: JSON and binary outputs, the header, classification.
#include "http/v2/infer_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "http/v2/classification.h"

namespace xcloud {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Json = nlohmann::json;

template <class T>
Tensor Make(const std::string& name, DataType type, std::vector<std::int64_t> shape,
            const std::vector<T>& values) {
  return {name, type, std::move(shape),
          std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T))};
}

std::vector<std::string> Strings(const Tensor& tensor) {
  std::vector<std::string> strings;
  const auto elements = SplitBytesElements(tensor.data);
  EXPECT_TRUE(elements.has_value());
  for (const SharedBytes& element : *elements) strings.emplace_back(element.view());
  return strings;
}

class InferAnswerTest : public ::testing::Test {
 protected:
  InferAnswerTest() {
    info_.name = "m";
    info_.labels =
        std::make_shared<const std::vector<std::string>>(std::vector<std::string>{"cat", "dog"});
    result_.model = "m";
    result_.version = "2";
    result_.outputs = {Make<float>("p", DataType::kFp32, {2, 3}, {0.5F, 0.25F, 0.25F, 1, 2, 3}),
                       Make<std::int8_t>("i", DataType::kInt8, {2}, {-1, 1})};
  }

  Response Answer() {
    auto response = WriteV2Answer(request_, info_, result_);
    EXPECT_TRUE(response.ok()) << response.status().message();
    return response.ok() ? *std::move(response) : Response();
  }
  Status Refusal() {
    const auto response = WriteV2Answer(request_, info_, result_);
    return response.ok() ? Status::Ok() : response.status();
  }
  static std::string Header(const Response& response) {
    for (const auto& [name, value] : response.headers) {
      if (name == "Inference-Header-Content-Length") return value;
    }
    return "absent";
  }

  V2Request request_;
  ServiceInfo info_;
  InferenceResult result_;
};

TEST_F(InferAnswerTest, IsJsonUnlessAskedOtherwise) {
  request_.id = "call 7";
  const Response response = Answer();
  EXPECT_EQ(response.body,
            R"({"id":"call 7","model_name":"m","model_version":"2","outputs":[)"
            R"({"name":"p","datatype":"FP32","shape":[2,3],"data":[0.5,0.25,0.25,1.0,2.0,3.0]},)"
            R"({"name":"i","datatype":"INT8","shape":[2],"data":[-1,1]}]})");
  EXPECT_EQ(Header(response), "absent");
  EXPECT_EQ(response.content_type, kJsonType);
}

TEST_F(InferAnswerTest, BinaryOutputsFollowTheJson) {
  request_.outputs = {{"i", true, 0}, {"p", true, 0}};
  const Response response = Answer();
  EXPECT_EQ(response.content_type, "application/octet-stream");
  const std::size_t length = std::stoul(Header(response));
  const Json head = Json::parse(response.body.substr(0, length));
  ASSERT_EQ(head["outputs"].size(), 2U);
  EXPECT_EQ(head["outputs"][0]["name"], "p") << "in the model's order";
  EXPECT_EQ(head["outputs"][0]["parameters"]["binary_data_size"], 24);
  EXPECT_FALSE(head["outputs"][0].contains("data"));
  EXPECT_EQ(response.body.substr(length), std::string(result_.outputs[0].data.view()) +
                                              std::string(result_.outputs[1].data.view()));
}

TEST_F(InferAnswerTest, BothFormsAtOnceAndOnlyWhatWasAskedFor) {
  request_.outputs = {{"i", true, 0}};
  const Response one = Answer();
  const Json head = Json::parse(one.body.substr(0, std::stoul(Header(one))));
  ASSERT_EQ(head["outputs"].size(), 1U);
  EXPECT_EQ(head["outputs"][0]["name"], "i");
  request_.outputs = {{"i", true, 0}, {"p", false, 0}};
  const Response mixed = Answer();
  const std::size_t length = std::stoul(Header(mixed));
  EXPECT_EQ(mixed.body.size(), length + 2);
  EXPECT_EQ(Json::parse(mixed.body.substr(0, length))["outputs"][0]["data"].size(), 6U);
}

TEST_F(InferAnswerTest, AllOutputsBinaryWhenTheRequestSaysSo) {
  request_.binary_outputs = true;
  const Response response = Answer();
  EXPECT_EQ(response.body.size(), std::stoul(Header(response)) + 26);
  result_.outputs = {Make<float>("p", DataType::kFp32, {0, 3}, {})};
  const Response empty = Answer();
  EXPECT_EQ(empty.body.size(), std::stoul(Header(empty)));
  EXPECT_EQ(Json::parse(empty.body)["outputs"][0]["parameters"]["binary_data_size"], 0);
}

TEST_F(InferAnswerTest, SaysWhenItIsMadeUp) {
  EXPECT_FALSE(Json::parse(Answer().body).contains("parameters"));
  result_.synthetic = true;
  EXPECT_EQ(Json::parse(Answer().body)["parameters"]["synthetic"], true);
}

TEST_F(InferAnswerTest, HalfFloatsOnlyAsBinary) {
  result_.outputs = {Make<std::uint16_t>("h", DataType::kFp16, {1}, {0x3C00})};
  const Status status = Refusal();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "sending FP16 data via JSON is not supported. Please use the binary data format for "
            "output");
  request_.binary_outputs = true;
  EXPECT_EQ(Answer().body.substr(std::stoul(Header(Answer()))), std::string("\0\x3C", 2));
}

TEST_F(InferAnswerTest, AnOutputThatTheModelDidNotGiveIsOurFault) {
  request_.outputs = {{"q", true, 0}};
  EXPECT_EQ(Refusal().code(), StatusCode::kInternal);
}

TEST_F(InferAnswerTest, ClassesInJsonAndBinary) {
  request_.outputs = {{"p", false, 2}};
  const Json output = Json::parse(Answer().body)["outputs"][0];
  EXPECT_EQ(output["datatype"], "BYTES");
  EXPECT_EQ(output["shape"], (Json{2, 2}));
  EXPECT_EQ(output["data"],
            (Json{"0.500000:0:cat", "0.250000:1:dog", "3.000000:2", "2.000000:1:dog"}));
  request_.outputs = {{"p", true, 1}};
  const Response binary = Answer();
  const std::size_t length = std::stoul(Header(binary));
  std::string expected;
  AppendBytesElement(expected, "0.500000:0:cat");
  AppendBytesElement(expected, "3.000000:2");
  EXPECT_EQ(binary.body.substr(length), expected);
  EXPECT_EQ(
      Json::parse(binary.body.substr(0, length))["outputs"][0]["parameters"]["binary_data_size"],
      expected.size());
}

TEST(ClassificationTest, EqualOnesByIndexAndNanLast) {
  const auto classes =
      Classify(Make<float>("p", DataType::kFp32, {1, 5}, {NAN, 1, NAN, 1, INFINITY}), 5, nullptr);
  ASSERT_TRUE(classes.ok());
  EXPECT_THAT(Strings(*classes), ElementsAre("inf:4", "1.000000:1", "1.000000:3",
                                             HasSubstr("nan:0"), HasSubstr("nan:2")));
}

TEST(ClassificationTest, ClampsToTheClassesThatThereAre) {
  const auto classes = Classify(Make<std::uint8_t>("p", DataType::kUint8, {1, 2, 2}, {1, 9, 3, 9}),
                                18446744073709551615U, nullptr);
  ASSERT_TRUE(classes.ok());
  EXPECT_EQ(classes->shape, (std::vector<std::int64_t>{1, 4}));
  EXPECT_THAT(Strings(*classes), ElementsAre("9:1", "9:3", "3:2", "1:0"));
}

TEST(ClassificationTest, EveryOrderedType) {
  const auto best = [](const Tensor& tensor) {
    const auto classes = Classify(tensor, 1, nullptr);
    EXPECT_TRUE(classes.ok()) << classes.status().message();
    return classes.ok() ? Strings(*classes).front() : "";
  };
  EXPECT_EQ(best(Make<std::int8_t>("x", DataType::kInt8, {1, 2}, {-3, -2})), "-2:1");
  EXPECT_EQ(best(Make<std::int16_t>("x", DataType::kInt16, {1, 2}, {-300, -2})), "-2:1");
  EXPECT_EQ(best(Make<std::int32_t>("x", DataType::kInt32, {1, 2}, {-300, 2})), "2:1");
  EXPECT_EQ(best(Make<std::int64_t>("x", DataType::kInt64, {1, 2}, {1, 1LL << 40})),
            "1099511627776:1");
  EXPECT_EQ(best(Make<std::uint16_t>("x", DataType::kUint16, {1, 2}, {1, 65535})), "65535:1");
  EXPECT_EQ(best(Make<std::uint32_t>("x", DataType::kUint32, {1, 2}, {1, 4294967295U})),
            "4294967295:1");
  EXPECT_EQ(best(Make<std::uint64_t>("x", DataType::kUint64, {1, 2}, {1, 1ULL << 63})),
            "9223372036854775808:1");
  EXPECT_EQ(best(Make<double>("x", DataType::kFp64, {1, 2}, {0.1, 0.2})), "0.200000:1");
}

TEST(ClassificationTest, RefusesWhatHasNoOrderOrIsTooLarge) {
  for (const auto& [type, name] : {std::pair{DataType::kBytes, "BYTES"},
                                   {DataType::kFp16, "FP16"},
                                   {DataType::kBool, "BOOL"}}) {
    EXPECT_EQ(Classify({"x", type, {0}, {}}, 1, nullptr).status().message(),
              "class result not available for output due to unsupported type '" +
                  std::string(name) + "'");
  }
  const auto sized = [](std::int64_t count) {
    return Classify({"x", DataType::kUint8, {1, count}, std::string(count, 'x')}, 1, nullptr);
  };
  EXPECT_TRUE(sized(1'000'000).ok());
  EXPECT_EQ(sized(1'000'001).status().message(), "classification output tensor too large");
  EXPECT_EQ(Classify({"x", DataType::kUint8, {1, 3}, "xx"}, 1, nullptr).status().code(),
            StatusCode::kInternal);
}

TEST(ClassificationTest, NoItemsAndNoClasses) {
  const auto none = Classify({"x", DataType::kFp32, {0, 5}, {}}, 3, nullptr);
  ASSERT_TRUE(none.ok());
  EXPECT_EQ(none->shape, (std::vector<std::int64_t>{0, 0}));
  const auto empty = Classify({"x", DataType::kFp32, {2, 0}, {}}, 3, nullptr);
  ASSERT_TRUE(empty.ok());
  EXPECT_EQ(empty->shape, (std::vector<std::int64_t>{2, 0}));
}

}  // namespace
}  // namespace xcloud
