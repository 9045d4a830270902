// PickleMachine: reads the pickle inside a torch.save file into plain values, and runs nothing.
//
// A pickle is a program for a stack machine; Python's own runs whatever functions it names. This
// one knows the few opcodes and names that a state dict needs and refuses all others, by name.
// LibTorch's C++ unpickler is no way: it gives None for the OrderedDict that state_dict() returns.
// Opcodes: Python's pickletools, protocols 2 to 5.
//
// Values live as long as the machine that read them. Threads: one machine, one thread. Throws
// PickleError, and nothing else but bad_alloc; its callers stop both.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xcloud::zoo {

class PickleError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct PickleValue {
  enum class Kind {
    kNone,
    kBool,
    kInt,
    kDouble,
    kText,
    kSequence,
    kDict,
    kName,
    kStorage,
    kTensor
  };
  Kind kind = Kind::kNone;
  std::int64_t integer = 0;  // kInt, kBool; kTensor: offset into the storage, elements
  double number = 0;         // kDouble
  std::string text;          // kText; kName: "module.name"; kStorage: its key in the archive
  std::vector<const PickleValue*> items;  // kSequence; kTensor: {storage}
  std::vector<std::pair<const PickleValue*, const PickleValue*>> entries;  // kDict
  std::vector<std::int64_t> sizes, strides;                                // kTensor
  std::string storage_type;  // kStorage: "FloatStorage"
};

class PickleMachine {
 public:
  // Reads one pickle from its first opcode to STOP. `bytes` may go away afterwards.
  const PickleValue& Run(std::string_view bytes);

 private:
  using Kind = PickleValue::Kind;

  PickleValue* New(Kind kind);
  void Push(PickleValue* value) { stack_.push_back(value); }
  PickleValue* Pop();
  PickleValue* Top();
  std::vector<PickleValue*> PopToMark();
  std::string_view Take(std::size_t count);
  std::string_view TakeLine();
  std::uint64_t TakeUnsigned(int bytes);

  bool Step(std::uint8_t opcode);  // false = STOP
  bool StepScalar(std::uint8_t opcode);
  bool StepContainer(std::uint8_t opcode);
  bool StepMemo(std::uint8_t opcode);
  bool StepObject(std::uint8_t opcode);
  void PushText(std::uint64_t size);
  void PushSequence(std::vector<PickleValue*> items);
  void PushName(std::string name);
  void SetItems(const std::vector<PickleValue*>& pairs);
  void AppendItems(const std::vector<PickleValue*>& items);
  void Call();
  void Build();
  void LoadPersistent();
  PickleValue* RebuildTensor(const PickleValue& arguments);

  std::string_view rest_;
  std::deque<PickleValue> values_;
  std::vector<PickleValue*> stack_;
  std::vector<std::size_t> marks_;
  std::map<std::uint64_t, PickleValue*> memo_;
};

}  // namespace xcloud::zoo
