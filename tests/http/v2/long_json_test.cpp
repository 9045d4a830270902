// JSON of many numbers is read and written beside the io thread. io_threads is 1, and the threads
// for long work are kept busy: whatever is answered meanwhile was not held up by it.
#include <latch>

#include "http/content_coding.h"
#include "http/long_work.h"
#include "http/v2/infer_answer.h"
#include "tests/http/server_fixture.h"

namespace xcloud {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t kNumbers = 100'000;

// Keeps all threads of a LongWork busy until it is released.
class Blockage {
 public:
  explicit Blockage(LongWork& work) {
    for (std::size_t i = 0; i < LongWork::kThreads; ++i) {
      EXPECT_TRUE(work.TryRun([this] {
        taken_.count_down();
        released_.wait();
        left_.count_down();
      }));
    }
    taken_.wait();
  }
  ~Blockage() {
    Release();
    left_.wait();
  }
  Blockage(const Blockage&) = delete;
  Blockage& operator=(const Blockage&) = delete;

  void Release() {
    if (!released_.try_wait()) released_.count_down();
  }

 private:
  std::latch taken_{LongWork::kThreads};
  std::latch released_{1};
  std::latch left_{LongWork::kThreads};
};

std::string Zeros(std::size_t count) {
  std::string text = "0";
  for (std::size_t i = 1; i < count; ++i) text += ",0";
  return text;
}

std::string InferBody(std::size_t numbers) {
  return R"({"inputs":[{"name":"x","datatype":"UINT8","shape":[)" + std::to_string(numbers) +
         R"(],"data":[)" + Zeros(numbers) + "]}]}";
}

class LongJsonTest : public ServerFixture {
 protected:
  LongJsonTest() { service_.answer.outputs = {{"probabilities", DataType::kUint8, {1}, "\1"}}; }

  static std::string Infer(const std::string& body, const std::string& headers = "") {
    return Post("/v2/models/demo/infer", headers, body);
  }
  // Asks on connections of its own until `count` jobs wait for a thread. False: they never do.
  bool ServesUntilWaiting(std::size_t count) {
    constexpr int kMostAsks = 20'000;
    for (int i = 0; i < kMostAsks; ++i) {
      if (Ask(Get("/livez")).status != 200) return false;
      if (server_->long_work().waiting() == count) return true;
    }
    return false;
  }
};

TEST_F(LongJsonTest, OthersAreServedWhileItIsRead) {
  Start();
  Blockage busy(server_->long_work());
  RawClient client(port());
  ASSERT_TRUE(client.Send(Infer(InferBody(kNumbers))));
  ASSERT_TRUE(ServesUntilWaiting(1));
  EXPECT_EQ(Ask(Infer(InferBody(10))).status, 200) << "short JSON does not wait behind it";
  ASSERT_EQ(service_.requests().size(), 1U);
  busy.Release();
  EXPECT_EQ(client.Receive().status, 200);
  const auto requests = service_.requests();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[1].inputs[0].data.view(), std::string(kNumbers, '\0'));
}

TEST_F(LongJsonTest, OthersAreServedWhileItIsWritten) {
  service_.answer.outputs = {{"probabilities",
                              DataType::kUint8,
                              {1, static_cast<std::int64_t>(kNumbers)},
                              std::string(kNumbers, '\0')}};
  Start();
  Blockage busy(server_->long_work());
  RawClient client(port());
  ASSERT_TRUE(client.Send(Infer(InferBody(1))));
  ASSERT_TRUE(ServesUntilWaiting(1));
  busy.Release();
  const RawReply reply = client.Receive();
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(reply.body, HasSubstr("\"data\":[" + Zeros(kNumbers) + "]"));
  EXPECT_THAT(reply.Header("server-timing"), HasSubstr("infer"));
}

TEST_F(LongJsonTest, WhatIsWrongWithItIsToldTheSame) {
  Start();
  const RawReply reply = Ask(Infer(InferBody(kNumbers) + "}"));
  EXPECT_EQ(reply.status, 400);
  EXPECT_THAT(reply.body, HasSubstr("failed to parse the request JSON buffer"));
}

TEST_F(LongJsonTest, TheDeadlineEndsTheWait) {
  Start();
  Blockage busy(server_->long_work());
  const RawReply reply = Ask(Infer(InferBody(kNumbers), "X-Deadline-Ms: 200\r\n"));
  EXPECT_EQ(reply.status, 504) << reply.body;
  busy.Release();
  EXPECT_TRUE(ServesUntilWaiting(0));
  EXPECT_TRUE(service_.requests().empty());
}

TEST_F(LongJsonTest, OneTooManyIs429) {
  Start();
  Blockage busy(server_->long_work());
  for (std::size_t i = 0; i < LongWork::kCapacity; ++i) {
    ASSERT_TRUE(server_->long_work().TryRun([] {}));
  }
  const RawReply reply = Ask(Infer(InferBody(kNumbers)));
  EXPECT_EQ(reply.status, 429) << reply.body;
  EXPECT_EQ(reply.Header("retry-after"), "1");
}

TEST_F(LongJsonTest, AServerStopsWhileItWaits) {
  Start();
  RawClient client(port());
  {
    Blockage busy(server_->long_work());
    ASSERT_TRUE(client.Send(Infer(InferBody(kNumbers))));
    ASSERT_TRUE(ServesUntilWaiting(1));
    server_->BeginDrain();
    busy.Release();
  }
  server_.reset();
}

TEST_F(LongJsonTest, ItsLimitIsLowerThanThatOfBinaryTensors) {
  config_.v2_body_limit_bytes = 8192;
  config_.v2_json_limit_bytes = 2048;
  Start();
  const std::string words =
      "exceeds the maximum allowed input size of 2048 bytes. Use --http-max-input-size to increase "
      "the limit. (Here: [server] v2_json_limit_bytes.)";
  const RawReply json = Ask(Infer(InferBody(2000)));
  EXPECT_EQ(json.status, 413);
  EXPECT_THAT(json.body, HasSubstr(words));
  EXPECT_EQ(service_.admit_calls(), 0U) << "by the length in the header";

  const std::string text = InferBody(2000);
  Deflater gzip(ContentCoding::kGzip, text);
  while (gzip.Step()) {
  }
  EXPECT_EQ(Ask(Infer(gzip.Take(), "Content-Encoding: gzip\r\n")).status, 413);

  const auto length = [](std::size_t bytes) {
    return "Inference-Header-Content-Length: " + std::to_string(bytes) + "\r\n";
  };
  const RawReply before = Ask(Infer(text, length(text.size())));
  EXPECT_EQ(before.status, 413);
  EXPECT_THAT(before.body, HasSubstr(words));
  EXPECT_EQ(Ask(Infer(std::string(4096, 'x'), length(0))).status, 200) << "binary";
}

TEST(IsLongV2AnswerTest, CountsWhatIsWrittenAsNumbers) {
  const std::string data((kMaxQuickNumbers + 1) * 4, '\0');
  InferenceResult result;
  result.outputs = {{"y", DataType::kFp32, {kMaxQuickNumbers + 1}, data}};
  V2Request request;
  EXPECT_TRUE(IsLongV2Answer(request, result));
  request.binary_outputs = true;
  EXPECT_FALSE(IsLongV2Answer(request, result));
  request.outputs = {{"y", false, 0}};
  EXPECT_TRUE(IsLongV2Answer(request, result));
  result.outputs[0].data = SharedBytes(data.substr(4));
  EXPECT_FALSE(IsLongV2Answer(request, result));
}

}  // namespace
}  // namespace xcloud
