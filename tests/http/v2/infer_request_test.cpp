// What an infer request asks for: JSON, binary and raw inputs, outputs, parameters, every refusal.
#include "http/v2/infer_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace xcloud {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kLimit = 1 << 20;

ServiceInfo Model(std::vector<TensorSpec> inputs = {{"INPUT0", DataType::kFp32, {-1, 2}}}) {
  ServiceInfo info;
  info.name = "m";
  info.inputs = std::move(inputs);
  info.outputs = {{"OUTPUT0", DataType::kFp32, {-1, 2}}, {"OUTPUT1", DataType::kBytes, {-1}}};
  return info;
}

Result<V2Request> ParseJsonBody(const std::string& json) {
  return ParseV2Request(SharedBytes(json), std::nullopt, Model(), kLimit);
}

Result<V2Request> ParseBinary(const std::string& json, const std::string& binary,
                              std::uint64_t limit = kLimit) {
  return ParseV2Request(SharedBytes(json + binary), json.size(), Model(), limit);
}

Status Refused(const std::string& json, const std::string& binary = "", bool header = false) {
  const auto request = header ? ParseBinary(json, binary) : ParseJsonBody(json);
  return request.ok() ? Status::Internal("taken") : request.status();
}

// A request of one input with these members after its name.
std::string One(const std::string& members) {
  return R"({"inputs":[{"name":"INPUT0",)" + members + "}]}";
}

std::string Bytes(const std::vector<std::string>& elements) {
  std::string data;
  for (const std::string& element : elements) AppendBytesElement(data, element);
  return data;
}

bool LiesIn(const SharedBytes& part, const SharedBytes& whole) {
  const std::less_equal<const char*> before;
  return before(whole.data(), part.data()) &&
         before(part.data() + part.size(), whole.data() + whole.size());
}

const std::string kGood = R"("shape":[1,2],"datatype":"FP32","data":[1,2])";

TEST(InferRequestTest, ReadsAJsonRequest) {
  const auto request = ParseJsonBody(
      R"({"id":"7","parameters":{"priority":1,"timeout":2500,"binary_data_output":true,"mine":"x"},)"
      R"("inputs":[{"data":[[1,2]],"datatype":"FP32","shape":[1,2],"name":"INPUT0"},)"
      R"({"name":"b","shape":[1],"datatype":"BYTES","data":["\u00e9"]}],)"
      R"("outputs":[{"name":"OUTPUT1","parameters":{"binary_data":true}},)"
      R"({"name":"OUTPUT0","parameters":{"classification":3}}]})");
  ASSERT_TRUE(request.ok()) << request.status().message();
  EXPECT_EQ(request->id, "7");
  EXPECT_EQ(request->priority, Priority::kHigh);
  EXPECT_EQ(request->timeout_us, 2500);
  EXPECT_TRUE(request->binary_outputs);
  ASSERT_EQ(request->inputs.size(), 2U);
  EXPECT_EQ(request->inputs[0].name, "INPUT0");
  EXPECT_EQ(request->inputs[0].type, DataType::kFp32);
  EXPECT_EQ(request->inputs[0].shape, (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(request->inputs[0].data.size(), 8U);
  EXPECT_EQ(request->inputs[1].data.view(), Bytes({"é"}));
  ASSERT_EQ(request->outputs.size(), 2U);
  EXPECT_EQ(request->outputs[0].name, "OUTPUT1");
  EXPECT_TRUE(request->outputs[0].binary);
  EXPECT_EQ(request->outputs[1].classes, 3U);
  EXPECT_FALSE(request->outputs[1].binary);
}

TEST(InferRequestTest, BinaryInputsLieInTheBody) {
  const std::string json =
      R"({"inputs":[{"name":"a","shape":[2],"datatype":"FP16","parameters":{"binary_data_size":4}},)"
      R"({"name":"j","shape":[1],"datatype":"INT8","data":[5]},)"
      R"({"name":"b","shape":[2],"datatype":"BYTES","parameters":{"binary_data_size":11}},)"
      R"({"name":"z","shape":[0,3],"datatype":"FP32","parameters":{"binary_data_size":0}}]})";
  const std::string strings = Bytes({"abc", ""});
  const SharedBytes body(json + "wxyz" + strings);
  const auto request = ParseV2Request(body, json.size(), Model(), kLimit);
  ASSERT_TRUE(request.ok()) << request.status().message();
  const auto& inputs = request->inputs;
  EXPECT_EQ(inputs[0].data.data(), body.data() + json.size()) << "no copy";
  EXPECT_EQ(inputs[0].data.view(), "wxyz");
  EXPECT_EQ(inputs[1].data.view(), "\5");
  EXPECT_EQ(inputs[2].data.data(), body.data() + json.size() + 4);
  EXPECT_EQ(inputs[2].data.view(), strings);
  EXPECT_TRUE(inputs[3].data.empty());
  for (const int binary : {0, 2}) EXPECT_TRUE(LiesIn(inputs[binary].data, body));
  EXPECT_FALSE(LiesIn(inputs[1].data, body));
}

TEST(InferRequestTest, ASingleInputMayLeaveItsSizeOut) {
  const std::string json = One(R"("shape":[1],"datatype":"BYTES")");
  const auto with_length = ParseBinary(json, Bytes({"photo"}));
  ASSERT_TRUE(with_length.ok()) << with_length.status().message();
  EXPECT_EQ(with_length->inputs[0].data.view(), Bytes({"photo"}));
  const auto bare = ParseBinary(json, "\xFF\xD8\xFF\xE0 photo");
  ASSERT_TRUE(bare.ok()) << bare.status().message();
  EXPECT_EQ(bare->inputs[0].data.view(), Bytes({"\xFF\xD8\xFF\xE0 photo"}));
  EXPECT_TRUE(ParseBinary(One(R"("shape":[1,2],"datatype":"FP32")"), "12345678").ok());
  EXPECT_THAT(Refused(One(R"("shape":[1,2],"datatype":"FP32")"), "1234567", true).message(),
              HasSubstr("input byte size mismatch"));
  EXPECT_THAT(Refused(One(R"("shape":[1,2],"datatype":"FP32")")).message(),
              HasSubstr("But no field is set"))
      << "only beside the header";
  const std::string two = R"({"inputs":[{"name":"a","shape":[1],"datatype":"INT8"},)"
                          R"({"name":"b","shape":[1],"datatype":"INT8"}]})";
  EXPECT_THAT(Refused(two, "12", true).message(), HasSubstr("But no field is set"));
}

TEST(InferRequestTest, HeaderLengthIsANumberWithinTheBody) {
  EXPECT_EQ(*ParseInferenceHeaderLength("0", 10), 0U);
  EXPECT_EQ(*ParseInferenceHeaderLength("10", 10), 10U);
  const auto refusal = [](const char* text) {
    const auto length = ParseInferenceHeaderLength(text, 10);
    EXPECT_EQ(length.status().code(), StatusCode::kInvalidArgument) << text;
    return length.ok() ? "taken" : length.status().message();
  };
  EXPECT_EQ(refusal("11"), "inference header size should be in range (0, 10), got: 11");
  EXPECT_THAT(refusal("-1"), HasSubstr("should be in range"));
  for (const char* text : {"", "x", "5x", "1.5", " 5", "0x5", "+5", "1e1", "NaN"}) {
    EXPECT_THAT(refusal(text), HasSubstr("Unable to parse Inference-Header-Content-Length, got:"));
  }
  for (const char* text : {"2147483648", "99999999999", "-2147483649", "99999999999999999999"}) {
    EXPECT_THAT(refusal(text), HasSubstr("out of range [ -2147483648, 2147483647 ], got:"));
  }
}

TEST(InferRequestTest, RefusesWhatIsNoRequest) {
  EXPECT_THAT(Refused("").message(), HasSubstr("The document is empty."));
  EXPECT_THAT(Refused("{").message(), HasSubstr("failed to parse the request JSON buffer"));
  const std::string missing =
      "Unable to parse 'inputs': attempt to access non-existing object "
      "member 'inputs'";
  EXPECT_EQ(Refused("{}").message(), missing);
  EXPECT_EQ(Refused("[]").message(), missing);
  EXPECT_THAT(Refused(R"({"inputs":{}})").message(), HasSubstr("non-array as array"));
  EXPECT_THAT(Refused(R"({"inputs":[1]})").message(), HasSubstr("non-object as object"));
  EXPECT_THAT(Refused(R"({"id":7,"inputs":[]})").message(), HasSubstr("'id'"));
  EXPECT_THAT(Refused(R"({"parameters":[],"inputs":[]})").message(), HasSubstr("'parameters'"));
  const auto none = ParseJsonBody(R"({"inputs":[]})");
  ASSERT_TRUE(none.ok()) << "how many there must be is for the model to say";
  EXPECT_TRUE(none->inputs.empty());
}

TEST(InferRequestTest, RefusesAnInputThatLacksSomething) {
  EXPECT_THAT(Refused(R"({"inputs":[{)" + kGood + "}]}").message(), HasSubstr("'name'"));
  EXPECT_THAT(Refused(R"({"inputs":[{"name":3,)" + kGood + "}]}").message(), HasSubstr("'name'"));
  EXPECT_THAT(Refused(One(R"("shape":[1],"data":[1])")).message(), HasSubstr("'datatype'"));
  EXPECT_THAT(Refused(One(R"("datatype":"FP32","data":[1])")).message(), HasSubstr("'shape'"));
  EXPECT_THAT(Refused(One(R"("datatype":"FP32","shape":2,"data":[1])")).message(),
              HasSubstr("'shape'"));
  EXPECT_EQ(Refused(One(R"("datatype":"FP33","shape":[1],"data":[1])")).message(),
            "invalid datatype for input 'INPUT0': 'FP33'");
  EXPECT_THAT(Refused(One(R"("datatype":"FP32","shape":[1])")).message(),
              HasSubstr("But no field is set"));
  EXPECT_THAT(
      Refused(One(kGood + R"(,"parameters":{"binary_data_size":8})"), "12345678", true).message(),
      HasSubstr("But set 'data' 'binary_data_size'"));
  EXPECT_EQ(
      Refused(R"({"inputs":[{"name":"INPUT0",)" + kGood + R"(},{"name":"INPUT0",)" + kGood + "}]}")
          .message(),
      "input 'INPUT0' already exists in request");
}

TEST(InferRequestTest, RefusesShapesThatAreNone) {
  const auto shape = [](const std::string& dims) {
    return Refused(One(R"("datatype":"FP32","data":[1.0],"shape":)" + dims)).message();
  };
  const std::string unsigned_words =
      "Unable to parse 'shape': attempt to access JSON non-unsigned-integer as unsigned-integer";
  EXPECT_EQ(shape("[2,-5]"), unsigned_words);
  EXPECT_EQ(shape("[-1]"), unsigned_words);
  EXPECT_EQ(shape("[1.0]"), unsigned_words);
  EXPECT_EQ(shape("[\"1\"]"), unsigned_words);
  EXPECT_THAT(shape("[9223372036854775808]"), HasSubstr("invalid dimensions"));
  EXPECT_THAT(
      shape("[16,1152921504606846978]"),
      HasSubstr("causes total element count to exceed maximum size of 9223372036854775807"));
  EXPECT_THAT(shape("[4,1152921504606846978]"), HasSubstr("byte size overflow for input 'INPUT0'"));
  EXPECT_THAT(shape("[1073741824]"), HasSubstr("exceeds the maximum allowed value of 1048576"))
      << "claimed, and never allocated";
  EXPECT_THAT(shape("[2]"), HasSubstr("Shape does not match true shape of 'data' field"));
  const std::string binary = R"(,"parameters":{"binary_data_size":4})";
  EXPECT_THAT(
      Refused(One(R"("datatype":"FP32","shape":[16,1152921504606846978])" + binary), "1234", true)
          .message(),
      HasSubstr("causes total element count to exceed"));
}

TEST(InferRequestTest, BoundsWhatJsonBecomesInAllInputs) {
  const std::string json = R"({"inputs":[{"name":"a","shape":[2],"datatype":"FP64","data":[0,0]},)"
                           R"({"name":"b","shape":[2],"datatype":"FP64","data":[0,0]}]})";
  EXPECT_TRUE(ParseV2Request(SharedBytes(json), std::nullopt, Model(), 32).ok());
  EXPECT_THAT(ParseV2Request(SharedBytes(json), std::nullopt, Model(), 31).status().message(),
              HasSubstr("JSON input 'b' has a byte_size (16 bytes) that exceeds the maximum "
                        "allowed value of 15 bytes"));
}

TEST(InferRequestTest, RefusesBinaryDataThatDoesNotAddUp) {
  const auto input = [](const std::string& size, const std::string& binary,
                        const std::string& type = "FP32") {
    return Refused(One(R"("shape":[1,2],"datatype":")" + type +
                       R"(","parameters":{"binary_data_size":)" + size + "}"),
                   binary, true)
        .message();
  };
  EXPECT_THAT(input("-1", "12345678"), HasSubstr("Unable to parse 'binary_data_size'"));
  EXPECT_THAT(input("8.0", "12345678"), HasSubstr("Unable to parse 'binary_data_size'"));
  EXPECT_THAT(input("\"8\"", "12345678"), HasSubstr("Unable to parse 'binary_data_size'"));
  EXPECT_EQ(input("9", "12345678"),
            "unexpected size for input 'INPUT0', expecting 1 additional bytes for model 'm'");
  EXPECT_THAT(input("18446744073709551615", "12345678"), HasSubstr("unexpected size for input"));
  EXPECT_EQ(input("8", "123456789"), "unexpected additional input data for model 'm'");
  EXPECT_EQ(input("7", "1234567"),
            "input byte size mismatch for input 'INPUT0' for model 'm'. Expected 8, got 7");
  EXPECT_THAT(input("9", Bytes({"a"}) + Bytes({""}), "BYTES"), HasSubstr("taken"));
  EXPECT_THAT(input("5", Bytes({"a"}), "BYTES"), HasSubstr("expected 2 string elements"));
  EXPECT_THAT(input("12", Bytes({"", "", ""}), "BYTES"),
              HasSubstr("unexpected number of string elements 3"));
  EXPECT_THAT(input("3", std::string("\1\0\0", 3), "BYTES"), HasSubstr("incomplete string data"));
  EXPECT_THAT(input("5", std::string("\xFF\xFF\xFF\xFF.", 5), "BYTES"),
              HasSubstr("incomplete string data"));
  EXPECT_EQ(Refused(One(kGood), "left over", true).message(),
            "unexpected additional input data for model 'm'");
  EXPECT_THAT(Refused(One(R"("shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8})"))
                  .message(),
              HasSubstr("must specify valid 'Inference-Header-Content-Length'"));
}

TEST(InferRequestTest, RefusesTypesWithoutAJsonForm) {
  for (const std::string type : {"FP16", "BF16"}) {
    EXPECT_EQ(Refused(One(R"("shape":[1],"data":[1],"datatype":")" + type + "\"")).message(),
              "receiving " + type +
                  " data via JSON is not supported. Please use the binary data "
                  "format for input INPUT0");
  }
}

TEST(InferRequestTest, RefusesOutputsThatAreNone) {
  const auto outputs = [](const std::string& list) {
    return Refused(R"({"inputs":[],"outputs":)" + list + "}").message();
  };
  EXPECT_EQ(outputs(R"([{"name":"OUTPUT0"},{"name":"OUTPUT0"}])"),
            "output 'OUTPUT0' already exists in request");
  EXPECT_EQ(outputs(R"([{"name":"X"}])"), "unexpected inference output 'X' for model 'm'");
  EXPECT_THAT(outputs("{}"), HasSubstr("Unable to parse 'outputs'"));
  EXPECT_THAT(outputs("[3]"), HasSubstr("Unable to parse 'name'"));
  EXPECT_THAT(outputs(R"([{"name":"OUTPUT0","parameters":{"binary_data":1}}])"),
              HasSubstr("Unable to parse 'binary_data'"));
  EXPECT_THAT(outputs(R"([{"name":"OUTPUT0","parameters":{"classification":-1}}])"),
              HasSubstr("Unable to parse 'classification'"));
}

TEST(InferRequestTest, PriorityOneIsTheHighest) {
  const auto priority = [](const std::string& value) {
    const auto request = ParseJsonBody(R"({"inputs":[],"parameters":{"priority":)" + value + "}}");
    EXPECT_TRUE(request.ok()) << request.status().message();
    return request->priority;
  };
  EXPECT_EQ(priority("0"), std::nullopt);
  EXPECT_EQ(priority("1"), Priority::kHigh);
  EXPECT_EQ(priority("2"), Priority::kNormal);
  EXPECT_EQ(priority("3"), Priority::kLow);
  EXPECT_EQ(priority("18446744073709551615"), Priority::kLow);
}

TEST(InferRequestTest, RefusesParametersThatCannotBeMet) {
  const auto parameters = [](const std::string& members) {
    return Refused(R"({"inputs":[],"parameters":{)" + members + "}}");
  };
  EXPECT_THAT(parameters(R"("priority":-1)").message(), HasSubstr("Unable to parse 'priority'"));
  EXPECT_THAT(parameters(R"("timeout":"soon")").message(), HasSubstr("Unable to parse 'timeout'"));
  EXPECT_THAT(parameters(R"("binary_data_output":1)").message(), HasSubstr("'binary_data_output'"));
  EXPECT_THAT(parameters(R"("triton_x":1)").message(), HasSubstr("reserved for Triton usage"));
  EXPECT_THAT(parameters(R"("a":[1])").message(), HasSubstr("parameter 'a' has invalid type"));
  for (const char* name : {"sequence_id", "sequence_start", "sequence_end"}) {
    const Status status = parameters("\"" + std::string(name) + "\":1");
    EXPECT_EQ(status.code(), StatusCode::kUnsupported);
    EXPECT_THAT(status.message(), HasSubstr(name));
  }
  const std::string region = R"("parameters":{"shared_memory_region":"r"})";
  const Status input = Refused(One(R"("shape":[1],"datatype":"FP32",)" + region));
  EXPECT_EQ(input.code(), StatusCode::kUnsupported);
  EXPECT_THAT(input.message(), HasSubstr("shared memory is not supported (input 'INPUT0')"));
  const Status output = Refused(R"({"inputs":[],"outputs":[{"name":"OUTPUT0",)" + region + "}]}");
  EXPECT_EQ(output.code(), StatusCode::kUnsupported);
}

TEST(InferRequestTest, ATimeoutBeyondAllMeasureShortensNothing) {
  const auto request =
      ParseJsonBody(R"({"inputs":[],"parameters":{"timeout":18446744073709551615}})");
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->timeout_us, std::numeric_limits<std::int64_t>::max());
}

TEST(InferRequestTest, DepthIsBounded) {
  const auto nested = [](int depth) {
    return One(R"("shape":[1,1],"datatype":"INT64","data":)" + std::string(depth, '[') + "123" +
               std::string(depth, ']'));
  };
  EXPECT_TRUE(ParseJsonBody(nested(50)).ok());
  EXPECT_THAT(Refused(nested(120)).message(),
              HasSubstr("JSON nesting depth exceeds maximum allowed limit (100)"));
  EXPECT_THAT(Refused(One(R"("data":)" + std::string(250'000, '['))).message(),
              HasSubstr("JSON nesting depth exceeds"));
}

Result<V2Request> ParseRaw(const std::string& body, TensorSpec spec) {
  return ParseV2Request(SharedBytes(body), std::size_t{0}, Model({std::move(spec)}), kLimit);
}

TEST(RawRequestTest, BytesAreOneElement) {
  for (const auto& [dims, shape] :
       {std::pair<std::vector<std::int64_t>, std::vector<std::int64_t>>{{-1}, {1}},
        {{-1, 1}, {1, 1}}}) {
    const auto request = ParseRaw("photo", {"image", DataType::kBytes, dims});
    ASSERT_TRUE(request.ok()) << request.status().message();
    EXPECT_TRUE(request->binary_outputs);
    EXPECT_TRUE(request->outputs.empty());
    ASSERT_EQ(request->inputs.size(), 1U);
    EXPECT_EQ(request->inputs[0].name, "image");
    EXPECT_EQ(request->inputs[0].shape, shape);
    EXPECT_EQ(request->inputs[0].data.view(), Bytes({"photo"}));
  }
  for (const std::vector<std::int64_t>& dims : {std::vector<std::int64_t>{-1, -1}, {-1, 2}}) {
    EXPECT_EQ(ParseRaw("427", {"INPUT0", DataType::kBytes, dims}).status().message(),
              "For BYTE datatype raw input 'INPUT0', the model must have input shape [1]");
  }
}

TEST(RawRequestTest, TheShapeFollowsFromTheModelAndTheSize) {
  const std::string body(24, 'x');
  const SharedBytes shared(body);
  const auto fixed =
      ParseV2Request(shared, std::size_t{0}, Model({{"a", DataType::kFp32, {-1, 2, 3}}}), kLimit);
  ASSERT_TRUE(fixed.ok()) << fixed.status().message();
  EXPECT_EQ(fixed->inputs[0].shape, (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_EQ(fixed->inputs[0].data.data(), shared.data()) << "no copy";
  const auto open = ParseRaw(body, {"a", DataType::kFp32, {-1, -1, 3}});
  ASSERT_TRUE(open.ok()) << open.status().message();
  EXPECT_EQ(open->inputs[0].shape, (std::vector<std::int64_t>{1, 2, 3}));
  const auto empty = ParseRaw("", {"a", DataType::kFp32, {-1, -1}});
  ASSERT_TRUE(empty.ok()) << empty.status().message();
  EXPECT_EQ(empty->inputs[0].shape, (std::vector<std::int64_t>{1, 0}));
}

TEST(RawRequestTest, RefusesWhatCannotBeDeduced) {
  EXPECT_THAT(
      ParseRaw(std::string(8, 'x'), {"INPUT0", DataType::kFp16, {-1, -1, -1}}).status().message(),
      HasSubstr("The shape of the raw input 'INPUT0' can not be deduced because there are "
                "more than one variable-sized dimension"));
  EXPECT_EQ(ParseRaw("12345", {"a", DataType::kFp32, {-1, 2}}).status().message(),
            "input byte size mismatch for input 'a' for model 'm'. Expected 8, got 5");
  EXPECT_THAT(ParseRaw("12345", {"a", DataType::kFp32, {-1, -1}}).status().message(),
              HasSubstr("Expected 4, got 5"));
  const ServiceInfo three = Model({{"a", DataType::kFp32, {-1, 2}},
                                   {"b", DataType::kFp32, {-1, 2}},
                                   {"c", DataType::kFp32, {-1, 2}}});
  EXPECT_EQ(ParseV2Request(SharedBytes("x"), std::size_t{0}, three, kLimit).status().message(),
            "Raw request must only have 1 input (found 1) to be deduced but got 3 inputs in 'm' "
            "model configuration");
}

}  // namespace
}  // namespace xcloud
