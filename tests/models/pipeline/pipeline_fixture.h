// PipelineTest: a PipelineServer over a repository in a temporary folder, whose models are puppets
// and whose clock stands still. Tests only.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/pipeline/pipeline_server.h"
#include "tests/models/pipeline/puppet_models.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_folder.h"

namespace xcloud {

class PipelineTest : public ::testing::Test {
 protected:
  void AddPipeline(const std::string& kind, const std::string& keys = "",
                   const std::string& top = "") {
    root_.Write(kind + "/model.toml",
                top + "\n[model]\nbackend = 'pipeline'\n[pipeline]\nkind = '" + kind +
                    "'\nstate = '" + State(kind).string() + "'\n" + keys);
  }
  std::filesystem::path State(const std::string& name) const {
    return root_.path() / "state" / (name + ".index");
  }
  void Serve() {
    decode_.threads = 2;
    auto server =
        PipelineServer::Create({root_.path().string()}, decode_, models_, clock_, metrics_);
    ASSERT_TRUE(server.ok()) << server.status().message();
    server_ = *std::move(server);
    server_->StartLoading();
    server_->WaitLoaded();
  }
  InferenceRequest Request(const std::string& service, std::string photo) const {
    InferenceRequest request;
    request.service = service;
    request.image = std::move(photo);
    request.first_byte = request.received = clock_.Now();
    return request;
  }
  InferenceRequest About(const std::string& service, ServiceAction action, std::string subject,
                         std::string photo = "") const {
    InferenceRequest request = Request(service, std::move(photo));
    request.action = action;
    request.subject = std::move(subject);
    return request;
  }
  void Infer(InferenceRequest request) {
    server_->Infer(std::move(request), [this](InferenceResult result) {
      MutexLock lock(mutex_);
      results_.push_back(std::move(result));
      changed_.NotifyAll();
    });
  }
  std::size_t answers() {
    MutexLock lock(mutex_);
    return results_.size();
  }
  std::vector<InferenceResult> WaitForAnswers(std::size_t count) {
    MutexLock lock(mutex_);
    while (results_.size() < count) changed_.Wait(mutex_);
    return std::exchange(results_, {});
  }
  InferenceResult Ask(InferenceRequest request) {
    Infer(std::move(request));
    return WaitForAnswers(1)[0];
  }

  const TempFolder root_;
  FakeClock clock_;
  MetricsRegistry metrics_;
  DecodeConfig decode_;
  PuppetModels models_;
  Mutex mutex_;
  CondVar changed_;
  std::vector<InferenceResult> results_ XC_GUARDED_BY(mutex_);
  std::unique_ptr<PipelineServer> server_;
};

// The texts of a list.
inline std::vector<std::string> Texts(const AnswerValue* list) {
  std::vector<std::string> texts;
  if (list == nullptr || list->list() == nullptr) return texts;
  for (const AnswerValue& one : *list->list()) {
    if (one.text() != nullptr) texts.push_back(*one.text());
  }
  return texts;
}

// Of an answer that is a list.
inline std::vector<std::string> Texts(const InferenceResult& result) {
  return result.value ? Texts(&*result.value) : std::vector<std::string>{};
}

}  // namespace xcloud
