#include "models/publish/answers.h"

#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <thread>
#include <utility>

#include <nlohmann/json.hpp>

#include "models/cpu_device.h"
#include "models/decode.h"
#include "models/preprocess.h"
#include "models/top_k.h"
#ifdef XCLOUD_HAS_TORCH
#include "models/zoo/load.h"
#endif

extern char** environ;

namespace xcloud {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

std::string ReadBytes(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

Result<std::vector<float>> AnswerOne(Network& network, const ModelDefinition& model,
                                     const fs::path& photo) {
  const Result<Image> image = DecodeImage(ReadBytes(photo), DecodeLimits{});
  if (!image.ok()) {
    return Status::InvalidArgument(photo.string() + ": " + image.status().message());
  }
  std::vector<std::uint8_t> pixels(model.preprocess.PixelBytes());
  ResizeAndCrop(*image, model.preprocess, pixels.data());
  const NetworkItem item = {pixels.data(), nullptr, nullptr};
  std::vector<float> scores(network.output_size());
  Status status = network.Run(0, {&item, 1}, 1, scores.data());
  if (!status.ok()) return status;
  std::vector<float> probabilities(scores.size());
  status = Probabilities(scores, model.activation, probabilities);
  if (!status.ok()) return status;
  return probabilities;
}

// On the calling thread, which becomes the lane's.
Result<Probabilities2d> AnswerAll(const ModelDefinition& model, const fs::path& file,
                                  const std::vector<fs::path>& photos) {
  const std::size_t threads = std::max(1U, std::thread::hardware_concurrency());
  const std::unique_ptr<Device> device = MakeCpuDevice({"cpu0", 1, threads, {}});
  device->PrepareLaneThread();
  auto networks = device->MakeNetworks(model, file);
  if (!networks.ok()) return networks.status();
  Network& network = *networks->front();
  if (network.output_size() != model.score_count()) {
    return Status::InvalidArgument(model.ScoresDeclared() + ", but the network gives " +
                                   std::to_string(network.output_size()) + " scores");
  }
  Probabilities2d rows;
  for (const fs::path& photo : photos) {
    Result<std::vector<float>> row = AnswerOne(network, model, photo);
    if (!row.ok()) return row.status();
    rows.push_back(*std::move(row));
  }
  return rows;
}

Json PreprocessJson(const PreprocessSpec& spec) {
  return {{"squash", spec.mode == ResizeMode::kSquash},
          {"resize", {spec.resize_height, spec.resize_width}},
          {"crop", {spec.crop_height, spec.crop_width}},
          {"bgr", spec.color == ColorOrder::kBgr},
          {"nhwc", spec.layout == TensorLayout::kNhwc},
          {"scale", spec.scale},
          {"mean", spec.mean},
          {"std", spec.std}};
}

// Waits for `python checker job`; its stderr is ours, its stdout too.
Status RunChecker(const PublishRequest& request, const fs::path& job) {
  std::vector<std::string> arguments = {request.python.string(), "-W", "ignore",
                                        request.checker.string(), job.string()};
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  pid_t child = 0;
  if (posix_spawn(&child, pointers[0], nullptr, nullptr, pointers.data(), environ) != 0) {
    return Status::Internal("cannot start " + request.python.string());
  }
  int how = 0;
  while (waitpid(child, &how, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(how) && WEXITSTATUS(how) == 0) return Status::Ok();
  return Status::InvalidArgument("PyTorch could not answer the photos; its words are above");
}

// What Python cannot build by itself, it gets as TorchScript.
Status HandOverTrace(const PublishRequest& request, const ModelDefinition& model,
                     const fs::path& file, const fs::path& trace) {
#ifdef XCLOUD_HAS_TORCH
  if (request.network.empty()) return Status::Ok();
  auto module =
      zoo::LoadZooModule(request.network, static_cast<std::int64_t>(model.score_count()), file);
  if (!module.ok()) return module.status();
  module->save(trace.string());
#else
  (void)request, (void)model, (void)file, (void)trace;
#endif
  return Status::Ok();
}

Result<PythonAnswers> AskPython(const PublishRequest& request, const ModelDefinition& model,
                                const fs::path& file, const std::vector<fs::path>& photos,
                                const fs::path& scratch) {
  const fs::path trace = scratch / "trace.pt", job = scratch / "job.json";
  const fs::path answer = scratch / "answer.json";
  if (Status status = HandOverTrace(request, model, file, trace); !status.ok()) return status;
  Json names = Json::array();
  for (const fs::path& photo : photos) names.push_back(photo.string());
  const Json asked = {{"file", file.string()},
                      {"network", request.network},
                      {"outputs", model.score_count()},
                      {"trace", trace.string()},
                      {"softmax", model.activation == Activation::kSoftmax},
                      {"preprocess", PreprocessJson(model.preprocess)},
                      {"photos", names},
                      {"answer", answer.string()}};
  std::ofstream(job) << asked.dump();
  if (Status status = RunChecker(request, job); !status.ok()) return status;
  const Json told = Json::parse(ReadBytes(answer));
  return PythonAnswers{told.at("rows").get<Probabilities2d>(),
                       told.at("reference").get<std::string>(),
                       told.at("sha256").get<std::string>()};
}

std::size_t Likeliest(const std::vector<float>& row) {
  return static_cast<std::size_t>(std::max_element(row.begin(), row.end()) - row.begin());
}

}  // namespace

Result<Probabilities2d> AnswersOfServer(const ModelDefinition& model, const fs::path& file,
                                        const std::vector<fs::path>& photos) {
  Result<Probabilities2d> rows = Status::Internal("not run");
  std::thread lane([&] { rows = AnswerAll(model, file, photos); });
  lane.join();
  return rows;
}

Result<PythonAnswers> AnswersOfPython(const PublishRequest& request, const ModelDefinition& model,
                                      const fs::path& file, const std::vector<fs::path>& photos,
                                      const fs::path& scratch) {
  try {
    return AskPython(request, model, file, photos, scratch);
  } catch (const std::exception& error) {
    return Status::Internal(std::string("comparing with PyTorch: ") + error.what());
  }
}

AnswerDifference CompareAnswers(const Probabilities2d& server, const Probabilities2d& python,
                                const std::vector<std::string>& labels,
                                const std::vector<fs::path>& photos, double tolerance) {
  AnswerDifference all;
  for (std::size_t i = 0; i < photos.size(); ++i) {
    const std::string photo = photos[i].filename().string();
    if (i >= server.size() || i >= python.size() || server[i].size() != labels.size() ||
        python[i].size() != labels.size()) {
      all.wrong.push_back(photo + ": not answered by both");
      continue;
    }
    double largest = 0;
    for (std::size_t k = 0; k < labels.size(); ++k) {
      const double difference = std::abs(double{server[i][k]} - double{python[i][k]});
      // Not a number is as far off as can be.
      largest = std::max(largest, std::isnan(difference) ? HUGE_VAL : difference);
    }
    all.largest = std::max(all.largest, largest);
    const std::size_t ours = Likeliest(server[i]), theirs = Likeliest(python[i]);
    const bool tie = std::abs(python[i][ours] - python[i][theirs]) <= tolerance;
    if (largest <= tolerance && (ours == theirs || tie)) continue;
    char figures[96];
    std::snprintf(figures, sizeof figures, " (%.4f), PyTorch says ", double{server[i][ours]});
    std::string line = photo + ": we say " + labels[ours] + figures + labels[theirs];
    std::snprintf(figures, sizeof figures, " (%.4f); largest difference %.4f",
                  double{python[i][theirs]}, largest);
    all.wrong.push_back(line + figures);
  }
  return all;
}

}  // namespace xcloud
