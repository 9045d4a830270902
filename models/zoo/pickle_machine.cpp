#include "models/zoo/pickle_machine.h"

#include <algorithm>
#include <array>
#include <bit>

namespace xcloud::zoo {
namespace {

// Opcodes, as pickletools names them.
enum Op : std::uint8_t {
  kMark = '(',
  kStop = '.',
  kPop = '0',
  kBinFloat = 'G',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kNone = 'N',
  kBinPersId = 'Q',
  kReduce = 'R',
  kShortBinString = 'U',
  kBinUnicode = 'X',
  kEmptyList = ']',
  kAppend = 'a',
  kBuild = 'b',
  kGlobal = 'c',
  kDict = 'd',
  kAppends = 'e',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kList = 'l',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItem = 's',
  kTuple = 't',
  kSetItems = 'u',
  kEmptyDict = '}',
  kEmptyTuple = ')',
  kProto = 0x80,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8a,
  kShortBinUnicode = 0x8c,
  kStackGlobal = 0x93,
  kMemoize = 0x94,
  kFrame = 0x95,
};

constexpr std::string_view kOrderedDict = "collections.OrderedDict";
constexpr std::string_view kTensorV2 = "torch._utils._rebuild_tensor_v2";
constexpr std::string_view kParameter = "torch._utils._rebuild_parameter";
constexpr std::string_view kSize = "torch.Size";

// What may be named. Storages are classes only: they are never called.
bool IsAllowed(std::string_view name) {
  constexpr std::array<std::string_view, 14> kAllowed = {
      kOrderedDict,         kTensorV2,
      kParameter,           kSize,
      "torch.FloatStorage", "torch.DoubleStorage",
      "torch.HalfStorage",  "torch.BFloat16Storage",
      "torch.LongStorage",  "torch.IntStorage",
      "torch.ShortStorage", "torch.CharStorage",
      "torch.ByteStorage",  "torch.BoolStorage"};
  return std::find(kAllowed.begin(), kAllowed.end(), name) != kAllowed.end();
}

[[noreturn]] void Damaged() {
  throw PickleError("its pickle is damaged");
}

std::vector<std::int64_t> Integers(const PickleValue& value) {
  if (value.kind != PickleValue::Kind::kSequence) Damaged();
  std::vector<std::int64_t> integers;
  for (const PickleValue* item : value.items) {
    if (item->kind != PickleValue::Kind::kInt) Damaged();
    integers.push_back(item->integer);
  }
  return integers;
}

}  // namespace

// A state dict of 2,000 tensors has some 30,000 values; a byte of pickle can make one of 200 bytes.
constexpr std::size_t kMaxValues = 2'000'000;

PickleValue* PickleMachine::New(Kind kind) {
  if (values_.size() >= kMaxValues)
    throw PickleError("its pickle has more values than a state dict");
  values_.emplace_back();
  values_.back().kind = kind;
  return &values_.back();
}

PickleValue* PickleMachine::Pop() {
  PickleValue* top = Top();
  stack_.pop_back();
  return top;
}

PickleValue* PickleMachine::Top() {
  const std::size_t floor = marks_.empty() ? 0 : marks_.back();
  if (stack_.size() <= floor) Damaged();
  return stack_.back();
}

std::vector<PickleValue*> PickleMachine::PopToMark() {
  if (marks_.empty() || marks_.back() > stack_.size()) Damaged();
  const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  std::vector<PickleValue*> items(first, stack_.end());
  stack_.erase(first, stack_.end());
  marks_.pop_back();
  return items;
}

std::string_view PickleMachine::Take(std::size_t count) {
  if (count > rest_.size()) Damaged();
  const std::string_view taken = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return taken;
}

std::string_view PickleMachine::TakeLine() {
  const std::size_t end = rest_.find('\n');
  if (end == std::string_view::npos) Damaged();
  const std::string_view line = Take(end);
  Take(1);
  return line;
}

std::uint64_t PickleMachine::TakeUnsigned(int bytes) {
  std::uint64_t number = 0;
  const std::string_view taken = Take(static_cast<std::size_t>(bytes));
  for (int i = bytes; i-- > 0;) {
    number = number << 8 | static_cast<std::uint8_t>(taken[static_cast<std::size_t>(i)]);
  }
  return number;
}

const PickleValue& PickleMachine::Run(std::string_view bytes) {
  rest_ = bytes;
  while (Step(static_cast<std::uint8_t>(Take(1)[0]))) {
  }
  return *Pop();
}

bool PickleMachine::Step(std::uint8_t opcode) {
  if (opcode == kStop) return false;
  if (StepScalar(opcode) || StepContainer(opcode) || StepMemo(opcode) || StepObject(opcode)) {
    return true;
  }
  throw PickleError("its pickle has the opcode " + std::to_string(opcode) +
                    ", which no state dict needs");
}

void PickleMachine::PushText(std::uint64_t size) {
  PickleValue* value = New(Kind::kText);
  value->text = Take(size);
  Push(value);
}

bool PickleMachine::StepScalar(std::uint8_t opcode) {
  const auto push_integer = [&](std::int64_t integer) {
    Push(New(Kind::kInt));
    stack_.back()->integer = integer;
  };
  switch (opcode) {
    case kNone:
      Push(New(Kind::kNone));
      return true;
    case kNewTrue:
    case kNewFalse:
      Push(New(Kind::kBool));
      stack_.back()->integer = opcode == kNewTrue ? 1 : 0;
      return true;
    case kBinInt:
      push_integer(static_cast<std::int32_t>(TakeUnsigned(4)));
      return true;
    case kBinInt1:
      push_integer(static_cast<std::int64_t>(TakeUnsigned(1)));
      return true;
    case kBinInt2:
      push_integer(static_cast<std::int64_t>(TakeUnsigned(2)));
      return true;
    case kLong1: {  // little-endian two's complement of so many bytes
      const int bytes = static_cast<int>(TakeUnsigned(1));
      if (bytes > 8) throw PickleError("its pickle has an integer of over 64 bits");
      std::uint64_t number = TakeUnsigned(bytes);
      const bool negative = bytes > 0 && bytes < 8 && (number >> (8 * bytes - 1) & 1) != 0;
      if (negative) number |= ~std::uint64_t{0} << (8 * bytes);
      push_integer(static_cast<std::int64_t>(number));
      return true;
    }
    case kBinFloat: {  // big-endian
      std::uint64_t bits = 0;
      for (const char byte : Take(8)) bits = bits << 8 | static_cast<std::uint8_t>(byte);
      Push(New(Kind::kDouble));
      stack_.back()->number = std::bit_cast<double>(bits);
      return true;
    }
    case kShortBinString:
    case kShortBinUnicode:
      PushText(TakeUnsigned(1));
      return true;
    case kBinUnicode:
      PushText(TakeUnsigned(4));
      return true;
    default:
      return false;
  }
}

void PickleMachine::PushSequence(std::vector<PickleValue*> items) {
  PickleValue* sequence = New(Kind::kSequence);
  sequence->items.assign(items.begin(), items.end());
  Push(sequence);
}

void PickleMachine::SetItems(const std::vector<PickleValue*>& pairs) {
  PickleValue* dict = Top();
  if (dict->kind != Kind::kDict || pairs.size() % 2 != 0) Damaged();
  for (std::size_t i = 0; i < pairs.size(); i += 2) {
    dict->entries.emplace_back(pairs[i], pairs[i + 1]);
  }
}

void PickleMachine::AppendItems(const std::vector<PickleValue*>& items) {
  PickleValue* list = Top();
  if (list->kind != Kind::kSequence) Damaged();
  list->items.insert(list->items.end(), items.begin(), items.end());
}

bool PickleMachine::StepContainer(std::uint8_t opcode) {
  switch (opcode) {
    case kMark:
      marks_.push_back(stack_.size());
      return true;
    case kPop:
      Pop();
      return true;
    case kEmptyTuple:
    case kEmptyList:
      PushSequence({});
      return true;
    case kTuple:
    case kList:
      PushSequence(PopToMark());
      return true;
    case kTuple1:
    case kTuple2:
    case kTuple3: {
      std::vector<PickleValue*> items(opcode - kTuple1 + 1U);
      for (std::size_t i = items.size(); i-- > 0;) items[i] = Pop();
      PushSequence(std::move(items));
      return true;
    }
    case kEmptyDict:
      Push(New(Kind::kDict));
      return true;
    case kDict: {
      const std::vector<PickleValue*> pairs = PopToMark();
      Push(New(Kind::kDict));
      SetItems(pairs);
      return true;
    }
    case kSetItem: {
      PickleValue* value = Pop();
      PickleValue* key = Pop();
      SetItems({key, value});
      return true;
    }
    case kSetItems:
      SetItems(PopToMark());
      return true;
    case kAppend:
      AppendItems({Pop()});
      return true;
    case kAppends:
      AppendItems(PopToMark());
      return true;
    default:
      return false;
  }
}

bool PickleMachine::StepMemo(std::uint8_t opcode) {
  const auto get = [&](std::uint64_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) Damaged();
    Push(found->second);
  };
  switch (opcode) {
    case kProto:
      Take(1);
      return true;
    case kFrame:
      Take(8);
      return true;
    case kBinPut:
      memo_[TakeUnsigned(1)] = Top();
      return true;
    case kLongBinPut:
      memo_[TakeUnsigned(4)] = Top();
      return true;
    case kMemoize: {
      const std::uint64_t index = memo_.size();
      memo_[index] = Top();
      return true;
    }
    case kBinGet:
      get(TakeUnsigned(1));
      return true;
    case kLongBinGet:
      get(TakeUnsigned(4));
      return true;
    default:
      return false;
  }
}

void PickleMachine::PushName(std::string name) {
  if (!IsAllowed(name)) {
    throw PickleError("it holds an object of Python, '" + name +
                      "', and not only tensors; save the network's state_dict() alone");
  }
  Push(New(Kind::kName));
  stack_.back()->text = std::move(name);
}

bool PickleMachine::StepObject(std::uint8_t opcode) {
  switch (opcode) {
    case kGlobal: {
      std::string name(TakeLine());
      name += '.';
      name += TakeLine();
      PushName(std::move(name));
      return true;
    }
    case kStackGlobal: {
      const PickleValue* name = Pop();
      const PickleValue* module = Pop();
      if (name->kind != Kind::kText || module->kind != Kind::kText) Damaged();
      PushName(module->text + "." + name->text);
      return true;
    }
    case kBinPersId:
      LoadPersistent();
      return true;
    case kReduce:
      Call();
      return true;
    case kBuild:
      Build();
      return true;
    default:
      return false;
  }
}

// torch.save names a tensor's memory so: ("storage", class, key, device, elements).
void PickleMachine::LoadPersistent() {
  const PickleValue& id = *Pop();
  const bool plain = id.kind == Kind::kSequence && id.items.size() == 5 &&
                     id.items[0]->kind == Kind::kText && id.items[0]->text == "storage" &&
                     id.items[1]->kind == Kind::kName && id.items[2]->kind == Kind::kText &&
                     id.items[4]->kind == Kind::kInt;
  if (!plain) Damaged();
  PickleValue* storage = New(Kind::kStorage);
  storage->storage_type = id.items[1]->text.substr(std::string_view("torch.").size());
  storage->text = id.items[2]->text;
  storage->integer = id.items[4]->integer;
  Push(storage);
}

// (storage, offset, sizes, strides, requires_grad, hooks, ...): what follows says nothing of the
// values.
PickleValue* PickleMachine::RebuildTensor(const PickleValue& arguments) {
  const auto& items = arguments.items;
  const bool plain =
      items.size() >= 4 && items[0]->kind == Kind::kStorage && items[1]->kind == Kind::kInt;
  if (!plain) Damaged();
  PickleValue* tensor = New(Kind::kTensor);
  tensor->items = {items[0]};
  tensor->integer = items[1]->integer;
  tensor->sizes = Integers(*items[2]);
  tensor->strides = Integers(*items[3]);
  return tensor;
}

void PickleMachine::Call() {
  PickleValue* arguments = Pop();
  const PickleValue* function = Pop();
  if (function->kind != Kind::kName || arguments->kind != Kind::kSequence) Damaged();
  if (function->text == kOrderedDict && arguments->items.empty()) {
    Push(New(Kind::kDict));
  } else if (function->text == kTensorV2) {
    Push(RebuildTensor(*arguments));
  } else if (function->text == kParameter && !arguments->items.empty()) {
    PickleValue* copy = New(Kind::kNone);
    *copy = *arguments->items[0];
    Push(copy);
  } else if (function->text == kSize && arguments->items.size() == 1) {
    PickleValue* copy = New(Kind::kNone);
    *copy = *arguments->items[0];
    Push(copy);
  } else {
    throw PickleError("it calls '" + function->text + "' in a way that no state dict needs");
  }
}

// A state dict carries attributes (_metadata) that say nothing of the values.
void PickleMachine::Build() {
  Pop();
  if (Top()->kind != Kind::kDict) Damaged();
}

}  // namespace xcloud::zoo
