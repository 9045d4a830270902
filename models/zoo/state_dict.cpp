#include "models/zoo/state_dict.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <string_view>
#include <utility>
#include <vector>

#include <c10/core/GradMode.h>

#include "models/torch_words.h"
#include "models/zoo/layers.h"
#include "models/zoo/safetensors.h"
#include "models/zoo/torch_checkpoint.h"

namespace xcloud::zoo {
namespace {

constexpr std::size_t kMostNamed = 12;  // of each kind of wrong name in a message

bool EndsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// What wrapping a network for training puts before every name.
bool StripPrefix(std::string_view prefix, StateDict& weights) {
  const bool all = !weights.empty() && std::all_of(weights.begin(), weights.end(), [&](auto& w) {
    return w.first.size() > prefix.size() && w.first.starts_with(prefix);
  });
  if (!all) return false;
  StateDict stripped;
  for (auto& [name, tensor] : weights) stripped[name.substr(prefix.size())] = std::move(tensor);
  weights = std::move(stripped);
  return true;
}

// DenseNet files from before module names without dots: "denselayer1.norm.1" is "norm1".
std::string ModernName(const std::string& name) {
  if (name.find("denselayer") == std::string::npos) return name;
  for (const std::string_view old : {".norm.1.", ".norm.2.", ".conv.1.", ".conv.2."}) {
    const std::size_t at = name.find(old);
    if (at == std::string::npos) continue;
    std::string modern = name;
    return modern.erase(at + old.size() - 3, 1);
  }
  return name;
}

void AppendNames(const char* what, const std::vector<std::string>& names, std::string& text) {
  if (names.empty()) return;
  text += (text.empty() ? "" : "; ") + std::to_string(names.size()) + " " + what + ": ";
  for (std::size_t i = 0; i < std::min(names.size(), kMostNamed); ++i) {
    text += (i > 0 ? ", " : "") + names[i];
  }
  if (names.size() > kMostNamed) text += ", ...";
}

enum class FileKind { kSafetensors, kZip, kOther };

FileKind KindOf(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::array<char, 9> start{};
  in.read(start.data(), start.size());
  // A zip archive starts with "PK"; a safetensors file with the length of its header, then '{'.
  if (start[0] == 'P' && start[1] == 'K') return FileKind::kZip;
  if (start[8] == '{' || EndsWith(file.string(), ".safetensors")) return FileKind::kSafetensors;
  return FileKind::kOther;
}

}  // namespace

Result<StateDict> ReadStateDict(const std::filesystem::path& file) {
  const std::string name = file.filename().string();
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) {
    return Status::InvalidArgument(name + ": no such file");
  }
  Result<StateDict> weights = Status::InvalidArgument(
      name +
      ": neither a safetensors file nor one of torch.save since version 1.6; if it is an "
      "older one, convert it once: python models/zoo/convert_checkpoint.py " +
      name + " OUT.safetensors");
  const FileKind kind = KindOf(file);
  if (kind == FileKind::kSafetensors) weights = ReadSafetensors(file);
  if (kind == FileKind::kZip) weights = ReadTorchCheckpoint(file);
  if (!weights.ok()) return weights;
  while (StripPrefix("module.", *weights) || StripPrefix("_orig_mod.", *weights)) {
  }
  return weights;
}

Status LoadStateDict(const StateDict& weights, std::string_view training_only, Layer& network) {
  StateDict given;
  for (const auto& [name, tensor] : weights) {
    const bool left_out = !training_only.empty() && name.starts_with(training_only);
    if (!left_out) given[ModernName(name)] = tensor;
  }
  std::vector<std::string> missing, unexpected, misshapen;
  const StateDict wanted = StateDictOf(network);
  for (const auto& [name, tensor] : wanted) {
    const auto found = given.find(name);
    if (found == given.end()) {
      if (!EndsWith(name, ".num_batches_tracked")) missing.push_back(name);
    } else if (found->second.sizes() != tensor.sizes()) {
      misshapen.push_back(name + " is " + TorchShape(found->second) + " instead of " +
                          TorchShape(tensor));
    }
  }
  for (const auto& [name, tensor] : given) {
    if (!wanted.contains(name)) unexpected.push_back(name);
  }
  std::string wrong;
  AppendNames("missing", missing, wrong);
  AppendNames("unexpected", unexpected, wrong);
  AppendNames("of another shape", misshapen, wrong);
  if (!wrong.empty())
    return Status::InvalidArgument("the weights do not fit the network: " + wrong);
  try {
    const c10::AutoGradMode no_gradients(false);
    for (const auto& [name, tensor] : wanted) {
      const auto found = given.find(name);
      if (found == given.end()) continue;
      at::Tensor target = tensor;
      target.set_data(found->second.to(target.scalar_type()).contiguous());
    }
  } catch (const std::exception& error) {
    return Status::InvalidArgument(std::string("the weights cannot be put into the network: ") +
                                   error.what());
  }
  return Status::Ok();
}

StateDict StateDictOf(const Layer& network) {
  StateDict all;
  for (const auto& item : network.named_parameters()) all[item.key()] = item.value();
  for (const auto& item : network.named_buffers()) all[item.key()] = item.value();
  return all;
}

}  // namespace xcloud::zoo
