// Files of torch.save since version 1.6: a zip archive of a pickle and of the tensors' memory.
// The archive is read by LibTorch, the pickle by models/zoo/pickle_machine.h, which runs nothing.
//
// Threads: any. Nothing is thrown.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include <ATen/core/Tensor.h>

#include "core/result.h"

namespace xcloud::zoo {

// The tensors of the dict that is the file's value, or that the value holds under one of the usual
// keys (see state_dict.h). InvalidArgument names the file's last part and why not.
Result<std::map<std::string, at::Tensor>> ReadTorchCheckpoint(const std::filesystem::path& file);

}  // namespace xcloud::zoo
