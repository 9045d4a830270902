#include "models/zoo/pickle_machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/models/zoo/checkpoint_writer.h"

namespace xcloud::zoo {
namespace {

using Kind = PickleValue::Kind;
using testing::Global;
using ::testing::HasSubstr;
using testing::Pickle;
using testing::Text;

std::string WhyRefused(std::string_view pickle) {
  try {
    PickleMachine machine;
    machine.Run(pickle);
  } catch (const PickleError& error) {
    return error.what();
  }
  return "not refused";
}

const std::string kStorage =
    "(" + Text("storage") + Global("torch", "FloatStorage") + Text("0") + Text("cpu") + "K\x06tQ";
// Offset 1, sizes (2, 2), strides (2, 1), no gradient, no hooks.
const std::string kTensor = Global("torch._utils", "_rebuild_tensor_v2") + "(" + kStorage +
                            "K\x01K\x02K\x02\x86K\x02K\x01\x86\x89" +
                            Global("collections", "OrderedDict") + ")RtR";

TEST(PickleMachineTest, ReadsScalars) {
  PickleMachine machine;
  const PickleValue& all = machine.Run(
      Pickle(std::string(
                 "(NK\x07M\x01\x02J\xff\xff\xff\xff\x8a\x01\xfe\x88\x89G\x3f\xf8\0\0\0\0\0\0", 26) +
             Text("x") + "t"));
  ASSERT_EQ(all.items.size(), 9U);
  EXPECT_EQ(all.items[0]->kind, Kind::kNone);
  EXPECT_EQ(all.items[1]->integer, 7);
  EXPECT_EQ(all.items[2]->integer, 513);
  EXPECT_EQ(all.items[3]->integer, -1);
  EXPECT_EQ(all.items[4]->integer, -2);
  EXPECT_EQ(all.items[5]->integer, 1);
  EXPECT_EQ(all.items[6]->integer, 0);
  EXPECT_EQ(all.items[7]->number, 1.5);
  EXPECT_EQ(all.items[8]->text, "x");
}

TEST(PickleMachineTest, ReadsTheStateDictOfAModule) {
  PickleMachine machine;
  // As state_dict() is saved: an OrderedDict with an attribute.
  const PickleValue& dict =
      machine.Run(Pickle(Global("collections", "OrderedDict") + ")Rq\x01(" + Text("weight") +
                         kTensor + "u" + "}" + Text("_metadata") + "}sb"));
  ASSERT_EQ(dict.kind, Kind::kDict);
  ASSERT_EQ(dict.entries.size(), 1U);
  EXPECT_EQ(dict.entries[0].first->text, "weight");
  const PickleValue& tensor = *dict.entries[0].second;
  ASSERT_EQ(tensor.kind, Kind::kTensor);
  EXPECT_EQ(tensor.integer, 1);
  EXPECT_EQ(tensor.sizes, (std::vector<std::int64_t>{2, 2}));
  EXPECT_EQ(tensor.strides, (std::vector<std::int64_t>{2, 1}));
  EXPECT_EQ(tensor.items[0]->storage_type, "FloatStorage");
  EXPECT_EQ(tensor.items[0]->integer, 6);
}

TEST(PickleMachineTest, RefusesToRunWhatAPickleNames) {
  const std::string evil = Pickle(Global("os", "system") + Text("true") + "\x85R");
  EXPECT_THAT(WhyRefused(evil), HasSubstr("'os.system'"));
  const std::string newer = Pickle("\x8c\x02os\x8c\x06system\x93)R");
  EXPECT_THAT(WhyRefused(newer), HasSubstr("'os.system'"));
  // Known names may only be called as torch.save calls them.
  EXPECT_THAT(WhyRefused(Pickle(Global("torch", "FloatStorage") + ")R")), HasSubstr("calls"));
}

TEST(PickleMachineTest, RefusesUnknownOpcodes) {
  EXPECT_THAT(WhyRefused(Pickle("i")), HasSubstr("opcode 105"));
}

TEST(PickleMachineTest, RefusesEveryTruncation) {
  const std::string whole = Pickle("}(" + Text("weight") + kTensor + "u");
  PickleMachine machine;
  ASSERT_EQ(machine.Run(whole).entries.size(), 1U);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_NE(WhyRefused(std::string_view(whole).substr(0, length)), "not refused") << length;
  }
}

// A value may hold itself: nothing here may follow such a ring without end.
TEST(PickleMachineTest, ADictInsideItselfIsReadAndLetGo) {
  PickleMachine machine;
  const PickleValue& dict =
      machine.Run(Pickle(std::string("}q\0", 3) + Text("me") + std::string("h\0s", 3)));
  ASSERT_EQ(dict.entries.size(), 1U);
  EXPECT_EQ(dict.entries[0].second, &dict);
}

TEST(PickleMachineTest, RefusesMoreValuesThanAStateDictHas) {
  EXPECT_THAT(WhyRefused(Pickle(std::string(3'000'000, '}'))), HasSubstr("more values"));
}

TEST(PickleMachineTest, RefusesStackTricks) {
  for (const char* body :
       {"t", "u", "0", "(0", "s", "a", "b", "R", "Q", "}K\x01u", "\x87", "h\x01"}) {
    EXPECT_NE(WhyRefused(Pickle(body)), "not refused") << body;
  }
}

}  // namespace
}  // namespace xcloud::zoo
