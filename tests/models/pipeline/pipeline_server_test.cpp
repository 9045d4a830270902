// PipelineServer, with cbir as its pipeline: what passes through, states, galleries, ends.
#include "models/pipeline/pipeline_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/models/pipeline/pipeline_fixture.h"

namespace xcloud {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Looks at the photo's letters: the first is the direction, the rest is noise.
Result<std::vector<float>> Letters(const PuppetModels::Question& question) {
  if (question.photo == "broken") return Status::InvalidArgument("the photo is cut short");
  std::vector<float> values(26, 0.01F);
  values.at(static_cast<std::size_t>(question.photo.at(0) - 'a')) = 1;
  values.at(question.photo.size()) += 0.1F;
  return values;
}

class PipelineServerTest : public PipelineTest {
 protected:
  PipelineServerTest() {
    models_.Add("image_embedding", {}, Letters);
    AddPipeline("cbir", "max_entries = 3\n", "title = 'Alike'\n[latency]\ngoal_ms = 500\n");
  }
  void Enrol(const std::string& id, const std::string& photo) {
    const auto result = Ask(About("cbir", ServiceAction::kEnrol, id, photo));
    ASSERT_TRUE(result.status.ok()) << result.status.message();
  }
};

TEST_F(PipelineServerTest, IsReadyWhenItsModelsAre) {
  Serve();
  const ServiceInfoPtr info = server_->Find("cbir");
  ASSERT_NE(info, nullptr);
  EXPECT_EQ(info->state, ServiceState::kReady);
  EXPECT_EQ(info->route, "/cv/cbir");
  EXPECT_EQ(info->title, "Alike");
  EXPECT_TRUE(info->has_gallery);
  EXPECT_FALSE(info->takes_rows);
  EXPECT_EQ(server_->List().size(), 2U) << "and the model itself";
  EXPECT_EQ(server_->Find("cbir"), info) << "a snapshot that is kept";
  EXPECT_TRUE(server_->Ready().ok());
}

TEST_F(PipelineServerTest, ItsStateIsThatOfTheModelThatIsNot) {
  models_.Set("image_embedding", ServiceState::kNoWeights, "no weights here");
  Serve();
  EXPECT_EQ(server_->Find("cbir")->state, ServiceState::kNoWeights);
  EXPECT_THAT(server_->Find("cbir")->reason, HasSubstr("'image_embedding' does not answer: no we"));
  const InferenceResult refused = Ask(Request("cbir", "a"));
  EXPECT_EQ(refused.status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(refused.status.message(), HasSubstr("no weights here"));
  EXPECT_EQ(server_->Admit("cbir", "", Priority::kNormal, {}).code(), StatusCode::kUnavailable);
  models_.Set("image_embedding", ServiceState::kLoading, "");
  EXPECT_EQ(server_->Find("cbir")->state, ServiceState::kLoading);
  models_.Set("image_embedding", ServiceState::kReady, "");
  EXPECT_EQ(server_->Find("cbir")->state, ServiceState::kReady);
  EXPECT_EQ(server_->Find("cbir")->reason, "");
}

TEST_F(PipelineServerTest, EnrolsFindsListsAndRemoves) {
  Serve();
  Enrol("first", "a1");
  Enrol("second", "b1");
  InferenceResult found = Ask(Request("cbir", "a234"));
  ASSERT_TRUE(found.status.ok()) << found.status.message();
  EXPECT_THAT(Texts(found), ElementsAre("first", "second"));
  EXPECT_EQ(found.model, "cbir");
  EXPECT_EQ(found.code, 0);
  ASSERT_EQ(found.beside.size(), 1U);
  EXPECT_EQ(found.beside[0].first, "scores");
  InferenceRequest one = Request("cbir", "b3");
  one.top_k = 1;
  EXPECT_THAT(Texts(Ask(std::move(one))), ElementsAre("second"));
  const InferenceResult entries = Ask(About("cbir", ServiceAction::kEntries, ""));
  EXPECT_THAT(Texts(entries.value->Find("entries")), ElementsAre("first", "second"));
  EXPECT_TRUE(Ask(About("cbir", ServiceAction::kRemove, "first")).status.ok());
  EXPECT_EQ(Ask(About("cbir", ServiceAction::kRemove, "first")).status.code(),
            StatusCode::kNotFound);
  EXPECT_THAT(Texts(Ask(Request("cbir", "a234"))), ElementsAre("second"));
  EXPECT_EQ(server_->Statistics("cbir", "")->inference_count, 7U);
}

TEST_F(PipelineServerTest, TheGalleryIsThereAfterARestart) {
  Serve();
  Enrol("kept", "c");
  server_ = nullptr;
  Serve();
  EXPECT_THAT(Texts(Ask(Request("cbir", "c"))), ElementsAre("kept"));
}

TEST_F(PipelineServerTest, AGalleryOfOtherWeightsIsRefusedWithWords) {
  Serve();
  Enrol("old", "a");
  models_.SetVersion("image_embedding", "2");
  EXPECT_EQ(server_->Find("cbir")->state, ServiceState::kFailed);
  EXPECT_THAT(server_->Find("cbir")->reason, HasSubstr("made by image_embedding version 1"));
  EXPECT_EQ(Ask(Request("cbir", "a")).status.code(), StatusCode::kUnavailable);
  models_.SetVersion("image_embedding", "1");
  EXPECT_TRUE(Ask(Request("cbir", "a")).status.ok());
}

// The model was replaced in place: the version is the same, the output is not.
TEST_F(PipelineServerTest, ValuesOfAnotherWidthAreRefusedWithWords) {
  Serve();
  Enrol("old", "a");
  models_.Add("image_embedding", {}, [](const PuppetModels::Question&) {
    return Result<std::vector<float>>(std::vector<float>(7, 1.0F));
  });
  for (InferenceRequest request :
       {Request("cbir", "a"), About("cbir", ServiceAction::kEnrol, "new", "a")}) {
    const InferenceResult refused = Ask(std::move(request));
    EXPECT_EQ(refused.status.code(), StatusCode::kUnavailable);
    EXPECT_THAT(refused.status.message(), HasSubstr("26 values"));
    EXPECT_THAT(refused.status.message(),
                HasSubstr("unload the service, remove '" + State("cbir").string()));
  }
}

TEST_F(PipelineServerTest, RefusesWhatDoesNotFit) {
  Serve();
  const auto code = [&](InferenceRequest request) { return Ask(std::move(request)).status.code(); };
  EXPECT_EQ(code(Request("nobody", "a")), StatusCode::kNotFound) << "passed to the models";
  EXPECT_EQ(code(Request("cbir", "")), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(About("cbir", ServiceAction::kEnrol, "a/b", "a")), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(About("cbir", ServiceAction::kEnrol, "a", "")), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(Request("cbir", "broken")), StatusCode::kInvalidArgument);
  InferenceRequest tensors = Request("cbir", "a");
  tensors.answer = AnswerKind::kTensors;
  EXPECT_EQ(code(std::move(tensors)), StatusCode::kInvalidArgument);
  InferenceRequest version = Request("cbir", "a");
  version.version = "9";
  EXPECT_EQ(code(std::move(version)), StatusCode::kNotFound);
  for (const char* id : {"a", "b", "c"}) Enrol(id, "a");
  EXPECT_EQ(code(About("cbir", ServiceAction::kEnrol, "d", "a")), StatusCode::kTooLarge);
  EXPECT_EQ(server_->Batching("cbir").status().code(), StatusCode::kUnsupported);
}

TEST_F(PipelineServerTest, AModelsRefusalEndsTheRequestOnceWithThatStatus) {
  Serve();
  for (const Status& why :
       {Status::Overloaded("full", std::chrono::milliseconds(70)), Status::DeadlineExceeded("late"),
        Status::Cancelled("gone"), Status::Internal("bad")}) {
    models_.Hold();
    Infer(Request("cbir", "a"));
    models_.WaitForHeld(1);
    models_.Release(why);
    const auto results = WaitForAnswers(1);
    EXPECT_EQ(results[0].status, why);
    EXPECT_EQ(results[0].status.retry_after(), why.retry_after());
    EXPECT_FALSE(results[0].value.has_value());
  }
  server_->Stop();
  EXPECT_EQ(answers(), 0U) << "none came twice";
}

TEST_F(PipelineServerTest, ADeadlineOrACancelEndsItBetweenStages) {
  Serve();
  InferenceRequest late = Request("cbir", "a");
  late.deadline = Deadline::At(clock_.Now());
  EXPECT_EQ(Ask(std::move(late)).status.code(), StatusCode::kDeadlineExceeded);
  InferenceRequest gone = Request("cbir", "a");
  gone.cancel = std::make_shared<CancelToken>();
  gone.cancel->Cancel();
  EXPECT_EQ(Ask(std::move(gone)).status.code(), StatusCode::kCancelled);
  EXPECT_THAT(models_.asked(), IsEmpty());
}

TEST_F(PipelineServerTest, StagesCarryWhatTheCallerAsked) {
  Serve();
  models_.Hold();
  InferenceRequest request = Request("cbir", "a");
  request.priority = Priority::kHigh;
  request.cancel = std::make_shared<CancelToken>();
  const CancelTokenPtr cancel = request.cancel;
  Infer(std::move(request));
  models_.WaitForHeld(1);
  InferenceRequest stage;
  models_.Inspect([&](const InferenceRequest& held) { stage = held; });
  EXPECT_EQ(stage.priority, Priority::kHigh);
  EXPECT_EQ(stage.cancel, cancel);
  EXPECT_EQ(stage.deadline.when(), clock_.Now() + std::chrono::milliseconds(500)) << "the goal";
  EXPECT_EQ(stage.answer, AnswerKind::kTensors);
  models_.Release();
  EXPECT_TRUE(WaitForAnswers(1)[0].status.ok());
}

TEST_F(PipelineServerTest, AtMostSoManyRunAtATime) {
  Serve();
  models_.Hold();
  for (std::size_t i = 0; i < PipelineServer::kMaxRuns; ++i) Infer(Request("cbir", "a"));
  models_.WaitForHeld(PipelineServer::kMaxRuns);
  const InferenceResult refused = Ask(Request("cbir", "a"));
  EXPECT_EQ(refused.status.code(), StatusCode::kOverloaded);
  EXPECT_GT(refused.status.retry_after().count(), 0);
  EXPECT_EQ(server_->Admit("cbir", "", Priority::kNormal, {}).code(), StatusCode::kOverloaded);
  models_.Release();
  for (const InferenceResult& result : WaitForAnswers(PipelineServer::kMaxRuns)) {
    EXPECT_TRUE(result.status.ok());
  }
}

TEST_F(PipelineServerTest, StopRefusesTheNewAndWaitsForWhatRuns) {
  Serve();
  models_.Hold();
  Infer(Request("cbir", "a"));
  models_.WaitForHeld(1);
  server_->BeginStop();
  EXPECT_EQ(server_->Admit("cbir", "", Priority::kNormal, {}).code(), StatusCode::kUnavailable);
  std::thread models([&] { models_.Release(Status::Unavailable("the server is shutting down")); });
  server_->Stop();
  models.join();
  EXPECT_EQ(answers(), 1U) << "before Stop returned";
}

TEST_F(PipelineServerTest, UnloadWaitsForItsRequestsAndLoadReadsTheFolderAgain) {
  Serve();
  Enrol("kept", "a");
  models_.Hold();
  Infer(Request("cbir", "a"));
  models_.WaitForHeld(1);
  std::atomic<int> gone{0};
  ASSERT_TRUE(server_->Unload("cbir", [&](const Status&) { ++gone; }).ok());
  EXPECT_EQ(server_->Find("cbir")->state, ServiceState::kUnloaded);
  EXPECT_TRUE(server_->Find("cbir")->has_gallery);
  EXPECT_EQ(gone.load(), 0) << "a request still uses it";
  models_.Release();
  EXPECT_TRUE(WaitForAnswers(1)[0].status.ok());
  EXPECT_EQ(gone.load(), 1);
  EXPECT_EQ(server_->Unload("cbir", nullptr).code(), StatusCode::kUnavailable);
  AddPipeline("cbir", "", "title = 'Changed'\n");
  ASSERT_TRUE(server_->Load("cbir", nullptr).ok());
  server_->WaitLoaded();
  EXPECT_EQ(server_->Find("cbir")->title, "Changed");
  EXPECT_THAT(Texts(Ask(Request("cbir", "a"))), ElementsAre("kept"));
}

TEST_F(PipelineServerTest, AGalleryThatIsDamagedFailsTheServiceAlone) {
  std::filesystem::create_directories(State("cbir").parent_path());
  std::ofstream(State("cbir")) << "not a gallery";
  Serve();
  EXPECT_EQ(server_->Find("cbir")->state, ServiceState::kFailed);
  EXPECT_THAT(server_->Find("cbir")->reason, HasSubstr("not a gallery"));
}

TEST(PipelineSpec, IsReadFromItsTable) {
  const auto parsed = [](const std::string& keys) {
    return ParseModelDefinition("m", "[model]\nbackend = 'pipeline'\n" + keys, std::nullopt);
  };
  const auto model = parsed("[pipeline]\nkind = 'faces'\nmin_face = 40\n");
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ(model->pipeline.kind, "faces");
  EXPECT_EQ(model->pipeline.min_face, 40);
  EXPECT_EQ(model->pipeline.state, "var/galleries/m.index");
  EXPECT_THAT(parsed("").status().message(), HasSubstr("needs this table"));
  EXPECT_THAT(parsed("[pipeline]\n").status().message(), HasSubstr("pipeline.kind: must be given"));
  EXPECT_THAT(parsed("[pipeline]\nkind = 'odd'\n").status().message(),
              HasSubstr("m/model.toml:4: pipeline.kind"));
  EXPECT_THAT(parsed("[pipeline]\nkind = 'cbir'\nembedding = '../x'\n").status().message(),
              HasSubstr("pipeline.embedding"));
  EXPECT_THAT(ParseModelDefinition("m", "[pipeline]\nkind = 'cbir'\n", "cat\n").status().message(),
              HasSubstr("only with backend"));
}

}  // namespace
}  // namespace xcloud
