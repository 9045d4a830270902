#include "models/zoo/torch_checkpoint.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>

#include <ATen/ops/as_strided.h>
#include <ATen/ops/empty.h>
#include <caffe2/serialize/inline_container.h>

#include "core/log.h"
#include "models/zoo/pickle_machine.h"

namespace xcloud::zoo {
namespace {

using Kind = PickleValue::Kind;
using Tensors = std::map<std::string, at::Tensor>;

constexpr std::size_t kMaxPickle = 64UL << 20;  // bytes; a state dict of 1000 tensors has 200 KB
constexpr int kMaxWrappings = 3;                // dicts around the state dict

struct StorageType {
  std::string_view name;
  at::ScalarType type;
};
constexpr std::array<StorageType, 10> kStorageTypes = {{{"FloatStorage", at::kFloat},
                                                        {"DoubleStorage", at::kDouble},
                                                        {"HalfStorage", at::kHalf},
                                                        {"BFloat16Storage", at::kBFloat16},
                                                        {"LongStorage", at::kLong},
                                                        {"IntStorage", at::kInt},
                                                        {"ShortStorage", at::kShort},
                                                        {"CharStorage", at::kChar},
                                                        {"ByteStorage", at::kByte},
                                                        {"BoolStorage", at::kBool}}};

// The memory of tensors, each record read once; tensors that shared it in Python share it here.
class Storages {
 public:
  explicit Storages(caffe2::serialize::PyTorchStreamReader& reader) : reader_(reader) {}

  // All elements of one record, in a row.
  const at::Tensor& Get(const PickleValue& storage) {
    const auto known = read_.find(storage.text);
    if (known != read_.end()) return known->second;
    const auto type = std::find_if(kStorageTypes.begin(), kStorageTypes.end(),
                                   [&](auto& t) { return t.name == storage.storage_type; });
    if (type == kStorageTypes.end()) {
      throw PickleError("it has values of the type " + storage.storage_type);
    }
    const std::string record = "data/" + storage.text;
    if (!reader_.hasRecord(record)) throw PickleError("its record " + record + " is missing");
    const std::size_t bytes = reader_.getRecordSize(record);
    const std::size_t element = c10::elementSize(type->type);
    if (storage.integer < 0 || bytes % element != 0 ||
        bytes / element != static_cast<std::size_t>(storage.integer)) {
      throw PickleError("its record " + record + " is not as long as its pickle says");
    }
    at::Tensor values = at::empty({storage.integer}, type->type);
    reader_.getRecord(record, values.data_ptr(), bytes);
    return read_[storage.text] = std::move(values);
  }

 private:
  caffe2::serialize::PyTorchStreamReader& reader_;
  Tensors read_;
};

// Views the storage as the tensor says, after checking that no element lies outside.
at::Tensor MakeTensor(const std::string& name, const PickleValue& value, Storages& storages) {
  const at::Tensor& values = storages.Get(*value.items[0]);
  const auto refuse = [&] {
    throw PickleError("its tensor '" + name + "' lies outside its record");
  };
  if (value.sizes.size() != value.strides.size() || value.integer < 0) refuse();
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  std::int64_t last = value.integer;  // the last element's place
  bool empty = false;
  for (std::size_t i = 0; i < value.sizes.size(); ++i) {
    const std::int64_t size = value.sizes[i], stride = value.strides[i];
    if (size < 0 || stride < 0) refuse();
    empty = empty || size == 0;
    if (size > 1 && stride > 0 && size - 1 > (kMost - last) / stride) refuse();
    if (size > 1) last += (size - 1) * stride;
  }
  if (!empty && last >= values.numel()) refuse();
  if (empty) return at::empty(value.sizes, values.scalar_type());
  return at::as_strided(values, value.sizes, value.strides, value.integer);
}

bool HoldsTensors(const PickleValue& value) {
  return value.kind == Kind::kDict && !value.entries.empty() &&
         std::all_of(value.entries.begin(), value.entries.end(), [](auto& entry) {
           return entry.first->kind == Kind::kText && entry.second->kind == Kind::kTensor;
         });
}

// The state dict itself, or what a training script saved it in.
const PickleValue& FindStateDict(const PickleValue& top) {
  const PickleValue* value = &top;
  for (int i = 0; i <= kMaxWrappings; ++i) {
    if (HoldsTensors(*value)) return *value;
    if (value->kind != Kind::kDict) break;
    const PickleValue* inner = nullptr;
    for (const std::string_view key : {"state_dict", "model_state_dict", "model", "net", "ema"}) {
      for (const auto& [name, item] : value->entries) {
        const bool here = name->kind == Kind::kText && name->text == key;
        if (here && inner == nullptr && item->kind == Kind::kDict) inner = item;
      }
    }
    if (inner == nullptr) break;
    value = inner;
  }
  throw PickleError("it holds no state dict, that is names with tensors");
}

Tensors ReadArchive(const std::filesystem::path& file) {
  caffe2::serialize::PyTorchStreamReader reader(file.string());
  if (reader.hasRecord("constants.pkl")) {
    throw PickleError("it is a TorchScript file, not a state dict: serve it as it is");
  }
  if (!reader.hasRecord("data.pkl")) throw PickleError("it is a zip archive, but not torch.save's");
  if (reader.getRecordSize("data.pkl") > kMaxPickle) throw PickleError("its pickle is over 64 MiB");
  if (reader.hasRecord("byteorder")) {
    const auto [order, size] = reader.getRecord("byteorder");
    if (std::string_view(static_cast<const char*>(order.get()), size) != "little") {
      throw PickleError("it was written on a big-endian machine");
    }
  }
  const auto [pickle, size] = reader.getRecord("data.pkl");
  PickleMachine machine;
  const PickleValue& top = machine.Run({static_cast<const char*>(pickle.get()), size});
  Storages storages(reader);
  Tensors tensors;
  for (const auto& [name, value] : FindStateDict(top).entries) {
    tensors[name->text] = MakeTensor(name->text, *value, storages);
  }
  return tensors;
}

}  // namespace

Result<Tensors> ReadTorchCheckpoint(const std::filesystem::path& file) {
  const std::string name = file.filename().string();
  try {
    return ReadArchive(file);
  } catch (const PickleError& error) {
    return Status::InvalidArgument(name + ": " + error.what());
  } catch (const std::exception& error) {
    spdlog::debug("{}: {}", name, error.what());
    return Status::InvalidArgument(name + ": a damaged zip archive, or no memory for its tensors");
  }
}

}  // namespace xcloud::zoo
