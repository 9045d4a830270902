#include "bench/conditions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace xcloud {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(ConditionsTest, ReadsModelAndTheFlagsThatMatter) {
  const CpuInfo cpu = ParseCpuInfo(
      "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n"
      "flags\t\t: fpu sse2 avx2 avx512_bf16 hypervisor avx512f avx512_vnni avx2x\n\n"
      "processor\t: 1\nmodel name\t: Another\nflags\t\t: amx_int8\n");
  EXPECT_EQ(cpu.model, "Some CPU @ 2 GHz");
  EXPECT_THAT(cpu.isa, ElementsAre("avx2", "avx512f", "avx512_vnni", "avx512_bf16"));
  EXPECT_TRUE(cpu.virtual_machine);
  EXPECT_EQ(IsaText(cpu), "avx2 avx512f avx512_vnni avx512_bf16");
}

TEST(ConditionsTest, ReadsArmAndNothingAtAll) {
  EXPECT_THAT(ParseCpuInfo("Features\t: fp asimd i8mm bf16\n").isa,
              ElementsAre("asimd", "i8mm", "bf16"));
  EXPECT_EQ(ParseCpuInfo("").model, "unknown");
  EXPECT_EQ(IsaText(ParseCpuInfo("")), "none of those that matter");
}

Conditions Ideal() {
  Conditions c;
  c.cores = 16;
  c.governor = "performance";
  c.build_type = "Release";
  c.optimised = true;
  return c;
}

TEST(ConditionsTest, WarnsOfEachThingThatSpoilsFigures) {
  EXPECT_THAT(Ideal().Warnings(), IsEmpty());
  Conditions c = Ideal();
  c.optimised = false;
  EXPECT_THAT(c.Warnings(), ElementsAre(HasSubstr("not an optimised build")));
  c = Ideal();
  c.sanitised = true;
  EXPECT_THAT(c.Warnings(), ElementsAre(HasSubstr("sanitised")));
  c = Ideal();
  c.governor = "powersave";
  EXPECT_THAT(c.Warnings(), ElementsAre(HasSubstr("powersave")));
  c = Ideal();
  c.load_average = 9;
  EXPECT_THAT(c.Warnings(), ElementsAre(HasSubstr("load average 9.00 on 16 cores")));
  c = Ideal();
  c.cores = 2;
  EXPECT_THAT(c.Warnings(), ElementsAre(HasSubstr("share 2 cores")));
  c = Ideal();
  c.cpu.virtual_machine = true;
  EXPECT_THAT(c.Warnings(), ElementsAre(HasSubstr("virtual machine")));
}

TEST(ConditionsTest, KnowsThisMachineAndThisBuild) {
  const Conditions c = ReadConditions();
  EXPECT_GE(c.cores, 1U);
  EXPECT_THAT(c.kernel, HasSubstr("Linux"));
  EXPECT_EQ(c.date.size(), std::string("2026-01-01T00:00:00Z").size());
  EXPECT_FALSE(c.version.empty());
#if defined(XCLOUD_SANITIZED)
  EXPECT_THAT(c.Warnings(), Contains(HasSubstr("sanitised")));
#else
  EXPECT_THAT(c.Warnings(), ::testing::Not(Contains(HasSubstr("sanitised"))));
#endif
}

TEST(ConditionsTest, ReadsTheCpuTimeOfAProcess) {
  // Ticks are 10 ms and the two are read one after the other.
  EXPECT_GE(OwnCpuSeconds() + 0.02, ProcessCpuSeconds(getpid()));
  EXPECT_GE(ProcessCpuSeconds(getpid()), 0);
  EXPECT_LT(ProcessCpuSeconds(-1), 0);
}

}  // namespace
}  // namespace xcloud
