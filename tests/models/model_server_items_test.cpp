// Requests of several photos, and of tensors, on their way to the scheduler.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <string>

#include "models/model_server.h"
#include "tests/models/model_server_fixture.h"

namespace xcloud {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class ModelServerItemsTest : public ModelServerTest {
 protected:
  ModelServerItemsTest() { decode_.queue_capacity = 8; }
  void ServeM(const std::string& more = "") {
    AddModel("m", "[model]\nbackend = 'null'\n" + more);
    Serve();
  }
  // Holds a decode thread in the scheduler until gate_ opens; later requests pass.
  void ServeWithTheFirstRequestHeld() {
    scheduler_.before_submit = [this] {
      if (!held_.exchange(true)) gate_.Pass();
    };
    ServeM();
    Infer(Request("m"));
    gate_.WaitForArrivals(1);
  }
  static ItemRequest& Items(const ScheduledRequestPtr& request) {
    return static_cast<ItemRequest&>(*request);
  }

  std::atomic<bool> held_ = false;
};

TEST_F(ModelServerItemsTest, EachPhotoIsDecodedAndTheRequestIsQueuedOnce) {
  ServeM();
  Infer(PhotosRequest("m", {Png(300, 260), Png(224, 400), Png(260, 300)}));
  auto taken = scheduler_.Take(1);
  ItemRequest& request = Items(taken[0]);
  EXPECT_EQ(request.items, 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(request.pixels(i).size(), 224U * 224U * 3U);
    EXPECT_EQ(request.item(i).pixels, request.pixels(i).data());
  }
  EXPECT_TRUE(request.request().inputs.empty()) << "the encoded bytes are not kept";
  request.Answer(1, 2, std::vector<float>{4, 5, 6, 7, 8, 9}, {2, "cpu0/0", {}, {}, {}});
  EXPECT_EQ(answers_.count(), 0U);
  request.Answer(0, 1, std::vector<float>{1, 2, 3}, {1, "cpu0/1", {}, {}, {}});
  const InferenceResult result = answers_.WaitFor(1)[0];
  ASSERT_TRUE(result.status.ok());
  ASSERT_EQ(result.outputs.size(), 1U);
  EXPECT_EQ(result.outputs[0].name, "probabilities");
  EXPECT_EQ(result.outputs[0].shape, (std::vector<std::int64_t>{3, 3}));
  EXPECT_EQ(result.outputs[0].data.size(), 36U);
  EXPECT_EQ(result.lane, "cpu0/1");
}

TEST_F(ModelServerItemsTest, APhotoWaitsForNoOthersThread) {
  decode_.threads = 2;
  ServeWithTheFirstRequestHeld();
  Infer(PhotosRequest("m", {Png(), Png(), Png()}));
  EXPECT_EQ(scheduler_.Take(1)[0]->items, 3U) << "the thread that is free decoded all of them";
}

TEST_F(ModelServerItemsTest, APhotoThatFailsIsNamedAndFailsTheRequestOnce) {
  ServeM();
  Infer(PhotosRequest("m", {Png(), "no image", Png(), "no image either"}));
  const InferenceResult result = answers_.WaitFor(1)[0];
  EXPECT_EQ(result.status.code(), StatusCode::kUnsupportedMedia);
  EXPECT_THAT(result.status.message(), StartsWith("photo 2 of 4: "));
  server_->Stop();
  EXPECT_EQ(answers_.count(), 1U);
  EXPECT_EQ(scheduler_.submitted(), 0U);
}

TEST_F(ModelServerItemsTest, OnePhotoIsNotNumbered) {
  ServeM();
  const Status status = Refusal(PhotosRequest("m", {"no image"}));
  EXPECT_EQ(status.code(), StatusCode::kUnsupportedMedia);
  EXPECT_THAT(status.message(), ::testing::Not(HasSubstr("photo 1 of 1")));
}

TEST_F(ModelServerItemsTest, PixelsAndTensorsGoToTheSchedulerWithoutDecoding) {
  ServeWithTheFirstRequestHeld();  // and no other decode thread
  Tensor pixels{"image", DataType::kUint8, {2, 224, 224, 3}, std::string(2 * 150528, 'p')};
  const char* const bytes = pixels.data.data();
  Infer(TensorRequest("m", std::move(pixels)));
  auto taken = scheduler_.Take(1);
  EXPECT_EQ(Items(taken[0]).item(1).pixels, reinterpret_cast<const std::uint8_t*>(bytes) + 150528);
  Tensor tensor{"image", DataType::kFp32, {2, 3, 224, 224}, std::string(2 * 602112, 'f')};
  const char* const floats = tensor.data.data();
  Infer(TensorRequest("m", std::move(tensor)));
  taken = scheduler_.Take(1);
  EXPECT_EQ(Items(taken[0]).item(1).tensor, floats + 602112);
  EXPECT_EQ(Items(taken[0]).item(1).pixels, nullptr);
  gate_.Open();
}

TEST_F(ModelServerItemsTest, MorePhotosThanThereIsRoomForAreRefusedWhole) {
  ServeWithABusyDecodeThread();
  Infer(PhotosRequest("m", {Png(), Png(), Png(), Png(), Png(), Png()}));  // 6 of 8
  Infer(PhotosRequest("m", {Png(), Png(), Png()}));
  const InferenceResult refused = answers_.WaitFor(1)[0];
  EXPECT_EQ(refused.status.code(), StatusCode::kOverloaded);
  EXPECT_GT(refused.status.retry_after().count(), 0);
  Infer(PhotosRequest("m", {Png(), Png()}));
  EXPECT_EQ(answers_.count(), 1U) << "there was room for two";
  gate_.Open();
  EXPECT_EQ(scheduler_.Take(3).size(), 3U);
}

TEST_F(ModelServerItemsTest, MorePhotosThanThePoolEverHoldsAreTheCallersMistake) {
  decode_.queue_capacity = 2;
  ServeM();
  const Status status = Refusal(PhotosRequest("m", {Png(), Png(), Png()}));
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("at most 2 photos"));
}

TEST_F(ModelServerItemsTest, PhotosThatTheSchedulerWouldNotTakeAreNotDecoded) {
  ServeM();
  scheduler_.set_admit(Status::InvalidArgument("too many"));
  Infer(PhotosRequest("m", {"no image", "no image"}));
  ASSERT_EQ(answers_.count(), 1U) << "refused inline";
  EXPECT_EQ(answers_.WaitFor(1)[0].status.message(), "too many");
  EXPECT_EQ(scheduler_.queries().at(0).items, 2U);
}

TEST_F(ModelServerItemsTest, PhotosThatWaitAreAllCountedAsStillToCome) {
  ServeWithABusyDecodeThread();
  Infer(PhotosRequest("m", {Png(), Png(), Png()}));
  EXPECT_TRUE(Admit("m").ok());
  EXPECT_EQ(scheduler_.queries().back().upstream_items, 4U);
  gate_.Open();
  EXPECT_EQ(scheduler_.Take(2).size(), 2U);
}

// Photos of another model fill the decode pool.
TEST_F(ModelServerItemsTest, ModelsThatTakeNoPhotosAreAdmittedWhateverTheDecodePoolSays) {
  decode_.queue_capacity = 1;
  AddModel("echo",
           "[model]\nbackend = 'echo'\n[[input]]\nname = 'A'\ndatatype = 'FP32'\ndims = [2]\n"
           "output = 'B'\n");
  puppet_->outputs["echo"] = 0;
  AddModel("fp32", "[model]\nbackend = 'null'\n[protocol]\ninput_type = 'fp32'\n");
  AddModel("uint8", "[model]\nbackend = 'null'\n[protocol]\ninput_type = 'uint8'\n");
  ServeWithABusyDecodeThread();
  Infer(Request("m"));
  EXPECT_EQ(Admit("m").code(), StatusCode::kOverloaded);
  for (const char* name : {"echo", "fp32", "uint8"}) {
    EXPECT_EQ(Admit(name).message(), "");
  }
  Infer(Request("fp32"));
  EXPECT_EQ(answers_.WaitFor(1)[0].status.code(), StatusCode::kOverloaded)
      << "a photo all the same";
  clock_.Advance(std::chrono::milliseconds(40));  // what decoding the first one takes
  gate_.Open();
  EXPECT_EQ(scheduler_.Take(2).size(), 2U);
  EXPECT_TRUE(Admit("m").ok());
  EXPECT_GT(scheduler_.queries().back().upstream_delay, Duration::zero());
  EXPECT_TRUE(Admit("echo").ok());
  EXPECT_EQ(scheduler_.queries().back().upstream_delay, Duration::zero());
}

TEST_F(ModelServerItemsTest, NumbersThatAreNotFiniteAreTheCallersMistake) {
  ServeM();
  Infer(TensorRequest("m",
                      {"image", DataType::kFp32, {1, 3, 224, 224}, std::string(602112, '\xff')}));
  ASSERT_EQ(answers_.count(), 1U) << "refused inline";
  const Status status = answers_.WaitFor(1)[0].status;
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("input 'image'"));
  EXPECT_EQ(scheduler_.submitted(), 0U);
}

TEST_F(ModelServerItemsTest, InputsThatDoNotFitAreRefusedInline) {
  ServeM();
  InferenceRequest request = Request("m", "");
  request.answer = AnswerKind::kTensors;
  Infer(std::move(request));
  ASSERT_EQ(answers_.count(), 1U);
  const InferenceResult result = answers_.WaitFor(1)[0];
  EXPECT_EQ(result.status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(result.status.message(), StartsWith("expected 1 inputs but got 0 inputs"));
  EXPECT_EQ(result.version, "1");
  EXPECT_THAT(Metrics(),
              HasSubstr("xcloud_inference_total{model=\"m\",outcome=\"invalid_argument\"} 1"));
}

TEST_F(ModelServerItemsTest, ACancelledSetIsNotDecoded) {
  ServeWithABusyDecodeThread();
  InferenceRequest request = PhotosRequest("m", {"no image", "no image"});
  request.cancel = std::make_shared<CancelToken>();
  const CancelTokenPtr cancel = request.cancel;
  Infer(std::move(request));
  cancel->Cancel();
  gate_.Open();
  const Status status = answers_.WaitFor(1)[0].status;
  EXPECT_EQ(status.code(), StatusCode::kCancelled) << "and not an undecodable photo";
}

}  // namespace
}  // namespace xcloud
