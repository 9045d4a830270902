// Safetensors: named tensors in one file: 8 bytes of length, a JSON header of that length, then
// the values, back to back. https://github.com/huggingface/safetensors describes the format.
//
// Reading trusts nothing: the header must be an object of at most 100 MB; each tensor's dtype must
// be known, its range lie in the file and be as long as its shape says; all ranges together must
// cover the values without gap or overlap; no name may come twice. Memory is taken only after
// that, so never more than the file's size.
//
// Threads: any. Nothing is thrown.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include <ATen/core/Tensor.h>

#include "core/result.h"

namespace xcloud::zoo {

// F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL. InvalidArgument names the file's last part and the lie.
Result<std::map<std::string, at::Tensor>> ReadSafetensors(const std::filesystem::path& file);

// Writes FILE.part, then renames it, so FILE is whole or absent. Tensors of other devices and
// strides are copied first. Internal when the disk refuses; InvalidArgument for another dtype.
Status WriteSafetensors(const std::filesystem::path& file,
                        const std::map<std::string, at::Tensor>& tensors);

}  // namespace xcloud::zoo
