#include "models/publish/publish.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <utility>

#include "models/publish/answers.h"

namespace xcloud {
namespace {

namespace fs = std::filesystem;

// A folder that goes away with all it holds, unless it was moved.
class StagingFolder {
 public:
  explicit StagingFolder(fs::path path) : path_(std::move(path)) {
    fs::remove_all(path_);
    fs::create_directories(path_);
  }
  ~StagingFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  StagingFolder(const StagingFolder&) = delete;
  StagingFolder& operator=(const StagingFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  const fs::path path_;
};

void WriteText(const fs::path& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
  out.close();
  if (!out) throw std::runtime_error("cannot write " + path.string());
}

// Fails when `to` is there: two who publish at once do not mix.
Status MoveIntoPlace(const fs::path& from, const fs::path& to) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) {
    return Status::Ok();
  }
  if (errno == EEXIST) {
    return Status(StatusCode::kAlreadyExists,
                  to.string() + " is there by now; nothing was written");
  }
  return Status::Internal("cannot rename " + from.string() + " to " + to.string() + ": " +
                          std::strerror(errno));
}

std::string Joined(const std::vector<std::string>& lines) {
  std::string all;
  for (const std::string& line : lines) all += "\n  " + line;
  return all;
}

Result<PublishReport> PublishPlanned(const PublishRequest& request, const PublishPlan& plan,
                                     const std::function<void(const std::string&)>& progress) {
  const auto say = [&](const std::string& line) {
    if (progress) progress(line);
  };
  const StagingFolder staging(request.repository /
                              (".publish-" + request.name + "-" + std::to_string(getpid())));
  const fs::path service = staging.path() / request.name;
  const fs::path version = service / plan.version;
  const fs::path file = version / plan.definition.file;
  fs::create_directories(version);
  fs::copy_file(request.file, file);

  say("answering " + std::to_string(plan.photos.size()) + " photos as the server would");
  const auto ours = AnswersOfServer(plan.definition, file, plan.photos);
  if (!ours.ok()) return ours.status();
  say("answering them with PyTorch");
  const auto theirs = AnswersOfPython(request, plan.definition, file, plan.photos, staging.path());
  if (!theirs.ok()) return theirs.status();
  const AnswerDifference difference =
      CompareAnswers(*ours, theirs->rows, plan.definition.labels, plan.photos, request.tolerance);
  if (!difference.wrong.empty()) {
    return Status::InvalidArgument("the answers are not PyTorch's (" + theirs->reference +
                                   "); nothing was published:" + Joined(difference.wrong));
  }
  // As coreutils' sha256sum writes it.
  WriteText(version / "SHA256SUMS", theirs->sha256 + "  " + plan.definition.file + "\n");
  const fs::path target = request.repository / request.name;
  Status moved;
  if (plan.model_toml.empty()) {
    moved = MoveIntoPlace(version, target / plan.version);
  } else {
    WriteText(service / "model.toml", plan.model_toml);
    WriteText(service / "labels.txt", plan.labels_text);
    moved = MoveIntoPlace(service, target);
  }
  if (!moved.ok()) return moved;
  return PublishReport{target / plan.version, theirs->reference, plan.photos.size(),
                       difference.largest};
}

}  // namespace

Result<PublishReport> Publish(const PublishRequest& request,
                              const std::function<void(const std::string&)>& progress) {
  const Result<PublishPlan> plan = CheckRequest(request);
  if (!plan.ok()) return plan.status();
  try {
    return PublishPlanned(request, *plan, progress);
  } catch (const std::exception& error) {
    return Status::Internal(error.what());
  }
}

}  // namespace xcloud
