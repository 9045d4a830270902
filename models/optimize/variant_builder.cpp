#include "models/optimize/variant_builder.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <utility>

#include <nlohmann/json.hpp>

#include "models/checksum.h"
#include "models/stage_rows.h"
#ifdef XCLOUD_HAS_TORCH
#include "models/optimize/native_source.h"
#endif

namespace xcloud {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLog = "build.log";

// The exit code; below 0 when it could not be started or was ended by a signal.
int RunProgram(const std::vector<std::string>& words, const fs::path& log) {
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(),
                                   O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  pid_t pid = 0;
  const int failed = posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return -1;
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return -1;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::string LastLine(const fs::path& file) {
  std::ifstream in(file);
  std::string last;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty()) last = line;
  }
  return last;
}

std::string ShapeText(const ModelDefinition& model) {
  std::vector<std::int64_t> shape = BatchShape(model, 1);
  shape.front() = -1;
  return nlohmann::json(shape).dump();
}

// What the script left.
void TakeResult(const fs::path& result, const fs::path& folder, VariantReport& variant) {
  std::ifstream in(result);
  const std::string text(std::istreambuf_iterator<char>(in), {});
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    variant.trouble = "its build left no result";
    return;
  }
  variant.trouble = json.value("trouble", "");
  for (const auto& file : json.value("files", nlohmann::json::array())) {
    const std::string name = file.get<std::string>();
    const Result<std::string> sha256 = Sha256OfFile(folder / name);
    if (!sha256.ok()) {
      variant.trouble = "its build left no " + name;
      return;
    }
    variant.files.push_back({name, *sha256});
  }
  if (variant.files.empty() && variant.trouble.empty()) variant.trouble = "its build left no file";
}

}  // namespace

const std::vector<VariantKind>& VariantKinds() {
  static const std::vector<VariantKind> kinds = {
      {"openvino-fp32", "openvino fp32", "openvino"},
      {"openvino-int8", "openvino int8", "openvino"},
      {"aotinductor", "aotinductor fp32", "aotinductor"},
  };
  return kinds;
}

Result<fs::path> VariantSource(const RepositoryEntry& entry,
                               [[maybe_unused]] const fs::path& folder) {
  const std::string_view backend = entry.definition.reference_backend();
  if (backend == "torchscript" || backend == "openvino") return entry.weights;
#ifdef XCLOUD_HAS_TORCH
  if (backend == "native") {
    fs::path file = folder / "native.pt";
    if (Status status = SaveNativeSource(entry.definition, entry.weights, file); !status.ok()) {
      return status;
    }
    return file;
  }
#endif
  return Status::InvalidArgument("model '" + entry.definition.name + "': no variants are made of " +
                                 std::string(backend) + " files");
}

VariantReport BuildVariant(const VariantKind& kind, const RepositoryEntry& entry,
                           const fs::path& source, const fs::path& calibration,
                           const fs::path& folder, const BuilderTools& tools) {
  VariantReport variant;
  variant.name = kind.name;
  variant.backend = kind.backend;
  std::vector<std::string> words = {tools.python.string(),
                                    "-W",
                                    "ignore",
                                    tools.script.string(),
                                    kind.option,
                                    "--model",
                                    source.string(),
                                    "--input",
                                    ShapeText(entry.definition),
                                    "--output",
                                    folder.string()};
  if (!calibration.empty()) words.insert(words.end(), {"--calibration", calibration.string()});
  const int code = RunProgram(words, folder / kLog);
  if (code != 0) {
    const std::string last = LastLine(folder / kLog);
    variant.trouble = "its build ended with " + std::to_string(code) +
                      (last.empty() ? "; is there a " + tools.python.string() + "?" : ": " + last);
    return variant;
  }
  const fs::path result = folder / (kind.option + ".json");
  TakeResult(result, folder, variant);
  std::error_code ignored;
  fs::remove(result, ignored);
  return variant;
}

}  // namespace xcloud
